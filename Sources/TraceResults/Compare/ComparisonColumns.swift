// Which figures a comparison shows where nobody chooses, what they are called, and how they are written.

import Glibc

/// Natural logarithm and its inverse, for those who import no C library.
func logarithm(_ value: Double) -> Double { log(value) }
func exponential(_ value: Double) -> Double { exp(value) }

/// Figures to choose from.
public enum ComparisonColumns {
    /// What a sampler costs.
    public static let cost = [
        "cpuMsPerThousandTraces", "cpuNsPerSpan", "samplerDecisionNsP50", "heldBytesMax",
        "exportedBytesPerS",
    ]
    /// What it keeps.
    public static let fidelity = [
        "keptSpanShare", "errorTraceRecall", "slowTraceRecall", "patternCoverage",
        "completeKeptTraceShare", "countEstimateRmse",
    ]
    /// What a pipeline costs, where nothing says what was kept.
    public static let pipeline = [
        "cpuNsPerSpan", "deliveredSpansPerS", "spanEndNsP99", "deliveryNsP99", "wireBytesPerSpan",
        "droppedSpanShare", "peakResidentBytes",
    ]

    /// The columns where nobody chooses, of those that runs have.
    public static func standard(having metrics: Set<String>) -> [String] {
        let isAboutSamplers = metrics.contains { fidelity.contains($0) }
        return (isAboutSamplers ? cost + fidelity : pipeline).filter(metrics.contains)
    }

    /// The axes where nobody chooses.
    public static func standardAxes(having metrics: Set<String>) -> ComparisonAxes {
        func first(_ names: [String], _ otherwise: String) -> String {
            names.first(where: metrics.contains) ?? otherwise
        }
        let isAboutSamplers = metrics.contains { fidelity.contains($0) }
        guard isAboutSamplers else {
            return ComparisonAxes(cost: "cpuNsPerSpan", gain: "deliveredSpansPerS")
        }
        return ComparisonAxes(
            cost: first(["cpuMsPerThousandTraces", "cpuNsPerSpan"], "cpuNsPerSpan"),
            gain: first(
                ["errorTraceRecall", "slowTraceRecall", "patternCoverage"], "keptSpanShare"))
    }

    private static let titles = [
        "cpuMsPerThousandTraces": "CPU/1000 traces", "cpuNsPerSpan": "CPU /span",
        "samplerDecisionNsP50": "decision p50", "heldBytesMax": "held at most",
        "exportedBytesPerS": "exported /s", "exportRequestsPerS": "requests /s",
        "keptTraceShare": "kept traces", "keptSpanShare": "kept spans",
        "keptByteShare": "kept bytes",
        "budgetErrorShare": "budget error", "budgetErrorShareWorst": "budget worst-1s",
        "errorTraceRecall": "error recall", "errorTracePrecision": "error precision",
        "slowTraceRecall": "slow recall", "patternCoverage": "pattern coverage",
        "patternEntropyBits": "pattern entropy", "patternDivergenceBits": "pattern diverg.",
        "completeKeptTraceShare": "complete traces", "keptOrphanSpanShare": "orphan spans",
        "serviceAgreement": "service agreement", "countEstimateBias": "count bias",
        "countEstimateRmse": "count RMSE", "countIntervalHitShare": "interval hits",
        "durationP50Error": "p50 error", "durationP99Error": "p99 error",
        "errorRateError": "err.rate error", "rareKeysKeptShare": "rare keys",
        "burstReactionNs": "burst reaction", "tailLateLossShare": "late loss",
        "tailEvictedLossShare": "evicted loss", "decisionDelayNsP50": "delay p50",
        "decisionDelayNsP99": "delay p99", "allocatedBytesPerDecision": "alloc. decision",
        "allocatedBytesPerSpan": "alloc. /span", "deliveredSpansPerS": "delivered spans/s",
        "achievedSpansPerS": "made spans/s", "wireBytesPerSpan": "wire /span",
        "bodyBytesPerSpan": "body /span", "droppedSpanShare": "dropped spans",
        "peakResidentBytes": "peak memory", "spanEndNsP99": "end p99", "spanEndNsP50": "end p50",
        "deliveryNsP99": "delivery p99", "deliveryNsP50": "delivery p50",
        "keptSpans": "kept number",
    ]

    /// Two words at most that fit a narrow column: a figure that has none has its name, broken.
    public static func title(_ metric: String) -> String {
        if let title = titles[metric] { return title }
        let safe = TerminalText.neutralised(metric)
        return safe.count <= 10 ? safe : "\(safe.prefix(9)) \(safe.dropFirst(9))"
    }

    /// What a figure is, in words for an axis.
    public static func axisTitle(_ column: ComparedColumn) -> String {
        let words = titles[column.metric]
        let unit = column.unit == "1" || column.unit.isEmpty ? "" : ", \(column.unit)"
        return words.map { "\($0) (\(column.metric))" } ?? column.metric + unit
    }

    private static let shareEndings = [
        "Share", "Recall", "Precision", "Coverage", "Agreement", "Rmse", "Bias", "Error",
        "ShareWorst",
    ]

    /// Whether a figure is a share, shown as a percentage.
    static func isShare(_ column: ComparedColumn) -> Bool {
        column.unit == "1" && shareEndings.contains(where: column.metric.hasSuffix)
    }

    /// A figure in its unit; shares as percentages.
    public static func text(_ value: Double, _ column: ComparedColumn) -> String {
        guard value.isFinite else { return "–" }
        switch column.unit {
        case "ms": return NumberText.duration(ns: value * 1e6)
        case "bit": return "\(NumberText.short(value)) bit"
        case "1" where isShare(column):
            return percent(value)
        case "1/s" where column.metric.contains("Bytes"):
            return "\(NumberText.size(bytes: value))/s"
        default: return GateText.value(value, unit: column.unit)
        }
    }

    /// Never rounded to nothing or everything: `<0.1%`, `>99.9%`.
    static func percent(_ share: Double) -> String {
        switch abs(share) * 100 {
        case 0: "0%"
        case ..<0.01: share > 0 ? "<0.01%" : ">-0.01%"
        case ..<1: NumberText.fixed(share * 100, decimals: 2) + "%"
        case let percent where percent > 99.95 && percent < 100: ">99.9%"
        case 100: share > 0 ? "100%" : "-100%"
        case 1000...: "× \(NumberText.short(share))"
        default: NumberText.fixed(share * 100, decimals: 1) + "%"
        }
    }

    /// What lies around a median: the interval from six rounds on, else the range; nil where all are equal.
    public static func spread(_ figure: ComparedFigure, _ column: ComparedColumn) -> String? {
        let bounds: (lower: Double, upper: Double)
        if let interval = figure.interval, interval.isBounded {
            bounds = (interval.lower, interval.upper)
        } else {
            bounds = (figure.smallest, figure.largest)
        }
        guard figure.runs > 1 else { return nil }
        let (lower, upper) = (text(bounds.lower, column), text(bounds.upper, column))
        guard lower != upper else { return nil }
        // The unit is the median's, where both have that.
        let unit = Self.unit(of: text(figure.median, column))
        guard Self.unit(of: lower) == unit, Self.unit(of: upper) == unit else {
            return "\(lower)–\(upper)".replacing(" ", with: "")
        }
        let numbers = [lower, upper].map {
            String($0.dropLast(unit.count)).replacing(" ", with: "")
        }
        return numbers.joined(separator: "–")
    }

    /// What stands behind a number.
    private static func unit(of text: String) -> String {
        String(text.reversed().prefix { !$0.isNumber }.reversed())
    }
}
