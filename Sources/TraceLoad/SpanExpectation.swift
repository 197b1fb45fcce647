import TraceCore
import TraceResults

/// What the spans of a plan should say, as the digest a receiver computes from what it decodes.
/// Made from the plan and the scenario alone, without a look at the encoder. For verifying runs
/// under the simulated clock; about a microsecond a span. One thread; a reference, so that a worker
/// without one asks for no more than that.
final class SpanExpectation {
    private let compiled: CompiledScenario
    private let limits: SpanLimits
    private let epochUnixNano: UInt64
    /// Whether the random flag arrives in the next service: B3 has no room for it.
    private let carriesRandomFlag: Bool
    private let carriesBaggage: Bool
    /// By slot.
    private var traces: [ExpectedTrace] = []

    init(_ compiled: CompiledScenario, limits: SpanLimits, epochUnixNano: UInt64) {
        self.compiled = compiled
        self.limits = limits
        self.epochUnixNano = epochUnixNano
        let propagators = compiled.scenario.pipeline.propagators
        carriesRandomFlag = propagators.contains("tracecontext")
        carriesBaggage = propagators.contains("baggage")
    }

    private struct ExpectedSpan {
        var start = PlanEvent(.none, span: 0)
        var endNs: UInt64?
        var message: UInt32?
        /// Attribute events, in the plan's order.
        var attributes: [PlanEvent] = []
        var baggage: [PlanEvent] = []
        var events: [ExpectedEvent] = []
        var links: [PlanEvent] = []
        /// Whose identity it has.
        var identity: UInt16 = 0
        var oddity: PlanOddity = []

        /// Whether a trace of its own begins with it.
        var beginsTrace: Bool {
            start.parent == PlanEvent.noParent || start.kind == .startLinked
                || oddity.contains(.broken)
        }
    }

    private struct ExpectedEvent {
        var event: PlanEvent
        var attributes: [PlanEvent]
    }

    private struct ExpectedTrace {
        var head = TraceHead(index: 0, startNs: 0, intendedNs: 0)
        var spans: [ExpectedSpan] = []
        /// Texts of its values: the chunk they came in is used again before the trace is over.
        var text: [UInt8] = []
        // Of what comes next.
        var prepared: PlanEvent?
        var links: [PlanEvent] = []
        var eventAttributes: [PlanEvent] = []

        mutating func keep(
            _ event: PlanEvent, _ chunkText: UnsafeBufferPointer<UInt8>
        ) -> PlanEvent {
            let known = PlanText(bits: event.value)
            guard !known.isKnownAhead else { return event }
            var event = event
            event.value =
                PlanText(
                    offset: text.count, byteCount: known.byteCount, isKnownAhead: false
                ).bits
            for place in known.range { unsafe text.append(chunkText[place]) }
            return event
        }
    }

    /// A trace begins in a slot.
    func begin(_ slot: Int, _ head: TraceHead) {
        while traces.count <= slot { traces.append(ExpectedTrace()) }
        traces[slot].head = head
        traces[slot].spans.removeAll(keepingCapacity: true)
        traces[slot].text.removeAll(keepingCapacity: true)
    }

    /// Takes in an event of the slot's trace.
    func add(
        _ event: PlanEvent, _ slot: Int, _ text: UnsafeBufferPointer<UInt8>
    ) {
        var event = event
        let number = Int(event.span)
        switch event.kind {
        case .eventAttribute:
            let isText = event.span == UInt16(PlanEvent.Kind.attributeText.rawValue)
            unsafe traces[slot].eventAttributes.append(
                isText ? traces[slot].keep(event, text) : event)
            return
        case .prepare:
            traces[slot].prepared = event
            return
        case .link:
            traces[slot].links.append(event)
            return
        case .attributeText, .baggage: unsafe event = traces[slot].keep(event, text)
        default: break
        }
        while traces[slot].spans.count <= number { traces[slot].spans.append(ExpectedSpan()) }
        switch event.kind {
        case .start, .startExtracted, .startLinked, .forge:
            traces[slot].spans[number].start = event
            traces[slot].spans[number].identity = event.span
        case .startSpecial:
            if let prepared = traces[slot].prepared {
                event.kind = PlanEvent.Kind(rawValue: UInt8(prepared.operand & 0xFF)) ?? .start
                traces[slot].spans[number].oddity = PlanOddity(rawValue: prepared.operand & ~0xFF)
                traces[slot].spans[number].identity = prepared.span
            }
            traces[slot].spans[number].start = event
            traces[slot].spans[number].links = traces[slot].links
            traces[slot].prepared = nil
            traces[slot].links.removeAll(keepingCapacity: true)
        case .attributeText, .attributeInteger, .attributeDouble, .attributeBoolean,
            .attributeBaggage:
            traces[slot].spans[number].attributes.append(event)
        case .baggage: traces[slot].spans[number].baggage.append(event)
        case .event, .pastEvent, .exception:
            traces[slot].spans[number].events.append(
                ExpectedEvent(event: event, attributes: traces[slot].eventAttributes))
            traces[slot].eventAttributes.removeAll(keepingCapacity: true)
        case .errorStatus: traces[slot].spans[number].message = event.operand
        case .end, .endLate: traces[slot].spans[number].endNs = event.timeNs
        case .inject, .injectForged, .none, .eventAttribute, .prepare, .link, .begin, .resume,
            .finish:
            break
        }
    }

