import TraceCore
import TraceResults

/// Turns the events of plans into calls of the public tracer API. Owned by one worker thread, which
/// lends it the trace's spans and carriers; nothing on its path allocates but links, and headers the
/// first time.
@safe struct TraceExecutor {
    let tables: ReplayTables
    // Safe because `tables` owns the arrays, is held above, and never changes them.
    let shapes: UnsafeBufferPointer<Unmanaged<ReplayTables.Shape>>
    let keys: UnsafeBufferPointer<AttributeKey>
    let tracers: UnsafeBufferPointer<Unmanaged<Tracer>>
    let knownText: UnsafeBufferPointer<UInt8>
    let cipher: SpanIdentityCipher
    let propagation: ReplayPropagation
    let mode: ReplayPropagation.Mode
    /// Somebody else may end spans, or take them away.
    private let isSwept: Bool
    /// Asking a sampler that remembers once more would change what it says next.
    private let timesDecisions: Bool
    private let recordsUnsampled: Bool
    /// Times are the machine's.
    let isRealTime: Bool
    /// The recorder is off.
    var isTracingDisabled = false
    /// By instance: how far its clock is ahead; empty when all clocks are right.
    let skews: [Int64]
    /// Added to the numbers of traces that links name.
    var firstIndex: UInt64 = 0
    var pending = PendingStart()
    /// Attributes of the next event.
    var eventValues: [PlanEvent] = []
    var counters = ReplayCounters()
    var timings = ReplayTimings()
    private var reported: (spans: UInt64, traces: UInt64) = (0, 0)
    /// Calls until the next timed one.
    private var untilTimedStart: Int
    private var untilTimedEnd: Int
    private let timedOneIn: Int
    /// Gaps between timed calls are random: an even one would meet the same span of a trace of 8 or
    /// 16 spans again and again.
    private var gaps: RandomStream

    /// One call in `timedOneIn` on average is timed; 0 times nothing.
    init(
        _ compiled: CompiledScenario, tables: ReplayTables, propagation: ReplayPropagation,
        cipher: SpanIdentityCipher, timedOneIn: Int
    ) {
        self.tables = tables
        self.propagation = propagation
        mode = propagation.mode
        isRealTime = compiled.scenario.clock == .realtime
        isSwept = isRealTime
        let skews = compiled.instances.map(\.clockSkewNs)
        self.skews = skews.contains { $0 != 0 } ? skews : []
        timesDecisions = !tables.keepsSamplerState
        recordsUnsampled = tables.recordsUnsampled
        unsafe shapes = unsafe ReplayMemory.copy(tables.shapes)
        unsafe keys = ReplayMemory.copy(tables.keys)
        unsafe tracers = unsafe ReplayMemory.copy(tables.tracers)
        unsafe knownText = ReplayMemory.copy(tables.text)
        self.cipher = cipher
        self.timedOneIn = timedOneIn
        gaps = RandomStream(seed: UInt64(timedOneIn), position: 0)
        (untilTimedStart, untilTimedEnd) = (.max, .max)
        (untilTimedStart, untilTimedEnd) = (nextGap(), nextGap())
    }

    /// From 1 to twice the mean less 1.
    private mutating func nextGap() -> Int {
        timedOneIn > 0 ? 1 + Int(gaps.below(UInt64(2 * timedOneIn - 1))) : .max
    }

    /// Spans started and traces finished since the last call.
    mutating func takeProgress() -> (spans: UInt64, traces: UInt64) {
        defer { reported = (counters.spansStarted, counters.traces) }
        return (counters.spansStarted - reported.spans, counters.traces - reported.traces)
    }

    /// Frees the flat tables; the executor is not to be used again.
    func deallocate() {
        unsafe ReplayMemory.free(shapes)
        unsafe ReplayMemory.free(keys)
        unsafe ReplayMemory.free(tracers)
        unsafe ReplayMemory.free(knownText)
    }

