// Those who start spans: a service's provider, and its tracers. What a start does is in Tracer+Start.swift.

/// The tracers of one service: a resource, a sampler, limits, over a recorder.
public final class TracerProvider: Sendable {
    public let recorder: SpanRecorder
    public let resource: Resource
    public let sampler: Sampler
    public let limits: SpanLimits
    /// One for all tracers: rate limiters in it count together.
    let program: SamplerProgram
    /// Whether a tracer without a name gets its module's.
    let namesApplicationTracers: Bool

    /// - Parameters:
    ///   - namesApplicationTracers: off, a tracer that is not given a name has none
    ///     (OTEL_CREATE_APPLICATION_TRACERS).
    ///   - onSamplerWarning: told what the sampler has to say, on the thread that starts a span, once.
    public init(
        recorder: SpanRecorder, resource: Resource,
        sampler: Sampler = .parentBased(root: .alwaysOn), limits: SpanLimits = SpanLimits(),
        namesApplicationTracers: Bool = true,
        onSamplerWarning: (@Sendable (SamplerWarning) -> Void)? = nil
    ) {
        self.recorder = recorder
        self.resource = resource
        self.sampler = sampler
        self.limits = limits
        self.namesApplicationTracers = namesApplicationTracers
        program = SamplerProgram(sampler, warn: onSamplerWarning ?? { _ in })
    }