    /// The sum over the sampled spans of the slot's trace, which is over. `live` tells which spans the
    /// sampler kept, and nothing else. `firstIndex`: added to the numbers of traces in links.
    func finish(
        _ slot: Int, cipher: SpanIdentityCipher, firstIndex: UInt64,
        spans live: UnsafePointer<ActiveSpan>
    ) -> UInt64 {
        let trace = traces[slot]
        var sum: UInt64 = 0
        for number in trace.spans.indices
        where trace.spans[number].start.isStart && trace.spans[number].endNs != nil {
            guard unsafe live[number].context.isSampled else { continue }
            sum &+= digest(number, of: trace, cipher: cipher, firstIndex: firstIndex)
        }
        return sum
    }

    private func digest(
        _ number: Int, of trace: ExpectedTrace, cipher: SpanIdentityCipher, firstIndex: UInt64
    ) -> UInt64 {
        let span = trace.spans[number]
        let index = trace.head.index
        let shape = compiled.shapes[span.start.shape]
        let skewNs = compiled.instances[span.start.instance].clockSkewNs
        func unixNano(_ timeNs: UInt64) -> UInt64 {
            UInt64(Int64(epochUnixNano &+ trace.head.startNs &+ timeNs) + skewNs)
        }
        let traceID = cipher.traceID(root: .init(trace: index, span: root(of: number, trace)))
        func spanID(_ number: UInt16) -> UInt64 {
            cipher.spanID(.init(trace: index, span: number))
        }
        let parent =
            span.oddity.contains(.orphan) ? TraceExecutor.nobody : span.start.parent
        var digest = SpanDigest()
        digest.add(traceID.high)
        digest.add(traceID.low)
        digest.add(spanID(span.identity))
        digest.add(span.beginsTrace ? 0 : spanID(parent))
        digest.add(UInt64(shape.kind))
        // Sampled, and random: the root says so of its identifier, and children inherit it.
        digest.add(isRandom(number, trace) ? 3 : 1)
        digest.add(utf8: shape.name)
        digest.add(unixNano(span.start.timeNs))
        digest.add(unixNano(span.endNs ?? 0))
        digest.add(span.message == nil ? 0 : 2)
        digest.add(utf8: span.message.map { compiled.messages[Int($0)] } ?? "")
        addAttributes(of: number, trace, shape, to: &digest)
        addEvents(of: span, trace, unixNano, to: &digest)
        var linked = span.links.map { link in
            var position = SpanIdentityCipher.Position(packed: link.value)
            position.trace &+= firstIndex
            return (position, UInt16(truncatingIfNeeded: link.operand))
        }
        if span.start.kind == .startLinked, !span.oddity.contains(.broken) {
            linked.append(
                (
                    .init(trace: index, span: span.start.parent),
                    root(of: Int(span.start.parent), trace)
                ))
        }
        let kept = linked.prefix(limits.linkCount)
        digest.add(UInt64(kept.count))
        for (position, rootSpan) in kept {
            let linkedTrace = cipher.traceID(
                root: .init(trace: position.trace, span: rootSpan))
            digest.add(linkedTrace.high)
            digest.add(linkedTrace.low)
            digest.add(cipher.spanID(position))
        }
        digest.add(utf8: compiled.instances[span.start.instance].serviceName)
        return digest.finish()
    }

    /// The span that begins the trace this one belongs to.
    private func root(of number: Int, _ trace: ExpectedTrace) -> UInt16 {
        var number = number
        while !trace.spans[number].beginsTrace { number = Int(trace.spans[number].start.parent) }
        return trace.spans[number].identity
    }

    /// Whether the span knows its trace's identifier to be random.
    private func isRandom(_ number: Int, _ trace: ExpectedTrace) -> Bool {
        if carriesRandomFlag { return true }
        var number = number
        while !trace.spans[number].beginsTrace {
            if trace.spans[number].start.kind == .startExtracted { return false }
            number = Int(trace.spans[number].start.parent)
        }
        return true
    }

