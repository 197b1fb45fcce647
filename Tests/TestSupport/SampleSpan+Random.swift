/// Random spans: mostly ordinary, often at an edge (empty, very long, many, negative, not ASCII).
extension SampleSpan {
    /// A span with everything that OTLP lets a span have. Keys within one list are distinct, times
    /// are ordered, a status message comes only with an error, and there are no NaNs: what is
    /// expected of those is a question for a test of its own.
    public static func random(using generator: inout SeededGenerator) -> SampleSpan {
        let start = 1_700_000_000_000_000_000 + generator.next() % 100_000_000_000_000_000
        let end = start + (generator.oneIn(8) ? 0 : generator.next() % 10_000_000_000)
        let hasParent = !generator.oneIn(4)
        let isRemote = hasParent && generator.oneIn(3)
        let statusCode = Int(generator.next() % 3)
        return SampleSpan(
            traceHigh: generator.oneIn(16) ? 0 : generator.next(),
            traceLow: generator.identifier(),
            spanID: generator.identifier(),
            parentSpanID: hasParent ? generator.identifier() : nil,
            flags: 0x101 | (generator.oneIn(2) ? 2 : 0) | (isRemote ? 0x200 : 0),
            traceState: hasParent ? SampleText.traceState(using: &generator) : "",
            name: SampleText.name(using: &generator),
            kind: Int(generator.next() % 5) + 1,
            startTimeUnixNano: start,
            endTimeUnixNano: end,
            attributes: SampleAttribute.randomList(
                count: count(upTo: 128, using: &generator), using: &generator),
            events: (0..<count(upTo: 12, using: &generator)).map { _ in
                SampleEvent.random(between: start, and: end, using: &generator)
            },
            links: (0..<count(upTo: 6, using: &generator)).map { _ in
                SampleLink.random(using: &generator)
            },
            statusCode: statusCode,
            statusMessage: statusCode == 2 ? SampleText.value(using: &generator) : "")
    }

    /// Small numbers mostly, none often, now and then the most.
    static func count(upTo most: Int, using generator: inout SeededGenerator) -> Int {
        switch generator.next() % 16 {
        case 0...3: 0
        case 4...12: Int(generator.next() % UInt64(min(most, 8) + 1))
        case 13...14: Int(generator.next() % UInt64(most + 1))
        default: most
        }
    }
}

extension SampleAttribute {
    /// `count` attributes under distinct keys, of any type.
    ///
    /// - Precondition: `count` is at most ``SampleText/keys``' count.
    public static func randomList(
        count: Int, using generator: inout SeededGenerator
    ) -> [SampleAttribute] {
        guard count > 0 else { return [] }
        // A walk with an odd stride over a list whose length is a power of two meets no key twice.
        let keys = SampleText.keys
        let stride = Int(generator.next() % UInt64(keys.count)) | 1
        var position = Int(generator.next() % UInt64(keys.count))
        return (0..<count).map { _ in
            position = (position + stride) & (keys.count - 1)
            return SampleAttribute(keys[position], SampleValue.random(using: &generator))
        }
    }
}

extension SampleValue {
    static let integers: [Int64] = [
        0, 1, -1, 127, 128, -128, 16_383, 16_384, 1 << 31, -(1 << 31), 1 << 35, .max, .min,
    ]

    static let doubles: [Double] = [
        0, -0.0, 1, -1, 0.1, .pi, .infinity, -.infinity, .leastNonzeroMagnitude,
        .greatestFiniteMagnitude, -.ulpOfOne,
    ]

    public static func random(using generator: inout SeededGenerator) -> SampleValue {
        switch generator.next() % 8 {
        case 0...3: .string(SampleText.value(using: &generator))
        case 4: .bool(generator.oneIn(2))
        case 5: .int(generator.pick(integers))
        case 6: .int(Int64(bitPattern: generator.next() >> (generator.next() % 64)))
        default:
            .double(
                generator.oneIn(2)
                    ? generator.pick(doubles) : Double.random(in: -1e9...1e9, using: &generator))
        }
    }
}

extension SampleEvent {
    static func random(
        between start: UInt64, and end: UInt64, using generator: inout SeededGenerator
    ) -> SampleEvent {
        SampleEvent(
            timeUnixNano: start + generator.next() % (end - start + 1),
            name: generator.pick(SampleText.eventNames),
            attributes: SampleAttribute.randomList(
                count: SampleSpan.count(upTo: 16, using: &generator), using: &generator))
    }
}

extension SampleLink {
    static func random(using generator: inout SeededGenerator) -> SampleLink {
        SampleLink(
            traceHigh: generator.next(), traceLow: generator.identifier(),
            spanID: generator.identifier(),
            flags: 0x100 | UInt32(generator.next() % 4) | (generator.oneIn(2) ? 0x200 : 0),
            traceState: SampleText.traceState(using: &generator),
            attributes: SampleAttribute.randomList(
                count: SampleSpan.count(upTo: 8, using: &generator), using: &generator))
    }
}
