import TraceCore

/// What a worker does now and then: events with drawn attributes, clocks that are wrong, and starts with
/// something odd about them. Beside the path of the usual spans, which stays short.
extension TraceExecutor {
    @inline(never)
    mutating func executeUnusual(
        _ event: PlanEvent, _ index: UInt64, _ epochUnixNano: UInt64,
        _ text: UnsafePointer<UInt8>, _ live: LiveSpans
    ) {
        let place = unsafe live.spans + Int(event.span)
        switch event.kind {
        case .pastEvent: unsafe addEvent(event, pastTime(event, epochUnixNano, live), text, live)
        case .eventAttribute: eventValues.append(event)
        case .endLate: unsafe end(place, at: pastTime(event, epochUnixNano, live))
        case .prepare:
            pending.kind = PlanEvent.Kind(rawValue: UInt8(event.operand & 0xFF)) ?? .start
            pending.oddity = PlanOddity(rawValue: event.operand & ~0xFF)
            pending.identity = event.span
            pending.links.removeAll(keepingCapacity: true)
        case .link:
            var position = SpanIdentityCipher.Position(packed: event.value)
            position.trace &+= firstIndex
            let rootSpan = UInt16(truncatingIfNeeded: event.operand)
            let traceID = cipher.traceID(root: .init(trace: position.trace, span: rootSpan))
            // Whether that trace was sampled is not known here: it may be another worker's.
            pending.links.append(
                SpanLink(
                    context: SpanContext(
                        traceID: TraceID(high: traceID.high, low: traceID.low),
                        spanID: SpanID(rawValue: cipher.spanID(position)), flags: .random,
                        isRemote: true)))
        case .startSpecial: startSpecial(event, index, epochUnixNano, live)
        case .forge: forge(event, index, epochUnixNano, live)
        default:
            // A forged context travels as a real one.
            let carrier = unsafe live.carriers + Int(event.span)
            unsafe carrier.pointee.removeAll()
            unsafe propagation.propagator.inject(
                (live.contexts + Int(event.span)).pointee, into: &carrier.pointee)
        }
    }

    private mutating func startSpecial(
        _ event: PlanEvent, _ index: UInt64, _ epochUnixNano: UInt64, _ live: LiveSpans
    ) {
        var parent: SpanContext?
        var links = pending.links
        if pending.kind == .start {
            if event.parent != PlanEvent.noParent {
                parent =
                    unsafe pending.oddity.contains(.forgedParent)
                    ? (live.contexts + Int(event.parent)).pointee.spanContext
                    : (live.spans + Int(event.parent)).pointee.context
            }
        } else if pending.oddity.contains(.broken) {
            // The headers are lost: there is nothing to extract.
            parent = ReplayPropagation.parent(
                propagation.propagator.extract(from: HeaderBuffer()))
            unsafe (live.contexts + Int(event.span)).pointee = .empty
        } else {
            parent = received(event, live)
            if pending.kind == .startLinked {
                if let parent, parent.isValid { links.append(SpanLink(context: parent)) }
                parent = nil
            }
        }
        if pending.oddity.contains(.orphan) {
            parent?.spanID = SpanID(
                rawValue: cipher.spanID(.init(trace: index, span: Self.nobody)))
        }
        unsafe start(
            event, index, parent, epochUnixNano, live, links: links, identity: pending.identity,
            into: live.spans + Int(event.span))
        guard mode == .context else { return }
        if pending.kind == .start { pass(event, live) } else { keep(event, live) }
    }

