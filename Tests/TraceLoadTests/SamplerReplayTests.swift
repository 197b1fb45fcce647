import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// Two operations of two services; 1000 traces a second of simulated time, for a second.
private func compiled(
    _ sampler: String, top: String = "", service: String = "",
    propagators: String = "[tracecontext]"
) throws -> CompiledScenario {
    CompiledScenario(
        try Scenario.parse(
            """
            version: 1
            name: sampled
            \(top)
            services:
              a:
                \(service)
                operations:
                  GET /a: {type: http, attributes: {tier: gold}, script: [{call: b/y}, {call: {to: b/z, probability: 0.5}}]}
              b: {operations: {y: {self: 1ms}, z: {self: 2ms}}}
            traffic: [{root: a/GET /a, arrival: constant, stages: [{duration: 1s, rate: 1000}]}]
            pipeline:
              propagators: \(propagators)
              sampler: \(sampler)
            """))
}

struct SamplerCase: Sendable, CustomTestStringConvertible {
    var sampler: String
    /// Of spans.
    var share: ClosedRange<Double>
    var keepsWholeTraces = true
    var recordsAll = false
    /// Begins every sampled span's `ot` member; nil: no span has one.
    var threshold: String?
    var testDescription: String { sampler }
}

@Suite struct SamplerReplayTests {
    // Shares of 1000 traces: four standard deviations of a binomial either way.
    static let cases: [SamplerCase] = [
        .init(sampler: "always_on", share: 1...1),
        .init(sampler: "always_off", share: 0...0),
        .init(sampler: "traceidratio:0.25", share: 0.19...0.31),
        .init(sampler: "parentbased_traceidratio:0.25", share: 0.19...0.31),
        .init(sampler: "probability:0.25", share: 0.19...0.31, threshold: "ot=th:c"),
        .init(sampler: "parentbased:probability:0.5", share: 0.43...0.57, threshold: "ot=th:8"),
        .init(
            sampler: "always_record:parentbased_traceidratio:0.25", share: 0.19...0.31,
            recordsAll: true),
        .init(
            sampler: "composite:parent_threshold:probability:0.5", share: 0.43...0.57,
            threshold: "ot=th:8"),
        .init(
            sampler:
                "{name: composite, sampler: {name: parent_threshold, root: {name: rule_based, rules: [{names: [\"GET *\"], attributes: {tier: gold}, sampler: probability:0.5}]}}}",
            share: 0.43...0.57, threshold: "ot=th:8"),
        .init(
            sampler:
                "{name: composite, sampler: {name: any_of, samplers: [probability:0.25, probability:0.125]}}",
            share: 0.19...0.31, threshold: "ot=th:c"),
        // A bucket of 100 that starts full, and 100 a second for a second.
        .init(sampler: "parentbased:ratelimiting:100", share: 0.19...0.21),
        // 20 a second are wanted and 1000 come: an interval of 100 ms is kept, then about 2 of 100.
        .init(
            sampler: "{name: parentbased, root: {name: adaptive, argument: 20, interval: 100ms}}",
            share: 0.1...0.16),
        .init(sampler: "foreign:go:0.25", share: 0.19...0.31),
        .init(sampler: "foreign:js:0.25", share: 0.19...0.31),
        .init(
            sampler:
                "{name: parentbased, root: traceidratio:0.5, local_parent_sampled: always_off, remote_parent_not_sampled: always_on}",
            share: 0.45...0.55, keepsWholeTraces: false),
    ]

    @Test(arguments: cases)
    func `A sampler keeps its share, and the books and contents hold`(_ item: SamplerCase) throws {
        let compiled = try compiled(item.sampler)
        let isStateful = compiled.scenario.statefulSampler != nil
        let replay = try PipelineReplay(compiled, workers: isStateful ? nil : 2)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(replay.summary.total.traces == 1000)
        #expect(item.share.contains(replay.keptShare), "\(replay.keptShare)")
        #expect(replay.areTracesWhole == item.keepsWholeTraces)
        #expect(replay.receivedSum == replay.summary.total.semanticSum)
        #expect(replay.summary.total.spansEnded == UInt64(replay.spans.count))
        let recorded = replay.summary.total.spansRecording
        #expect(recorded == replay.counters.recording)
        #expect(
            recorded
                == (item.recordsAll
                    ? replay.summary.total.spansStarted : UInt64(replay.spans.count)))
        for span in replay.spans {
            #expect(span.traceState.hasPrefix(item.threshold ?? ""))
            if item.threshold == nil { #expect(span.traceState.isEmpty) }
        }
        #expect((replay.summary.timings.decide.count == 0) == isStateful)
    }

