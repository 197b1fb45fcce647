import ArgumentParser
import Glibc
import TraceCore
import TraceLoad
import TraceResults

/// `tracemill bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure each part of the pipeline on this machine.",
        discussion: """
            Every figure is the median of several repetitions, with the lowest and the
            highest, and stands beside something measured within the same repetition
            (clock_gettime, memcpy of the same bytes, …) with its ratio to that: ratios
            travel between machines, nanoseconds do not. Nanoseconds are CPU time of the
            thread that bears them. "host slow" counts the repetitions beside which a
            fixed loop took longer, and gives the median of the others.

            Every kind of span that is timed is also delivered to a sink in another
            process, which must decode what the kind says; else there is no figure, and
            the exit code is 4. docs/benchmarks.md says what each row means.

            GROUPS
              \(BenchGroup.allCases.map(\.rawValue).joined(separator: " "))

            EXAMPLES
              tracemill bench
              tracemill bench --quick
              tracemill bench --json > bench.json
              tracemill bench --only decisions,threads
              tracemill bench --only sampledSpan,encodeSpan --repetitions 40
              tracemill bench --only flat --long
              tracemill bench --clock system --only spans
              tracemill bench --piece sampledSpan --iterations 1000000
            """)

    @Flag(help: "One JSON document on standard output.")
    var json = false

    @Option(help: "Repetitions of each figure, 1 to 100 (11; 5 with --quick).")
    var repetitions: Int?

    @Option(help: "Only these groups, and figures whose names contain one of these; commas.")
    var only: String?

    @Option(help: "Clock of the spans: cycles (the cycle counter) or system (clock_gettime).")
    var clock = ClockArgument.cycles

    @Option(help: "Length of each delivery trial (2s; 500ms with --quick).")
    var delivery: Duration?

    @Flag(help: "Fewer repetitions of fewer spans: a first look in under a minute.")
    var quick = false

    @Flag(help: "With runs of 10⁸ spans: some minutes more.")
    var long = false

    @Option(help: "One piece alone, untimed, for a profiler: its name, or list.")
    var piece: String?

    @Option(help: "How often --piece runs, 1 to 100000000.")
    var iterations = 8192

    func validate() throws {
        guard (1...100_000_000).contains(iterations) else {
            throw ValidationError(
                "--iterations \(iterations): write a number from 1 to 100000000")
        }
        if let repetitions, !(1...100).contains(repetitions) {
            throw ValidationError("--repetitions \(repetitions): write a number from 1 to 100")
        }
        if quick, long { throw ValidationError("--quick and --long: write one of them") }
    }

    func run() throws {
        if let piece { return try BenchPieces.show(piece, iterations: iterations) }
        let repetitions = repetitions ?? (quick ? 5 : 11)
        let filter = only?.split(separator: ",").map(String.init)
        var suite = BenchSuite(
            repetitions: repetitions, clock: clock.source,
            deliveryNs: delivery?.nanoseconds ?? (quick ? 500_000_000 : 2_000_000_000),
            filter: filter)
        suite.isQuick = quick
        suite.isLong = long
        let display = BenchDisplay(showsTable: !json)
        display.begin(repetitions: repetitions, clock: clock)
        suite.onFigure = { display.show($0) }
        suite.onRemark = { display.remark($0) }
        suite.onProgress = { display.progress($0) }
        suite.run()
        display.clear()
        if suite.broken == nil,
            suite.figures.allSatisfy({ BenchSuite.unasked.contains($0.name) })
        {
            throw CommandFailure.usage(
                "--only \(only ?? ""): no such figure or group. Groups are "
                    + BenchGroup.allCases.map(\.rawValue).joined(separator: ", ")
                    + "; run without --only to see the figures")
        }
        if json {
            Output.text(try BenchDocument.text(of: suite))
        } else if let text = suite.verificationText, suite.broken == nil {
            Output.line("\n" + text)
        }
        if let broken = suite.broken {
            throw CommandFailure(message: broken, code: .invalidRun)
        }
    }
}

/// The table as it grows, on standard output, and what goes on meanwhile, on standard error.
final class BenchDisplay {
    private let showsTable: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var group: BenchGroup?
    private var hasProgress = false
    private var progressNs = TraceClock.monotonicNs

    init(showsTable: Bool) { self.showsTable = showsTable }

    func begin(repetitions: Int, clock: ClockArgument) {
        guard showsTable else { return }
        let source = clock == .cycles ? "the cycle counter" : "clock_gettime"
        Output.line(
            "tracemill bench · median of \(repetitions) [lowest–highest] · spans timed by \(source)"
        )
    }

    func show(_ figure: BenchFigure) {
        guard showsTable else { return }
        clear()
        if figure.group != group {
            group = figure.group
            Output.line(BenchTable.heading(figure.group))
        }
        Output.line(BenchTable.row(figure))
    }

    func remark(_ text: String) {
        guard showsTable else { return }
        clear()
        Output.line("  " + text)
    }

    /// On a terminal one line that is written over; elsewhere a line every five seconds.
    func progress(_ text: String) {
        let now = TraceClock.monotonicNs
        if isTerminal {
            Output.note("\r\u{1B}[2K" + text)
            hasProgress = true
        } else if now - progressNs > 5_000_000_000 {
            Output.note("tracemill bench: " + text + "\n")
            progressNs = now
        }
    }

    func clear() {
        if hasProgress { Output.note("\r\u{1B}[2K") }
        hasProgress = false
    }
}

extension Output {
    /// As it is, on standard error.
    fileprivate static func note(_ text: String) { write(text, to: STDERR_FILENO) }
}
