import Foundation
import Testing

/// `run --traces` and `run --fidelity` as a user runs them.
@Suite("What a sampler keeps", .serialized)
struct FidelityTests {
    private func run(_ scenario: String, _ arguments: [String]) throws -> Command {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", scenario)
        return try Command.run(
            [
                "run", file.path, "--quiet", "--output",
                scratch.url.appendingPathComponent("result.json").path,
            ] + arguments)
    }

    private func fidelity(_ run: [String: Any]) throws -> [String: Any] {
        var figures = try #require(run["fidelity"] as? [String: Any])
        figures["cpuNs"] = nil
        return figures
    }

    /// To the last digit.
    private func text(_ figures: [String: Any]) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: figures, options: [.sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }

    private func number(_ run: [String: Any], _ path: String...) -> Double? {
        var value: Any? = run
        for name in path { value = (value as? [String: Any])?[name] }
        return (value as? NSNumber)?.doubleValue
    }

    @Test("the same seed gives the same figures, whatever the number of workers")
    func same() throws {
        let scenario = Scenarios.shop(sampler: "parentbased:probability:0.3")
        let runs = try ["1", "2"].map { workers in
            let command = try run(
                scenario,
                ["--json", "--fidelity", "--traces", "500", "--workers", workers])
            #expect(command.exitCode == 0, "\(command.errors)")
            return try command.json()
        }
        let (first, second) = (try fidelity(runs[0]), try fidelity(runs[1]))
        #expect(try text(first) == text(second))
        for name in [
            "keptTraceShare", "countEstimateRmse", "patternDivergenceBits", "keptByteShare",
        ] {
            let value = number(runs[0], "metrics", name, "value")
            #expect(value != nil && value == number(runs[1], "metrics", name, "value"), "\(name)")
        }
        for run in runs {
            #expect(run["valid"] as? Bool == true)
            #expect(number(run, "fidelity", "truth", "traces") == 500)
            let kept = number(run, "fidelity", "kept", "spans")
            #expect(kept == number(run, "ledger", "sink", "spansDistinct"))
            #expect(kept == number(run, "ledger", "tracer", "sampledEnded"))
            #expect(number(run, "metrics", "completeKeptTraceShare", "value") == 1)
            #expect(number(run, "metrics", "allocatedBytesPerDecision", "value") != nil)
            #expect(number(run, "metrics", "heldBytesMax", "value") ?? 0 > 1)
            #expect(number(run, "metrics", "fidelityCpuShare", "value") ?? 0 > 0)
            #expect(number(run, "metrics", "exportRequestsPerS", "value") ?? 0 > 0)
        }
        let other = try run(
            scenario, ["--json", "--fidelity", "--traces", "500", "--seed", "8"]
        ).json()
        #expect(try text(first) != text(try fidelity(other)))
    }

    @Test("the truth is that of the seed, whatever the sampler and the encoding")
    func samplers() throws {
        var truths: [String] = []
        for (sampler, exporter) in [
            ("always_on", "encoding: json"), ("parentbased:ratelimiting:100", "compression: gzip"),
            ("always_off", "encoding: protobuf"),
        ] {
            let command = try run(
                Scenarios.shop(sampler: sampler, exporter: exporter),
                ["--json", "--fidelity", "--traces", "300"])
            #expect(command.exitCode == 0, "\(command.errors)")
            let figures = try fidelity(try command.json())
            truths.append(try text(try #require(figures["truth"] as? [String: Any])))
        }
        #expect(truths[1] == truths[0] && truths[2] == truths[0])
    }

    @Test("what the receiver rejects or never got was not kept")
    func faults() throws {
        let command = try run(
            Scenarios.shop(),
            ["--json", "--fidelity", "--traces", "300", "--fault", "partial=3,count=2"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let json = try command.json()
        #expect(number(json, "ledger", "sink", "spansRejected") == 6)
        let lost =
            try #require(number(json, "fidelity", "truth", "spans"))
            - (try #require(number(json, "fidelity", "kept", "spans")))
        #expect(lost == 6)
        let refused = try run(
            Scenarios.shop(),
            ["--json", "--fidelity", "--traces", "300", "--fault", "status=400,count=1"])
        let gone = try refused.json()
        #expect(number(gone, "metrics", "keptSpanShare", "value") ?? 1 < 1)
        #expect(gone["valid"] as? Bool == true)
    }

    @Test("so many traces, not so much time")
    func traces() throws {
        let command = try run(Scenarios.shop(), ["--json", "--traces", "321"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let json = try command.json()
        let traces = number(json, "load", "achievedTraces")
        // Consumers begin no traces of their own here.
        #expect(traces == 321)
        #expect(json["fidelity"] == nil)
        #expect(number(json, "metrics", "keptSpans", "value") != nil)
        let warm = try run(
            Scenarios.shop(), ["--json", "--traces", "200", "--warmup", "100ms"]
        ).json()
        #expect(number(warm, "load", "achievedTraces") == 200)
        let text = try run(Scenarios.shop(), ["--fidelity", "--traces", "100"])
        #expect(text.output.contains("kept of the planned") && text.output.contains("call shapes"))
    }

    @Test(
        "what makes no sense is refused with code 2",
        arguments: [
            (["--fidelity"], "--traces"),
            (
                ["--fidelity", "--traces", "10", "--endpoint", "http://127.0.0.1:9/v1/traces"],
                "receiver"
            ),
            (["--fidelity", "--traces", "10", "--shard", "0/2"], "--shard"),
            (["--fidelity", "--traces", "10", "--warmup", "1s"], "--warmup"),
            (["--fidelity", "--duration", "1s"], "--traces"),
            (["--traces", "10", "--duration", "1s"], "leave one"),
            (["--traces", "0"], "1 or more"),
        ] as [([String], String)])
    func refusals(arguments: [String], hint: String) throws {
        let command = try run(Scenarios.shop(), arguments)
        #expect(command.exitCode == 2, "\(command.errors)")
        #expect(command.errors.contains(hint), "\(command.errors)")
    }

    @Test("an exporter that sends nothing is refused")
    func exporter() throws {
        let command = try run(
            Scenarios.shop(exporter: "type: none"), ["--fidelity", "--traces", "10"])
        #expect(command.exitCode == 2 && command.errors.contains("otlp"), "\(command.errors)")
    }
}
