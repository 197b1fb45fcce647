import Synchronization
import Testing

@testable import TraceResults

@Suite("Progress")
struct ProgressReporterTests {
    /// Collects what a reporter writes.
    final class Collector: Sendable {
        private let pieces = Mutex<[String]>([])

        func append(_ text: String) { pieces.withLock { $0.append(text) } }

        var all: [String] { pieces.withLock(\.self) }
    }

    private func reporter(
        to collector: Collector, name: String = "checkout", isTerminal: Bool, columns: Int = 120
    ) -> ProgressReporter {
        ProgressReporter(
            name: name, isTerminal: isTerminal, style: .plain, columns: { columns },
            write: { collector.append($0) })
    }

    private var snapshot: ProgressSnapshot {
        var snapshot = ProgressSnapshot()
        snapshot.phase = "run"
        snapshot.elapsedNs = 12_340_000_000
        snapshot.totalNs = 60_000_000_000
        snapshot.tracesPerS = 10_021
        snapshot.spansPerS = 142_300
        snapshot.acknowledgedSpans = 1_234_567
        snapshot.queuedSpans = 2048
        snapshot.droppedSpans = 1017
        return snapshot
    }

    @Test("off a terminal a plain line at most every two seconds")
    func plainLines() {
        let collector = Collector()
        var reporter = reporter(to: collector, isTerminal: false)
        for tenth in 0...40 as ClosedRange<UInt64> {
            reporter.update(snapshot, atNs: 5_000_000_000 + tenth * 100_000_000)
        }
        reporter.finish()
        #expect(
            collector.all
                == Array(
                    repeating: "checkout  12.3/60.0 s  10.0k traces/s  142k spans/s  "
                        + "acked 1.23M  queue 2.05k  drops 1,017\n", count: 3))
    }

    @Test("on a terminal one line, written over at most four times a second, and taken away")
    func terminalLine() {
        let collector = Collector()
        var reporter = reporter(to: collector, isTerminal: true, columns: 40)
        for millisecond in 0..<1000 as Range<UInt64> {
            reporter.update(snapshot, atNs: 5_000_000_000 + millisecond * 1_000_000)
        }
        reporter.finish()
        reporter.finish()
        #expect(
            collector.all
                == Array(
                    repeating: "\r\u{1B}[2Kcheckout  12.3/60.0 s  10.0k traces/s …",
                    count: 4) + ["\r\u{1B}[2K"])
    }

    @Test("a new phase is shown at once, a note stands on a line of its own")
    func phases() {
        let collector = Collector()
        var reporter = reporter(to: collector, isTerminal: true)
        var snapshot = ProgressSnapshot()
        snapshot.phase = "warm-up"
        reporter.update(snapshot, atNs: 0)
        snapshot.phase = "run"
        reporter.update(snapshot, atNs: 1)
        reporter.update(snapshot, atNs: 2)
        #expect(!reporter.isDue(atNs: 3))
        reporter.note("the sink \u{1B}[31mis gone")
        #expect(reporter.isDue(atNs: 3))
        #expect(collector.all.count == 4)
        // A rate takes two looks: before the second there is none, and it is not 0.
        #expect(collector.all[0].hasPrefix("\r\u{1B}[2Kcheckout  warm-up 0.0 s  acked 0  queue"))
        #expect(collector.all[1].hasPrefix("\r\u{1B}[2Kcheckout  0.0 s  acked 0  queue"))
        #expect(collector.all[2] == "\r\u{1B}[2K")
        #expect(collector.all[3] == "the sink \\u{1b}[31mis gone\n")
    }

    @Test("a name cannot reach the terminal's controls")
    func hostileName() {
        let collector = Collector()
        var reporter = reporter(to: collector, name: "\u{1B}[2J\r\n", isTerminal: false)
        reporter.update(snapshot, atNs: 0)
        #expect(collector.all[0].hasPrefix("\\u{1b}[2J\\u{d}\\u{a}  12.3/60.0 s"))
    }

    @Test("colours need a terminal, no NO_COLOR and a terminal that is not dumb")
    func colourRule() {
        func isColoured(_ isTerminal: Bool, _ noColour: String?, _ terminal: String?) -> Bool {
            TerminalStyle.detected(
                isTerminal: isTerminal, noColour: noColour, terminal: terminal
            ).isColoured
        }
        #expect(isColoured(true, nil, "xterm"))
        #expect(isColoured(true, "", nil))
        #expect(!isColoured(true, "1", "xterm"))
        #expect(!isColoured(true, nil, "dumb"))
        #expect(!isColoured(false, nil, "xterm"))
    }
}
