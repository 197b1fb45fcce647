import TraceCore
import TraceResults

/// What the spans of a plan should say, as the digest a receiver computes from what it decodes.
/// Made from the plan and the scenario alone, without a look at the encoder. For verifying runs
/// under the simulated clock; about a microsecond a span. One thread.
struct SpanExpectation {
    private let compiled: CompiledScenario
    private let limits: SpanLimits
    /// Whether the random flag arrives in the next service: B3 has no room for it.
    private let carriesRandomFlag: Bool
    private let carriesBaggage: Bool
    private var spans: [ExpectedSpan] = []

    init(_ compiled: CompiledScenario, limits: SpanLimits) {
        self.compiled = compiled
        self.limits = limits
        let propagators = compiled.scenario.pipeline.propagators
        carriesRandomFlag = propagators.contains("tracecontext")
        carriesBaggage = propagators.contains("baggage")
    }

    private struct ExpectedSpan {
        var start = PlanEvent(.none, span: 0)
        var endNs: UInt64 = 0
        var message: UInt32?
        /// Attribute events, in the plan's order.
        var attributes: [PlanEvent] = []
        var baggage: [PlanEvent] = []
        var events: [PlanEvent] = []
    }

    /// The sum over the sampled spans of one trace. `live` tells which spans the sampler kept, and
    /// nothing else.
    mutating func semanticSum(
        _ events: UnsafeBufferPointer<PlanEvent>, _ plan: Range<Int>, index: UInt64,
        startUnixNano: UInt64, text: [UInt8], cipher: SpanIdentityCipher,
        spans live: UnsafePointer<ActiveSpan>
    ) -> UInt64 {
        spans.removeAll(keepingCapacity: true)
        for place in plan {
            let event = unsafe events[place]
            let number = Int(event.span)
            while spans.count <= number { spans.append(ExpectedSpan()) }
            switch event.kind {
            case .start, .startExtracted, .startLinked: spans[number].start = event
            case .attributeText, .attributeInteger, .attributeDouble, .attributeBoolean:
                spans[number].attributes.append(event)
            case .attributeBaggage:
                if let text = arrivingBaggage(UInt32(event.value), at: number) {
                    spans[number].attributes.append(
                        PlanEvent(
                            .attributeText, span: event.span, operand: event.operand,
                            value: text))
                }
            case .baggage: spans[number].baggage.append(event)
            case .event, .exception: spans[number].events.append(event)
            case .errorStatus: spans[number].message = event.operand
            case .end: spans[number].endNs = event.timeNs
            case .inject, .none: break
            }
        }
        var sum: UInt64 = 0
        for number in spans.indices where unsafe live[number].context.isSampled {
            sum &+= digest(
                number, index: index, startUnixNano: startUnixNano, text: text, cipher: cipher)
        }
        return sum
    }

    private func digest(
        _ number: Int, index: UInt64, startUnixNano: UInt64, text: [UInt8],
        cipher: SpanIdentityCipher
    ) -> UInt64 {
        let span = spans[number]
        let shape = compiled.shapes[span.start.shape]
        let traceID = cipher.traceID(root: .init(trace: index, span: root(of: number)))
        func spanID(_ number: UInt16) -> UInt64 {
            cipher.spanID(.init(trace: index, span: number))
        }
        let isRoot = span.start.parent == PlanEvent.noParent || span.start.kind == .startLinked
        var digest = SpanDigest()
        digest.add(traceID.high)
        digest.add(traceID.low)
        digest.add(spanID(UInt16(number)))
        digest.add(isRoot ? 0 : spanID(span.start.parent))
        digest.add(UInt64(shape.kind))
        // Sampled, and random: the root says so of its identifier, and children inherit it.
        digest.add(isRandom(number) ? 3 : 1)
        digest.add(utf8: shape.name)
        digest.add(startUnixNano + span.start.timeNs)
        digest.add(startUnixNano + span.endNs)
        digest.add(span.message == nil ? 0 : 2)
        digest.add(utf8: span.message.map { compiled.messages[Int($0)] } ?? "")
        addAttributes(of: span, shape, text: text, to: &digest)
        addEvents(of: span, startUnixNano: startUnixNano, to: &digest)
        if span.start.kind == .startLinked, limits.linkCount > 0 {
            let producer = span.start.parent
            let linked = cipher.traceID(root: .init(trace: index, span: root(of: Int(producer))))
            digest.add(1)
            digest.add(linked.high)
            digest.add(linked.low)
            digest.add(spanID(producer))
        } else {
            digest.add(0)
        }
        digest.add(utf8: compiled.instances[span.start.instance].serviceName)
        return digest.finish()
    }

    /// The span that begins the trace this one belongs to.
    private func root(of number: Int) -> UInt16 {
        var number = number
        while spans[number].start.kind != .startLinked,
            spans[number].start.parent != PlanEvent.noParent
        {
            number = Int(spans[number].start.parent)
        }
        return UInt16(number)
    }

    /// Whether the span knows its trace's identifier to be random.
    private func isRandom(_ number: Int) -> Bool {
        if carriesRandomFlag { return true }
        var number = number
        while spans[number].start.kind == .start {
            if spans[number].start.parent == PlanEvent.noParent { return true }
            number = Int(spans[number].start.parent)
        }
        return spans[number].start.kind == .startLinked
    }

    /// The text under a name in the span's baggage: that of the nearest span above it, or of itself, that
    /// set it, if it can come from there. The bits of a `PlanText`.
    private func arrivingBaggage(_ name: UInt32, at number: Int) -> UInt64? {
        var number = number
        while true {
            if let entry = spans[number].baggage.last(where: { $0.operand == name }) {
                return entry.value
            }
            let start = spans[number].start
            if start.parent == PlanEvent.noParent { return nil }
            if start.kind != .start, !carriesBaggage { return nil }
            number = Int(start.parent)
        }
    }

    private func addAttributes(
        of span: ExpectedSpan, _ shape: CompiledScenario.SpanShape, text: [UInt8],
        to digest: inout SpanDigest
    ) {
        let count = shape.attributes.count + span.attributes.count
        digest.add(UInt64(min(count, limits.attributeCount)))
        add(shape.attributes.prefix(limits.attributeCount), to: &digest)
        let room = max(0, limits.attributeCount - shape.attributes.count)
        for event in span.attributes.prefix(room) {
            digest.add(utf8: compiled.keys[Int(event.operand)])
            switch event.kind {
            case .attributeText:
                let value = PlanText(bits: event.value)
                let bytes = (value.isKnownAhead ? compiled.text : text)[value.range]
                add(.string(String(decoding: bytes, as: UTF8.self)), to: &digest)
            case .attributeInteger: add(.integer(Int(truncatingIfNeeded: event.value)), to: &digest)
            case .attributeDouble: add(.double(Double(bitPattern: event.value)), to: &digest)
            default: add(.boolean(event.value != 0), to: &digest)
            }
        }
    }

    private func addEvents(
        of span: ExpectedSpan, startUnixNano: UInt64, to digest: inout SpanDigest
    ) {
        digest.add(UInt64(min(span.events.count, limits.eventCount)))
        for event in span.events.prefix(limits.eventCount) {
            digest.add(startUnixNano + event.timeNs)
            var name = "exception"
            var attributes: [CompiledScenario.Attribute] = []
            if event.kind == .event {
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
            let kept = attributes.prefix(limits.attributeCountPerEvent)
            digest.add(UInt64(kept.count))
            add(kept, to: &digest)
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
