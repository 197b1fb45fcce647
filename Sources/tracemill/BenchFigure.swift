// What `bench` measures, as values: figures, their groups, and what stands beside them.

/// The parts of the table, in its order. `--only` takes their names.
enum BenchGroup: String, CaseIterable {
    case host
    case memory
    case decisions
    case spans
    case strings
    case threads
    case flat
    case attributes
    case lengths
    case events
    case propagation
    case ring
    case tail
    case delivery
    case idle

    var title: String {
        switch self {
        case .host: "the host"
        case .decisions: "sampler decisions, alone"
        case .spans: "spans, five attributes"
        case .strings: "spans, five attributes, keys and values of other kinds"
        case .threads: "several threads"
        case .flat: "the same span, more and more of them"
        case .attributes: "more attributes"
        case .lengths: "longer names and values"
        case .events: "events and links, each"
        case .propagation: "propagation"
        case .ring: "ring"
        case .tail: "tail sampling, on the exporter thread"
        case .delivery: "delivery"
        case .memory: "memory"
        case .idle: "the exporter thread, at rest and woken"
        }
    }
}

/// One measured part.
struct BenchFigure {
    var name: String
    var group: BenchGroup
    var title: String
    var unit: String
    /// In the order they were measured.
    var inOrder: [Double]
    /// What each sample stands beside, measured within the same repetition; empty: nothing.
    var referenceName = ""
    var references: [Double] = []
    /// The median of the samples' ratios to their references.
    var ratio: Double?
    /// The same to clock_gettime, for nanoseconds.
    var timesClockGettime: Double?
    /// The host's pace beside each sample.
    var paces: [HostPace] = []
    /// How many samples were taken while the host was as quick as it gets, and their median; nil where
    /// that is not known, or true of all of them.
    var quiet: (count: Int, median: Double)?
    var note = ""

    /// Sorted.
    var samples: [Double] { inOrder.sorted() }
    var median: Double { BenchFigure.median(inOrder) }

    /// Finds the samples beside which the host was within a sixth of its quickest.
    mutating func tellQuiet(lowestWideNs: Double) {
        // Bytes and calls are the same at any pace.
        guard paces.count == inOrder.count, group != .host, ["ns", "×", "spans/s"].contains(unit)
        else { return }
        let quietest = zip(inOrder, paces).filter { $1.wideNs < lowestWideNs * 7 / 6 }.map(\.0)
        if quietest.count < inOrder.count { quiet = (quietest.count, BenchFigure.median(quietest)) }
    }

    /// The upper of the two in the middle, for an even number.
    static func median(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }

    /// The median of the ratios sample by sample: machines change pace within a run.
    static func ratio(_ samples: [Double], to references: [Double]) -> Double? {
        let ratios = zip(samples, references).filter { $1 > 0 }.map { $0 / $1 }
        return ratios.isEmpty ? nil : median(ratios)
    }
}

/// A line of the table to be.
struct BenchRow {
    var name: String
    var title: String
    var unit = "ns"
    /// What its samples stand beside, unless they bring something of their own.
    var reference = BenchRow.clockGettime

    static let clockGettime = "clock_gettime"

    init(
        _ name: String, _ title: String, unit: String = "ns",
        beside reference: String = BenchRow.clockGettime
    ) {
        self.name = name
        self.title = title
        self.unit = unit
        self.reference = reference
    }
}

/// What a repetition says of one line.
struct BenchSample {
    var value: Double
    /// Measured right beside; nil where the line stands beside clock_gettime, or nothing.
    var reference: Double?

    init(_ value: Double, beside reference: Double? = nil) {
        self.value = value
        self.reference = reference
    }
}

/// Why `bench` stops: a figure that would not be true.
struct BenchBroken: Error, CustomStringConvertible {
    var description: String
}
