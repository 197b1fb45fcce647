import Testing
import TraceResults

@testable import TraceSink

@Suite("Looking into traces as they come")
struct TraceStudyTests {
    private var settings: SinkConfiguration.StudySettings {
        var settings = SinkConfiguration.StudySettings()
        settings.quietNs = 1_000_000_000
        settings.spansPerSMax = nil
        return settings
    }

    private func chain(_ trace: UInt64, _ length: UInt64, from first: UInt64 = 1) -> [StudySpan] {
        (first..<first + length).map { StudySpan(trace: trace, id: $0, parent: $0 - 1) }
    }

    @Test("A trace is judged once when it has been quiet; what comes then is late")
    func quiet() throws {
        var study = TraceStudy(settings)
        try study.add(chain(1, 2), atMs: 0)
        // In time: the trace has not been quiet for a second.
        try study.add(chain(1, 1, from: 3), atMs: 900)
        #expect(study.figures(nowNs: 1_500_000_000).unsettledTraces == 1)
        let judged = study.figures(nowNs: 2_500_000_000)
        #expect(judged.unsettledTraces == 0)
        #expect(judged.traces == 1)
        #expect(judged.spansPerTraceMax == 3)
        try study.add(chain(1, 2, from: 4), atMs: 2_600)
        let late = study.figures(nowNs: 2_600_000_000)
        #expect(late.lateSpans == 2)
        #expect(late.lateShare == 0.4)
        #expect(late.traces == 1)
        #expect(late.spans == 3)
        #expect(late.quietNs == 1_000_000_000)
    }

    @Test(
        "An early piece that is all there is for too long makes the rest late, and itself incomplete"
    )
    func lateRoot() throws {
        var study = TraceStudy(settings)
        try study.add([StudySpan(id: 2, parent: 1)], atMs: 0)
        try study.add([StudySpan(id: 1)], atMs: 10_000)
        let figures = study.figures(nowNs: 10_000_000_000)
        #expect(figures.orphanSpans == 1)
        #expect(figures.rootlessTraces == 1)
        #expect(figures.lateSpans == 1)
        #expect(figures.completeShare == 0)
    }

    @Test("A full study keeps a fair share of whole traces, and weighs them for all")
    func sampling() throws {
        var settings = settings
        settings.spansMax = 1_000
        var study = TraceStudy(settings)
        for round in 0..<2 as Range<UInt64> {
            for trace in 1...2_000 as ClosedRange<UInt64> {
                try study.add(chain(trace, 2, from: round * 2 + 1))
            }
        }
        let figures = study.figures(nowNs: 0)
        #expect(figures.oneIn >= 8 && figures.oneIn & (figures.oneIn - 1) == 0)
        #expect(figures.traces * 4 <= 1_000)
        // 2,000 in all; far outside would be unfair.
        #expect(figures.tracesEstimated > 1_000 && figures.tracesEstimated < 4_000)
        #expect(figures.completeTraces == figures.traces)
        #expect(figures.completeShare == 1)
        #expect(figures.spansPerTraceMax == 4)
        #expect(figures.depthMax == 4)
    }

    @Test("Traces judged at several rates weigh as many as each stands for")
    func weights() throws {
        var settings = settings
        settings.spansPerSMax = 400
        var study = TraceStudy(settings)
        // Broken ones while all are looked into, whole ones when there are too many.
        for trace in 1...100 as ClosedRange<UInt64> {
            try study.add([StudySpan(trace: trace, id: 2, parent: 1)], atMs: trace * 10)
        }
        #expect(study.figures(nowNs: 3_000_000_000).oneIn == 1)
        for trace in 1_000..<9_000 as Range<UInt64> {
            try study.add(chain(trace, 1), atMs: 4_000 + trace / 8)
        }
        let figures = study.figures(nowNs: 60_000_000_000)
        #expect(figures.oneIn >= 8)
        #expect(figures.traces < 3_000)
        #expect(figures.orphanSpans == 100)
        // 8,000 of 8,100.
        #expect(abs(figures.completeShare - 8_000.0 / 8_100) < 0.01, "\(figures.completeShare)")
        #expect(abs(Double(figures.tracesEstimated) / 8_100 - 1) < 0.25)
    }

    @Test("What spans come faster than are allowed, the fewer traces are looked into")
    func governor() throws {
        var settings = settings
        settings.spansPerSMax = 100
        var slow = TraceStudy(settings)
        for trace in 1...1_000 as ClosedRange<UInt64> {
            try slow.add(chain(trace, 1), atMs: trace * 11)
        }
        #expect(slow.figures(nowNs: 0).oneIn == 1)
        var fast = TraceStudy(settings)
        for trace in 1...1_000 as ClosedRange<UInt64> {
            try fast.add(chain(trace, 1), atMs: trace / 10)
        }
        #expect(fast.figures(nowNs: 0).oneIn > 4)
    }

