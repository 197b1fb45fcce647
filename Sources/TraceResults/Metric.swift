// The figures of a run: what each is called, in what unit, which way is better. Names are
// camelCase with the unit and the statistic last, such as `spanEndNsP99` or `deliveredSpansPerS`.

/// One figure of a run.
public struct Metric: ResultObject {
    /// Which way is better.
    public enum Direction: String, Codable, Sendable, CaseIterable {
        case lower
        case higher
        /// Neither: a figure to know, not to judge by.
        case neither
    }

    /// What sort of statistic it is, which decides how it may be judged.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// A percentile of `samples` values: needs a hundred of them beyond it.
        case percentile
        /// A mean over `samples` values.
        case mean
        /// Something a second.
        case rate
        /// A total, a peak, a size.
        case total
        /// Follows from the seed alone: any change is one.
        case exact
    }

    /// The figure.
    public var value: Double = 0
    /// Its unit: `ns`, `1/s`, `B`, `1`.
    public var unit = "1"
    /// Which way is better.
    public var better = Direction.neither
    /// How many values it was made from.
    public var samples: UInt64 = 0
    /// What sort of statistic it is.
    public var kind = Kind.total
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// A figure.
    public init(
        _ value: Double, unit: String, better: Direction, kind: Kind, samples: UInt64 = 1
    ) {
        self.value = value
        self.unit = unit
        self.better = better
        self.kind = kind
        self.samples = samples
    }

    public static let fields: [ResultField<Metric>] = [
        .required("value", \.value),
        .required("unit", \.unit),
        .required("better", \.better),
        .required("samples", \.samples),
        .required("kind", \.kind),
    ]
}

/// The names of the distributions a run measures, which are also the stems of their percentiles.
public enum LatencyName: String, Sendable, CaseIterable {
    /// One call to start a span.
    case spanStart = "spanStartNs"
    /// One call to end a span.
    case spanEnd = "spanEndNs"
    /// One decision of the sampler.
    case samplerDecision = "samplerDecisionNs"
    /// From the end of a span to its export request.
    case queueResidence = "queueResidenceNs"
    /// From the first byte of an export request to its answer.
    case exportRequest = "exportRequestNs"
    /// From the end of a span to its acknowledgement.
    case delivery = "deliveryNs"
    /// How late each instant of a trace was executed in real time.
    case scheduleLag = "scheduleLagNs"
    /// How late the machine woke a thread from a sleep, measured in the same run.
    case sleepLateness = "sleepLatenessNs"
    /// How long arrivals waited for a place in simulated time, those that did.
    case queueWait = "queueWaitNs"
    /// From when a trace should have begun to its last end.
    case traceLatency = "traceLatencyNs"
    /// From when a trace did begin to its last end: what latency is without the time it waited to begin.
    case traceService = "traceServiceNs"

    /// The percentiles that become metrics.
    public static let percentiles: [(percentile: Double, suffix: String)] = [
        (50, "P50"), (90, "P90"), (99, "P99"), (99.9, "P999"),
    ]

    /// The name of a statistic of it, such as `spanEndNsP99` or `spanEndNsMax`.
    public func metricName(_ suffix: String) -> String {
        rawValue + suffix
    }
}

/// The names of the other figures.
public enum MetricName: String, Sendable, CaseIterable {
    case achievedTracesPerS
    case achievedSpansPerS
    /// Spans acknowledged a second, from the first start to the last acknowledgement.
    case deliveredSpansPerS
    /// What replaying a span costs with tracing disabled. Shown, never subtracted.
    case replayOverheadNsPerSpan
    /// What the timer itself adds to every timed call.
    case timerFloorNs
    /// Building the request bodies.
    case encodeNsPerSpan
    /// Bytes of request bodies as sent, framing and headers left out.
    case wireBytesPerSpan
    /// Bytes of the batches in protobuf, uncompressed, whatever goes on the wire.
    case bodyBytesPerSpan
    /// CPU time of the whole process, generator included.
    case cpuNsPerSpan
    /// CPU time of the sink's process.
    case sinkCpuNsPerSpan
    /// Largest resident set of the process.
    case peakResidentBytes
    /// Largest resident set of the sink's process.
    case sinkPeakResidentBytes
    /// Heap bytes allocated in the measured part.
    case allocatedBytesPerSpan
    /// Dropped for any reason, of those ended and sampled.
    case droppedSpanShare
    /// Traces complete end to end at the sink, of all that came.
    case completeTraceShare
    /// Spans whose parent did not come, of all that came.
    case orphanSpanShare
    /// Spans with a parent that cannot be theirs, of all that came.
    case wrongParentShare
    /// Spans that came after their trace was judged, of all that came.
    case lateSpanShare
    /// From when the receiver's last fault was over to the acknowledgement of a fresh span.
    case recoveryNs
    /// Threads of the process after the pipeline's shutdown.
    case threadsAtEnd
    /// Its open files then.
    case descriptorsAtEnd
    /// Spans that the sampler kept, where the scenario's schedule says how many there are.
    case keptSpans
    /// 52 bits of the sum of their identities, where identifiers are fixed: which spans were kept.
    case keptSpansChecksum

