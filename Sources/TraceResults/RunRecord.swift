// One run in a result file: when, under what load and on how busy a host, the books, and the
// figures.

/// One run of one variant.
public struct RunRecord: ResultObject {
    /// The variant; `default` when the scenario names none.
    public var variant = "default"
    /// The round, from 0.
    public var round = 0
    /// The place within the round, from 0.
    public var slot = 0
    /// The run's seed where it is not the scenario's: each round of a comparison has its own.
    public var seed: UInt64?
    /// When the measured part began: RFC 3339, UTC.
    public var startedAt = ""
    /// Whether the figures may be used.
    public var valid = false
    /// Why not; nil when they may.
    public var reason: String?
    /// Whether a signal ended the run.
    public var interrupted = false
    /// What was asked for and what was done.
    public var load = LoadFacts()
    /// How busy the host was with other things.
    public var host = HostConditions()
    /// What the pipeline was to hold at most, and held; nil when nobody stated it.
    public var memory: MemoryFacts?
    /// The books.
    public var ledger = ConservationLedger()
    /// The figures by name.
    public var metrics: [String: Metric] = [:]
    /// The distributions by name.
    public var histograms: [String: HistogramRecord] = [:]
    /// How well traces arrived, by the receiver's own decode; nil when no sink of ours received them.
    public var traceQuality: TraceQualityFigures?
    /// Who calls whom in them, likewise.
    public var graph: ServiceGraph?
    /// What the sampler kept of the planned traces; nil without `--fidelity`.
    public var fidelity: FidelityFigures?
    /// Two of these traces, likewise.
    public var exampleTraces: ExampleTraces?
    /// The course of the run.
    public var series = RunSeries()
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<RunRecord>] = [
        .required("variant", \.variant),
        .required("round", \.round),
        .required("slot", \.slot),
        .optionalDecimal("seed", \.seed),
        .required("startedAt", \.startedAt),
        .required("valid", \.valid),
        .optional("reason", \.reason),
        .required("interrupted", \.interrupted),
        .required("load", \.load),
        .required("host", \.host),
        .optional("memory", \.memory),
        .required("ledger", \.ledger),
        .required("metrics", \.metrics),
        .required("histograms", \.histograms),
        .optional("traceQuality", \.traceQuality),
        .optional("graph", \.graph),
        .optional("fidelity", \.fidelity),
        .optional("exampleTraces", \.exampleTraces),
        .required("series", \.series),
    ]

    /// Declares the run unusable; the first reason given stays.
    public mutating func invalidate(_ reason: String) {
        valid = false
        if self.reason == nil { self.reason = reason }
    }
}

/// The load of a run, measured part only.
public struct LoadFacts: ResultObject {
    /// Length of the measured part.
    public var durationNs: UInt64 = 0
    /// Traces that should have started.
    public var intendedTraces: UInt64 = 0
    /// Traces that did.
    public var achievedTraces: UInt64 = 0
    /// Spans of the traces that should have started.
    public var intendedSpans: UInt64 = 0
    /// Spans started.
    public var achievedSpans: UInt64 = 0
    /// The intended rate; nil when as fast as possible was asked for.
    public var intendedTracesPerS: Double?
    /// Likewise in spans.
    public var intendedSpansPerS: Double?
    /// Traces that began later than the schedule allows.
    public var lateStarts: UInt64 = 0
    /// Traces left out since too many were in flight.
    public var skippedTraces: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<LoadFacts>] = [
        .required("durationNs", \.durationNs),
        .required("intendedTraces", \.intendedTraces),
        .required("achievedTraces", \.achievedTraces),
        .required("intendedSpans", \.intendedSpans),
        .required("achievedSpans", \.achievedSpans),
        .optional("intendedTracesPerS", \.intendedTracesPerS),
        .optional("intendedSpansPerS", \.intendedSpansPerS),
        .required("lateStarts", \.lateStarts),
        .required("skippedTraces", \.skippedTraces),
    ]

    /// Traces started a second; 0 without a duration.
    public var achievedTracesPerS: Double { perSecond(achievedTraces) }
    /// Spans started a second; 0 without a duration.
    public var achievedSpansPerS: Double { perSecond(achievedSpans) }

    private func perSecond(_ count: UInt64) -> Double {
        durationNs == 0 ? 0 : Double(count) / (Double(durationNs) / 1e9)
    }
}

/// How busy the host was with other things during a run. Shares of one; nil where it cannot tell.
public struct HostConditions: ResultObject {
    /// Share of all processor time that the hypervisor gave to others.
    public var stealShare: Double?
    /// Share of the time in which some task waited for a processor (PSI).
    public var cpuPressureShare: Double?
    /// Likewise for memory.
    public var memoryPressureShare: Double?
    /// Likewise for input and output.
    public var ioPressureShare: Double?
    /// Time of the calibration kernel before the run.
    public var calibrationBeforeNs: UInt64?
    /// Time of the calibration kernel after the run.
    public var calibrationAfterNs: UInt64?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<HostConditions>] = [
        .optional("stealShare", \.stealShare),
        .optional("cpuPressureShare", \.cpuPressureShare),
        .optional("memoryPressureShare", \.memoryPressureShare),
        .optional("ioPressureShare", \.ioPressureShare),
        .optional("calibrationBeforeNs", \.calibrationBeforeNs),
        .optional("calibrationAfterNs", \.calibrationAfterNs),
    ]
}

/// A distribution in a result file.
public struct HistogramRecord: ResultObject {
    /// The unit of its values: `ns`.
    public var unit = "ns"
    /// How many samples it holds.
    public var samples: UInt64 = 0
    /// HdrHistogram V2, compressed, base64.
    public var hdrV2 = ""
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// The record of a histogram of nanoseconds.
    public init(_ histogram: LatencyHistogram) {
        samples = histogram.count
        hdrV2 = histogram.base64Encoded()
    }

    public static let fields: [ResultField<HistogramRecord>] = [
        .required("unit", \.unit),
        .required("samples", \.samples),
        .required("hdrV2", \.hdrV2),
    ]

    /// The histogram it stands for.
    public func histogram() throws(HistogramCodecError) -> LatencyHistogram {
        try LatencyHistogram(base64: hdrV2)
    }
}

/// The course of a run: one row an interval, one column a quantity.
public struct RunSeries: ResultObject {
    /// Length of an interval.
    public var intervalMs = 1000
    /// The columns by name, all of the same length.
    public var columns: [String: [Double]] = [:]
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<RunSeries>] = [
        .required("intervalMs", \.intervalMs),
        .required("columns", \.columns),
    ]

    /// The number of intervals.
    public var rowCount: Int {
        columns.values.map(\.count).max() ?? 0
    }

    /// Adds a row. A column that appears late is zero up to then; one that is missing is zero.
    public mutating func append(_ row: [String: Double]) {
        let before = rowCount
        for (name, value) in row {
            let missing = before - columns[name, default: []].count
            columns[name, default: []] += Array(repeating: 0, count: missing) + [value]
        }
        for (name, column) in columns where column.count == before {
            columns[name]?.append(0)
        }
    }
}
