import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// A replay through a whole pipeline that keeps its spans, and the books of it.
struct PipelineReplay {
    var summary: ReplaySummary
    var spans: [SpanData]
    var violations: [LawViolation]
    var counters: CoreCounters

    /// Replays `arrivals` traces with the scenario's own pipeline settings, exporter apart.
    init(
        _ compiled: CompiledScenario, arrivals: UInt64 = .max, workers: Int? = nil
    ) throws {
        let exporter = InMemoryExporter()
        var options = RunOptions()
        options.workers = workers
        let setup = PipelineSetup(compiled.scenario)
        var configuration = try setup.configuration(options, sink: nil)
        configuration.exporter = .custom(exporter)
        let pipeline = try TracingPipeline(configuration)
        var replayOptions = ReplayOptions()
        replayOptions.workers = try setup.workers(options)
        replayOptions.verifies = compiled.scenario.clock == .simulated
        let replay = try Replay(
            compiled,
            providers: compiled.makeProviders(
                recorder: pipeline.recorder, sampler: configuration.sampler,
                limits: configuration.limits),
            options: replayOptions)
        summary = try replay.run(ReplayLimit(arrivals: arrivals))
        _ = pipeline.shutdown(timeoutMs: 20_000)
        spans = exporter.finishedSpans
        counters = pipeline.recorder.counters
        var report = RunReport(RunRecord())
        report.books(
            issued: [summary], verifies: false, counters: counters,
            liveSlots: pipeline.recorder.liveSlotCount, pipeline: pipeline.ledger, sink: nil)
        report.record.ledger.close()
        violations = report.record.ledger.violations
    }

    /// The sum of the digests of what arrived, as a receiver computes it.
    var receivedSum: UInt64 { spans.reduce(0) { $0 &+ $1.digest } }

    /// Share of the started spans that arrived.
    var keptShare: Double { Double(spans.count) / Double(max(1, summary.total.spansStarted)) }

    /// The spans by trace.
    var traces: [TraceID: [SpanData]] { Dictionary(grouping: spans, by: \.traceID) }

    /// Whether every trace has one root, and every span but the root its parent.
    var areTracesWhole: Bool {
        traces.values.allSatisfy { spans in
            let ids = Set(spans.map(\.spanID))
            return spans.count { $0.parentSpanID == nil } == 1
                && spans.allSatisfy { $0.parentSpanID.map(ids.contains) ?? true }
        }
    }
}

extension SpanData {
    /// Fed as the description of `SpanDigest` says, from the decoded span alone.
    fileprivate var digest: UInt64 {
        var digest = SpanDigest()
        for word in [
            traceID.high, traceID.low, spanID.rawValue, parentSpanID?.rawValue ?? 0,
            UInt64(kind.rawValue), UInt64(flags & 3),
        ] { digest.add(word) }
        digest.add(utf8: name)
        for word in [startUnixNano, endUnixNano, UInt64(status.rawValue)] { digest.add(word) }
        digest.add(utf8: statusMessage)
        Self.add(attributes, to: &digest)
        digest.add(UInt64(events.count))
        for event in events {
            digest.add(event.timeUnixNano)
            digest.add(utf8: event.name)
            Self.add(event.attributes, to: &digest)
        }
        digest.add(UInt64(links.count))
        for link in links {
            for word in [link.traceID.high, link.traceID.low, link.spanID.rawValue] {
                digest.add(word)
            }
        }
        digest.add(utf8: serviceName ?? "")
        return digest.finish()
    }

    private static func add(_ attributes: [Attribute], to digest: inout SpanDigest) {
        digest.add(UInt64(attributes.count))
        for attribute in attributes {
            digest.add(utf8: attribute.key)
            switch attribute.value {
            case .string(let text):
                digest.add(1)
                digest.add(utf8: text)
            case .bool(let flag):
                digest.add(2)
                digest.add(flag ? 1 : 0)
            case .int(let number):
                digest.add(3)
                digest.add(UInt64(bitPattern: Int64(number)))
            case .double(let number):
                digest.add(4)
                digest.add(number.bitPattern)
            default: digest.add(0)
            }
        }
    }
}
