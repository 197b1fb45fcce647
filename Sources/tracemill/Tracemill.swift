// The command: arguments and wiring. What it does is in the modules.
import ArgumentParser
import Glibc
import TracePipeline
import TraceResults

@main
struct Tracemill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tracemill",
        abstract: "Grinds synthetic microservice traces through a real tracing pipeline.",
        discussion: """
            What does this tracing pipeline cost, what does it lose, did it get slower? A
            scenario describes services that call each other; tracemill replays their
            traces through sampler, span limits, batch processor and OTLP/HTTP export, to
            a receiver of its own, and checks that every span is accounted for.

            EXAMPLES
              tracemill run scenarios/checkout.yaml
              tracemill run scenarios/checkout.yaml --duration 30s --verify
              tracemill topology scenarios/checkout.yaml --format mermaid
              tracemill compare scenarios/samplers.yaml --svg samplers.svg
              tracemill gate scenarios/checkout.yaml --base ./old/tracemill
              tracemill report results/checkout.json -o report.html
              tracemill bench --json
              tracemill sink --port 4318 --store memory
              tracemill trace 4bf92f3577b34da6a3ce929d0e0e4736 --wait 5s

            EXIT CODES
              0 pass · 1 regression or budget broken · 2 usage or bad file · 3 inconclusive
              4 invalid run (a span unaccounted for) · 70 internal error
              130, 143 interrupted
            """,
        version: Build.text,
        subcommands: [
            RunCommand.self, SinkCommand.self, TraceCommand.self, ValidateCommand.self,
            TopologyCommand.self, CompareCommand.self, GateCommand.self, SelftestCommand.self,
            MergeCommand.self, ReportCommand.self, HistoryCommand.self, FaultsCommand.self,
            SoakCommand.self,
            BenchCommand.self, DoctorCommand.self,
        ])

    static func main() {
        // A receiver that goes away must be an error, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            #if DEBUG
                if unsafe getenv("TRACEMILL_MUTANT").map({ unsafe String(cString: $0) }) == "throw"
                {
                    throw InjectedDefect()
                }
            #endif
            try command.run()
        } catch let failure as CommandFailure {
            failure.exit()
        } catch {
            let code = exitCode(for: error)
            if code.isSuccess {
                Output.line(fullMessage(for: error))
                Glibc.exit(0)
            }
            // The parser's own errors are errors of usage, with which it would exit with 64. Every other
            // error is caught where it can happen and says what to do: one that comes up to here is a defect.
            guard code == .validationFailure else {
                Output.error(
                    "internal error: \(TerminalText.neutralised("\(error)")). This is a defect of "
                        + "tracemill: please report it with the command line and the version")
                Glibc.exit(TraceResults.ExitCode.internalError.rawValue)
            }
            Output.error(fullMessage(for: error))
            Glibc.exit(TraceResults.ExitCode.usage.rawValue)
        }
    }
}

#if DEBUG
    /// An error that nobody expects, thrown on purpose.
    private struct InjectedDefect: Error {}
#endif

/// What was built.
enum Build {
    static let version = TelemetrySDK.version
    /// The commit it was built from; empty when the build does not say.
    static var commit: String { BuildCommit.current }
    static var text: String {
        "tracemill \(version)" + (commit.isEmpty ? "" : ", commit \(commit)")
    }
}

/// The end of a command: what to say, and the exit code.
struct CommandFailure: Error {
    var message: String?
    var code: TraceResults.ExitCode

    func exit() -> Never {
        if let message { Output.error(message) }
        Glibc.exit(code.rawValue)
    }

    /// A file, argument or setting that cannot be used.
    static func usage(_ message: String) -> CommandFailure {
        CommandFailure(message: message, code: .usage)
    }
}

/// Standard output and error, by write(2): what is said is out when the process ends.
enum Output {
    static func line(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
    static func text(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// `tracemill: message`, on standard error.
    static func error(_ message: String) {
        let isMarked = message.hasPrefix("Error:") || message.hasPrefix("tracemill:")
        write((isMarked ? "" : "tracemill: ") + message + "\n", to: STDERR_FILENO)
    }

    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0 {
                if errno == EINTR { continue }
                return
            }
            bytes = bytes.dropFirst(written)
        }
    }
}