    /// Executes one event.
    ///
    /// - Parameters:
    ///   - index: the trace's number, which identifiers derive from.
    ///   - epochUnixNano: Unix time of the trace's start.
    ///   - text: the bytes of the plan's batch.
    @inline(__always)
    mutating func execute(
        _ event: PlanEvent, index: UInt64, epochUnixNano: UInt64, text: UnsafePointer<UInt8>,
        live: LiveSpans
    ) {
        let spans = unsafe live.spans
        let carriers = unsafe live.carriers
        let span = Int(event.span)
        switch event.kind {
        case .start:
            let parent = event.parent
            if parent == PlanEvent.noParent {
                unsafe start(event, index, nil, epochUnixNano, live, into: spans + span)
            } else {
                let context = unsafe (spans + Int(parent)).pointee.context
                unsafe start(event, index, context, epochUnixNano, live, into: spans + span)
            }
            if mode == .context { pass(event, live) }
        case .startExtracted:
            let parent = received(event, live)
            unsafe start(event, index, parent, epochUnixNano, live, into: spans + span)
            if mode == .context { keep(event, live) }
        case .startLinked:
            let linked = received(event, live)
            let links = linked.map { $0.isValid ? [SpanLink(context: $0)] : [] } ?? []
            unsafe start(
                event, index, nil, epochUnixNano, live, links: links, into: spans + span)
            if mode == .context { keep(event, live) }
        case .inject:
            let carrier = unsafe carriers + span
            unsafe carrier.pointee.removeAll()
            switch mode {
            case .traceContext:
                unsafe TraceContextPropagator.inject(
                    (spans + span).pointee.context, into: &carrier.pointee)
            case .spanContext:
                unsafe propagation.inject((spans + span).pointee.context, into: &carrier.pointee)
            case .context:
                unsafe propagation.propagator.inject(
                    (live.contexts + span).pointee, into: &carrier.pointee)
            }
        case .attributeText:
            let value = PlanText(bits: event.value)
            let bytes = unsafe value.isKnownAhead ? knownText.baseAddress! : text
            unsafe (spans + span).pointee.setAttribute(
                keys[Int(event.operand)],
                utf8: Span(_unsafeStart: bytes + value.offset, count: value.byteCount))
        case .attributeInteger:
            unsafe (spans + span).pointee.setAttribute(
                keys[Int(event.operand)], Int(truncatingIfNeeded: event.value))
        case .attributeDouble:
            unsafe (spans + span).pointee.setAttribute(
                keys[Int(event.operand)], Double(bitPattern: event.value))
        case .attributeBoolean:
            unsafe (spans + span).pointee.setAttribute(keys[Int(event.operand)], event.value != 0)
        case .end:
            unsafe end(spans + span, at: time(event.timeNs, event.span, epochUnixNano, live))
        case .event:
            unsafe addEvent(
                event, time(event.timeNs, event.span, epochUnixNano, live), text, live)
        case .exception:
            let shape = tables.exceptions[Int(event.operand)]
            unsafe (spans + span).pointee.addEvent(
                shape.name, at: time(event.timeNs, event.span, epochUnixNano, live),
                attributes: shape.attributes)
        case .errorStatus:
            unsafe (spans + span).pointee.setStatus(.error, tables.messages[Int(event.operand)])
        case .baggage: unsafe addBaggage(event, text, live)
        case .attributeBaggage: setAttributeFromBaggage(event, live)
        case .pastEvent, .eventAttribute, .endLate, .prepare, .link, .startSpecial, .forge,
            .injectForged:
            unsafe executeUnusual(event, index, epochUnixNano, text, live)
        case .none, .begin, .resume, .finish: break
        }
    }

    /// What has been said of the next start.
    struct PendingStart {
        var kind = PlanEvent.Kind.start
        var oddity: PlanOddity = []
        var identity: UInt16 = 0
        var links: [SpanLink] = []
    }

    /// A number that no span of a trace has.
    static let nobody = UInt16.max

    // MARK: Contexts

    /// The parent in the carrier that the event names.
    @inline(__always)
    func received(_ event: PlanEvent, _ live: LiveSpans) -> SpanContext? {
        let carrier = unsafe live.carriers + Int(event.parent)
        switch mode {
        case .traceContext:
            return unsafe TraceContextPropagator.extract(from: carrier.pointee)
        case .spanContext: return unsafe propagation.extract(from: carrier.pointee)
        case .context:
            let context = unsafe live.contexts + Int(event.span)
            unsafe context.pointee = unsafe propagation.propagator.extract(from: carrier.pointee)
            return unsafe ReplayPropagation.parent(context.pointee)
        }
    }

    /// A span within a service carries on what its parent has.
    @inline(never)
    func pass(_ event: PlanEvent, _ live: LiveSpans) {
        let context = unsafe live.contexts + Int(event.span)
        if event.parent == PlanEvent.noParent {
            unsafe context.pointee = .empty
        } else {
            unsafe context.pointee = unsafe (live.contexts + Int(event.parent)).pointee
        }
        keep(event, live)
    }

    /// The context that arrived is the new span's from here on.
    @inline(never)
    func keep(_ event: PlanEvent, _ live: LiveSpans) {
        let span = unsafe (live.spans + Int(event.span)).pointee
        unsafe (live.contexts + Int(event.span)).pointee.span = span
    }

    @inline(never)
    private func addBaggage(
        _ event: PlanEvent, _ text: UnsafePointer<UInt8>, _ live: LiveSpans
    ) {
        let value = PlanText(bits: event.value)
        let bytes = unsafe value.isKnownAhead ? knownText.baseAddress! : text
        let utf8 = unsafe UnsafeBufferPointer(start: bytes + value.offset, count: value.byteCount)
        unsafe (live.contexts + Int(event.span)).pointee.baggage.set(
            tables.baggageNames[Int(event.operand)], String(decoding: utf8, as: UTF8.self))
    }

