import Foundation
import Testing

/// The whole command over loopback: generator, pipeline, HTTP, a receiver in another process, the books.
@Suite("A whole run", .serialized)
struct RunTests {
    private func run(
        _ scenario: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> (command: Command, scratch: Scratch) {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", scenario)
        let command = try Command.run(
            [
                "run", file.path, "--json", "--quiet", "--output",
                scratch.url.appendingPathComponent("result.json").path,
            ] + arguments, environment: environment)
        return (command, scratch)
    }

    private func number(_ run: [String: Any], _ path: String...) -> Double? {
        var value: Any? = run
        for name in path { value = (value as? [String: Any])?[name] }
        return (value as? NSNumber)?.doubleValue
    }

    private func delivery(_ run: [String: Any], _ fate: String) -> Double? {
        let ledger = run["ledger"] as? [String: Any]
        let first = (ledger?["deliveries"] as? [[String: Any]])?.first
        return ((first?[fate] as? [String: Any])?["count"] as? NSNumber)?.doubleValue
    }

    @Test(
        "keeps its books whatever is wrong with the instrumentation",
        arguments: [
            "missing_root: 20%", "orphan: 20%", "duplicate: 20%", "broken_propagation: 20%",
            "late: {rate: 20%, delay: 100ms}", "oversize: {rate: 5%, spans: 30}",
        ])
    func pathology(_ pathology: String) throws {
        let (command, _) = try run(Scenarios.shop() + "\npathology: {\(pathology)}\n")
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(try command.json()["valid"] as? Bool == true)
    }

    @Test("delivers every span of a healthy run, and the sink's own decode agrees")
    func healthy() throws {
        let (command, scratch) = try run(Scenarios.shop())
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(run["valid"] as? Bool == true)
        let acknowledged = try #require(delivery(run, "acknowledged"))
        #expect(acknowledged > 100)
        #expect(number(run, "ledger", "sink", "spansDistinct") == acknowledged)
        #expect(number(run, "ledger", "tracer", "sampledEnded") == acknowledged)
        #expect(number(run, "ledger", "batches", "matchedBatches") ?? 0 > 0)
        for metric in ["spanStartNsP50", "spanEndNsP50", "encodeNsPerSpan", "wireBytesPerSpan"] {
            #expect(number(run, "metrics", metric, "value") ?? 0 > 0, "\(metric)")
        }
        let written = try String(
            contentsOf: scratch.url.appendingPathComponent("result.json"), encoding: .utf8)
        #expect(written == command.output)
    }

    @Test("finds in verify mode the contents that the plans say, field by field")
    func verified() throws {
        let (command, _) = try run(Scenarios.shop(), ["--verify"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        let ledger = try #require(run["ledger"] as? [String: Any])
        let issued = try #require((ledger["issued"] as? [String: Any])?["semanticSum"] as? String)
        let sink = try #require(ledger["sink"] as? [String: Any])
        #expect(sink["semanticSum"] as? String == issued)
        #expect(issued != "0")
        #expect(sink["orphanSpans"] as? Int == 0)
        #expect(sink["traces"] as? Int == sink["tracesComplete"] as? Int)
    }

    @Test("accounts for what the sampler leaves out")
    func sampled() throws {
        let (command, _) = try run(
            Scenarios.shop(sampler: "{name: parentbased_traceidratio, argument: 0.25}"))
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        let sampler = try #require(number(run, "ledger", "tracer", "notRecordedSampler"))
        let recorded = try #require(number(run, "ledger", "tracer", "recording"))
        #expect(sampler > recorded)
        #expect(recorded > 0)
        #expect(number(run, "ledger", "sink", "spansDistinct") == recorded)
    }

    @Test(
        "finds in verify mode what every kind of sampler keeps",
        arguments: [
            "parentbased:ratelimiting:100", "parentbased:adaptive:50", "probability:0.5",
            "always_record:parentbased_traceidratio:0.25", "foreign:js:0.5",
            "composite:parent_threshold:probability:0.25",
            "{name: parentbased, root: traceidratio:0.5, remote_parent_not_sampled: always_on}",
        ])
    func samplers(_ sampler: String) throws {
        let (command, _) = try run(Scenarios.shop(sampler: sampler), ["--verify"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(number(run, "ledger", "tracer", "notRecordedSampler") != nil)
        #expect(try #require(number(run, "ledger", "sink", "spansDistinct")) > 0)
    }

    @Test(
        "finds in verify mode baggage and whole traces behind every kind of header",
        arguments: ["[b3, baggage]", "[b3multi, baggage]", "[tracecontext, baggage]", "[b3]"])
    func propagators(_ list: String) throws {
        let here = URL(filePath: #filePath).resolvingSymlinksInPath()
        let file = here.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "scenarios/propagation.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("propagators: [b3, baggage]"))
        let (command, _) = try run(
            text.replacing("propagators: [b3, baggage]", with: "propagators: \(list)"),
            ["--verify", "--duration", "300ms", "--warmup", "0s"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let ledger = try #require(try command.json()["ledger"] as? [String: Any])
        let sink = try #require(ledger["sink"] as? [String: Any])
        #expect(sink["orphanSpans"] as? Int == 0)
        #expect(sink["traces"] as? Int == sink["tracesComplete"] as? Int)
    }

    @Test(
        "sends JSON, and the sink's own decode agrees",
        arguments: ["encoding: json", "encoding: json, compression: gzip"])
    func json(_ exporter: String) throws {
        for arguments in [[], ["--verify"]] {
            let (command, _) = try run(Scenarios.shop(exporter: exporter), arguments)
            #expect(command.exitCode == 0, "\(command.errors)")
            let run = try command.json()
            let acknowledged = try #require(delivery(run, "acknowledged"))
            #expect(acknowledged > 100)
            #expect(number(run, "ledger", "sink", "jsonSpans") == acknowledged)
        }
    }

    @Test("compresses with gzip and loses nothing")
    func gzip() throws {
        let (command, _) = try run(Scenarios.shop(exporter: "compression: gzip"))
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        let wire = try #require(number(run, "metrics", "wireBytesPerSpan", "value"))
        let body = try #require(number(run, "metrics", "bodyBytesPerSpan", "value"))
        #expect(wire < body / 2)
    }

    /// However busy the machine that tests run on is.
    private func realtime(rate: String, lagMax: String = "1h") -> String {
        Scenarios.shop(rate: rate, extra: "clock: realtime")
            .replacing("drain: 20s,", with: "drain: 20s, lag_max: \(lagMax),")
    }

    @Test("paces a real-time run by its schedule")
    func realtime() throws {
        let (command, _) = try run(realtime(rate: "200"))
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(number(run, "load", "achievedTraces") ?? 0 > 10)
        #expect(number(run, "metrics", "scheduleLagNsP50", "samples") ?? 0 > 0)
        #expect(number(run, "metrics", "traceLatencyNsP50", "value") ?? 0 > 0)
        #expect(number(run, "metrics", "traceServiceNsP50", "value") ?? 0 > 0)
        #expect(number(run, "metrics", "sleepLatenessNsP99", "samples") ?? 0 > 0)
    }

    @Test("a load that the generator cannot hold makes the run invalid")
    func overload() throws {
        // Traces that no machine begins in time: 300,000 a second on one worker.
        let (command, _) = try run(realtime(rate: "300000", lagMax: "10ms"))
        #expect(command.exitCode == 4, "\(command.errors)")
        #expect(command.errors.contains("the generator was the limit"), "\(command.errors)")
        let run = try command.json()
        #expect(run["valid"] as? Bool == false)
        #expect(number(run, "load", "lateStarts") ?? 0 > 1000)
    }

    @Test("shards send together what one run sends")
    func shards() throws {
        let scenario = Scenarios.shop(rate: "3000")
        var sums: [UInt64] = []
        var spans: [Double] = []
        for shard in ["0/1", "0/3", "1/3", "2/3"] {
            let (command, _) = try run(scenario, ["--shard", shard, "--salt", "7", "--verify"])
            #expect(command.exitCode == 0, "\(command.errors)")
            let ledger = try #require(try command.json()["ledger"] as? [String: Any])
            let issued = try #require(ledger["issued"] as? [String: Any])
            spans.append(try #require(issued["sampledEnded"] as? Double))
            let sum = try #require(issued["semanticSum"])
            sums.append(try #require(UInt64("\(sum)")))
        }
        #expect(spans[1] > 0 && spans[2] > 0 && spans[3] > 0)
        #expect(sums[0] == sums[1] &+ sums[2] &+ sums[3])
    }

    @Test(
        "recovers from a receiver that fails for a while",
        arguments: [
            "status=503,count=3", "status=429,count=2,retry-after=0", "reset=before,count=2",
            "reset=body,count=2", "reset=after,count=2",
        ])
    func transientFaults(fault: String) throws {
        let (command, _) = try run(Scenarios.shop(), ["--fault", fault])
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(run["valid"] as? Bool == true)
        #expect(number(run, "ledger", "sink", "faultsInjected") ?? 0 >= 2)
        let ended = try #require(number(run, "ledger", "tracer", "sampledEnded"))
        #expect(delivery(run, "acknowledged") == ended)
        if fault.hasPrefix("reset=after") {
            #expect(number(run, "ledger", "sink", "spansDuplicate") ?? 0 > 0)
        }
    }

    @Test("counts what a receiver refuses for good")
    func refused() throws {
        let (command, _) = try run(Scenarios.shop(), ["--fault", "status=400,count=1"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(delivery(run, "droppedRefused") ?? 0 > 0)
        #expect(run["valid"] as? Bool == true)
    }

    @Test("cuts a receiver that never answers at its timeout, and the books still balance")
    func hanging() throws {
        let (command, _) = try run(
            Scenarios.shop(exporter: "timeout: 300ms"), ["--fault", "hang,count=1"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let run = try command.json()
        #expect(delivery(run, "droppedRetriesExhausted") ?? 0 > 0)
        let ended = try #require(number(run, "ledger", "tracer", "sampledEnded"))
        let lost = try #require(delivery(run, "droppedRetriesExhausted"))
        #expect(delivery(run, "acknowledged") == ended - lost)
    }

    @Test("counts the spans that a full queue drops in real time")
    func queueFull() throws {
        let scenario = realtime(rate: "3000")
            .replacingOccurrences(
                of: "{queue: 4096, batch: 256, delay: 20ms}", with: "{queue: 16, batch: 16}")
        let (command, _) = try run(scenario, ["--fault", "latency=100ms"])
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(delivery(try command.json(), "droppedQueueFull") ?? 0 > 0)
    }

    #if DEBUG
        @Test(
            "fails when a span vanishes, a bit flips or a counter sticks",
            arguments: [("drop-span", "L2"), ("flip-byte", "L3"), ("freeze-counter", "L2")])
        func mutants(mutant: String, law: String) throws {
            let (command, _) = try run(
                Scenarios.shop(), environment: ["TRACEMILL_MUTANT": mutant])
            #expect(command.exitCode == 4)
            #expect(command.errors.contains("invalid run:"), "\(command.errors)")
            let run = try command.json()
            #expect(run["valid"] as? Bool == false)
            let ledger = try #require(run["ledger"] as? [String: Any])
            let violations = try #require(ledger["violations"] as? [[String: Any]])
            #expect(
                violations.contains { ($0["law"] as? String)?.hasPrefix(law) == true },
                "\(violations)")
        }
    #endif
}
