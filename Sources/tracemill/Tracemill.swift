// The command: arguments and wiring. What it does is in the modules.
import ArgumentParser
import Glibc
import Synchronization
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
        Output.holdStandardFiles()
        // A receiver that goes away must be an error, not the end of the process; so must a file that grows
        // beyond its limit, whoever writes it: SQLite, or the sink's store.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot()
            #if DEBUG
                if unsafe getenv("TRACEMILL_MUTANT").map({ unsafe String(cString: $0) }) == "throw"
                {
                    throw InjectedDefect()
                }
            #endif
            try command.run()
            Output.end(.pass)
        } catch let failure as CommandFailure {
            failure.exit()
        } catch {
            let code = exitCode(for: error)
            if code.isSuccess {
                Output.line(fullMessage(for: error))
                Output.end(.pass)
            }
            // The parser's own errors are errors of usage, with which it would exit with 64. Every other
            // error is caught where it can happen and says what to do: one that comes up to here is a defect.
            guard code == .validationFailure else {
                Output.error(
                    "internal error: \(TerminalText.neutralised("\(error)")). This is a defect of "
                        + "tracemill: please report it with the command line and the version")
                Output.end(.internalError)
            }
            Output.error(fullMessage(for: error))
            Output.end(.usage)
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
        SignalWatch.yieldToEnding()
        if let message { Output.error(message) }
        Output.end(code)
    }

    /// A file, argument or setting that cannot be used.
    static func usage(_ message: String) -> CommandFailure {
        CommandFailure(message: message, code: .usage)
    }
}

/// Standard output and error, by write(2): what is said is out when the process ends.
enum Output {
    /// Why standard output did not take what was said, the first time; 0 when it took all.
    private static let failure = Atomic<Int32>(0)

    /// Opens those of the three standard files that are closed: the next file that is opened would take
    /// the place of one, and what is meant for the terminal would be written into it.
    static func holdStandardFiles() {
        // The lowest that is free is taken each time.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }

    /// Ends the process. What standard output did not take is an error: somebody relies on the file.
    static func end(_ code: TraceResults.ExitCode) -> Never {
        SignalWatch.yieldToEnding()
        let reason = failure.load(ordering: .relaxed)
        guard reason != 0 else { Glibc.exit(code.rawValue) }
        error(
            "cannot write to standard output: \(unsafe String(cString: strerror(reason))); what it holds "
                + "is not whole")
        Glibc.exit(TraceResults.ExitCode.combining([code, .usage]).rawValue)
    }

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
                let reason = errno
                if reason == EINTR { continue }
                // A reader that has seen enough, such as `head`, is no failure.
                if descriptor == STDOUT_FILENO, reason != EPIPE {
                    _ = failure.compareExchange(expected: 0, desired: reason, ordering: .relaxed)
                }
                return
            }
            bytes = bytes.dropFirst(written)
        }
    }
}
