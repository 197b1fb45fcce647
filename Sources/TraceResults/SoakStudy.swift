// Memory over a long run, from its result file: whether it goes on growing, whether it stayed below what was
// stated before the run, and what a receiver that was away for a while did to it.

/// A long run judged.
public struct SoakStudy: Sendable {
    /// What memory is held against.
    public struct Limits: Sendable {
        /// What comes before is the filling of pools, and no part of the slope.
        public var settleNs: UInt64
        /// The most that resident memory may grow in an hour.
        public var slopeBytesPerHour: Double
        /// The receiver was to be away; then it must have been.
        public var wantsOutage: Bool
        /// A fresh span is acknowledged within so long once it is back.
        public var recoveryNs = 5e9

        /// Limits.
        public init(settleNs: UInt64, slopeBytesPerHour: Double, wantsOutage: Bool) {
            self.settleNs = settleNs
            self.slopeBytesPerHour = slopeBytesPerHour
            self.wantsOutage = wantsOutage
        }
    }

    /// One finding.
    public struct Line: Sendable, Equatable {
        public var name: String
        public var text: String
        public var code: ExitCode
    }

    /// Medians over so many stretches make the slope: neighbouring seconds tell nothing new.
    private static let stretchCount = 60
    /// Fewer say nothing.
    private static let stretchCountMin = 8

    private let columns: [String: [Double]]
    /// Hours from the start to the end of each row.
    private let hours: [Double]
    /// Rows without an acknowledgement while the receiver was away.
    private let outage: Range<Int>?
    private let settleHours: Double
    /// What was found, the books first.
    public private(set) var lines: [Line] = []

    /// Judges a run.
    public init(_ run: RunRecord, limits: Limits) {
        columns = run.series.columns
        let rows = run.series.rowCount
        let interval = Double(run.series.intervalMs) / 3.6e6
        let ends = columns["elapsedS"] ?? []
        hours = (0..<rows).map {
            ends.indices.contains($0) ? ends[$0] / 3600 : Double($0 + 1) * interval
        }
        settleHours = Double(limits.settleNs) / 3.6e12
        let isStruck = run.ledger.sink?.lastFaultNs != nil
        outage = isStruck ? Self.longestSilence(columns["acknowledgedSpansPerS"] ?? []) : nil
        lines.append(books(run))
        lines.append(slopeLine(limits))
        for (column, name) in [("allocatedBytes", "allocated"), ("heldBytes", "pages held")] {
            if let slope = slope(of: column) {
                lines.append(Line(name: "  " + name, text: Self.text(slope), code: .pass))
            }
        }
        if let ceiling = ceiling(run) { lines.append(ceiling) }
        if isStruck || limits.wantsOutage { lines.append(recovery(run, limits, isStruck)) }
    }

    /// What a command ends with.
    public var code: ExitCode { .combining(lines.map(\.code)) }

    /// The slope of a column of bytes in bytes an hour, after the settling and without the time of an outage;
    /// nil where there is too little of it.
    public func slope(of column: String) -> IntervalEstimate? {
        guard let values = columns[column] else { return nil }
        let groups = judgedRows.map { rows in
            rows.filter { $0 < values.count }.map { TheilSen.Point(hours[$0], values[$0]) }
        }
        let rows = groups.reduce(0) { $0 + $1.count }
        let length = max(1, (rows + Self.stretchCount - 1) / Self.stretchCount)
        let stretches = groups.map { Self.medians($0, length: length) }
        guard stretches.reduce(0, { $0 + $1.count }) >= Self.stretchCountMin else { return nil }
        return TheilSen.slope(stretches)
    }

    /// The rows that the slope is of: before and after an outage, each for itself, since what a full queue has
    /// touched stays.
    private var judgedRows: [Range<Int>] {
        let first = hours.firstIndex { $0 > settleHours } ?? hours.count
        guard let outage else { return [first..<hours.count] }
        let calm = outage.upperBound < hours.count ? hours[outage.upperBound] + settleHours / 10 : 0
        let again = hours.firstIndex { $0 > calm } ?? hours.count
        return [
            first..<max(first, outage.lowerBound),
            max(first, outage.upperBound, again)..<max(first, hours.count),
        ]
    }

    private static func medians(_ points: [TheilSen.Point], length: Int) -> [TheilSen.Point] {
        stride(from: 0, to: points.count, by: length).compactMap { start in
            let stretch = points[start..<min(start + length, points.count)]
            guard 2 * stretch.count >= length else { return nil }
            return TheilSen.Point(
                OrderStatistics.median(stretch.map(\.x)), OrderStatistics.median(stretch.map(\.y)))
        }
    }

