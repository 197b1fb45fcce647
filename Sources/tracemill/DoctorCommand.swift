import ArgumentParser
import FoundationEssentials
import TraceCore
import TracePipeline
import TraceResults

/// `tracemill doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Is this machine fit to measure? What does the environment configure?",
        discussion: """
            Without an option: facts about this machine, half a second of measuring its pace,
            and what to do about each that shifts figures. With --config: every setting of the tracing SDK as OTEL_* variables
            and defaults make it, where each comes from, what was wrong with variables,
            and the resource that the detectors find. Header values and the user-info of
            URLs are never shown. (A run takes its pipeline from the scenario instead.)

            EXAMPLES
              tracemill doctor
              tracemill doctor --config
              OTEL_RESOURCE_DETECTORS=all tracemill doctor --config --json
            """)

    @Flag(help: "Show the effective configuration and the resource instead.")
    var config = false

    @Flag(help: "One JSON document on standard output.")
    var json = false

    func run() throws {
        if config { try showConfiguration() } else { try showMachine() }
    }

    private func showConfiguration() throws {
        let report: ConfigurationReport
        do {
            report = try ConfigurationReport()
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        if json {
            Output.text(
                try DoctorDocument.text(
                    DoctorDocument.Configuration(
                        schema: "tracemill.configuration/1", report: report)))
            return
        }
        // Names and values come from outside: nothing in them may steer the terminal.
        for line in report.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        {
            Output.line(TerminalText.neutralised(line))
        }
    }

    private func showMachine() throws {
        let facts = MachineFacts()
        if json {
            Output.text(try DoctorDocument.text(facts))
            return
        }
        for fact in facts.lines {
            Output.line(TerminalText.neutralised("\(fact.isGood ? " " : "!") \(fact.text)"))
        }
        Output.line(
            facts.lines.allSatisfy(\.isGood)
                ? "\nNothing here speaks against measuring."
                : "\nLines marked with ! shift figures: compare only runs of this machine, interleaved."
        )
        Output.line("What OTEL_* variables configure here: tracemill doctor --config")
    }
}

/// What this machine is and does, as far as figures depend on it.
struct MachineFacts: Encodable {
    /// One fact for people.
    struct Line {
        var isGood = true
        var text: String

        init(_ name: String, _ value: String, isGood: Bool = true, advice: String = "") {
            self.isGood = isGood
            let gap = String(repeating: " ", count: max(1, 22 - name.count))
            text = name + gap + value + (isGood || advice.isEmpty ? "" : " · " + advice)
        }
    }

    /// Nanoseconds a reading: the best of several tries.
    struct Clocks: Encodable {
        var clockGettimeNs: Double
        var cycleCounterNs: Double
        var isCycleCounterInvariant: Bool
    }

    var schema = "tracemill.doctor/1"
    var environment = HostReader().environment()
    var fitness = HostFitness()
    var steadiness = MachineSteadiness()
    var clocks = Clocks(
        clockGettimeNs: Self.cost { TraceClock.monotonicNs },
        cycleCounterNs: Self.cost { TraceClock.cycles },
        isCycleCounterInvariant: TraceClock.isCycleCounterInvariant)

    /// What a reading costs: the shortest of 9 times over 20,000 of them.
    private static func cost(of read: () -> UInt64) -> Double {
        (0..<9).map { _ in
            let start = TraceClock.monotonicNs
            for _ in 0..<20_000 { _ = read() }
            return Double(TraceClock.monotonicNs - start) / 20_000
        }.min() ?? 0
    }

    var lines: [Line] {
        let hard = environment.hard
        var processors = "\(hard.cpuCount) usable"
        if let quota = hard.cpuQuota {
            processors += ", time for \(NumberText.short(quota)) by the control group"
        }
        let usable = min(Double(hard.cpuCount), hard.cpuQuota ?? .infinity)
        var lines = [
            Line(
                "processors", "\(processors) · \(hard.cpuModel), \(hard.architecture)",
                isGood: usable >= 2,
                advice: "the load and its receiver share one: figures hold both"),
            Line(
                "cycle counter",
                clocks.isCycleCounterInvariant
                    ? "invariant: it times spans, \(nanoseconds(clocks.cycleCounterNs)) a reading"
                    : "not invariant",
                isGood: clocks.isCycleCounterInvariant,
                advice: "spans are timed by clock_gettime"),
            Line(
                "clock_gettime", "\(nanoseconds(clocks.clockGettimeNs)) a reading",
                isGood: clocks.clockGettimeNs < 150,
                advice: "the kernel answers it by a system call: look at the clock source"),
        ]
        lines.append(memory)
        lines.append(
            Line(
                "frequency governor",
                (fitness.frequencyGovernor ?? "not shown by this machine")
                    + (fitness.isBoostEnabled.map { ", boost \($0 ? "on" : "off")" } ?? ""),
                isGood: ["performance", nil].contains(fitness.frequencyGovernor),
                advice: "figures follow the frequency: choose performance"))
        lines.append(
            Line(
                "virtualisation", environment.soft.virtualisation,
                isGood: environment.soft.virtualisation == "none",
                advice: "neighbours may be felt"))
        lines.append(
            Line(
                "load",
                fitness.loadAverage.map { "\(NumberText.fixed($0, decimals: 2)) over a minute" }
                    ?? "unknown",
                isGood: (fitness.loadAverage ?? 0) < usable / 4,
                advice: "something else is at work, or was a moment ago"))
        return lines + steadiness.lines
    }

    private var memory: Line {
        guard let available = fitness.memoryAvailableBytes, let total = fitness.memoryTotalBytes
        else { return Line("memory", "unknown") }
        return Line(
            "memory",
            "\(NumberText.size(bytes: Double(available))) available of "
                + NumberText.size(bytes: Double(total)),
            isGood: available >= 1 << 30, advice: "a long queue may not fit")
    }

    private func nanoseconds(_ value: Double) -> String {
        "\(NumberText.fixed(value, decimals: 1)) ns"
    }
}

/// The JSON documents.
enum DoctorDocument {
    struct Configuration: Encodable {
        var schema: String
        var report: ConfigurationReport

        private enum Key: String, CodingKey { case schema }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(schema, forKey: .schema)
            try report.encode(to: encoder)
        }
    }

    static func text(_ document: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
    }
}