    /// The text under a name in the span's baggage: that of the nearest span above it, or of itself, that
    /// set it, if it can come from there. The bits of a `PlanText`.
    private func arrivingBaggage(
        _ name: UInt32, at number: Int, _ trace: ExpectedTrace
    ) -> UInt64? {
        var number = number
        while true {
            let span = trace.spans[number]
            if let entry = span.baggage.last(where: { $0.operand == name }) {
                return entry.value
            }
            if span.start.parent == PlanEvent.noParent || span.oddity.contains(.broken) {
                return nil
            }
            if span.start.kind != .start, !carriesBaggage { return nil }
            number = Int(span.start.parent)
        }
    }

    private func addAttributes(
        of number: Int, _ trace: ExpectedTrace, _ shape: CompiledScenario.SpanShape,
        to digest: inout SpanDigest
    ) {
        let set = trace.spans[number].attributes.compactMap { event -> PlanEvent? in
            guard event.kind == .attributeBaggage else { return event }
            return arrivingBaggage(UInt32(event.value), at: number, trace).map {
                PlanEvent(
                    .attributeText, span: event.span, operand: event.operand, value: $0)
            }
        }
        let count = shape.attributes.count + set.count
        digest.add(UInt64(min(count, limits.attributeCount)))
        add(shape.attributes.prefix(limits.attributeCount), to: &digest)
        let room = max(0, limits.attributeCount - shape.attributes.count)
        for event in set.prefix(room) { add(event, event.kind, trace, to: &digest) }
    }

    private func add(
        _ event: PlanEvent, _ kind: PlanEvent.Kind?, _ trace: ExpectedTrace,
        to digest: inout SpanDigest
    ) {
        digest.add(utf8: compiled.keys[Int(event.operand)])
        switch kind {
        case .attributeText:
            let value = PlanText(bits: event.value)
            let bytes = (value.isKnownAhead ? compiled.text : trace.text)[value.range]
            add(.string(String(decoding: bytes, as: UTF8.self)), to: &digest)
        case .attributeInteger: add(.integer(Int(truncatingIfNeeded: event.value)), to: &digest)
        case .attributeDouble: add(.double(Double(bitPattern: event.value)), to: &digest)
        default: add(.boolean(event.value != 0), to: &digest)
        }
    }

    private func addEvents(
        of span: ExpectedSpan, _ trace: ExpectedTrace, _ unixNano: (UInt64) -> UInt64,
        to digest: inout SpanDigest
    ) {
        digest.add(UInt64(min(span.events.count, limits.eventCount)))
        for expected in span.events.prefix(limits.eventCount) {
            let event = expected.event
            digest.add(unixNano(event.timeNs))
            var name = "exception"
            var attributes: [CompiledScenario.Attribute] = []
            if event.kind != .exception {
                name = compiled.eventShapes[Int(event.operand)].name
                attributes = compiled.eventShapes[Int(event.operand)].attributes
            } else {
                let message = compiled.messages[Int(event.operand)]
                attributes = [
                    .init(key: "exception.type", value: .string(CompiledScenario.exceptionType)),
                    .init(key: "exception.message", value: .string(message)),
                ]
            }
            digest.add(utf8: name)
            let limit = limits.attributeCountPerEvent
            let kept = attributes.prefix(limit)
            let drawn = expected.attributes.prefix(max(0, limit - attributes.count))
            digest.add(UInt64(kept.count + drawn.count))
            add(kept, to: &digest)
            for value in drawn {
                add(
                    value, PlanEvent.Kind(rawValue: UInt8(truncatingIfNeeded: value.span)), trace,
                    to: &digest)
            }
        }
    }

    private func add(
        _ attributes: ArraySlice<CompiledScenario.Attribute>, to digest: inout SpanDigest
    ) {
        for attribute in attributes {
            digest.add(utf8: attribute.key)
            add(attribute.value, to: &digest)
        }
    }

    /// Type tag and value; texts cut at the limit, in Unicode scalars.
    private func add(_ value: AttributeLiteral, to digest: inout SpanDigest) {
        switch value {
        case .string(let text):
            digest.add(1)
            if let limit = limits.attributeValueLength, text.unicodeScalars.count > limit {
                digest.add(utf8: String(text.unicodeScalars.prefix(limit)))
            } else {
                digest.add(utf8: text)
            }
        case .boolean(let flag):
            digest.add(2)
            digest.add(flag ? 1 : 0)
        case .integer(let number):
            digest.add(3)
            digest.add(UInt64(bitPattern: Int64(number)))
        case .double(let number):
            digest.add(4)
            digest.add(number.bitPattern)
        }
    }
}
