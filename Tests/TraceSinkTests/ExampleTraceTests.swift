import Testing
import TraceResults

@testable import TraceSink

/// The two traces that are kept to be looked at.
@Suite("Example traces")
struct ExampleTraceTests {
    private var settings: SinkConfiguration.StudySettings {
        var settings = SinkConfiguration.StudySettings()
        settings.quietNs = 1_000_000_000
        settings.spansPerSMax = nil
        return settings
    }

    /// A call from one service into another, `length` ns long.
    private func call(_ trace: UInt64, length: UInt64, name: String = "GET /") -> [StudySpan] {
        [
            StudySpan(
                trace: trace, id: 1, service: "shop", kind: .server, name: name, start: 5_000,
                duration: length),
            StudySpan(
                trace: trace, id: 2, parent: 1, service: "shop", kind: .client, name: "ask",
                start: 5_010, duration: length - 20),
            StudySpan(
                trace: trace, id: 3, parent: 2, service: "stock", kind: .server, name: "answer",
                start: 5_020, duration: length - 40, isError: true),
        ]
    }

    @Test("the slowest is kept, judged long ago or still waiting, and the typical is the median")
    func chosen() throws {
        for waits in [false, true] {
            var study = TraceStudy(settings)
            for trace in 1...63 as ClosedRange<UInt64> {
                // In an order that is not that of their lengths.
                let length = (trace * 37 % 63 + 1) * 1_000
                try study.add(call(trace, length: length), atMs: waits ? 0 : trace * 5_000)
            }
            let examples = study.exampleTraces()
            #expect(examples.traces == 63)
            #expect(examples.slowest?.durationNs == 63_000)
            #expect(examples.typical?.durationNs == 32_000)
        }
    }

    @Test("the typical trace begins with the most frequent operation, whatever the lengths")
    func frequent() throws {
        var study = TraceStudy(settings)
        for trace in 1...40 as ClosedRange<UInt64> {
            let isRare = trace % 4 == 0
            try study.add(
                call(trace, length: isRare ? 900_000 : 2_000, name: isRare ? "POST /" : "GET /"))
        }
        let examples = study.exampleTraces()
        #expect(examples.typical?.spans.first?.operation == "GET /")
        #expect(examples.slowest?.spans.first?.operation == "POST /")
    }

    @Test("a trace is told as it came: parents, services, kinds, times from its start, errors")
    func spans() throws {
        var study = TraceStudy(settings)
        try study.add(Array(call(9, length: 1_000).reversed()))
        let spans = try #require(study.exampleTraces().slowest?.spans)
        #expect(spans.map(\.operation) == ["GET /", "ask", "answer"])
        #expect(spans.map(\.service) == ["shop", "shop", "stock"])
        #expect(spans.map(\.parent) == [nil, 0, 1])
        #expect(spans.map(\.kind) == [.server, .client, .server])
        #expect(spans.map(\.startNs) == [0, 10, 20])
        #expect(spans.map(\.durationNs) == [1_000, 980, 960])
        #expect(spans.map(\.isError) == [false, false, true])
    }

    @Test("no more than two hundred spans of a trace are kept, and how many there were")
    func bounded() throws {
        var study = TraceStudy(settings)
        try study.add(
            (1...500).map { StudySpan(id: $0, parent: $0 - 1, start: 1_000 + $0 * 10) })
        let slowest = try #require(study.exampleTraces().slowest)
        #expect(slowest.spanCount == 500)
        #expect(slowest.spans.count == ExampleTrace.spansMax)
        #expect(slowest.durationNs == 499 * 10 + 100)
        #expect(slowest.spans.last?.parent == 198)
    }

    @Test(
        "many traces more than are kept: the sample is the same in any order, and so is its median")
    func order() throws {
        func examples(_ traces: some Sequence<UInt64>) throws -> ExampleTraces {
            var study = TraceStudy(settings)
            for trace in traces { try study.add(call(trace, length: trace * 100)) }
            return study.exampleTraces()
        }
        let forth = try examples(1...1_000 as ClosedRange<UInt64>)
        let back = try examples((1...1_000 as ClosedRange<UInt64>).reversed())
        #expect(forth.slowest?.durationNs == 100_000)
        #expect(forth == back)
        // A fair sample of 64: its median is far from both ends.
        let typical = try #require(forth.typical?.durationNs)
        #expect((20_000...80_000).contains(typical))
    }

    @Test("without a trace there is none to show; rings and copies are told without a parent")
    func broken() throws {
        var study = TraceStudy(settings)
        #expect(study.exampleTraces() == ExampleTraces())
        try study.add([
            StudySpan(id: 1, parent: 1), StudySpan(id: 2, parent: 77), StudySpan(id: 2, parent: 1),
        ])
        let spans = try #require(study.exampleTraces().slowest?.spans)
        #expect(spans.count == 3)
        #expect(spans.compactMap(\.parent).allSatisfy { spans.indices.contains($0) })
        #expect(spans[0].parent == nil)
    }
}
