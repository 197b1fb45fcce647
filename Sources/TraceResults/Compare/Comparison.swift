// What a comparison found: every variant with the medians of its figures over the rounds, their range,
// and which variants are dominated. Made from result files by ComparisonBuilder; shown by the other files
// of this folder. Values only; any thread.

/// A comparison of variants.
public struct Comparison: Sendable, Equatable {
    /// A run that does not count.
    public struct InvalidRun: Sendable, Equatable {
        public var variant: String
        public var round: Int
        public var reason: String
    }

    /// The scenario's name.
    public var scenario = ""
    /// The seed of round 0.
    public var seed: UInt64 = 0
    /// The rounds that the runs come from.
    public var rounds = 0
    /// The variants in the order in which they are shown.
    public var variants: [ComparedVariant] = []
    /// The figures to show, in order.
    public var columns: [ComparedColumn] = []
    /// Unit and direction of the figures that are not shown, by name.
    public var hiddenColumns: [String: ComparedColumn] = [:]
    /// The figure that the variants are sorted by, the best first.
    public var sortedBy = ""
    /// What a variant costs and what it gives: the plot's axes, and what dominance is judged by.
    public var axes = ComparisonAxes()
    /// The variant that ratios are taken over; nil where runs are not pairs.
    public var reference: String?
    /// Completeness by pairs of services, a table for each variant that has one.
    public var servicePairs: [ServicePairTable] = []
    public var invalidRuns: [InvalidRun] = []
    /// What a reader should know beside the figures.
    public var notes: [String] = []
    /// The signal that ended it early.
    public var interruption: ExitCode?

    public init() {}

    /// What the command ends with.
    public var exitCode: ExitCode {
        var codes: [ExitCode] = invalidRuns.isEmpty ? [] : [.invalidRun]
        if variants.isEmpty { codes.append(.invalidRun) }
        if let interruption { codes.append(interruption) }
        return ExitCode.combining(codes)
    }

    /// The variants that no other dominates, the cheapest first.
    public var front: [ComparedVariant] {
        variants.filter { $0.standing == .front }.sorted {
            let costs = [$0, $1].map { $0.median(axes.cost) ?? .infinity }
            return (costs[0], $0.name) < (costs[1], $1.name)
        }
    }
}

/// The two figures of a plot.
public struct ComparisonAxes: Sendable, Equatable {
    public var cost: String
    public var gain: String

    public init(cost: String = "cpuMsPerThousandTraces", gain: String = "errorTraceRecall") {
        self.cost = cost
        self.gain = gain
    }
}

/// A figure that is shown.
public struct ComparedColumn: Sendable, Equatable {
    /// As in result files.
    public var metric: String
    public var unit: String
    public var better: Metric.Direction
}

/// One variant.
public struct ComparedVariant: Sendable, Equatable {
    /// Where it stands among the others.
    public enum Standing: String, Sendable {
        /// No other is at least as good in both axes and better in one.
        case front
        case dominated
        /// It lacks a figure of the axes.
        case unplaced
    }

    public var name: String
    /// What the result file says of its sampler and budget.
    public var facts: VariantFacts?
    /// Runs that count.
    public var runs = 0
    public var figures: [String: ComparedFigure] = [:]
    public var standing = Standing.unplaced
    /// Names of the variants on the front that dominate it.
    public var dominators: [String] = []

    /// The median of a figure; nil where no run has it.
    public func median(_ metric: String) -> Double? { figures[metric]?.median }
}

/// One figure of one variant over the rounds.
public struct ComparedFigure: Sendable, Equatable {
    /// From so many rounds on there is an interval.
    public static let intervalRunsMin = 6

    public var median: Double
    public var smallest: Double
    public var largest: Double
    public var runs: Int
    /// Hodges and Lehmann's estimate of the middle with the exact signed-rank interval, 95%; nil with too
    /// few rounds.
    public var interval: IntervalEstimate?
    /// Over the reference in the same rounds: the exponential of the same for the logarithms of ratios. Bounds
    /// are infinite and 0 with too few rounds.
    public var ratio: IntervalEstimate?

    /// Of at least one value.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty, "a figure has at least one value")
        median = OrderStatistics.median(values)
        smallest = values.min() ?? median
        largest = values.max() ?? median
        runs = values.count
        if values.count >= Self.intervalRunsMin, values.count <= SignedRank.countMax {
            interval = SignedRank.interval(of: values, confidence: Self.confidence)
        }
    }

    /// Of the intervals.
    public static let confidence = 0.95

    /// The ratio of values to those of another variant in the same rounds; nil where one is not above 0.
    public static func ratio(of values: [Double], over others: [Double]) -> IntervalEstimate? {
        guard values.count == others.count, (1...SignedRank.countMax).contains(values.count),
            (values + others).allSatisfy({ $0 > 0 })
        else { return nil }
        let interval = SignedRank.interval(
            of: zip(values, others).map { logarithm($0 / $1) }, confidence: confidence)
        return IntervalEstimate(
            estimate: exponential(interval.estimate), lower: exponential(interval.lower),
            upper: exponential(interval.upper))
    }
}

/// Of every service what share of the traces it kept another kept, too.
public struct ServicePairTable: Sendable, Equatable {
    public var variant: String
    public var services: [String]
    /// By the service that kept a trace, then by the other: nil where the first kept none that the other saw.
    public var shares: [[Double?]]

    /// Whether some service lacks traces that another kept.
    public var isSplit: Bool { shares.contains { $0.contains { ($0 ?? 1) < 0.9995 } } }

    /// The variants in which services agree, in a sentence; nil where there are none.
    static func wordsOfWhole(_ tables: [ServicePairTable]) -> String? {
        let names = tables.filter { !$0.isSplit }.map(\.variant)
        guard !names.isEmpty else { return nil }
        return "\(names.joined(separator: ", ")): what one service kept, the others kept, too"
    }

    public init(variant: String, services: [String], shares: [[Double?]]) {
        self.variant = variant
        self.services = services
        self.shares = shares
    }
}
