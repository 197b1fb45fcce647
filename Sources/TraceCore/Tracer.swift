// Starting spans: the decision, the ids, the slot. Runs on the caller's thread, takes no lock,
// allocates nothing, counts no references.
import CThread
import Synchronization

/// The tracers of one service: a resource, a sampler, limits, over a recorder.
public final class TracerProvider: Sendable {
    public let recorder: SpanRecorder
    public let resource: Resource
    public let sampler: Sampler
    public let limits: SpanLimits

    public init(
        recorder: SpanRecorder, resource: Resource,
        sampler: Sampler = .parentBased(root: .alwaysOn), limits: SpanLimits = SpanLimits()
    ) {
        self.recorder = recorder
        self.resource = resource
        self.sampler = sampler
        self.limits = limits
    }

    /// A tracer for a library, by its name and version. Tracers of equal names share a scope in the
    /// export. Takes a lock: make it once and keep it.
    public func tracer(name: String, version: String = "", schemaURL: String = "") -> Tracer {
        Tracer(
            provider: self,
            scope: InstrumentationScope(name: name, version: version, schemaURL: schemaURL))
    }
}

/// A span that another caused without being its parent.
public struct SpanLink: Sendable {
    public var context: SpanContext
    public var attributes: SpanAttributes?

    public init(context: SpanContext, attributes: SpanAttributes? = nil) {
        self.context = context
        self.attributes = attributes
    }
}

/// Starts spans. Immutable; any thread.
@safe public final class Tracer: Sendable {
    public let provider: TracerProvider
    // Safe because the core is made for many threads, never moves, and is never freed.
    private nonisolated(unsafe) let core: CorePointer
    private let stream: UInt32
    private let sampler: SamplerProgram
    private let limits: PackedLimits

    init(provider: TracerProvider, scope: InstrumentationScope) {
        self.provider = provider
        unsafe core = unsafe provider.recorder.core
        stream = provider.recorder.stream(resource: provider.resource, scope: scope)
        sampler = SamplerProgram(provider.sampler)
        limits = provider.limits.packed
    }

    /// Starts a span whose name was known ahead: nothing of the name is copied until the span ends.
    ///
    /// - Parameters:
    ///   - parent: nil or invalid starts a new trace.
    ///   - startTimeUnixNano: nanoseconds of Unix time; nil reads the clock.
    ///   - identity: ids chosen by the caller; nil draws random ones.
    ///   - attributes: what the sampler may see and the span begins with.
    /// - Returns: a ticket; one that does not record still carries a context to pass on.
    public func startSpan(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        unsafe start(
            NameBytes(pointer: name.bytes.pointer, count: name.bytes.count, isImmortal: true), kind,
            parent, startTimeUnixNano, identity, attributes, links)
    }

    /// Starts a span named by a literal.
    public func startSpan(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        guard name.hasPointerRepresentation else {
            return startSpan(
                named: String(name.unicodeScalar), kind: kind, parent: parent,
                at: startTimeUnixNano, identity: identity, attributes: attributes, links: links)
        }
        return unsafe start(
            NameBytes(
                pointer: UnsafeRawPointer(name.utf8Start), count: name.utf8CodeUnitCount,
                isImmortal: true), kind, parent, startTimeUnixNano, identity, attributes, links)
    }

