import CThread
import TestSupport
import Testing

@testable import TraceCore

/// One key is one key, whether it was interned, stands in the program or is data: numbered among the first of the
/// process, or hashed.
@Suite struct KeyIdentityTests {
    /// More keys than have numbers: what comes after these is hashed. In this process for good, so that the
    /// other tests run into both kinds.
    static let areNumbersGiven: Bool = {
        for number in 0..<2 * KeyFilter.bitCount { _ = AttributeKey("used.up.\(number)") }
        return true
    }()

    private enum Way: CaseIterable {
        case interned, literal, data, list, empty
    }

    @Test("The last value stays, whichever ways a key was given", arguments: [false, true])
    func everyPair(isHashed: Bool) throws {
        if isHashed { #expect(Self.areNumbersGiven) }
        for first in Way.allCases {
            for second in Way.allCases {
                let span = try CoreHarness.one { tracer in
                    let span = tracer.startSpan("span")
                    Self.set(first, isHashed, span, 1)
                    span.setAttribute("between", true)
                    Self.set(second, isHashed, span, 2)
                    span.end()
                }
                let values = span.attributes.filter { $0.key.hasPrefix("key.") }
                let expected = second != .empty ? 2 : first != .empty ? 1 : nil
                #expect(values.map(\.value) == (expected.map { [.int(Int64($0))] } ?? []))
            }
        }
    }

    private static func set(_ way: Way, _ isHashed: Bool, _ span: ActiveSpan, _ value: Int) {
        let name = isHashed ? "key.hashed" : "key.numbered"
        switch way {
        case .interned: span.setAttribute(AttributeKey(name), value)
        case .literal:
            if isHashed {
                span.setAttribute("key.hashed", value)
            } else {
                span.setAttribute("key.numbered", value)
            }
        case .data: span.setAttribute(named: name, .int(value))
        case .list: span.setAttributes([name: .int(value)])
        case .empty: span.setAttribute("", value)
        }
    }

    @Test("A literal may be a name and a key; one within another is a key of its own")
    func sameAddress() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("http.route")
            span.setAttribute("http.route", 1)
            span.setAttribute("route", 2)
            span.setAttribute("r", 3)
            span.addEvent("http.route", at: 1)
            span.end()
        }
        #expect(span.name == "http.route")
        #expect(span.attributes.map(\.key) == ["http.route", "route", "r"])
        #expect(span.events.map(\.name) == ["http.route"])
    }

    @Test("A literal is told by its address and its length")
    func literalTable() {
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
        defer { unsafe bytes.deallocate() }
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0x61, count: 64)
        let key = AttributeKey("literal.table")
        for (offset, shape) in [(0, 7), (0, 8), (1, 7), (63, 7)] as [(Int, Int64)] {
            unsafe #expect(tracemill_literal_search(bytes + offset, shape) == nil)
            unsafe #expect(tracemill_literal_add(bytes + offset, shape, key.record))
            unsafe #expect(tracemill_literal_search(bytes + offset, shape) == key.record)
        }
        unsafe #expect(tracemill_literal_search(bytes, 9) == nil)
        unsafe #expect(tracemill_literal_search(bytes + 2, 7) == nil)
    }

    @Test("Threads that see a key for the first time at once get one record")
    func firstSeenAtOnce() {
        for round in 0..<50 {
            let ready = SharedNumber()
            let same = SharedNumber()
            let name = "first.seen.\(round)"
            OSThreads.run(count: 4) { thread in
                ready.add()
                ready.wait(for: 4)
                let utf8 = Array(name.utf8)
                // As data it has a record as long as there are numbers; afterwards if somebody interned it.
                let found = unsafe utf8.withUnsafeBytes { unsafe KeyNumbers.record(of: $0) }
                let record = unsafe AttributeKey(name).record
                if unsafe (found == nil || found == record) { same.add() }
            }
            #expect(same.value == 4)
        }
    }

    @Test("A span of as many keys as have numbers finds none that is not there")
    func noSearchInVain() {
        var filter = KeyFilter()
        for number in 0..<KeyFilter.bitCount {
            let bit = FilterBit(number: number)
            #expect(!filter.mayContain(bit))
            filter.insert(bit)
            #expect(filter.mayContain(bit))
        }
    }
}
