// The pipeline's figures about itself, under the names of OpenTelemetry's semantic conventions for SDK
// metrics ("otel.sdk.*", status development), and "tracemill.*" for what they have no name for. Read from
// the books; nothing is counted on the span path for them.

import TraceCore

/// The pipeline's own figures at one moment.
///
/// Counters grow from 0 and are the totals so far. Points without spans so far are there with the value 0,
/// but for those with an `error.type`.
public struct PipelineMetrics: Sendable, Equatable {
    /// The instrument that a point belongs to.
    public enum Instrument: String, Sendable {
        case counter
        case upDownCounter
    }

    /// One number of one component.
    public struct Point: Sendable, Equatable {
        /// As `otel.sdk.processor.span.processed`.
        public var name: String
        public var instrument: Instrument
        /// UCUM: `{span}`; of tail stages `{trace}` and `By`, too.
        public var unit: String
        /// As `otel.component.name`, `otel.component.type`, `error.type`, `otel.span.sampling_result`,
        /// `tracemill.not_recorded.reason`, `tracemill.sweep.action`.
        public var attributes: [String: String]
        public var value: UInt64
    }

    /// How long exports took, as a histogram of one component and one kind of end.
    public struct DurationPoint: Sendable, Equatable {
        /// `otel.sdk.exporter.operation.duration`: from a batch's being built to its end, retries included.
        public var name: String
        public var attributes: [String: String]
        public var durations: DurationHistogram
    }

    public var points: [Point] = []
    public var durations: [DurationPoint] = []

    /// The sum of the points of that name that have all of these attributes; nil when there is none.
    public func value(of name: String, where attributes: [String: String] = [:]) -> UInt64? {
        let found = points.filter { point in
            point.name == name && attributes.allSatisfy { point.attributes[$0.key] == $0.value }
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    mutating func add(
        _ name: String, _ instrument: Instrument, _ value: UInt64, _ attributes: [String: String]
    ) {
        points.append(
            Point(
                name: "otel.sdk.\(name)", instrument: instrument, unit: "{span}",
                attributes: attributes, value: value))
    }

    /// What the conventions have no name for.
    mutating func addOwn(
        _ name: String, _ value: UInt64, _ attributes: [String: String],
        _ instrument: Instrument = .counter, unit: String = "{span}"
    ) {
        points.append(
            Point(
                name: "tracemill.\(name)", instrument: instrument, unit: unit,
                attributes: attributes, value: value))
    }
}

/// Durations in the buckets that OpenTelemetry proposes for seconds.
public struct DurationHistogram: Sendable, Equatable {
    /// Upper bounds, seconds, each belonging to its bucket; one more bucket has what is above.
    public static let boundsS: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]

    public private(set) var count: UInt64 = 0
    public private(set) var sumNs: UInt64 = 0
    public private(set) var maxNs: UInt64 = 0
    /// One more than ``boundsS``.
    public private(set) var bucketCounts = [UInt64](repeating: 0, count: boundsS.count + 1)

    public init() {}

    mutating func add(ns durationNs: UInt64) {
        count += 1
        sumNs &+= durationNs
        maxNs = max(maxNs, durationNs)
        let seconds = Double(durationNs) / 1e9
        bucketCounts[Self.boundsS.firstIndex { seconds <= $0 } ?? Self.boundsS.count] += 1
    }
}

/// How long one exporter's batches took, by their end: nil for those that were taken whole.
struct ExportDurations: Sendable {
    private(set) var byErrorType: [String?: DurationHistogram] = [nil: DurationHistogram()]

    mutating func add(_ record: BatchRecord) {
        byErrorType[record.outcome.errorType, default: DurationHistogram()]
            .add(ns: record.exportNs)
    }
}

extension BatchRecord {
    /// From its being built to its end.
    var exportNs: UInt64 { settledNs > builtNs ? settledNs - builtNs : 0 }
}

extension BatchOutcome {
    /// `error.type`; nil for success.
    var errorType: String? {
        switch self {
        case .acknowledged: nil
        case .rejected: "rejected"
        case .dropped(.refused): "refused"
        case .dropped(.retriesExhausted): "retries_exhausted"
        case .dropped(.oversize): "oversize"
        case .dropped(.shutdown): "shutdown"
        }
    }
}