    @Test("One endless trace is cut, and does not push the others out")
    func endlessTrace() throws {
        var settings = settings
        settings.spansMax = 400
        var study = TraceStudy(settings)
        for trace in 10..<60 as Range<UInt64> { try study.add(chain(trace, 1)) }
        for id in 1...1_000 as ClosedRange<UInt64> { try study.add(chain(1, 1, from: id)) }
        let figures = study.figures(nowNs: 0)
        #expect(figures.traces == 51)
        #expect(figures.completeTraces == 50)
        #expect(figures.cutTraces == 1)
        #expect(figures.oneIn == 1)
    }

    @Test("More names than are told apart go under other")
    func names() throws {
        var settings = settings
        settings.namesMax = 3
        var study = TraceStudy(settings)
        for (id, service) in ["b", "c", "d", "e"].enumerated() {
            try study.add([StudySpan(id: UInt64(id) + 1, service: service, kind: .server)])
        }
        let (quality, graph) = study.report(nowNs: 0)
        #expect(quality.services == ["b", "c", "d"])
        #expect(graph.nodes.filter { $0.kind == .service }.map(\.name) == ["b", "c", "other"])
    }

    @Test("Traces whose time cannot be told have no rate; a broken clock does not stretch it")
    func duration() throws {
        var study = TraceStudy(settings)
        try study.add([StudySpan(id: 1, kind: .server)])
        #expect(study.report(nowNs: 0).graph.durationNs == nil)
        #expect(study.report(nowNs: 0).graph.edges.first?.callsPerS == nil)
        var steady = TraceStudy(settings)
        for trace in 1...500 as ClosedRange<UInt64> {
            try steady.add([
                StudySpan(trace: trace, id: 1, kind: .server, start: trace * 10_000_000)
            ])
        }
        try steady.add([StudySpan(trace: 501, id: 1, kind: .server, start: 1 << 62)])
        let graph = steady.report(nowNs: 0).graph
        let rate = try #require(graph.edges.first?.callsPerS)
        #expect(abs(rate - 100) < 0.5, "\(rate)")
    }

    @Test("Count mode looks into the same traces as verify mode, and counts as before")
    func countMode() throws {
        let traces = (1...40 as ClosedRange<UInt64>).flatMap { trace in
            TraceQualityTests.call().map { span in
                var span = span
                span.trace = trace
                return span
            }
        }
        let request = StudySpan.request(traces)
        let sample = SpanSample()
        try unsafe request.withUnsafeBytes { bytes in
            sample.begin(hashMax: .max >> 2)
            let summary = unsafe try CountScanner.scan(bytes, sample: sample)
            #expect(unsafe try summary == CountScanner.scan(bytes))
            #expect(Set(sample.newServices) == ["a", "b"])
            #expect(sample.undecodable == 0)
            let chosen = Set(sample.spans.map(\.trace.low))
            #expect(!chosen.isEmpty && chosen.count < 30)
            // Whole traces.
            #expect(sample.spans.count == chosen.count * 3)
            var study = TraceStudy(settings)
            study.noteServices(sample.newServices)
            study.add(sample.spans, services: sample.services, undecodable: 0, nowNs: 0)
            #expect(study.figures(nowNs: 0).completeTraces == UInt64(chosen.count))
            // Known resources are not new again.
            sample.begin(hashMax: 0)
            _ = unsafe try CountScanner.scan(bytes, sample: sample)
            #expect(sample.newServices.isEmpty && sample.spans.isEmpty)
        }
    }

    @Test("A span that is no protobuf inside is counted and said, in count mode")
    func undecodable() throws {
        let broken = ProtobufWriter {
            $0.bytes(1, bigEndianBytes(1) + bigEndianBytes(2))
            $0.bytes(2, bigEndianBytes(3))
            $0.bytes(5, [0xFF, 0xFE])
        }.bytes
        try withSink { server in
            let client = try RawClient(server)
            client.export(exportRequest([broken, WrittenSpan().message]))
            #expect(try client.answer().status == 200)
            let quality = server.study().quality
            #expect(quality.undecodableSpans == 1)
            #expect(quality.spans == 1)
            #expect(server.ledger().spansTotal == 2)
        }
    }

    @Test("A batch that comes again is looked into once")
    func duplicates() throws {
        try withSink { server in
            let client = try RawClient(server)
            let request = StudySpan.request(TraceQualityTests.call())
            for batch in [1, 1, 1] {
                client.export(request, batch: UInt64(batch))
                #expect(try client.answer().status == 200)
            }
            let quality = server.study().quality
            #expect(quality.spans == 3)
            #expect(quality.repeatedSpanIDs == 0)
            #expect(quality.completeShare == 1)
        }
    }
}