    /// The longest run of rows without an acknowledgement.
    private static func longestSilence(_ acknowledged: [Double]) -> Range<Int>? {
        var longest: Range<Int>?
        var start = 0
        for (row, value) in acknowledged.enumerated() {
            if value > 0 {
                start = row + 1
            } else if row + 1 - start > longest?.count ?? 0 {
                longest = start..<row + 1
            }
        }
        return longest
    }

    // MARK: Findings

    /// Added up again: what a file says of its books is not believed.
    private func books(_ run: RunRecord) -> Line {
        var found = run.ledger.violations + run.ledger.violations(at: .atRest)
        if run.ledger.checked.isEmpty {
            return Line(name: "laws", text: "its books were never closed", code: .invalidRun)
        }
        if let first = found.first {
            found.removeFirst()
            let more = found.isEmpty ? "" : " (and \(found.count) more)"
            return Line(name: "laws", text: "BROKEN: \(first.message)\(more)", code: .invalidRun)
        }
        guard run.valid else {
            return Line(
                name: "laws", text: "hold, but the run is invalid: \(run.reason ?? "no reason")",
                code: .invalidRun)
        }
        let rate = NumberText.grouped(Int(run.load.achievedSpansPerS.rounded()))
        let duration = NumberText.duration(ns: Double(run.load.durationNs))
        return Line(name: "laws", text: "hold, \(duration) at \(rate) spans/s", code: .pass)
    }

    private func slopeLine(_ limits: Limits) -> Line {
        let name = "resident"
        guard let slope = slope(of: "residentBytes") else {
            return Line(
                name: name, text: "too short to tell a slope: give it more time, or less to settle",
                code: .inconclusive)
        }
        let limit = NumberText.size(bytes: limits.slopeBytesPerHour)
        let text = "\(Self.text(slope)), limit \(limit)"
        if slope.upper < limits.slopeBytesPerHour {
            return Line(name: name, text: text, code: .pass)
        }
        guard slope.lower <= limits.slopeBytesPerHour else {
            return Line(name: name, text: "GROWS: \(text)", code: .regression)
        }
        return Line(
            name: name, text: "\(text): cannot be told yet, give it more time", code: .inconclusive)
    }

    private func ceiling(_ run: RunRecord) -> Line? {
        guard let memory = run.memory else { return nil }
        func size(_ bytes: UInt64) -> String { NumberText.size(bytes: Double(bytes)) }
        let ceiling = memory.residentBeforeBytes + memory.statedBytes
        let held = run.metrics["heldBytesMax"]?.value
        var text =
            "peak \(size(memory.peakResidentBytes)) of \(size(ceiling)) "
            + "(\(size(memory.residentBeforeBytes)) before, \(size(memory.statedBytes)) stated)"
        if let held { text += "; pages \(NumberText.size(bytes: held)) at most" }
        let isKept =
            memory.peakResidentBytes <= ceiling && held ?? 0 <= Double(memory.statedBytes)
        return Line(
            name: "ceiling", text: isKept ? text : "EXCEEDED: \(text)",
            code: isKept ? .pass : .regression)
    }

    private func recovery(_ run: RunRecord, _ limits: Limits, _ isStruck: Bool) -> Line {
        guard isStruck, let outage else {
            return Line(
                name: "outage", text: "the receiver was never away: nothing is proved",
                code: .invalidRun)
        }
        let start = outage.lowerBound > 0 ? hours[outage.lowerBound - 1] : 0
        let length = (hours[outage.upperBound - 1] - start) * 3.6e12
        var text = "\(NumberText.duration(ns: length)) without an acknowledgement"
        let resident = columns["residentBytes"] ?? []
        if outage.upperBound <= resident.count, outage.lowerBound > 0,
            let peak = resident[outage].max()
        {
            text += ", memory \(Self.signed(peak - resident[outage.lowerBound - 1]))"
        }
        guard let recovery = run.metrics["recoveryNs"]?.value else {
            return Line(
                name: "outage", text: "\(text); NO SPAN arrived after it", code: .regression)
        }
        let isQuick = recovery <= limits.recoveryNs
        text += "; a fresh span \(NumberText.duration(ns: recovery)) after it"
        return Line(
            name: "outage", text: isQuick ? text : "TOO LATE: \(text)",
            code: isQuick ? .pass : .regression)
    }

    private static func signed(_ bytes: Double) -> String {
        (bytes < 0 ? "−" : "+") + NumberText.size(bytes: abs(bytes))
    }

    /// `+12.0 KiB an hour [−3.00 KiB, +40.0 KiB]`
    static func text(_ slope: IntervalEstimate) -> String {
        "\(signed(slope.estimate)) an hour [\(signed(slope.lower)), \(signed(slope.upper))]"
    }
}
