// What a start does: asks the sampler, takes a slot, writes what is known. Runs on the caller's thread, takes no
// lock, allocates nothing, counts no references.
import CThread
import Synchronization

extension Tracer {
    /// A name's bytes and whether they stay where they are.
    @safe struct NameBytes {
        var pointer: UnsafeRawPointer
        var count: Int
        var isImmortal: Bool
    }

    @inline(__always)
    func start(
        _ name: NameBytes, _ kind: SpanKind, _ parent: SpanContext?, _ startTimeUnixNano: UInt64?,
        _ identity: SpanIdentity?, _ attributes: SpanAttributes?, _ links: [SpanLink]
    ) -> ActiveSpan {
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        let producer = unsafe RecorderCore.producer(core)
        unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
        if signals & Signal.refusesStarts != 0 {
            return unsafe refused(producer, parent, signals)
        }
        let spanID: SpanID
        if let identity, identity.spanID.isValid {
            spanID = identity.spanID
        } else {
            spanID = unsafe SpanID(rawValue: producer.pointee.ids.nextNonZero())
        }
        let context: SpanContext
        var parentID = SpanID(rawValue: 0)
        var isParentRemote = false
        let isKept: Bool
        if let parent, parent.isValid, isSimple(parent) {
            parentID = parent.spanID
            isParentRemote = parent.isRemote
            isKept = sampler.keepsChild(of: parent)
            context = SpanContext(
                traceID: parent.traceID, spanID: spanID,
                flags: parent.flags.intersection(.random), traceState: parent.traceState)
        } else if parent.isAbsent, sampler.isSimple(for: .empty) {
            let traceID = unsafe newTraceID(identity, producer)
            isKept = sampler.keepsRoot(traceLow: traceID.low)
            context = SpanContext(
                traceID: traceID, spanID: spanID, flags: rootFlags(identity))
        } else {
            return startWithQuestion(
                name, kind, parent, startTimeUnixNano, identity, attributes, links, spanID: spanID)
        }
        guard isKept else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedSampler)
            return ActiveSpan(context: context)
        }
        return unsafe record(
            context, parent, parentID: parentID, isParentRemote: isParentRemote, name, kind,
            startTimeUnixNano, attributes, links, producer, isSampled: true, signals: signals)
    }

    /// Starts a span about which the sampler wants to know more than its parent's flags.
    @inline(never)
    private func startWithQuestion(
        _ name: NameBytes, _ kind: SpanKind, _ parent: SpanContext?, _ startTimeUnixNano: UInt64?,
        _ identity: SpanIdentity?, _ attributes: SpanAttributes?, _ links: [SpanLink],
        spanID: SpanID
    ) -> ActiveSpan {
        let producer = unsafe RecorderCore.producer(core)
        let isChild = parent?.isValid ?? false
        let traceID = unsafe isChild ? parent!.traceID : newTraceID(identity, producer)
        let unixNano = unsafe sampler.looksAtTime ? samplingTime(producer, startTimeUnixNano) : 0
        let verdict =
            sampler.looksAtSpan
            ? unsafe sampler.decide(
                SamplingQuestion(
                    parent: parent, traceID: traceID,
                    name: UnsafeRawBufferPointer(start: name.pointer, count: name.count),
                    kind: kind, attributes: attributes, links: links,
                    startUnixNano: startTimeUnixNano, nowUnixNano: unixNano))
            : sampler.decide(parent: parent, traceID: traceID, nowUnixNano: unixNano)
        var context = SpanContext(
            traceID: traceID, spanID: spanID,
            flags: isChild ? parent!.flags.intersection(.random) : rootFlags(identity),
            traceState: verdict.traceState)
        guard verdict.decision != .drop else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedSampler)
            return ActiveSpan(context: context)
        }
        let isSampled = verdict.decision == .recordAndSample
        if isSampled, let parent, parent.flags.contains(.debug) { context.flags.insert(.debug) }
        // A sampler of the user's may trace by itself, so the word is read afresh.
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        let span = unsafe record(
            context, parent, parentID: isChild ? parent!.spanID : SpanID(rawValue: 0),
            isParentRemote: isChild && parent!.isRemote, name, kind, startTimeUnixNano, attributes,
            links, producer, samplerAttributes: verdict.attributes, isSampled: isSampled,
            signals: signals)
        if !isSampled, span.isRecording {
            unsafe ProducerCounters.bump(producer.pointee.counters.recordingOnly)
        }
        return span
    }

    /// What time it is for a sampler. A start time that the caller gives may be any, so rate limits go by the
    /// clock, unless time is simulated.
    private func samplingTime(_ producer: ProducerPointer, _ given: UInt64?) -> UInt64 {
        if let given, unsafe core.pointee.simulatesTime { return given }
        return unsafe producer.pointee.anchor.unixNano(
            at: RecorderCore.ticks(core), usesCycles: core.pointee.usesCycles)
    }

    /// A trace id for a root: the caller's, or a random one.
    @inline(__always)
    private func newTraceID(_ identity: SpanIdentity?, _ producer: ProducerPointer) -> TraceID {
        if let identity, identity.traceID.isValid { return identity.traceID }
        return unsafe TraceID(
            high: producer.pointee.ids.nextNonZero(), low: producer.pointee.ids.nextNonZero())
    }

    /// Whether a root's trace id is random: ours are.
    @inline(__always)
    private func rootFlags(_ identity: SpanIdentity?) -> TraceFlags {
        guard let identity, identity.traceID.isValid, !identity.isTraceIDRandom else {
            return .random
        }
        return []
    }

    /// Takes a slot and fills it. Without a free one the span does not record, and is not sampled either:
    /// sampled but not recording never leaves the SDK.
    @inline(__always)
    private func record(
        _ begun: SpanContext, _ parent: SpanContext?, parentID: SpanID, isParentRemote: Bool,
        _ name: NameBytes, _ kind: SpanKind, _ startTimeUnixNano: UInt64?,
        _ attributes: SpanAttributes?, _ links: [SpanLink], _ producer: ProducerPointer,
        samplerAttributes: SpanAttributes? = nil, isSampled: Bool, signals: UInt32
    ) -> ActiveSpan {
        var context = begun
        guard let memory = unsafe core.pointee.slots.take(&producer.pointee.slots) else {
            return unsafe storeFull(context, producer)
        }
        if isSampled { context.flags.formUnion(.sampled) }
        unsafe ProducerCounters.bump(producer.pointee.counters.recording)
        let slot = unsafe memory.assumingMemoryBound(to: SpanSlot.self)
        let startUnixNano = unsafe prepare(slot, producer, startTimeUnixNano)
        unsafe slot.pointee.isSampled = isSampled
        let start = unsafe SlotLayout.bytes(slot)
        unsafe slot.pointee.chain = unsafe ByteChain(
            inline: start, capacity: SlotLayout.inlineBytes)
        unsafe slot.pointee.chain.cursor = unsafe SlotLayout.writeHeader(
            start, context: context, parent: parentID, isParentRemote: isParentRemote,
            kind: kind, startUnixNano: startUnixNano)
        unsafe slot.pointee.isRoot = !parentID.isValid
        if !context.traceState.isEmpty {
            unsafe SlotWriter.addTraceState(slot, producer, context.traceState)
        }
        unsafe slot.pointee.name = unsafe name.pointer
        unsafe slot.pointee.nameCount = name.count
        if !name.isImmortal {
            unsafe SlotWriter.addInlineName(
                slot, producer, name.pointer, name.count)
        }
        unsafe slot.pointee.streamOffset = unsafe slot.pointee.chain.count
        if let attributes {
            unsafe SlotWriter.add(slot, producer, attributes)
        }
        if let samplerAttributes {
            unsafe SlotWriter.add(slot, producer, samplerAttributes)
        }
        for link in links {
            unsafe SlotWriter.addLink(slot, producer, link.context, link.attributes)
        }
        let word = unsafe (slot.pointee.state.load(ordering: .relaxed) | 0xff) &+ 1 | SlotState.live
        // release: publishes the slot's fields; pairs with the acquire of whoever brings the ticket.
        unsafe slot.pointee.state.store(word, ordering: .releasing)
        let span = unsafe ActiveSpan(slot: slot, starter: producer, word: word, context: context)
        if signals & Signal.observed != 0 {
            unsafe SpanObservers.of(core)?.started(span, parent: parent)
        }
        return span
    }

    @inline(never)
    private func storeFull(_ context: SpanContext, _ producer: ProducerPointer) -> ActiveSpan {
        unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedStoreFull)
        var context = context
        context.flags.subtract(.debug)
        context.traceState = OTelTraceState.withoutThreshold(context.traceState)
        return ActiveSpan(context: context)
    }

    /// Sets every field of a fresh slot but its bytes; the start time, in nanoseconds of Unix time.
    @inline(__always)
    private func prepare(
        _ slot: UnsafeMutablePointer<SpanSlot>, _ producer: ProducerPointer,
        _ startTimeUnixNano: UInt64?
    ) -> UInt64 {
        if unsafe slot.pointee.coreBits == 0 {
            unsafe slot.pointee.coreBits = UInt(bitPattern: core)
        }
        unsafe slot.pointee.stream = stream
        unsafe slot.pointee.limits = limits
        unsafe slot.pointee.filter = KeyFilter()
        unsafe slot.pointee.attributeCount = 0
        unsafe slot.pointee.droppedAttributeCount = 0
        unsafe slot.pointee.eventCount = 0
        unsafe slot.pointee.droppedEventCount = 0
        unsafe slot.pointee.linkCount = 0
        unsafe slot.pointee.droppedLinkCount = 0
        unsafe slot.pointee.status = SpanStatus.unset.rawValue
        unsafe slot.pointee.statusMessage = nil
        unsafe slot.pointee.statusMessageCount = 0
        unsafe slot.pointee.nameBlock = nil
        unsafe slot.pointee.starter.store(UInt(bitPattern: producer), ordering: .relaxed)
        if let startTimeUnixNano {
            unsafe slot.pointee.startTicks.store(0, ordering: .relaxed)
            unsafe slot.pointee.startUnixNano.store(startTimeUnixNano, ordering: .relaxed)
            return startTimeUnixNano
        }
        let ticks = unsafe RecorderCore.ticks(core)
        let unixNano = unsafe producer.pointee.anchor.unixNano(
            at: ticks, usesCycles: core.pointee.usesCycles)
        unsafe slot.pointee.startTicks.store(ticks, ordering: .relaxed)
        unsafe slot.pointee.startUnixNano.store(unixNano, ordering: .relaxed)
        return unixNano
    }

    /// Tracing is off or shut down, or this is a forked child: the parent's context goes on, nothing else.
    @inline(never)
    private func refused(
        _ producer: ProducerPointer, _ parent: SpanContext?, _ signals: UInt32
    ) -> ActiveSpan {
        if signals & Signal.forked != 0 {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedForked)
        } else if signals & Signal.disabled != 0 {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedDisabled)
        } else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedAfterShutdown)
        }
        return ActiveSpan(context: parent ?? .invalid)
    }
}

extension SpanContext? {
    /// No parent, and no decision that came without one.
    @inline(__always)
    fileprivate var isAbsent: Bool {
        guard let context = self else { return true }
        return !context.isValid && context.flags.isEmpty
    }
}
