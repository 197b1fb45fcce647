import TestSupport
import Testing

@testable import TraceCore

/// What contexts travel in: flat memory, dictionaries, lists of lines.
@Suite struct PropagationCarrierTests {
    static let context = TraceContext(
        spanContext: .carried("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", .sampled),
        baggage: ["a": "1"])
    static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    static let every = Propagator.composite([.traceContext, .baggage, .b3, .b3multi])

    // MARK: Flat memory

    @Test("Lines keep their order and their duplicates; names are found whatever their case")
    func buffer() {
        var headers = HeaderBuffer([("A", "1"), ("b", ""), ("a", "2"), ("", "no name")])
        #expect(headers.count == 4 && headers.text == ["A: 1", "b: ", "a: 2", ": no name"])
        #expect(headers.values(of: "a") == ["1", "2"] && headers.first("A") == "1")
        #expect(headers.first("c") == nil && headers.first("b") == "" && headers.first("") != nil)
        headers.set("a", "3")
        #expect(headers.text == ["b: ", ": no name", "a: 3"])
        headers.remove("")
        headers.remove("c")
        #expect(headers.text == ["b: ", "a: 3"])
        headers.removeAll()
        #expect(headers.count == 0 && headers.text.isEmpty && headers.first("a") == nil)
        headers.append("a", "4")
        #expect(headers.text == ["a: 4"])
    }

    @Test("A copy is apart")
    func copies() {
        var headers = HeaderBuffer([("a", "1")])
        let copy = headers
        headers.set("a", "2")
        headers.append("b", "3")
        #expect(copy.text == ["a: 1"] && headers.text == ["a: 2", "b: 3"])
    }