    /// The context of a span that nobody sees: the sampler decides, and nothing is recorded.
    private mutating func forge(
        _ event: PlanEvent, _ index: UInt64, _ epochUnixNano: UInt64, _ live: LiveSpans
    ) {
        let position = SpanIdentityCipher.Position(trace: index, span: event.span)
        let id = cipher.traceID(root: position)
        let traceID = TraceID(high: id.high, low: id.low)
        let decision = unsafe tracers[event.instance]._withUnsafeGuaranteedRef { tracer in
            unsafe shapes[event.shape]._withUnsafeGuaranteedRef { shape in
                tracer.decide(
                    parent: nil, traceID: traceID, kind: shape.kind,
                    attributes: shape.attributes, at: epochUnixNano &+ event.timeNs)
            }
        }
        var flags = TraceFlags.random
        // Where tracing is off a span hands its parent's flags on: a sampled one would count as recording.
        if decision == .recordAndSample, !isTracingDisabled { flags.insert(.sampled) }
        unsafe (live.contexts + Int(event.span)).pointee = TraceContext(
            spanContext: SpanContext(
                traceID: traceID, spanID: SpanID(rawValue: cipher.spanID(position)),
                flags: flags, isRemote: false))
    }

    // MARK: Times

    /// What the tracer is told; nil leaves it to the tracer's clock.
    @inline(__always)
    func time(
        _ timeNs: UInt64, _ span: UInt16, _ epochUnixNano: UInt64, _ live: LiveSpans
    ) -> UInt64? {
        // Static: a call that takes the executor by value copies all of it, on the path of every span.
        if !skews.isEmpty {
            return Self.skewed(
                skews, isRealTime ? TraceClock.unixNs : epochUnixNano &+ timeNs, span, live)
        }
        return isRealTime ? nil : epochUnixNano &+ timeNs
    }

    @inline(never)
    private static func skewed(
        _ skews: [Int64], _ unixNano: UInt64, _ span: UInt16, _ live: LiveSpans
    ) -> UInt64 {
        let instance = unsafe (live.instances + Int(span)).pointee
        return UInt64(max(1, Int64(unixNano) + skews[Int(instance)]))
    }

    /// A time in the past, in real time too.
    private func pastTime(
        _ event: PlanEvent, _ epochUnixNano: UInt64, _ live: LiveSpans
    ) -> UInt64 {
        let unixNano = epochUnixNano &+ event.timeNs
        guard !skews.isEmpty else { return unixNano }
        let instance = unsafe (live.instances + Int(event.span)).pointee
        return UInt64(max(1, Int64(unixNano) + skews[Int(instance)]))
    }

    // MARK: Events

    @inline(never)
    mutating func addEvent(
        _ event: PlanEvent, _ time: UInt64?, _ text: UnsafePointer<UInt8>, _ live: LiveSpans
    ) {
        let shape = tables.events[Int(event.operand)]
        var attributes = shape.attributes
        if !eventValues.isEmpty {
            // Behind the literal ones.
            var all = attributes ?? SpanAttributes()
            for value in eventValues { unsafe set(value, text, in: &all) }
            attributes = all
            eventValues.removeAll(keepingCapacity: true)
        }
        unsafe (live.spans + Int(event.span)).pointee.addEvent(
            shape.name, at: time, attributes: attributes)
    }

    private func set(
        _ event: PlanEvent, _ text: UnsafePointer<UInt8>, in attributes: inout SpanAttributes
    ) {
        let key = keyOf(event)
        switch PlanEvent.Kind(rawValue: UInt8(truncatingIfNeeded: event.span)) {
        case .attributeText:
            let value = PlanText(bits: event.value)
            let bytes = unsafe value.isKnownAhead ? knownText.baseAddress! : text
            let utf8 = unsafe UnsafeBufferPointer(
                start: bytes + value.offset, count: value.byteCount)
            unsafe attributes.set(key, String(decoding: utf8, as: UTF8.self))
        case .attributeInteger: attributes.set(key, Int(truncatingIfNeeded: event.value))
        case .attributeDouble: attributes.set(key, Double(bitPattern: event.value))
        default: attributes.set(key, event.value != 0)
        }
    }

    private func keyOf(_ event: PlanEvent) -> AttributeKey { unsafe keys[Int(event.operand)] }
}
