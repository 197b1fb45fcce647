import TestSupport
import Testing

@testable import TraceCore

/// Baggage as a value, and how it is written.
@Suite struct BaggageTests {
    static func header(_ baggage: Baggage) -> String? {
        var headers = HeaderBuffer()
        BaggagePropagator.inject(baggage, into: &headers)
        #expect(headers.count <= 1)
        return headers.first("baggage")
    }

    // MARK: The value

    @Test("Entries keep the order in which their names were first set")
    func order() {
        var baggage: Baggage = ["b": "1", "a": "2", "c": "3"]
        baggage.set("a", "4", metadata: "m")
        #expect(baggage.entries.map(\.name) == ["b", "a", "c"] && baggage.count == 3)
        #expect(baggage["a"] == Baggage.Entry(value: "4", metadata: "m"))
        baggage["b"] = nil
        baggage["nothing"] = nil
        baggage.set("b", "5")
        #expect(baggage.entries.map(\.name) == ["a", "c", "b"])
        baggage.removeAll()
        #expect(baggage.isEmpty && baggage == Baggage() && baggage["a"] == nil)
    }

    @Test("Names are compared with case, an empty name holds nothing, copies are apart")
    func names() {
        var baggage: Baggage = ["Key": "1", "key": "2", "": "3"]
        #expect(baggage.count == 2 && baggage["KEY"] == nil && baggage[""] == nil)
        let copy = baggage
        baggage.set("key", "4")
        #expect(copy["key"]?.value == "2" && baggage["key"]?.value == "4" && copy != baggage)
    }

    // MARK: Writing

    /// Facts from opentelemetry-go, baggage/baggage_test.go, opentelemetry-java,
    /// W3CBaggagePropagatorTest, opentelemetry-python, test_w3cbaggagepropagator.py, and w3c/baggage,
    /// test/baggage/test_baggage.py.
    /// Java encodes metadata; here it goes as it is, as Go has it. Python writes a blank as `+`.
    @Test(
        "What is written",
        arguments: [
            (["foo": ""], "foo="), (["foo": "1"], "foo=1"), (["foo": "1=1"], "foo=1%3D1"),
            (["foo": "1+1"], "foo=1%2B1"),
            (["key1": "val1", "key2": "val2"], "key1=val1,key2=val2"),
            (["key1": "val1,val2", "key2": "val3=4"], "key1=val1%2Cval2,key2=val3%3D4"),
            (
                ["nometa": "nometa-value", "needsEncoding": "blah blah blah"],
                "nometa=nometa-value,needsEncoding=blah%20blah%20blah"
            ),
            (["userId": "alice", "serverNode": "DF 28"], "userId=alice,serverNode=DF%2028"),
            // A name that is no token stays behind; the others go.
            (["\u{2}ab\u{3}cd": "wacky", " ": "blank", "k": "v"], "k=v"),
            (["key key": "v", "na\u{ef}ve": "v", "a,b": "v", "a=b": "v", "a;b": "v"], nil),
            // Bytes of UTF-8, upper-case digits; percent itself.
            (["k": "\u{e9}\u{1f600}"], "k=%C3%A9%F0%9F%98%80"), (["k": "100%"], "k=100%25"),
            (["k": "\t\"\\;\r\n\u{7f}\u{0}"], "k=%09%22%5C%3B%0D%0A%7F%00"),
            (["k": "!#$&'()*-./:<>?@[]^_`{|}~"], "k=!#$&'()*-./:<>?@[]^_`{|}~"),
            ([:], nil),
        ] as [(Baggage, String?)])
    func writing(baggage: Baggage, expected: String?) {
        #expect(Self.header(baggage) == expected)
    }

