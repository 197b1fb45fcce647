import ArgumentParser
import Glibc
import TraceLoad
import TraceResults

/// `tracemill selftest`.
struct SelftestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "How often does the gate cry wolf on this machine, and what does it find?",
        discussion: """
            --aa runs whole gates of this program against itself: every regression found is a
            false alarm. --inject runs gates whose head does so much more work (a share of all
            its other processor time, spent on the exporter's thread and held by measuring):
            every one not found is a miss. Rates come with their exact 95% intervals. The state file keeps
            every gate: the same command line goes on where it was stopped.

            EXAMPLES
              tracemill selftest --aa 59
              tracemill selftest --inject 10% --trials 59
              tracemill selftest --aa 20 --inject 3% --inject 5% --inject 10% --trials 20
              tracemill selftest --aa 59 --scenario shop.yaml --state results/shop-selftest.json
            """)

    @Option(help: "Gates of the program against itself, in all (0-10000).")
    var aa = 0

    @Option(
        name: [.customLong("inject")], help: "Extra work in the head, such as 10%; repeatable.")
    var injections: [String] = []

    @Option(help: "Gates for each --inject, in all (1-10000).")
    var trials = 20

    @Option(help: "Scenario file; default: one of a third of a second.")
    var scenario: String?

    @Option(help: "The budget that is judged.")
    var budget = "cpuNsPerSpan regress 5%"

    @Option(help: "Rounds of each gate.")
    var rounds = GateSettings.standardRounds

    @Option(help: "Where every gate is kept; default: results/selftest.json.")
    var state = "results/selftest.json"

    @Flag(help: "One JSON document on standard output instead of the table.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    @OptionGroup var pass: RunPassOptions

    /// A shorter calibration kernel than a gate's, for many gates; 0 for none.
    @Option(help: .hidden)
    var calibrationShare = 0.2

    func validate() throws {
        guard (0...10_000).contains(aa), (1...10_000).contains(trials) else {
            throw ValidationError("--aa and --trials are numbers up to 10000")
        }
        guard aa > 0 || !injections.isEmpty else {
            throw ValidationError("nothing to do: write --aa 59, or --inject 10% --trials 59")
        }
        guard (1...GateSettings.roundsMax).contains(rounds) else {
            throw ValidationError(
                "--rounds \(rounds): write a number from 1 to \(GateSettings.roundsMax)")
        }
        guard (0...1).contains(calibrationShare) else {
            throw ValidationError("--calibration-share is from 0 (none) to 1")
        }
        for text in injections where Self.share(text) == nil {
            throw ValidationError("--inject \(text): write a share from 0.1% to 500%, such as 10%")
        }
    }

    /// `10%` or `0.1`.
    private static func share(_ text: String) -> Double? {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(text.dropLast(isPercent ? 1 : 0)) else { return nil }
        let share = isPercent ? number / 100 : number
        return (0.001...5).contains(share) ? share : nil
    }

    func run() throws {
        let session = try SelftestSession(self, shares: injections.compactMap(Self.share))
        let outcome = try session.run()
        let report = SelftestReport(outcome)
        Output.text(json ? report.document.prettyText() : report.text)
        if let code = session.interruption { throw CommandFailure(message: nil, code: code) }
    }
}