    @Test(arguments: ["ratelimiting:300", "parentbased:adaptive:50"])
    func `What a sampler with a memory keeps is the same in every run`(_ sampler: String) throws {
        let first = try PipelineReplay(try compiled("\"\(sampler)\""))
        let second = try PipelineReplay(try compiled("\"\(sampler)\""))
        #expect(first.spans.count > 0)
        #expect(first.summary.workers.count == 1)
        #expect(Set(first.spans.map(\.spanID)) == Set(second.spans.map(\.spanID)))
    }

    @Test func `A limit of traces a second holds in simulated time, second by second`() throws {
        let scenario = CompiledScenario(
            try Scenario.parse(
                """
                version: 1
                name: limited
                services: {a: {operations: {x: {self: 0}}}}
                traffic: [{root: a/x, arrival: constant, stages: [{duration: 10s, rate: 400}]}]
                pipeline: {sampler: "ratelimiting:50"}
                """))
        let replay = try PipelineReplay(scenario)
        let start = ReplayOptions().epochUnixNano
        let bySecond = Dictionary(grouping: replay.spans) {
            ($0.startUnixNano - start) / 1_000_000_000
        }
        #expect(bySecond[0]?.count == 99 || bySecond[0]?.count == 100)
        for second in 1..<10 as Range<UInt64> {
            #expect((49...51).contains(bySecond[second]?.count ?? 0))
        }
    }

    @Test func `Services with samplers of their own disagree, and the books hold`() throws {
        let compiled = try compiled(
            "traceidratio:0.5", service: "sampler: \"foreign:go:0.5\"", propagators: "[b3]")
        let replay = try PipelineReplay(compiled, workers: 2)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(!replay.areTracesWhole)
        #expect(replay.receivedSum == replay.summary.total.semanticSum)
        for service in ["a", "b"] {
            let traces = Set(replay.spans.filter { $0.serviceName == service }.map(\.traceID))
            #expect((430...570).contains(traces.count))
        }
    }

    @Test func `A sampler that sets attributes does, and cannot be verified`() throws {
        let compiled = try compiled(
            "{name: composite, sampler: {name: annotating, attributes: {kept.by: rule, n: 3}, sampler: always_on}}"
        )
        let replay = try PipelineReplay(compiled)
        #expect(replay.violations.isEmpty)
        #expect(replay.spans.allSatisfy { $0["kept.by"] == "rule" && $0["n"] == 3 })
        #expect(throws: RunError.self) { try PipelineSetup(compiled.scenario).checkVerifiable() }
    }

    @Test func `Simulated time is asked in order: more than one worker is refused`() throws {
        let compiled = try compiled("ratelimiting:5")
        var options = RunOptions()
        #expect(try PipelineSetup(compiled.scenario).workers(options) == 1)
        options.workers = 2
        #expect(throws: RunError.self) {
            try PipelineSetup(compiled.scenario).workers(options)
        }
        let realTime = try self.realTime("ratelimiting:5")
        #expect(try PipelineSetup(realTime.scenario).workers(options) == 2)
    }

    @Test func `In real time there are no contents to verify, which is said before the run`() throws
    {
        let realTime = try self.realTime("always_on")
        #expect(throws: RunError.self) { try PipelineSetup(realTime.scenario).checkVerifiable() }
        try PipelineSetup(try compiled("always_on").scenario).checkVerifiable()
    }

    private func realTime(_ sampler: String) throws -> CompiledScenario {
        try compiled(sampler, top: "clock: realtime")
    }

    @Test func `What the pipeline says of its exporter and sweeper reaches the configuration`()
        throws
    {
        let scenario = try Scenario.parse(EveryKey.text)
        var text = EveryKey.text
        text.replace(", headers: {x-key: \"${KEY}\"}", with: "")
        let setup = PipelineSetup(try Scenario.parse(text))
        let configuration = try setup.configuration(RunOptions(), sink: nil)
        guard case .otlp(let settings) = configuration.exporter else {
            Issue.record("no OTLP exporter")
            return
        }
        #expect(settings.encoding == .json && settings.compression == .gzip)
        #expect(settings.certificatePath == "ca.pem")
        #expect(settings.clientCertificatePath == "cert.pem" && settings.clientKeyPath == "key.pem")
        #expect(configuration.sweeper.intervalMs == 5000)
        #expect(configuration.sweeper.spanTTLMs == nil)
        #expect(configuration.sweeper.storageBytes == 3 << 20)
        guard case .endSpan = configuration.sweeper.strategy else {
            Issue.record("another strategy")
            return
        }
        #expect(configuration.propagator.description == "b3,baggage")
        #expect(configuration.sampler == scenario.pipeline.sampler.sampler)
        let simulated = try compiled("always_on")
        let standard = try PipelineSetup(simulated.scenario).configuration(
            RunOptions(), sink: SinkControl(baseURL: "http://localhost:1"))
        #expect(standard.sweeper.intervalMs == nil)
        #expect(standard.propagator.description == "tracecontext")
    }
}
