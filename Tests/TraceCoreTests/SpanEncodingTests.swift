import TestSupport
import Testing
import TraceCore

/// Span messages read back by hand, field by field: limits, overwriting, names, statuses, times.
@Suite struct SpanEncodingTests {
    static let key = AttributeKey("key")

    static func text(_ byteCount: Int, _ letter: Character = "x") -> String {
        String(repeating: letter, count: byteCount)
    }

    // MARK: What every span has

    @Test(
        "Ids, kind, times, flags and parent stand where they belong", arguments: SpanKind.allCases)
    func header(kind: SpanKind) throws {
        let identity = SpanIdentity(
            traceID: TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10),
            spanID: SpanID(rawValue: 0xf1f2_f3f4_f5f6_f7f8),
            isTraceIDRandom: true)
        let root = try CoreHarness.one { tracer in
            tracer.startSpan("root", kind: kind, at: 1_000, identity: identity).end(at: 2_000)
        }
        #expect(root.traceID == "0102030405060708090a0b0c0d0e0f10")
        #expect(root.spanID == "f1f2f3f4f5f6f7f8" && root.parentSpanID == "")
        #expect(root.kind == UInt64(kind.rawValue) && root.name == "root")
        #expect(root.startUnixNano == 1_000 && root.endUnixNano == 2_000)
        // Sampled and random; it is known that there is no remote parent.
        #expect(root.flags == 0x103)
        #expect(root.statusCode == 0 && root.traceState == "")
    }

    @Test(
        "Flags tell a remote parent and keep the random bit as it came",
        arguments: [false, true], [TraceFlags.sampled, [.sampled, .random], .random, []])
    func parentFlags(isRemote: Bool, flags: TraceFlags) throws {
        let state = try #require(TraceState(header: "vendor=value,ot=th:0"))
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: flags,
            traceState: state, isRemote: isRemote)
        let child = try CoreHarness.one { tracer in
            tracer.startSpan(
                "child", parent: parent,
                identity: SpanIdentity(
                    traceID: TraceID(high: 9, low: 9), spanID: SpanID(rawValue: 4))
            ).end()
        }
        #expect(child.traceID == hexDigits([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]))
        #expect(child.parentSpanID == "0000000000000003" && child.spanID == "0000000000000004")
        let random: UInt32 = flags.contains(.random) ? 2 : 0
        #expect(child.flags == 0x101 | random | (isRemote ? 0x200 : 0))
        #expect(child.traceState == "vendor=value,ot=th:0")
    }

    @Test("An invalid parent makes a root")
    func invalidParent() throws {
        for parent in [
            SpanContext.invalid,
            SpanContext(traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 0)),
            SpanContext(traceID: TraceID(high: 0, low: 0), spanID: SpanID(rawValue: 1)),
        ] {
            let span = try CoreHarness.one { $0.startSpan("root", parent: parent).end() }
            #expect(
                span.parentSpanID == ""
                    && span.traceID != hexDigits([UInt8](repeating: 0, count: 16)))
            #expect(span.flags == 0x103)
        }
    }

    @Test("A long trace state is kept as long as it fits the slot", arguments: [1, 100, 500, 600])
    func longTraceState(byteCount: Int) throws {
        var members: [String] = []
        var count = 0
        while count < byteCount {
            let member = "k\(members.count)=" + Self.text(min(200, byteCount - count))
            members.append(member)
            count += member.count + 1
        }
        let header = members.joined(separator: ",")
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: .sampled,
            traceState: try #require(TraceState(header: header)))
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan(named: "a name of its own", parent: parent)
            span.setAttribute(Self.key, 1)
            span.updateName("another")
            span.end()
        }
        #expect(span.traceState == header && span.name == "another" && span["key"] == .int(1))
    }

    @Test("An end before the start is the start")
    func clampedEnd() throws {
        let span = try CoreHarness.one { $0.startSpan("span", at: 5_000).end(at: 4_999) }
        #expect(span.startUnixNano == 5_000 && span.endUnixNano == 5_000)
        // A start in the future, and an end by the clock.
        let future = UInt64.max - 1
        let later = try CoreHarness.one { $0.startSpan("span", at: future).end() }
        #expect(later.endUnixNano == future)
        let extremes = try CoreHarness.one { $0.startSpan("span", at: 0).end(at: .max) }
        #expect(extremes.startUnixNano == 0 && extremes.endUnixNano == .max)
    }

    // MARK: Attributes

    @Test(
        "Integers, doubles and flags of any value come back",
        arguments: [0, 1, -1, 127, 128, 16_383, 16_384, Int(Int64.max), Int(Int64.min)])
    func numbers(value: Int) throws {
        let double = Double(
            bitPattern: UInt64(bitPattern: Int64(value)) &* 0x9E37_79B9_7F4A_7C15 >> 2)
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey("int"), value)
            span.setAttribute(AttributeKey("double"), double)
            span.setAttribute(AttributeKey("bool"), value & 1 == 1)
            span.end()
        }
        #expect(
            span.attributes == [
                .init(key: "int", value: .int(Int64(value))),
                .init(key: "double", value: .double(double)),
                .init(key: "bool", value: .bool(value & 1 == 1)),
            ])
    }

    @Test(
        "Overwriting keeps place, order and neighbours, by values of any size",
        arguments: [0, 3, 3, 100, 400, 5_000, 9_000], [0, 3, 5, 120, 700, 4_150, 10_000])
    func overwrite(old: Int, new: Int) throws {
        for others in [0, 3, 60] {
            let span = try CoreHarness.one { tracer in
                let span = tracer.startSpan(named: "dynamic name")
                span.setAttribute(AttributeKey("before"), 1)
                span.setAttribute(Self.key, string: Self.text(old, "o"))
                for number in 0..<others {
                    span.setAttribute(AttributeKey("other \(number)"), number)
                }
                span.addEvent(SpanName("event"), at: 7)
                span.setAttribute(Self.key, string: Self.text(new, "n"))
                span.setAttribute(AttributeKey("after"), true)
                // And once more by another type.
                span.setAttribute(AttributeKey("before"), 2.5)
                span.end()
            }
            let expected: [ReadSpan.Attribute] =
                [
                    .init(key: "before", value: .double(2.5)),
                    .init(key: "key", value: .string(Self.text(new, "n"))),
                ]
                + (0..<others).map { .init(key: "other \($0)", value: .int(Int64($0))) }
                + [.init(key: "after", value: .bool(true))]
            #expect(span.attributes == expected && span.droppedAttributes == 0)
            #expect(span.events == [.init(timeUnixNano: 7, name: "event")])
            #expect(span.name == "dynamic name")
        }
    }

    @Test("Against a model: random keys, values and calls", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var limits = SpanLimits()
        limits.attributeCount = [128, 5, 1, 30][Int(seed % 4)]
        var keys: [String] = []
        for number in 0..<25 {
            keys.append(Self.text(1 + Int(generator.next() % 40), "k") + "\(number)")
        }
        var expected: [ReadSpan.Attribute] = []
        var dropped: UInt64 = 0
        func note(_ key: String, _ value: ReadSpan.Value) {
            if let index = expected.firstIndex(where: { $0.key == key }) {
                expected[index].value = value
            } else if expected.count < limits.attributeCount {
                expected.append(.init(key: key, value: value))
            } else {
                dropped += 1
            }
        }
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            for _ in 0..<120 {
                let name = generator.pick(keys)
                let key = AttributeKey(name)
                switch generator.next() % 5 {
                case 0:
                    let value = Int(truncatingIfNeeded: generator.next() >> (generator.next() % 60))
                    span.setAttribute(key, value)
                    note(name, .int(Int64(value)))
                case 1:
                    let size = generator.oneIn(10) ? 2_000 : 30
                    let value = Self.text(Int(generator.next() % UInt64(size)), "é")
                    span.setAttribute(key, string: value)
                    note(name, .string(value))
                case 2:
                    span.setAttribute(key, "literal" as StaticString)
                    note(name, .string("literal"))
                case 3:
                    var list = SpanAttributes()
                    for _ in 0..<1 + generator.next() % 4 {
                        let name = generator.pick(keys)
                        list.set(AttributeKey(name), 1.5)
                    }
                    span.setAttributes(list)
                    for name in listed(list, of: keys) { note(name, .double(1.5)) }
                default:
                    span.setAttribute(key, generator.oneIn(2))
                    // The same coin cannot be read twice: set it again to what is noted.
                    span.setAttribute(key, true)
                    let before = dropped
                    note(name, .bool(true))
                    dropped += dropped - before
                }
            }
            span.end()
        }
        #expect(span.attributes == expected)
        #expect(span.droppedAttributes == dropped)
    }

    /// The keys of a list in its order, by way of a span that takes it whole.
    private func listed(_ list: SpanAttributes, of keys: [String]) -> [String] {
        let span = try? CoreHarness.one { tracer in
            tracer.startSpan("span", attributes: list).end()
        }
        return span?.attributes.map(\.key) ?? []
    }

    @Test("An empty key sets nothing; an empty string is a value")
    func emptyKey() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey(""), 1)
            span.setAttribute(AttributeKey(""), string: Self.text(300))
            var list = SpanAttributes()
            list.set(AttributeKey(""), 1)
            list.set(AttributeKey("in the list"), "")
            span.setAttributes(list)
            span.setAttribute(AttributeKey("alone"), string: "")
            span.end()
        }
        #expect(
            span.attributes == [
                .init(key: "in the list", value: .string("")),
                .init(key: "alone", value: .string("")),
            ])
        #expect(span.droppedAttributes == 0)
    }

    @Test("Keys that Swift holds equal but that differ in their bytes are two")
    func canonicalEquivalence() throws {
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey(composed), 1)
            span.setAttribute(AttributeKey(decomposed), 2)
            span.end()
        }
        #expect(span.attributes.map { Array($0.key.utf8) } == [[0xc3, 0xa9], [0x65, 0xcc, 0x81]])
        let names = try [composed, decomposed].map { name in
            try CoreHarness.one { $0.startSpan(SpanName(name)).end() }.name
        }
        #expect(names.map { Array(($0 ?? "").utf8) } == [[0xc3, 0xa9], [0x65, 0xcc, 0x81]])
    }

    @Test("Keys that fall on one filter bit stay apart")
    func filterCollisions() throws {
        // 256 bits, 600 keys: plenty of collisions.
        var limits = SpanLimits()
        limits.attributeCount = 1_000
        let names = (0..<600).map { "k\($0)" }
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            for (number, name) in names.enumerated() {
                span.setAttribute(AttributeKey(name), number)
            }
            span.end()
        }
        #expect(span.attributes.map(\.key) == names)
        #expect(span.attributes.map(\.value) == (0..<600).map { .int(Int64($0)) })
    }
}