    @Test(
        "Metadata goes as it is when it is a list of properties, and else stays behind",
        arguments: [
            ("red;state=on;z=z=z", "k=v;red;state=on;z=z=z"),
            ("somemetadata; someother=foo", "k=v;somemetadata; someother=foo"),
            ("percent=%41%zz", "k=v;percent=%41%zz"), ("", "k=v"),
            // The grammar has no empty property; Python drops the whole member for one.
            ("a;;b", "k=v;a;b"), (";p", "k=v;p"), ("p; \t ", "k=v;p"), (" ; ;", "k=v"),
            ("a,evil=1", "k=v"), ("a\r\nevil: 1", "k=v"), ("a\u{0}", "k=v"), ("a=\u{e9}", "k=v"),
            ("=v", "k=v"), ("pr op=1", "k=v"), ("a=b c", "k=v"), ("a=\"b\"", "k=v"),
        ])
    func metadata(metadata: String, expected: String) {
        var baggage = Baggage()
        baggage.set("k", "v", metadata: metadata)
        #expect(Self.header(baggage) == expected)
    }

    @Test("At most 180 members are written")
    func memberCount() throws {
        var baggage = Baggage()
        for number in 0..<200 { baggage.set("key\(number)", "value") }
        let members = try #require(Self.header(baggage)).split(separator: ",")
        #expect(members.count == 180 && members.last == "key179=value")
    }

    @Test("At most 8192 bytes are written, whole members, and what still fits")
    func byteCount() throws {
        var baggage = Baggage()
        baggage.set("a", String(repeating: "v", count: 8190))
        #expect(Self.header(baggage)?.utf8.count == 8192)
        baggage.set("b", "1")
        #expect(Self.header(baggage)?.utf8.count == 8192)
        // Too large alone; three bytes each once encoded.
        baggage.set("a", String(repeating: " ", count: 2731))
        #expect(Self.header(baggage) == "b=1")
        baggage.set("a", String(repeating: " ", count: 2728))
        #expect(Self.header(baggage)?.utf8.count == 2 + 3 * 2728 + 4)
        // Metadata counts.
        baggage["a"] = Baggage.Entry(value: "v", metadata: String(repeating: "m", count: 8190))
        #expect(Self.header(baggage) == "b=1")
        // Fifty members of 205 bytes and a comma: 39 fit.
        var many = Baggage()
        for number in 100..<150 { many.set("k\(number)", String(repeating: "v", count: 200)) }
        let header = try #require(Self.header(many))
        #expect(header.utf8.count <= 8192 && header.split(separator: ",").count == 39)
        #expect(header.split(separator: ",").allSatisfy { $0.utf8.count == 205 })
        // Nothing that fits: no header.
        #expect(Self.header(["a": String(repeating: "v", count: 8191)]) == nil)
    }

    @Test("Lines of that name are replaced; without baggage they stay")
    func replaces() {
        var headers = HeaderBuffer([("Baggage", "old=1"), ("other", "stays"), ("baggage", "old=2")])
        BaggagePropagator.inject([:], into: &headers)
        BaggagePropagator.inject(["no token": "1"], into: &headers)
        #expect(headers.text == ["Baggage: old=1", "other: stays", "baggage: old=2"])
        BaggagePropagator.inject(["new": "1"], into: &headers)
        #expect(headers.text == ["other: stays", "baggage: new=1"])
    }

    // MARK: Both ways

    @Test("What is written is read again, whatever the values", arguments: 0..<8 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let nameBytes = Array("!#$%&'*+-.^_`|~019azAZ".utf8)
        for _ in 0..<200 {
            var baggage = Baggage()
            for _ in 0..<generator.next() % 8 {
                let name = (0...generator.next() % 12).map { _ in generator.pick(nameBytes) }
                let value = (0..<generator.next() % 12).map { _ in Self.scalar(&generator) }
                baggage.set(
                    String(decoding: name, as: UTF8.self),
                    String(String.UnicodeScalarView(value)),
                    metadata: generator.oneIn(3) ? "p=%41; q ;r = s" : "")
            }
            var headers = HeaderBuffer()
            BaggagePropagator.inject(baggage, into: &headers)
            #expect(BaggagePropagator.extract(from: headers) ?? Baggage() == baggage)
        }
    }

    /// Mostly ASCII of every kind; sometimes anything Unicode has.
    private static func scalar(_ generator: inout SeededGenerator) -> Unicode.Scalar {
        if !generator.oneIn(3) { return Unicode.Scalar(UInt8(generator.next() % 128)) }
        return Unicode.Scalar(UInt32(generator.next() % 0x11_0000)) ?? "\u{fffd}"
    }
}
