import TestSupport
import TraceCore

/// Records samples through the public tracer API, by a different way each time: attributes with the
/// start, one by one, as UTF-8, as a list, first wrong and then right; events and links in between;
/// names set at once or later.
struct SpanDriver {
    var generator: SeededGenerator
    /// The limits of the provider that records. What lies beyond them is set once only, since the
    /// tracer counts every attempt.
    var limits = SampleLimits()

    init(seed: UInt64, limits: SampleLimits = SampleLimits()) {
        generator = SeededGenerator(seed: seed)
        self.limits = limits
    }

    /// Records a sample and ends it.
    ///
    /// - Returns: the span's context as the tracer gave it.
    @discardableResult
    mutating func record(_ sample: SampleSpan, with tracer: Tracer) -> SpanContext {
        let early = generator.oneIn(2) ? min(sample.attributes.count, Int(generator.next() % 6)) : 0
        let earlyLinks = generator.oneIn(2) ? sample.links.count : 0
        let isNamedLate = generator.oneIn(4)
        let span = start(
            sample, named: isNamedLate ? "to be renamed" : sample.name, with: tracer,
            attributes: sample.attributes.prefix(early), links: sample.links.prefix(earlyLinks))
        for step in steps(sample, early: early, earlyLinks: earlyLinks) {
            perform(step, on: span)
        }
        if isNamedLate { span.updateName(sample.name) }
        if let status = SpanStatus(rawValue: UInt8(sample.statusCode)), status != .unset {
            span.setStatus(status, sample.statusMessage)
        }
        span.end(at: sample.endTimeUnixNano)
        return span.context
    }

    private mutating func start(
        _ sample: SampleSpan, named name: String, with tracer: Tracer,
        attributes: ArraySlice<SampleAttribute>, links: ArraySlice<SampleLink>
    ) -> ActiveSpan {
        let kind = SpanKind(rawValue: UInt8(sample.kind)) ?? .internal
        let attributes = attributes.isEmpty ? nil : SpanAttributes(attributes)
        let links = links.map {
            SpanLink(context: $0.context, attributes: SpanAttributes($0.attributes))
        }
        if generator.oneIn(2) {
            return tracer.startSpan(
                SpanName(name), kind: kind, parent: sample.parentContext,
                at: sample.startTimeUnixNano, identity: sample.identity, attributes: attributes,
                links: links)
        }
        return tracer.startSpan(
            named: name, kind: kind, parent: sample.parentContext, at: sample.startTimeUnixNano,
            identity: sample.identity, attributes: attributes, links: links)
    }

    private enum Step {
        case set(SampleAttribute)
        case setAll([SampleAttribute])
        case event(SampleEvent)
        case link(SampleLink)
    }

    /// What happens between start and end: each kind in the sample's order, the kinds shuffled.
    private mutating func steps(_ sample: SampleSpan, early: Int, earlyLinks: Int) -> [Step] {
        var attributes = attributeSteps(sample.attributes, from: early)[...]
        var events = sample.events.map(Step.event)[...]
        var links = sample.links.dropFirst(earlyLinks).map(Step.link)[...]
        var steps: [Step] = []
        while true {
            switch generator.next() % 3 {
            case 0: if let step = attributes.popFirst() { steps.append(step) }
            case 1: if let step = events.popFirst() { steps.append(step) }
            default: if let step = links.popFirst() { steps.append(step) }
            }
            if attributes.isEmpty && events.isEmpty && links.isEmpty { return steps }
        }
    }

    private mutating func attributeSteps(_ attributes: [SampleAttribute], from first: Int) -> [Step]
    {
        var steps: [Step] = []
        var corrections: [Step] = []
        var index = first
        while index < attributes.count {
            let attribute = attributes[index]
            if index < limits.attributeCount, generator.oneIn(6) {
                // Another value first: the right one overwrites it, and the place stays.
                steps.append(
                    .set(SampleAttribute(attribute.key, SampleValue.random(using: &generator))))
                corrections.append(.set(attribute))
                index += 1
            } else if generator.oneIn(6) {
                let end = min(attributes.count, index + 1 + Int(generator.next() % 8))
                steps.append(.setAll(Array(attributes[index..<end])))
                index = end
            } else {
                steps.append(.set(attribute))
                index += 1
            }
            if generator.oneIn(4), let correction = corrections.popLast() {
                steps.append(correction)
            }
        }
        return steps + corrections
    }

    private mutating func perform(_ step: Step, on span: ActiveSpan) {
        switch step {
        case .set(let attribute): set(attribute, on: span)
        case .setAll(let attributes): span.setAttributes(SpanAttributes(attributes))
        case .event(let event):
            span.addEvent(
                SpanName(event.name), at: event.timeUnixNano,
                attributes: event.attributes.isEmpty ? nil : SpanAttributes(event.attributes))
        case .link(let link):
            span.addLink(
                link.context,
                attributes: link.attributes.isEmpty ? nil : SpanAttributes(link.attributes))
        }
    }

    private mutating func set(_ attribute: SampleAttribute, on span: ActiveSpan) {
        let key = AttributeKey(attribute.key)
        switch attribute.value {
        case .string(let text) where generator.oneIn(3):
            span.setAttribute(key, utf8: text.utf8.span)
        case .string(let text): span.setAttribute(key, string: text)
        case .bool(let flag): span.setAttribute(key, flag)
        case .int(let number): span.setAttribute(key, Int(number))
        case .double(let number): span.setAttribute(key, number)
        }
    }
}

extension SampleSpan {
    /// The context of the parent as this sample's flags and tracestate describe it.
    var parentContext: SpanContext? {
        parentSpanID.map { parent in
            SpanContext(
                traceID: TraceID(high: traceHigh, low: traceLow), spanID: SpanID(rawValue: parent),
                flags: TraceFlags(rawValue: UInt8(flags & 0xFF)),
                traceState: TraceState(header: traceState) ?? .empty,
                isRemote: flags & 0x200 != 0)
        }
    }

    var identity: SpanIdentity {
        SpanIdentity(
            traceID: TraceID(high: traceHigh, low: traceLow), spanID: SpanID(rawValue: spanID),
            isTraceIDRandom: true)
    }
}

extension SampleLink {
    var context: SpanContext {
        SpanContext(
            traceID: TraceID(high: traceHigh, low: traceLow), spanID: SpanID(rawValue: spanID),
            flags: TraceFlags(rawValue: UInt8(flags & 0xFF)),
            traceState: TraceState(header: traceState) ?? .empty, isRemote: flags & 0x200 != 0)
    }
}

extension SpanAttributes {
    init(_ attributes: some Sequence<SampleAttribute>) {
        self.init()
        for attribute in attributes {
            let key = AttributeKey(attribute.key)
            switch attribute.value {
            case .string(let text): set(key, text)
            case .bool(let flag): set(key, flag)
            case .int(let number): set(key, Int(number))
            case .double(let number): set(key, number)
            }
        }
    }
}

extension SpanLimits {
    init(_ limits: SampleLimits) {
        self.init()
        attributeCount = limits.attributeCount
        attributeValueLength = limits.attributeValueLength
        eventCount = limits.eventCount
        linkCount = limits.linkCount
        attributeCountPerEvent = limits.attributesPerEvent
        attributeCountPerLink = limits.attributesPerLink
    }
}