    /// A tracer for a library, by its name and version. Tracers of equal names share a scope in the
    /// export. Takes a lock: make it once and keep it.
    ///
    /// - Parameter name: nil is the name of the module that calls.
    public func tracer(
        name: String? = nil, version: String = "", schemaURL: String = "", fileID: String = #fileID
    ) -> Tracer {
        let module = namesApplicationTracers ? String(fileID.prefix { $0 != "/" }) : ""
        return Tracer(
            provider: self,
            scope: InstrumentationScope(
                name: name ?? module, version: version, schemaURL: schemaURL))
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
    nonisolated(unsafe) let core: CorePointer
    let sampler: SamplerProgram
    // Safe because packed limits never change and are never freed.
    nonisolated(unsafe) let limits: UnsafePointer<PackedLimits>
    /// What spans begin with, made ahead.
    let rootRoom: UInt32
    let childRoom: UInt32
    let attributesBeyond: UInt32
    let rootTraits: SpanTraits
    let childTraits: SpanTraits

    init(provider: TracerProvider, scope: InstrumentationScope) {
        self.provider = provider
        unsafe core = unsafe provider.recorder.core
        let stream = provider.recorder.stream(resource: provider.resource, scope: scope)
        sampler = provider.program
        unsafe limits = unsafe provider.limits.packed
        let room = unsafe ByteChain.room(under: limits.pointee)
        rootRoom = room | UInt32(SlotLayout.inlineBytes - SlotLayout.headerBytes)
        childRoom = room | UInt32(SlotLayout.inlineBytes - SlotLayout.childHeaderBytes)
        attributesBeyond = unsafe ByteChain.attributesBeyond(limits.pointee)
        rootTraits = SpanTraits(stream: stream, isRoot: true)
        childTraits = SpanTraits(stream: stream, isRoot: false)
    }

    /// Starts a span whose name was known ahead: nothing of the name is copied until the span ends.
    ///
    /// - Parameters:
    ///   - parent: nil or invalid starts a new trace.
    ///   - startTimeUnixNano: nanoseconds of Unix time; nil reads the clock.
    ///   - identity: ids chosen by the caller; nil draws random ones.
    ///   - attributes: what the sampler may see and the span begins with.
    /// - Returns: a ticket; one that does not record still carries a context to pass on.
    @inlinable
    public func startSpan(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        if startTimeUnixNano == nil, identity == nil, attributes == nil, links.isEmpty {
            return startSpan(name, kind: kind, parent: parent)
        }
        return startAny(name, kind, parent, startTimeUnixNano, identity, attributes, links)
    }

    @usableFromInline
    func startAny(
        _ name: SpanName, _ kind: SpanKind, _ parent: SpanContext?, _ startTimeUnixNano: UInt64?,
        _ identity: SpanIdentity?, _ attributes: SpanAttributes?, _ links: [SpanLink]
    ) -> ActiveSpan {
        start(name.nameBytes, kind, parent, startTimeUnixNano, identity, attributes, links)
    }

    /// Starts a span as most are started, now and with ids of their own: the shortest way there is.
    ///
    /// - Parameter parent: nil or invalid starts a new trace.
    @inlinable
    public func startSpan(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanContext? = nil
    ) -> ActiveSpan {
        // Inlined, so that which of the two it is costs nothing where it is written.
        if let parent { return startChild(name, kind, parent) }
        return startRoot(name, kind)
    }

    @usableFromInline
    func startRoot(_ name: SpanName, _ kind: SpanKind) -> ActiveSpan {
        if let span = startUsualRoot(name.nameBytes, kind) { return span }
        return startUnusual(name, kind, nil)
    }

    @usableFromInline
    func startChild(_ name: SpanName, _ kind: SpanKind, _ parent: SpanContext) -> ActiveSpan {
        if let span = startUsualChild(name.nameBytes, kind, parent) { return span }
        return startUnusual(name, kind, parent)
    }

    @inline(never)
    private func startUnusual(
        _ name: SpanName, _ kind: SpanKind, _ parent: SpanContext?
    ) -> ActiveSpan {
        // A service that is switched off should not notice that it could trace.
        if let refused = refuseIfOff(parent) { return refused }
        return start(name.nameBytes, kind, parent, nil, nil, nil, [])
    }

    /// Starts a span named by a literal, which is interned when it is first seen.
    public func startSpan(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanContext? = nil
    ) -> ActiveSpan {
        startSpan(SpanName(literal: name), kind: kind, parent: parent)
    }

    /// The same with what else there is to say at a start.
    public func startSpan(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        startSpan(
            SpanName(literal: name), kind: kind, parent: parent, at: startTimeUnixNano,
            identity: identity, attributes: attributes, links: links)
    }

    /// Starts a span whose name is made at run time; its bytes are copied.
    public func startSpan(
        named name: String, kind: SpanKind = .internal, parent: SpanContext? = nil,
        at startTimeUnixNano: UInt64? = nil, identity: SpanIdentity? = nil,
        attributes: SpanAttributes? = nil, links: [SpanLink] = []
    ) -> ActiveSpan {
        return unsafe name.withLentUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            return unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { empty in
                unsafe start(
                    NameBytes(
                        pointer: bytes.baseAddress ?? UnsafeRawPointer(empty.baseAddress!),
                        count: bytes.count, .lent), kind, parent, startTimeUnixNano,
                    identity, attributes, links)
            }
        }
    }

    /// The sampler's decision alone, without a span: to time it, or to ask ahead. A sampler that limits
    /// rates counts it as a span.
    public func decide(
        parent: SpanContext?, traceID: TraceID, kind: SpanKind = .internal,
        attributes: SpanAttributes? = nil, at unixNano: UInt64 = 0
    ) -> SamplingDecision {
        if let verdict = sampler.decideInPlace(parent, traceID, unixNano) {
            return verdict.decision
        }
        guard sampler.looksAtSpan else {
            return sampler.decide(parent: parent, traceID: traceID, nowUnixNano: unixNano)
                .decision
        }
        return unsafe sampler.decide(
            SamplingQuestion(
                parent: parent, traceID: traceID,
                name: UnsafeRawBufferPointer(start: nil, count: 0), kind: kind,
                attributes: attributes, links: [], nowUnixNano: unixNano)
        ).decision
    }

    /// Whether the sampler's thresholds say all there is to say of a child of `parent`.
    @inline(__always)
    func isSimple(_ parent: SpanContext) -> Bool {
        parent.flags.isPlain && sampler.isSimple(for: parent.traceState)
    }
}
