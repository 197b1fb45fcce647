import TestSupport
import Testing

@testable import TraceCore

/// Attributes of every type, on spans, events and links, within limits.
@Suite struct AttributeValueTests {
    static let key = AttributeKey("key")

    /// A value and what the wire should say.
    struct Sample: CustomTestStringConvertible, Sendable {
        var value: AttributeValue
        var read: ReadSpan.Value
        var testDescription: String { "\(value)" }

        init(_ value: AttributeValue, _ read: ReadSpan.Value) {
            self.value = value
            self.read = read
        }
    }

    static let samples = [
        Sample("text", .string("text")), Sample("", .string("")), Sample("日本", .string("日本")),
        Sample(42, .int(42)), Sample(-1, .int(-1)), Sample(.int(.min), .int(.min)),
        Sample(1.5, .double(1.5)), Sample(.double(-.infinity), .double(-.infinity)),
        Sample(true, .bool(true)), Sample(false, .bool(false)),
        Sample(.strings(["a", "", "ß"]), .array([.string("a"), .string(""), .string("ß")])),
        Sample(.strings([]), .array([])),
        Sample(.ints([1, -2, .max]), .array([.int(1), .int(-2), .int(.max)])),
        Sample(.doubles([0, 2.25]), .array([.double(0), .double(2.25)])),
        Sample(.bools([true, false]), .array([.bool(true), .bool(false)])),
        Sample(.bytes([0, 255, 128]), .bytes([0, 255, 128])), Sample(.bytes([]), .bytes([])),
        Sample(
            .strings((0..<300).map { "element \($0)" }),
            .array((0..<300).map { .string("element \($0)") })),
        Sample(
            .bytes([UInt8](repeating: 7, count: 5_000)), .bytes([UInt8](repeating: 7, count: 5_000))
        ),
    ]

