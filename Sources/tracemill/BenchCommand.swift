import ArgumentParser
import FoundationEssentials
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
            highest beside it, and its ratio to clock_gettime measured in the same run:
            ratios travel between machines, nanoseconds do not. The delivery figure counts
            only when the ledger balances.

            EXAMPLES
              tracemill bench
              tracemill bench --json > bench.json
              tracemill bench --only sampledSpan,encodeSpan --repetitions 20
            """)

    @Flag(help: "One JSON document on standard output.")
    var json = false

    @Option(help: "Repetitions of each figure, 3 to 100.")
    var repetitions = 11

    @Option(help: "Only figures whose names contain one of these, comma-separated.")
    var only: String?

    @Option(help: "Clock of the spans: cycles (the cycle counter) or system (clock_gettime).")
    var clock = ClockArgument.cycles

    @Option(help: "Length of each delivery trial, such as 2s.")
    var delivery = Duration(nanoseconds: 2_000_000_000)

    func validate() throws {
        guard (3...100).contains(repetitions) else {
            throw ValidationError("--repetitions \(repetitions): write a number from 3 to 100")
        }
    }

    func run() throws {
        let filter = only?.split(separator: ",").map(String.init)
        var suite = BenchSuite(
            repetitions: repetitions, clock: clock.source, deliveryNs: delivery.nanoseconds,
            filter: filter)
        if !json {
            Output.line("tracemill bench · median of \(repetitions) [lowest … highest]\n")
            suite.onFigure = { Output.line(BenchTable.row($0)) }
        }
        do {
            try suite.run()
        } catch {
            throw CommandFailure(message: "\(error)", code: .invalidRun)
        }
        if suite.figures.isEmpty {
            throw CommandFailure.usage(
                "--only \(only ?? ""): no such figure; run without it to see their names")
        }
        if json { Output.text(try BenchDocument.text(of: suite)) }
        if let broken = suite.brokenLedger {
            throw CommandFailure(message: broken, code: .invalidRun)
        }
    }
}

/// One measured part.
struct BenchFigure {
    var name: String
    var title: String
    var unit: String
    /// Sorted.
    var samples: [Double]
    /// Ratio to clock_gettime, for nanoseconds.
    var ratio: Double?
    var note = ""

    var median: Double { samples[samples.count / 2] }
}

/// The lines of the table.
enum BenchTable {
    static func row(_ figure: BenchFigure) -> String {
        let isLarge = figure.median >= 1000
        func text(_ value: Double) -> String {
            isLarge ? NumberText.grouped(UInt64(value)) : fixed(value)
        }
        var line = pad(figure.title, 44)
        line += padLeft(text(figure.median), 12) + " " + pad(figure.unit, 8)
        line += pad("[\(text(figure.samples[0])) … \(text(figure.samples.last ?? 0))]", 26)
        if let ratio = figure.ratio { line += "× \(fixed(ratio)) clock_gettime" }
        if !figure.note.isEmpty { line += (figure.ratio == nil ? "" : " · ") + figure.note }
        return line.reversed().drop { $0 == " " }.reversed().map(String.init).joined()
    }

    private static func fixed(_ value: Double) -> String {
        let tenths = Int((abs(value) * 10).rounded())
        return (value < 0 ? "-" : "") + "\(tenths / 10).\(tenths % 10)"
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// The JSON document: each figure's median under its name, and everything under `figures`.
enum BenchDocument {
    private struct Figure: Encodable {
        var unit: String
        var median: Double
        var lowest: Double
        var highest: Double
        var repetitions: Int
        var timesClockGettime: Double?
        var note: String?
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Document: Encodable {
        var suite: BenchSuite

        func encode(to encoder: any Encoder) throws {
            var top = encoder.container(keyedBy: Key.self)
            try top.encode("tracemill.bench/1", forKey: Key(stringValue: "schema"))
            for figure in suite.figures {
                try top.encode(figure.median, forKey: Key(stringValue: figure.name))
            }
            var figures = top.nestedContainer(
                keyedBy: Key.self, forKey: Key(stringValue: "figures"))
            for figure in suite.figures {
                try figures.encode(
                    Figure(
                        unit: figure.unit, median: figure.median, lowest: figure.samples[0],
                        highest: figure.samples.last ?? 0, repetitions: figure.samples.count,
                        timesClockGettime: figure.ratio,
                        note: figure.note.isEmpty ? nil : figure.note),
                    forKey: Key(stringValue: figure.name))
            }
            try top.encode(suite.settings, forKey: Key(stringValue: "delivery"))
            try top.encode(
                HostReader().environment(), forKey: Key(stringValue: "environment"))
        }
    }

    static func text(of suite: BenchSuite) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Document(suite: suite)), as: UTF8.self) + "\n"
    }
}