    /// Against a plain array of pairs.
    @Test("Does what an array of lines does", arguments: 0..<8 as Range<UInt64>)
    func model(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let names = [
            "", "a", "A", "b3", "B3", "baggage", "BAGGAGE", "traceparent", "TraceParent",
            "x-b3-traceid", "x-b3-tracei\u{4d}", "tracestate", "\u{e9}", "\u{c9}",
        ]
        func isSame(_ left: String, _ right: String) -> Bool {
            left.utf8.map(Self.lowercased) == right.utf8.map(Self.lowercased)
        }
        var headers = HeaderBuffer()
        var model: [(String, String)] = []
        for _ in 0..<400 {
            let name = generator.pick(names)
            let value = String(repeating: "v", count: Int(generator.next() % 300))
            switch generator.next() % 8 {
            case 0..<4:
                headers.append(name, value)
                model.append((name, value))
            case 4, 5:
                headers.set(name, value)
                model.removeAll { isSame($0.0, name) }
                model.append((name, value))
            case 6:
                headers.remove(name)
                model.removeAll { isSame($0.0, name) }
            default:
                if generator.oneIn(8) {
                    headers.removeAll()
                    model = []
                }
            }
            #expect(headers.count == model.count)
            #expect(headers.values(of: name) == model.filter { isSame($0.0, name) }.map(\.1))
        }
        #expect(headers.text == model.map { "\($0.0): \($0.1)" })
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5a).contains(byte) ? byte + 0x20 : byte
    }

    @Test("Names differ in every byte but the case of ASCII letters", arguments: [1, 7, 8, 9, 17])
    func nameBytes(count: Int) {
        for byte in UInt8.min...127 {
            for other in UInt8.min...127 {
                var left = [UInt8](repeating: 0x2d, count: count)
                var right = left
                left[count - 1] = byte
                right[count - 1] = other
                let isSame = unsafe left.withUnsafeBytes { left in
                    unsafe right.withUnsafeBytes { unsafe HeaderName.isSame(left, $0) }
                }
                #expect(isSame == (Self.lowercased(byte) == Self.lowercased(other)))
            }
        }
    }

    @Test("Injecting again and again does not grow the memory's use, and replaces")
    func reuse() {
        var headers = HeaderBuffer([("other", "stays")])
        for _ in 0..<1000 { Self.every.inject(Self.context, into: &headers) }
        #expect(headers.count == 1 + 6 && Set(headers.headers.map(\.name)).count == 7)
        #expect(headers.text.first == "other: stays")
    }

    // MARK: Dictionaries

    @Test("A dictionary carries a context, and keeps what else it has")
    func dictionary() {
        var carrier = ["host": "localhost"]
        Self.every.inject(Self.context, into: &carrier)
        #expect(
            carrier == [
                "host": "localhost", "traceparent": Self.traceparent, "baggage": "a=1",
                "b3": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
                "x-b3-traceid": "0af7651916cd43dd8448eb211c80319c",
                "x-b3-spanid": "b7ad6b7169203331", "x-b3-sampled": "1",
            ])
        let found = Self.every.extract(from: carrier)
        #expect(found.spanContext == Self.context.spanContext && found.baggage == ["a": "1"])
    }

    @Test("A dictionary's keys are found, and replaced, whatever their case")
    func dictionaryCase() {
        var carrier = [
            "TraceParent": Self.traceparent, "TRACESTATE": "k=v", "BAGGAGE": "b=2",
            "Accept": "text",
        ]
        let found = Propagator.standard.extract(from: carrier)
        #expect(found.spanContext.traceState.header == "k=v" && found.baggage == ["b": "2"])
        // The state went out of use: its old line does not stay beside the new parent.
        Propagator.standard.inject(Self.context, into: &carrier)
        #expect(
            carrier == ["Accept": "text", "traceparent": Self.traceparent, "baggage": "a=1"])
        // Two keys that differ in case are two lines.
        let twice = ["traceparent": Self.traceparent, "Traceparent": Self.traceparent]
        #expect(Propagator.traceContext.extract(from: twice).spanContext == .invalid)
        let split = ["Baggage": "a=1,b=1", "baggage": "b=2"]
        #expect(Propagator.baggage.extract(from: split).baggage == ["a": "1", "b": "2"])
    }

    @Test("Where there is nothing to say a dictionary stays as it is")
    func dictionaryUntouched() {
        let before = ["TraceParent": "old", "baggage": "old", "b3": "old"]
        var carrier = before
        Self.every.inject(.empty, into: &carrier)
        Propagator.none.inject(Self.context, into: &carrier)
        #expect(carrier == before)
    }

    // MARK: Lists

    @Test("A list keeps duplicate lines, and lines of one name are joined in order")
    func list() {
        var carrier: HeaderList = [
            "traceparent": Self.traceparent, "tracestate": "a=1", "Baggage": "a=1",
            "TraceState": "b=2,c=3", "baggage": "b=2", "accept": "text", "Accept": "html",
        ]
        let found = Propagator.standard.extract(from: carrier)
        #expect(found.spanContext.traceState.header == "a=1,b=2,c=3")
        #expect(found.baggage == ["a": "1", "b": "2"])
        Propagator.standard.inject(found, into: &carrier)
        #expect(
            carrier == [
                "accept": "text", "Accept": "html", "traceparent": Self.traceparent,
                "tracestate": "a=1,b=2,c=3", "baggage": "a=1,b=2",
            ])
        #expect(carrier.values(of: "ACCEPT") == ["text", "html"])
        let pairs: [(name: String, value: String)] = [("b3", "0"), ("b3", "1")]
        let decided = Propagator.b3.extract(from: HeaderList(pairs: pairs))
        #expect(decided.spanContext == .decision(.denied))
    }

    @Test("Two lines of traceparent are none, in every carrier")
    func duplicateParent() {
        let list: HeaderList = ["traceparent": Self.traceparent, "traceparent": Self.traceparent]
        #expect(Propagator.standard.extract(from: list).spanContext == .invalid)
    }

    @Test("All carriers say the same")
    func agreement() {
        let buffer = HeaderBuffer([("Traceparent", Self.traceparent), ("baggage", "a=1")])
        let viaProtocol = Self.extract(buffer)
        #expect(viaProtocol.spanContext == Self.context.spanContext)
        #expect(viaProtocol.baggage == ["a": "1"])
        var written = HeaderBuffer([("TRACEPARENT", "old")])
        Self.inject(into: &written)
        var list = HeaderList([.init(name: "TRACEPARENT", value: "old")])
        Self.inject(into: &list)
        var fast = HeaderBuffer([("TRACEPARENT", "old")])
        Self.every.inject(Self.context, into: &fast)
        #expect(written.text == fast.text)
        #expect(list.lines.map { "\($0.name): \($0.value)" } == fast.text)
    }

    /// Where the carrier's type is not known, even `HeaderBuffer` goes the general way.
    private static func extract(_ carrier: some PropagationCarrier) -> TraceContext {
        every.extract(from: carrier)
    }

    private static func inject(into carrier: inout some PropagationCarrier) {
        every.inject(context, into: &carrier)
    }
}