    @Test(
        "Every type reaches the wire: set alone, in a list, on an event, on a link",
        arguments: samples)
    func everyType(sample: Sample) throws {
        var list = SpanAttributes()
        list.set(Self.key, sample.value)
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(Self.key, sample.value)
            span.setAttribute(AttributeKey("after"), 1)
            span.addEvent(SpanName("event"), attributes: list)
            span.addLink(span.context, attributes: list)
            span.end()
        }
        let started = try CoreHarness.one { $0.startSpan("span", attributes: list).end() }
        let expected = [ReadSpan.Attribute(key: "key", value: sample.read)]
        #expect(span["key"] == sample.read)
        #expect(span["after"] == .int(1))
        #expect(span.events.first?.attributes == expected)
        #expect(span.links.first?.attributes == expected)
        #expect(started.attributes == expected)
    }

    @Test("A list gives back what was set", arguments: samples)
    func readBack(sample: Sample) {
        var list: SpanAttributes = ["before": 1]
        list.set(Self.key, sample.value)
        #expect(list[Self.key] == sample.value)
        #expect(list[AttributeKey("nothing")] == nil)
        #expect(list.pairs.map(\.key) == ["before", "key"])
        #expect(list.pairs.map(\.value) == [1, sample.value])
        list.set(Self.key, "other")
        #expect(list[Self.key] == "other")
        #expect(list.count == 2)
    }

    @Test("A literal goes to the setter for its type, and a list can be written as a dictionary")
    func literals() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan(
                "span", attributes: ["a": "x", "b": 2, "c": 0.5, "d": true])
            span.setAttribute(AttributeKey("e"), "static")
            span.setAttribute(AttributeKey("f"), 3)
            span.setAttribute(AttributeKey("g"), .ints([4]))
            span.end()
        }
        #expect(
            span.attributes.map(\.value) == [
                .string("x"), .int(2), .double(0.5), .bool(true), .string("static"), .int(3),
                .array([.int(4)]),
            ])
    }

    /// Specification, "Attribute limits": strings and byte arrays are cut, arrays element by element;
    /// a character is a Unicode scalar here.
    @Test("The length limit cuts strings and bytes, in arrays element by element")
    func lengthLimit() throws {
        var limits = SpanLimits()
        limits.attributeValueLength = 3
        let values: [(String, AttributeValue, ReadSpan.Value)] = [
            ("string", .string("ábcd"), .string("ábc")),
            (
                "strings", .strings(["abcd", "日本語文", "x"]),
                .array([.string("abc"), .string("日本語"), .string("x")])
            ),
            ("bytes", .bytes([1, 2, 3, 4]), .bytes([1, 2, 3])),
            ("ints", .ints([12_345, 6]), .array([.int(12_345), .int(6)])),
            ("short", .string("é\u{301}"), .string("é\u{301}")),
        ]
        var list = SpanAttributes()
        for (key, value, _) in values { list.set(AttributeKey(key), value) }
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            for (key, value, _) in values { span.setAttribute(AttributeKey(key), value) }
            span.addEvent(SpanName("event"), attributes: list)
            span.end()
        }
        let listed = try CoreHarness.one(limits: limits) {
            $0.startSpan("span", attributes: list).end()
        }
        let expected = values.map { ReadSpan.Attribute(key: $0.0, value: $0.2) }
        #expect(span.attributes == expected)
        #expect(listed.attributes == expected)
        #expect(span.events.first?.attributes == expected)
    }

    @Test("Keys that differ in one character only are told apart without a search")
    func filterBits() {
        var kept = 0
        for prefix in ["attribute.key.", "k", "http.request.header.x-", "日本"] {
            let bits = Set((0..<10).map { AttributeKey("\(prefix)\($0)").filterBit })
            kept += bits.count
        }
        // Of 4 × 10 keys over 512 bits hardly any meets by chance; that all of a kind meet is the mistake.
        #expect(kept >= 36)
    }

    @Test("A literal key is as good as one made before, also for a value that comes again")
    func literalKeys() throws {
        var limits = SpanLimits()
        limits.attributeValueLength = 5
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute("k", 1)
            span.setAttribute("a.key.longer.than.eight.characters", 2)
            span.setAttribute("string", "literal")
            span.setAttribute("made", string: "ma" + "de up")
            span.setAttribute("empty", "")
            span.setAttribute("double", 0.5)
            span.setAttribute("bool", true)
            span.setAttribute("list", .strings(["abcdefg", "h"]))
            span.setAttribute("value", AttributeValue.int(7))
            span.setAttribute(AttributeKey("k"), 3)
            span.setAttribute("double", 1.5)
            span.addEvent("event", at: 9, attributes: ["x": 1])
            span.end()
            span.setAttribute("late", 1)
            span.addEvent("late")
        }
        let expected: [(String, ReadSpan.Value)] = [
            ("k", .int(3)), ("a.key.longer.than.eight.characters", .int(2)),
            ("string", .string("liter")), ("made", .string("made ")), ("empty", .string("")),
            ("double", .double(1.5)), ("bool", .bool(true)),
            ("list", .array([.string("abcde"), .string("h")])), ("value", .int(7)),
        ]
        #expect(span.attributes == expected.map { ReadSpan.Attribute(key: $0.0, value: $0.1) })
        #expect(span.events.map(\.name) == ["event"])
        #expect(span.events.first?.timeUnixNano == 9)
    }

    @Test("Keys and names that are data are not interned, and mean the same")
    func namedByData() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            for number in 0..<3 { span.setAttribute(named: "header.\(number)", .int(number)) }
            span.setAttribute(AttributeKey("header.1"), "again")
            span.setAttribute(named: "", 1)
            span.addEvent(named: "event.\(1)", at: 1, attributes: ["x": 1])
            span.addEvent(named: "", at: 2)
            span.end()
            span.setAttribute(named: "late", 1)
            span.addEvent(named: "late")
        }
        #expect(span.attributes.map(\.key) == ["header.0", "header.1", "header.2"])
        #expect(span["header.1"] == .string("again"))
        #expect(span.events.map(\.name) == ["event.1", ""])
    }
}
