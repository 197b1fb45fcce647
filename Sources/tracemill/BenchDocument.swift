import FoundationEssentials
import TraceResults

/// The JSON document: each figure's median under its name, and everything under `figures`.
enum BenchDocument {
    private struct Figure: Encodable {
        var group: String
        var title: String
        var unit: String
        var median: Double
        var lowest: Double
        var highest: Double
        var repetitions: Int
        /// In the order they were measured.
        var samples: [Double]
        var timesClockGettime: Double?
        var reference: String?
        /// One beside each sample.
        var referenceSamples: [Double]?
        var timesReference: Double?
        /// Beside each sample: nanoseconds for 1,000 dependent multiply-adds, and for 1,000 rounds of six
        /// independent operations.
        var hostPaceNs: [Double]?
        var hostWidePaceNs: [Double]?
        /// Samples beside which the host was quick, and their median, where some were not.
        var quietRepetitions: Int?
        var quietMedian: Double?
        var note: String?

        init(_ figure: BenchFigure) {
            let sorted = figure.samples
            group = figure.group.rawValue
            title = figure.title
            unit = figure.unit
            median = figure.median
            lowest = sorted[0]
            highest = sorted.last ?? 0
            repetitions = sorted.count
            samples = figure.inOrder
            timesClockGettime = figure.timesClockGettime
            reference = figure.references.isEmpty ? nil : figure.referenceName
            referenceSamples = figure.references.isEmpty ? nil : figure.references
            timesReference = figure.ratio
            hostPaceNs = figure.paces.isEmpty ? nil : figure.paces.map(\.chainNs)
            hostWidePaceNs = figure.paces.isEmpty ? nil : figure.paces.map(\.wideNs)
            quietRepetitions = figure.quiet?.count
            quietMedian = figure.quiet.flatMap { $0.count > 0 ? $0.median : nil }
            note = figure.note.isEmpty ? nil : figure.note
        }
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
            func key(_ name: String) -> Key { Key(stringValue: name) }
            try top.encode("tracemill.bench/1", forKey: key("schema"))
            for figure in suite.figures {
                try top.encode(figure.median, forKey: key(figure.name))
            }
            var figures = top.nestedContainer(keyedBy: Key.self, forKey: key("figures"))
            for figure in suite.figures {
                try figures.encode(Figure(figure), forKey: key(figure.name))
            }
            try top.encode(suite.settings, forKey: key("delivery"))
            try top.encode(suite.verifications, forKey: key("verification"))
            if let broken = suite.broken { try top.encode(broken, forKey: key("broken")) }
            try top.encode(HostReader().environment(), forKey: key("environment"))
        }
    }

    static func text(of suite: BenchSuite) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Document(suite: suite)), as: UTF8.self) + "\n"
    }
}