    /// Starts a span whose name is made at run time; its bytes are copied.
    public func startSpan(
        named name: String, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        var name = name
        return name.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            return unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { empty in
                unsafe start(
                    NameBytes(
                        pointer: bytes.baseAddress ?? UnsafeRawPointer(empty.baseAddress!),
                        count: bytes.count, isImmortal: false), kind, parent, startTimeUnixNano,
                    identity, attributes, links)
            }
        }
    }

    /// The sampler's decision alone, without a span: to time it, or to ask ahead.
    public func decide(parent: SpanContext?, traceID: TraceID) -> SamplingDecision {
        if let parent, parent.isValid {
            return sampler.keepsChild(of: parent) ? .recordAndSample : .drop
        }
        return sampler.keepsRoot(traceLow: traceID.low) ? .recordAndSample : .drop
    }

    /// A name's bytes and whether they stay where they are.
    @safe private struct NameBytes {
        var pointer: UnsafeRawPointer
        var count: Int
        var isImmortal: Bool
    }

    @inline(__always)
    private func start(
        _ name: NameBytes, _ kind: SpanKind, _ parent: SpanContext?, _ startTimeUnixNano: UInt64?,
        _ identity: SpanIdentity?, _ attributes: SpanAttributes?, _ links: [SpanLink]
    ) -> ActiveSpan {
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        let producer = unsafe RecorderCore.producer(core)
        unsafe ProducerCounters.bump(producer.pointee.counters.startCalls)
        if signals & (Signal.disabled | Signal.closed) != 0 {
            return unsafe refused(producer, parent, signals)
        }
        let spanID = unsafe identity?.spanID ?? SpanID(rawValue: producer.pointee.ids.nextNonZero())
        var context: SpanContext
        var parentID = SpanID(rawValue: 0)
        var isParentRemote = false
        let isKept: Bool
        if let parent, parent.isValid {
            isKept = sampler.keepsChild(of: parent)
            parentID = parent.spanID
            isParentRemote = parent.isRemote
            context = SpanContext(
                traceID: parent.traceID, spanID: spanID,
                flags: parent.flags.intersection(.random), traceState: parent.traceState)
        } else {
            let traceID =
                unsafe identity?.traceID
                ?? TraceID(
                    high: producer.pointee.ids.nextNonZero(),
                    low: producer.pointee.ids.nextNonZero())
            isKept = sampler.keepsRoot(traceLow: traceID.low)
            context = SpanContext(traceID: traceID, spanID: spanID, flags: .random)
        }
        guard isKept else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedSampler)
            return ActiveSpan(context: context)
        }
        guard let memory = unsafe core.pointee.slots.take(&producer.pointee.slots) else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedStoreFull)
            return ActiveSpan(context: context)
        }
        context.flags.formUnion(.sampled)
        unsafe ProducerCounters.bump(producer.pointee.counters.recording)
        let slot = unsafe memory.assumingMemoryBound(to: SpanSlot.self)
        unsafe prepare(slot, producer, startTimeUnixNano)
        let start = unsafe SlotLayout.bytes(slot)
        unsafe slot.pointee.chain = unsafe ByteChain(
            inline: start, capacity: SlotLayout.inlineBytes)
        unsafe slot.pointee.chain.cursor = unsafe SlotLayout.writeHeader(
            start, context: context, parent: parentID, isParentRemote: isParentRemote, kind: kind,
            startUnixNano: slot.pointee.startUnixNano)
        unsafe slot.pointee.isRoot = !parentID.isValid
        if !context.traceState.isEmpty { unsafe SlotWriter.addTraceState(slot, context.traceState) }
        unsafe slot.pointee.name = unsafe name.pointer
        unsafe slot.pointee.nameCount = name.count
        if !name.isImmortal {
            unsafe SlotWriter.addInlineName(slot, producer, name.pointer, name.count)
        }
        unsafe slot.pointee.streamOffset = unsafe slot.pointee.chain.count
        if let attributes { unsafe SlotWriter.add(slot, producer, attributes) }
        for link in links {
            unsafe SlotWriter.addLink(slot, producer, link.context, link.attributes)
        }
        let word =
            unsafe (slot.pointee.state.load(ordering: .relaxed) | 0xff) &+ 1 | SlotState.live
        // release: publishes the slot's fields; pairs with the acquire of whoever brings the ticket.
        unsafe slot.pointee.state.store(word, ordering: .releasing)
        return unsafe ActiveSpan(slot: slot, starter: producer, word: word, context: context)
    }

    /// Sets every field of a fresh slot but its bytes.
    @inline(__always)
    private func prepare(
        _ slot: UnsafeMutablePointer<SpanSlot>, _ producer: ProducerPointer,
        _ startTimeUnixNano: UInt64?
    ) {
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
        unsafe slot.pointee.isSampled = true
        if let startTimeUnixNano {
            unsafe slot.pointee.startTicks = 0
            unsafe slot.pointee.startUnixNano = startTimeUnixNano
        } else {
            let ticks = unsafe RecorderCore.ticks(core)
            unsafe slot.pointee.startTicks = ticks
            unsafe slot.pointee.startUnixNano = unsafe producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles)
        }
    }

    /// Tracing is off or shut down: the parent's context goes on, nothing else.
    @inline(never)
    private func refused(
        _ producer: ProducerPointer, _ parent: SpanContext?, _ signals: UInt32
    ) -> ActiveSpan {
        if signals & Signal.disabled != 0 {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedDisabled)
        } else {
            unsafe ProducerCounters.bump(producer.pointee.counters.notRecordedAfterShutdown)
        }
        return ActiveSpan(context: parent ?? .invalid)
    }
}