    @inline(never)
    private func setAttributeFromBaggage(_ event: PlanEvent, _ live: LiveSpans) {
        let name = tables.baggageNames[Int(event.value)]
        guard let entry = unsafe (live.contexts + Int(event.span)).pointee.baggage[name] else {
            return
        }
        unsafe (live.spans + Int(event.span)).pointee.setAttribute(
            keys[Int(event.operand)], string: entry.value)
    }

    // MARK: Starts and ends

    /// Straight into the span's place: a copy of a span on its way waits for the stores behind it.
    @inline(__always)
    mutating func start(
        _ event: PlanEvent, _ index: UInt64, _ parent: SpanContext?, _ epochUnixNano: UInt64,
        _ live: LiveSpans, links: [SpanLink] = [], identity number: UInt16? = nil,
        into place: UnsafeMutablePointer<ActiveSpan>
    ) {
        let position = SpanIdentityCipher.Position(trace: index, span: number ?? event.span)
        if !skews.isEmpty {
            unsafe (live.instances + Int(event.span)).pointee = UInt16(event.instance)
        }
        var traceID = TraceID(high: 0, low: 0)
        if !(parent?.isValid ?? false) {
            let id = cipher.traceID(root: position)
            traceID = TraceID(high: id.high, low: id.low)
        }
        let identity = SpanIdentity(
            traceID: traceID, spanID: SpanID(rawValue: cipher.spanID(position)),
            isTraceIDRandom: true)
        let time = time(event.timeNs, event.span, epochUnixNano, live)
        let shape = unsafe shapes[event.shape]
        let tracer = unsafe tracers[event.instance]
        counters.spansStarted &+= 1
        untilTimedStart &-= 1
        if untilTimedStart > 0 {
            unsafe tracer._withUnsafeGuaranteedRef { tracer in
                unsafe shape._withUnsafeGuaranteedRef { shape in
                    unsafe place.pointee = tracer.startSpan(
                        shape.name, kind: shape.kind, parent: parent, at: time, identity: identity,
                        attributes: shape.attributes, links: links)
                }
            }
        } else {
            unsafe startTimed(tracer, shape, parent, time, identity, links, into: place)
        }
        if unsafe place.pointee.context.isSampled || recordsUnsampled && place.pointee.isRecording {
            counters.spansRecording &+= 1
        }
    }

    @inline(never)
    private mutating func startTimed(
        _ tracer: Unmanaged<Tracer>, _ shape: Unmanaged<ReplayTables.Shape>, _ parent: SpanContext?,
        _ time: UInt64?, _ identity: SpanIdentity, _ links: [SpanLink],
        into place: UnsafeMutablePointer<ActiveSpan>
    ) {
        untilTimedStart = nextGap()
        unsafe tracer._withUnsafeGuaranteedRef { tracer in
            unsafe shape._withUnsafeGuaranteedRef { shape in
                let before = CallTimer.now()
                unsafe place.pointee = tracer.startSpan(
                    shape.name, kind: shape.kind, parent: parent, at: time, identity: identity,
                    attributes: shape.attributes, links: links)
                let between = CallTimer.now()
                timings.start.record(CallTimer.nanoseconds(between &- before))
                guard timesDecisions else { return }
                // Behind the start, which so has to fetch what it needs itself.
                let begin = CallTimer.now()
                _ = unsafe tracer.decide(
                    parent: parent, traceID: place.pointee.context.traceID, kind: shape.kind,
                    attributes: shape.attributes, at: time ?? 0)
                timings.decide.record(CallTimer.nanoseconds(CallTimer.now() &- begin))
            }
        }
    }

    @inline(__always)
    mutating func end(_ place: UnsafeMutablePointer<ActiveSpan>, at time: UInt64?) {
        // Whoever sweeps may have been there first; then the end is not this one's.
        let isOwn = unsafe !isSwept || place.pointee.isRecording
        untilTimedEnd &-= 1
        if untilTimedEnd > 0 {
            unsafe place.pointee.end(at: time)
        } else {
            untilTimedEnd = nextGap()
            let before = CallTimer.now()
            unsafe place.pointee.end(at: time)
            timings.end.record(CallTimer.nanoseconds(CallTimer.now() &- before))
        }
        if unsafe isOwn && place.pointee.context.isSampled {
            counters.spansEnded &+= 1
            counters.identitySum &+= unsafe SpanChecksum.identity(
                place.pointee.context.traceID, place.pointee.context.spanID)
        }
    }
}

/// Flat memory of the replay's own.
enum ReplayMemory {
    static func copy<Element>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
        // One element at least, so that there is an address.
        let memory = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(1, elements.count))
        _ = unsafe memory.initialize(fromContentsOf: elements)
        return unsafe UnsafeBufferPointer(rebasing: memory[..<elements.count])
    }

    static func free<Element>(_ elements: UnsafeBufferPointer<Element>) {
        unsafe UnsafeMutableBufferPointer(mutating: elements).deinitialize().deallocate()
    }
}
