// What a start does: asks the sampler, takes a slot, writes what is known. Runs on the caller's thread, takes no
// lock, allocates nothing, counts no references.
import CThread
import Synchronization

extension Tracer {
    // The usual starts: the clock's time, random ids, nothing to look at but the parent. What another way would
    // need is looked at first, so that nothing has to be kept for it.

    /// The calling thread's producer, when it is there and nothing unusual is on.
    @inline(__always)
    private func readyForUsual() -> ProducerPointer? {
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        guard signals & Signal.unusualStarts == 0 else { return nil }
        return unsafe RecorderCore.producerIfAttached(core)
    }

    /// Nil, with nothing done, for any root but the usual; see `start`.
    @inline(__always)
    func startUsualRoot(_ name: NameBytes, _ kind: SpanKind) -> ActiveSpan? {
        guard sampler.isSimple(for: .empty), let producer = unsafe readyForUsual() else {
            return nil
        }
        // In the order of `start`, and kept only with the span: a root that finds no slot here draws the same ids
        // there, and is decided on once. Two decisions would keep it with the ratio's square.
        var ids = unsafe producer.pointee.ids
        let spanID = SpanID(rawValue: ids.nextNonZero())
        let traceID = TraceID(high: ids.nextNonZero(), low: ids.nextNonZero())
        guard sampler.keepsRoot(traceLow: traceID.low) else {
            unsafe producer.pointee.ids = ids
            unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedSampler)
            return ActiveSpan(
                context: SpanContext(traceID: traceID, spanID: spanID, flags: .random))
        }
        guard let slot = unsafe producer.pointee.slots.head else { return nil }
        unsafe producer.pointee.ids = ids
        return unsafe begin(
            slot, producer,
            SpanContext(traceID: traceID, spanID: spanID, flags: [.random, .sampled]), name, kind,
            traits: rootTraits, room: rootRoom, isParentRemote: false)
    }

    /// Nil, with nothing done, for any child but the usual; see `start`.
    @inline(__always)
    func startUsualChild(
        _ name: NameBytes, _ kind: SpanKind, _ parent: SpanContext
    ) -> ActiveSpan? {
        guard parent.isValid, isSimple(parent), parent.traceState.isEmpty,
            sampler.isSilent || !parent.isRemote, let producer = unsafe readyForUsual()
        else { return nil }
        var context = unsafe SpanContext(
            traceID: parent.traceID,
            spanID: SpanID(rawValue: producer.pointee.ids.nextNonZero()),
            flags: parent.flags.intersection(.random))
        guard sampler.keepsChild(of: parent) else {
            unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedSampler)
            return ActiveSpan(context: context)
        }
        guard let slot = unsafe producer.pointee.slots.head else { return nil }
        context.flags.formUnion(.sampled)
        unsafe SlotLayout.writeParent(
            SlotLayout.bytes(slot.assumingMemoryBound(to: SpanSlot.self)), parent.spanID)
        return unsafe begin(
            slot, producer, context, name, kind, traits: childTraits, room: childRoom,
            isParentRemote: parent.isRemote)
    }

    /// Takes the thread's first free slot for a span of the usual kind.
    @inline(__always)
    private func begin(
        _ memory: UnsafeMutableRawPointer, _ producer: ProducerPointer, _ context: SpanContext,
        _ name: NameBytes, _ kind: SpanKind, traits: SpanTraits, room: UInt32, isParentRemote: Bool
    ) -> ActiveSpan {
        unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
        unsafe producer.pointee.slots.take(memory)
        let slot = unsafe memory.assumingMemoryBound(to: SpanSlot.self)
        unsafe ProducerCounters.bump(producer.pointee.counters.recording)
        if unsafe slot.pointee.coreBits == 0 { unsafe SlotLayout.initialize(slot, core: core) }
        unsafe fill(
            slot, producer, context, name, kind,
            traits: traits.with(
                isSampled: true, isStartGiven: false, isNameInterned: name.isShortInterned),
            room: room, isParentRemote: isParentRemote)
        // The clock last, when little is left to be kept meanwhile.
        let ticks = unsafe RecorderCore.ticks(core)
        unsafe SlotLayout.setStart(
            slot, ticks: ticks,
            unixNano: producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles))
        return unsafe publish(slot, producer, context, isShared: false)
    }

    /// Sets what every span has, but for its times and its parent.
    @inline(__always)
    private func fill(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ context: SpanContext,
        _ name: NameBytes, _ kind: SpanKind, traits: SpanTraits, room: UInt32, isParentRemote: Bool
    ) {
        unsafe slot.pointee.starter.store(UInt(bitPattern: producer), ordering: .relaxed)
        unsafe slot.pointee.traits = traits
        unsafe slot.pointee.limits = unsafe limits
        unsafe withUnsafeMutablePointer(to: &slot.pointee.filter) { unsafe KeyFilter.clear($0) }
        unsafe slot.pointee.name = name
        unsafe slot.pointee.chain.room = room
        unsafe slot.pointee.chain.attributesBeyond = attributesBeyond
        unsafe SlotLayout.writeHeader(
            SlotLayout.bytes(slot), context: context, isParentRemote: isParentRemote, kind: kind)
    }

    /// The slot begins its life: the ticket.
    @inline(__always)
    private func publish(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ context: SpanContext, isShared: Bool
    ) -> ActiveSpan {
        let word = unsafe (slot.pointee.state.load(ordering: .relaxed) | 0xff) &+ 1 | SlotState.live
        // release: publishes the slot's fields; pairs with the acquire of whoever brings the ticket.
        unsafe slot.pointee.state.store(
            isShared ? word | SlotState.shared : word, ordering: .releasing)
        return unsafe ActiveSpan(slot: slot, starter: producer, word: word, context: context)
    }

    /// Any start.
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
            unsafe sampler.looksAtSpan
            ? sampler.decide(
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
        if unsafe slot.pointee.coreBits == 0 { unsafe SlotLayout.initialize(slot, core: core) }
        let isChild = parentID.isValid
        if isChild { unsafe SlotLayout.writeParent(SlotLayout.bytes(slot), parentID) }
        unsafe fill(
            slot, producer, context, name, kind,
            traits: (isChild ? childTraits : rootTraits).with(
                isSampled: isSampled, isStartGiven: startTimeUnixNano != nil,
                isNameInterned: name.isShortInterned),
            room: isChild ? childRoom : rootRoom, isParentRemote: isParentRemote)
        let ticks = unsafe startTimeUnixNano == nil ? RecorderCore.ticks(core) : 0
        unsafe SlotLayout.setStart(
            slot, ticks: ticks,
            unixNano: startTimeUnixNano
                ?? producer.pointee.anchor.unixNano(
                    at: ticks, usesCycles: core.pointee.usesCycles))
        if !context.traceState.isEmpty {
            unsafe SlotWriter.addTraceState(slot, producer, context.traceState)
        }
        if !name.isImmortal {
            unsafe SlotWriter.addInlineName(slot, producer, name.pointer, name.count)
        }
        if let attributes {
            unsafe SlotWriter.add(slot, producer, attributes)
        }
        if let samplerAttributes {
            unsafe SlotWriter.add(slot, producer, samplerAttributes)
        }
        for link in links {
            unsafe SlotWriter.addLink(slot, producer, link.context, link.attributes)
        }
        let span = unsafe publish(
            slot, producer, context, isShared: signals & Signal.fences != 0)
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

    /// The span that there is when tracing is off; nil when it is not.
    @inline(__always)
    func refuseIfOff(_ parent: SpanContext?) -> ActiveSpan? {
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        guard signals & Signal.refusesStarts != 0 else { return nil }
        let producer = unsafe RecorderCore.producer(core)
        unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
        return unsafe refused(producer, parent, signals)
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