    /// A metric of this name from its figure; the unit and the direction follow from the name.
    public func metric(_ value: Double, samples: UInt64 = 1) -> Metric {
        switch self {
        case .achievedTracesPerS, .achievedSpansPerS, .deliveredSpansPerS:
            Metric(value, unit: "1/s", better: .higher, kind: .rate, samples: samples)
        case .replayOverheadNsPerSpan, .encodeNsPerSpan, .cpuNsPerSpan, .sinkCpuNsPerSpan:
            Metric(value, unit: "ns", better: .lower, kind: .mean, samples: samples)
        case .recoveryNs:
            Metric(value, unit: "ns", better: .lower, kind: .total, samples: samples)
        case .threadsAtEnd, .descriptorsAtEnd:
            Metric(value, unit: "1", better: .neither, kind: .total, samples: samples)
        case .timerFloorNs:
            Metric(value, unit: "ns", better: .neither, kind: .mean, samples: samples)
        case .wireBytesPerSpan, .bodyBytesPerSpan, .allocatedBytesPerSpan:
            Metric(value, unit: "B", better: .lower, kind: .mean, samples: samples)
        case .peakResidentBytes, .sinkPeakResidentBytes:
            Metric(value, unit: "B", better: .lower, kind: .total, samples: samples)
        case .completeTraceShare:
            Metric(value, unit: "1", better: .higher, kind: .mean, samples: samples)
        case .droppedSpanShare, .orphanSpanShare, .wrongParentShare, .lateSpanShare:
            Metric(value, unit: "1", better: .lower, kind: .mean, samples: samples)
        case .keptSpans, .keptSpansChecksum:
            Metric(value, unit: "1", better: .neither, kind: .exact, samples: samples)
        }
    }
}

extension RunRecord {
    /// Enters a figure; one that is not finite is left out, for no file could hold it.
    public mutating func set(_ name: MetricName, _ value: Double, samples: UInt64 = 1) {
        guard value.isFinite else { return }
        metrics[name.rawValue] = name.metric(value, samples: samples)
    }

    /// Enters how well traces arrived, and the shares as figures.
    public mutating func set(_ quality: TraceQualityFigures) {
        traceQuality = quality
        guard quality.traces > 0 else { return }
        set(.completeTraceShare, quality.completeShare, samples: quality.traces)
        set(.orphanSpanShare, quality.orphanShare, samples: quality.spans)
        set(.wrongParentShare, quality.wrongParentShare, samples: quality.spans)
        set(.lateSpanShare, quality.lateShare, samples: quality.spans + quality.lateSpans)
    }

    /// The figure of a name.
    public func value(_ name: MetricName) -> Double? {
        metrics[name.rawValue]?.value
    }

    /// Enters the figures that follow from the seed alone, from closed books. For runs whose schedule says
    /// how many traces there are: at `rate: max` the time of the run decides.
    ///
    /// - Parameter hasFixedIdentifiers: whether spans have the same identifiers in every run.
    public mutating func setExactFigures(hasFixedIdentifiers: Bool) {
        set(.keptSpans, Double(ledger.tracer.sampledEnded))
        guard hasFixedIdentifiers, let sum = ledger.issued?.identitySum else { return }
        // A JSON number is exact to 53 bits; folding keeps every bit of the sum in it.
        set(.keptSpansChecksum, Double((sum ^ sum >> 52) & ((1 << 52) - 1)))
    }

    /// Enters a distribution, its percentiles, its largest value and its mean; nothing when empty.
    public mutating func set(_ name: LatencyName, _ histogram: LatencyHistogram) {
        guard !histogram.isEmpty else { return }
        histograms[name.rawValue] = HistogramRecord(histogram)
        for (percentile, suffix) in LatencyName.percentiles {
            metrics[name.metricName(suffix)] = Metric(
                Double(histogram.valueNs(atPercentile: percentile)), unit: "ns", better: .lower,
                kind: .percentile, samples: histogram.count)
        }
        metrics[name.metricName("Max")] = Metric(
            Double(histogram.maxNs), unit: "ns", better: .neither, kind: .total,
            samples: histogram.count)
        metrics[name.metricName("Mean")] = Metric(
            histogram.meanNs, unit: "ns", better: .lower, kind: .mean, samples: histogram.count)
    }
}
