import TraceCore

/// How contexts travel from one service of the replay to the next.
struct ReplayPropagation: Sendable {
    /// As little as the scenario needs: what has nothing to carry is not asked.
    enum Mode: Sendable {
        /// `traceparent` and `tracestate`, straight from span context to headers.
        case traceContext
        /// Span contexts in other headers.
        case spanContext
        /// Span contexts and baggage.
        case context
    }

    let mode: Mode
    let propagator: Propagator

    init(_ compiled: CompiledScenario) {
        let declared = compiled.scenario.pipeline.propagators
        let hasBaggage = !compiled.baggageNames.isEmpty
        let names = hasBaggage ? declared : declared.filter { $0 != "baggage" }
        mode = hasBaggage ? .context : names == ["tracecontext"] ? .traceContext : .spanContext
        do {
            propagator = try Propagator(names: names)
        } catch {
            preconditionFailure("checked: \(error)")
        }
    }

    @inline(never)
    func inject(_ context: SpanContext, into carrier: inout HeaderBuffer) {
        propagator.inject(TraceContext(spanContext: context), into: &carrier)
    }

    /// Nil when nothing arrived that a span could have as its parent.
    @inline(never)
    func extract(from carrier: HeaderBuffer) -> SpanContext? {
        Self.parent(propagator.extract(from: carrier))
    }

    /// Who is the parent in a context that arrived. A decision without ids counts: samplers heed it.
    static func parent(_ context: TraceContext) -> SpanContext? {
        let parent = context.spanContext
        return parent.isValid || !parent.flags.isEmpty ? parent : nil
    }
}

/// The spans, carriers and contexts of one live trace; grows, never shrinks. One owner; `deallocate`
/// ends it.
@safe struct LiveSpans {
    private(set) var spans: UnsafeMutablePointer<ActiveSpan>
    private(set) var carriers: UnsafeMutablePointer<HeaderBuffer>
    /// Of spans whose trace may have baggage; otherwise never looked at.
    private(set) var contexts: UnsafeMutablePointer<TraceContext>
    /// Which instance each span is of; kept only where clocks differ.
    private(set) var instances: UnsafeMutablePointer<UInt16>
    private(set) var capacity: Int

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        // All zero bits are a span that records nothing: a plan starts a span before it uses it,
        // and one that did not would do no harm.
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: self.capacity * MemoryLayout<ActiveSpan>.stride,
            alignment: MemoryLayout<ActiveSpan>.alignment)
        unsafe bytes.initializeMemory(
            as: UInt8.self, repeating: 0,
            count: self.capacity * MemoryLayout<ActiveSpan>.stride)
        unsafe spans = unsafe bytes.bindMemory(to: ActiveSpan.self, capacity: self.capacity)
        unsafe carriers = .allocate(capacity: self.capacity)
        unsafe carriers.initialize(repeating: HeaderBuffer(), count: self.capacity)
        unsafe contexts = .allocate(capacity: self.capacity)
        unsafe contexts.initialize(repeating: .empty, count: self.capacity)
        unsafe instances = .allocate(capacity: self.capacity)
        unsafe instances.initialize(repeating: 0, count: self.capacity)
    }

    /// Room for more spans; those that are there stay.
    mutating func grow(toHold count: Int) {
        let grown = LiveSpans(capacity: max(count, capacity * 2))
        for place in 0..<capacity {
            unsafe (grown.spans + place).pointee = unsafe (spans + place).pointee
            unsafe swap(&(grown.carriers + place).pointee, &(carriers + place).pointee)
            unsafe (grown.contexts + place).pointee = unsafe (contexts + place).pointee
            unsafe (grown.instances + place).pointee = unsafe (instances + place).pointee
        }
        deallocate()
        self = grown
    }

    mutating func reserve(_ count: Int) {
        guard count > capacity else { return }
        deallocate()
        self = LiveSpans(capacity: max(count, capacity * 2))
    }

    func deallocate() {
        unsafe spans.deinitialize(count: capacity)
        unsafe carriers.deinitialize(count: capacity)
        unsafe contexts.deinitialize(count: capacity)
        unsafe instances.deallocate()
        unsafe spans.deallocate()
        unsafe carriers.deallocate()
        unsafe contexts.deallocate()
    }
}
