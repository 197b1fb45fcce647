import Testing
import TraceResults

@testable import TraceSink

@Suite("Drawing a trace")
struct WaterfallTests {
    private func document(_ spans: [StudySpan]) throws -> OTLPTraces {
        try unsafe StudySpan.request(spans).withUnsafeBytes { unsafe try OTLPTraces(protobuf: $0) }
    }

    private func lines(
        _ spans: [StudySpan], columns: Int = 80, _ change: (inout Waterfall) -> Void = { _ in }
    ) throws -> [String] {
        var waterfall = Waterfall()
        waterfall.columns = columns
        change(&waterfall)
        return try waterfall.text(of: document(spans)).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
    }

    @Test("Spans stand in their tree, with bars where they ran")
    func tree() throws {
        let lines = try lines(
            [
                StudySpan(id: 1, service: "gate", name: "GET /", start: 0, duration: 1_000),
                StudySpan(
                    id: 2, parent: 1, service: "gate", name: "call", start: 250, duration: 500),
                StudySpan(
                    id: 3, parent: 2, service: "shop", name: "serve", start: 500, duration: 250,
                    isError: true),
                StudySpan(
                    id: 4, parent: 1, service: "gate", name: "last", start: 900, duration: 100),
            ], columns: 75)
        #expect(lines[0] == "trace 00000000000011110000000000000001")
        #expect(
            lines[1] == "4 spans, 2 services, 1.00 µs, 1 error  began 1970-01-01T00:00:00.000Z")
        let bar = String(repeating: "█", count: 40)
        let half = String(repeating: "█", count: 20)
        let blank = String(repeating: " ", count: 10)
        #expect(lines[4] == "gate GET /                1.00 µs  \(bar)")
        #expect(lines[5] == "├ call                     500 ns  \(blank)\(half)")
        #expect(
            lines[6] == "│ └ ✗ shop serve           250 ns  \(blank)\(blank)\(half.prefix(10))")
        #expect(
            lines[7] == "└ last                     100 ns  \(blank)\(blank)\(blank)      ████")
    }

    @Test("Half columns are used, and nothing is too short to be seen")
    func halves() throws {
        let lines = try lines(
            [
                StudySpan(id: 1, name: "all", start: 0, duration: 80),
                StudySpan(id: 2, parent: 1, name: "from half", start: 1, duration: 3),
                StudySpan(id: 3, parent: 1, name: "to half", start: 2, duration: 3),
                StudySpan(id: 4, parent: 1, name: "no time", start: 79, duration: 0),
            ], columns: 75)
        #expect(lines[5].hasSuffix("3 ns  ▐█"))
        #expect(lines[6].hasSuffix("3 ns   █▌"))
        #expect(lines[7].hasSuffix("0 ns  " + String(repeating: " ", count: 39) + "▐"))
    }

    @Test("No line is wider than the terminal, whatever is in it", arguments: [72, 80, 133])
    func widths(columns: Int) throws {
        let names = [
            "\u{1B}[2J\u{1B}]0;title\u{07}", "日本語のとても長い名前のスパンです、本当に長い", "👩‍👩‍👧‍👦 família",
            String(repeating: "long ", count: 100), "line\nfeed\ttab", "\u{202E}reversed",
        ]
        var spans: [StudySpan] = []
        for id in 1...120 as ClosedRange<UInt64> {
            let name = names[Int(id) % names.count]
            spans.append(
                StudySpan(
                    id: id, parent: id - 1, service: names[Int(id / 2) % names.count], name: name,
                    start: id * 10, duration: 10_000 - id * 20, isError: id % 7 == 0))
        }
        for line in try lines(spans, columns: columns) {
            #expect(TerminalText.width(line) <= columns, "\(line)")
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202E}" })
        }
    }

    @Test("Colours are only there when asked for, and errors are marked without them")
    func colours() throws {
        let span = [StudySpan(id: 1, isError: true)]
        #expect(try lines(span).allSatisfy { !$0.contains("\u{1B}") })
        #expect(try lines(span)[4].hasPrefix("✗ a span"))
        let coloured = try lines(span) { $0.style = TerminalStyle(isColoured: true) }
        #expect(coloured[4].contains("\u{1B}[1;31m✗ "))
        #expect(coloured[4].contains("\u{1B}[36ma "))
    }

    @Test("Orphans and circles of parents are drawn once each, and said")
    func broken() throws {
        let lines = try lines(
            [
                StudySpan(id: 1, name: "root"), StudySpan(id: 3, parent: 9, name: "orphan"),
                StudySpan(id: 4, parent: 5, name: "hen"), StudySpan(id: 5, parent: 4, name: "egg"),
                StudySpan(id: 6, parent: 6, name: "self"),
            ], columns: 120)
        #expect(
            lines[2]
                == "incomplete: 1 span whose parent is not there, 3 spans in a circle of parents")
        #expect(lines.count { $0.contains("parent 0000000000000009 is not there") } == 1)
        for name in ["root", "orphan", "hen", "egg", "self"] {
            #expect(lines.count { $0.contains(name) } == 1, "\(name)")
        }
        #expect(lines.count { $0.contains("is its own ancestor") } == 2)
    }

    @Test("A chain of 20,000 spans is drawn as far as is asked for", arguments: [1, 500, 20_000])
    func giant(spansMax: Int) throws {
        let spans = (1...20_000 as ClosedRange<UInt64>).map { id in
            StudySpan(id: id, parent: id - 1)
        }
        let request = exportRequest(spans.map(\.message))
        let document = try unsafe request.withUnsafeBytes { unsafe try OTLPTraces(protobuf: $0) }
        var waterfall = Waterfall()
        waterfall.spansMax = spansMax
        let lines = waterfall.text(of: document).split(separator: "\n")
        #expect(lines.count { $0.contains("span ") || $0.contains(" span") } >= spansMax)
        #expect(lines.last?.contains("more spans") == (spansMax < 20_000))
        #expect(lines.allSatisfy { TerminalText.width($0) <= 80 })
    }

    @Test("Times at the ends of the number line, and ends before starts, do no harm")
    func times() throws {
        let lines = try lines([
            StudySpan(id: 1, start: 0, duration: .max),
            StudySpan(id: 2, parent: 1, start: .max, duration: 0),
        ])
        #expect(lines.count == 7)
        let document = try unsafe exportRequest([
            WrittenSpan(start: 500, end: 400).message
        ]).withUnsafeBytes { unsafe try OTLPTraces(protobuf: $0) }
        #expect(Waterfall().text(of: document).contains("< 0"))
        #expect(Waterfall().text(of: OTLPTraces()) == "a trace without spans\n")
    }

    @Test("Events follow their spans when asked for")
    func events() throws {
        let span = WrittenSpan(start: 1_000, end: 9_000) { span in
            span.message(11) { event in
                event.fixed64(1, 3_000)
                event.text(2, "cache.miss\u{7}")
                event.message(3) {
                    $0.text(1, "key")
                    $0.message(2) { $0.varint(3, 42) }
                }
            }
        }
        let document = try unsafe exportRequest([span.message]).withUnsafeBytes {
            unsafe try OTLPTraces(protobuf: $0)
        }
        var waterfall = Waterfall()
        #expect(!waterfall.text(of: document).contains("cache.miss"))
        waterfall.showsEvents = true
        #expect(
            waterfall.text(of: document).contains("\n  • +2.00 µs cache.miss\\u{7}  key=42\n"))
    }
}
