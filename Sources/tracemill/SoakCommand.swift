import ArgumentParser
import Glibc
import TraceLoad
import TraceResults

/// `tracemill soak`.
struct SoakCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Run one scenario for long, and judge its memory.",
        discussion: """
            Runs the scenario as `run` does, one row of memory a second, and then says: do
            the laws hold; how much does resident memory grow in an hour (Theil-Sen, with an
            interval of 95%, after --settle), against --slope-max; did it stay below what the
            run stated before it began. With --outage the receiver closes its port for so
            long in the middle: the slope is that of the time before and after, and a fresh
            span has to be acknowledged within 5 s of its coming back.

            Use a scenario in real time, at the rate and with the pipeline settings that are
            yours. `tracemill report FILE` draws memory over time.

            EXAMPLES
              tracemill soak
              tracemill soak scenarios/soak.yaml --duration 1h --outage 10m
              tracemill soak shop.yaml --duration 8h --slope-max 256KiB
              tracemill soak --results results/soak.json

            EXIT CODES
              0 everything holds · 1 memory grows, or was beyond the ceiling, or no fresh span
              2 usage · 3 too short to tell · 4 a law is broken, or the outage never was
              130, 143 interrupted
            """)

    @Argument(help: "Scenario file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var scenario = "scenarios/soak.yaml"

    @Option(help: "Length of the run.")
    var duration = Duration(nanoseconds: 3_600_000_000_000)

    @Option(help: "What comes before is no part of the slope; default: a sixth of the run.")
    var settle: Duration?

    @Option(help: "The receiver is away for so long in the middle of the rest.")
    var outage = Duration(nanoseconds: 0)

    @Option(help: "The most that resident memory may grow in an hour, such as 256KiB.")
    var slopeMax = ByteSize(bytes: 1 << 20)

    @Option(help: "Traces a second instead of what the stages say, all entries together.")
    var rate: Double?

    @Option(help: "OTLP/HTTP endpoint to send to instead of the embedded receiver.")
    var endpoint: String?

    @Option(
        name: .shortAndLong, help: "Result file; default: results/<scenario>-<time>.json.",
        completion: .file())
    var output: String?

    @Option(help: "Judge this result file instead of running.", completion: .file())
    var results: String?

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    func validate() throws {
        let settleNs = settle?.nanoseconds ?? 0
        if results == nil, settleNs >= duration.nanoseconds {
            throw ValidationError(
                "--settle leaves nothing of --duration to judge: write for example --duration 1h "
                    + "--settle 10m")
        }
        if outage.nanoseconds > 0, outage.nanoseconds >= duration.nanoseconds / 2 {
            throw ValidationError("--outage: leave half of --duration at least to look at")
        }
        if outage.nanoseconds > 0, endpoint != nil {
            throw ValidationError(
                "--outage closes the embedded receiver's port: leave out --endpoint, or take that "
                    + "receiver away yourself")
        }
    }

    func run() throws {
        if let results { return try judge(results, settleNs: settle?.nanoseconds) }
        let name = try ScenarioFile.loaded(scenario).name
        let path = output ?? ResultPath.standard(for: name)
        let settleNs = settle?.nanoseconds ?? duration.nanoseconds / 6
        do {
            try RunCommand.parse(arguments(path, settleNs: settleNs)).run()
        } catch let failure as CommandFailure
            where [.invalidRun, .regression].contains(failure.code)
        {
            // Judged below, with what memory did.
            if let message = failure.message { Output.error(message) }
        }
        try judge(path, settleNs: settleNs)
    }

    /// What `run` is given.
    private func arguments(_ path: String, settleNs: UInt64) -> [String] {
        var arguments = [
            scenario, "--duration", "\(duration.nanoseconds / 1_000_000)ms", "--warmup", "0s",
            "--output", path,
        ]
        if let rate { arguments += ["--rate", "\(rate)"] }
        if let endpoint { arguments += ["--endpoint", endpoint] }
        if quiet { arguments.append("--quiet") }
        if outage.nanoseconds > 0 {
            let middleNs = settleNs + (duration.nanoseconds - settleNs) / 2
            let startNs = middleNs - min(middleNs, outage.nanoseconds / 2)
            arguments += [
                "--fault",
                "down=\(outage.nanoseconds / 1_000_000)ms,at=\(startNs / 1_000_000)ms,count=1",
            ]
        }
        return arguments
    }

    private func judge(_ path: String, settleNs: UInt64?) throws {
        let result: RunResult
        do {
            result = try ResultFile.read(path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        guard let run = result.runs.first, result.runs.count == 1 else {
            throw CommandFailure.usage(
                "'\(TerminalText.neutralised(path))' has \(result.runs.count) runs: a soak is one")
        }
        let study = SoakStudy(
            run,
            limits: SoakStudy.Limits(
                settleNs: settleNs ?? run.load.durationNs / 6,
                slopeBytesPerHour: Double(slopeMax.bytes), wantsOutage: outage.nanoseconds > 0))
        let style = TerminalStyle.detected(on: STDOUT_FILENO)
        let width = study.lines.map(\.name.count).max() ?? 0
        for line in study.lines {
            let name = TerminalText.fitted(line.name, columns: width)
            let text = "\(name)  \(TerminalText.neutralised(line.text))"
            Output.line(line.code == .pass ? text : style.bad(text))
        }
        let code = study.code
        Output.line(
            code == .pass ? style.good("soak: everything holds") : style.bad("soak: \(code)"))
        guard code == .pass else { throw CommandFailure(message: nil, code: code) }
    }
}
