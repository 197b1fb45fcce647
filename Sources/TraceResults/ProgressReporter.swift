// What a run says of itself while it goes on: on a terminal one line that is written over, at most
// four times a second; elsewhere a plain line every two seconds. One owner at a time.

import Glibc

/// Where a run stands.
public struct ProgressSnapshot: Sendable, Equatable {
    /// What is going on: `warm-up`, `run`, `drain`.
    public var phase = ""
    /// Time since the phase began.
    public var elapsedNs: UInt64 = 0
    /// How long the phase takes; nil when nobody knows.
    public var totalNs: UInt64?
    /// Traces started a second, lately; nil before there was time to tell.
    public var tracesPerS: Double?
    /// Spans started a second, lately; nil likewise.
    public var spansPerS: Double?
    /// Spans acknowledged so far.
    public var acknowledgedSpans: UInt64 = 0
    /// Spans waiting in the queue.
    public var queuedSpans: UInt64 = 0
    /// Spans dropped so far, for any reason.
    public var droppedSpans: UInt64 = 0

    /// A run that has not begun.
    public init() {}
}

/// Shows progress, usually on standard error.
public struct ProgressReporter {
    private let name: String
    private let isTerminal: Bool
    private let style: TerminalStyle
    private let columns: () -> Int
    private let write: (String) -> Void
    private let intervalNs: UInt64
    private var nextNs: UInt64 = 0
    private var phase: String?
    private var lineIsOpen = false

    /// A reporter on a file descriptor.
    ///
    /// - Parameters:
    ///   - name: what runs, such as the scenario's name; made fit for a terminal here.
    ///   - descriptor: where to write; standard error by default.
    public init(name: String, descriptor: Int32 = STDERR_FILENO) {
        self.init(
            name: name, isTerminal: isatty(descriptor) == 1,
            style: .detected(on: descriptor),
            columns: { TerminalStyle.columns(of: descriptor) },
            write: { text in
                // Progress is not worth failing for: what cannot be written is left out.
                var text = text
                text.withUTF8 { bytes in
                    _ = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                }
            })
    }

    /// A reporter that writes by `write`.
    init(
        name: String, isTerminal: Bool, style: TerminalStyle, columns: @escaping () -> Int,
        write: @escaping (String) -> Void
    ) {
        self.name = TerminalText.truncated(TerminalText.neutralised(name), columns: 24)
        self.isTerminal = isTerminal
        self.style = style
        self.columns = columns
        self.write = write
        intervalNs = isTerminal ? 250_000_000 : 2_000_000_000
    }

    /// Whether a snapshot would be shown at this time; making one may be left out otherwise.
    public func isDue(atNs monotonicNs: UInt64) -> Bool {
        monotonicNs >= nextNs
    }

    /// Shows where the run stands, unless it did a moment ago. A new phase is always shown.
    public mutating func update(
        _ snapshot: ProgressSnapshot, atNs monotonicNs: UInt64 = HostClock.monotonicNs()
    ) {
        guard isDue(atNs: monotonicNs) || snapshot.phase != phase else { return }
        phase = snapshot.phase
        nextNs = monotonicNs + intervalNs
        let text = line(snapshot)
        if isTerminal {
            // One column less than there are: some terminals wrap when the last one is written.
            let cut = TerminalText.truncated(text, columns: max(1, columns() - 1))
            write("\r\u{1B}[2K" + style.dim(cut))
            lineIsOpen = true
        } else {
            write(text + "\n")
        }
    }

    /// Says something once, on a line of its own above the progress.
    public mutating func note(_ message: String) {
        clear()
        write(TerminalText.neutralised(message) + "\n")
        nextNs = 0
    }

    /// Takes the line away; on a terminal nothing is left of it.
    public mutating func finish() {
        clear()
        phase = nil
        nextNs = 0
    }

    private mutating func clear() {
        if lineIsOpen { write("\r\u{1B}[2K") }
        lineIsOpen = false
    }

    private func line(_ snapshot: ProgressSnapshot) -> String {
        func seconds(_ ns: UInt64) -> String {
            NumberText.fixed(Double(ns) / 1e9, decimals: 1)
        }
        var time = seconds(snapshot.elapsedNs)
        if let total = snapshot.totalNs { time += "/" + seconds(total) }
        let head = snapshot.phase.isEmpty || snapshot.phase == "run" ? "" : snapshot.phase + " "
        return [
            name, TerminalText.neutralised(head) + time + " s",
            snapshot.tracesPerS.map { "\(NumberText.compact($0)) traces/s" },
            snapshot.spansPerS.map { "\(NumberText.compact($0)) spans/s" },
            "acked \(NumberText.compact(Double(snapshot.acknowledgedSpans)))",
            "queue \(NumberText.compact(Double(snapshot.queuedSpans)))",
            "drops \(NumberText.grouped(snapshot.droppedSpans))",
        ].compactMap(\.self).joined(separator: "  ")
    }
}
