// What `bench` measures, part by part. Each repetition is a whole measurement of its own; the order is
// fixed, and nothing runs beside it but what the figure says. Costs are the CPU time of the thread that
// bears them: what a busy neighbour takes is not theirs.
import Synchronization
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

struct BenchSuite {
    let repetitions: Int
    let clock: ClockSource
    let deliveryNs: UInt64
    let filter: [String]?
    /// A quarter of the spans, and none of the long series.
    var isQuick = false
    /// With the longest series.
    var isLong = false
    var figures: [BenchFigure] = []
    var settings = DeliverySettings()
    /// The shapes that were delivered and found as they should be, by name.
    var verifications: [String: BenchVerification] = [:]
    /// Why the run ended before its time: the first broken ledger of a delivery trial, a shape or a row.
    var broken: String?
    var onFigure: ((BenchFigure) -> Void)?
    /// What has to be said before figures, such as the memory that they will take.
    var onRemark: ((String) -> Void)?
    /// What goes on, from a row's second second on.
    var onProgress: ((String) -> Void)?
    /// Which part runs now.
    private(set) var group = BenchGroup.host
    /// The host's pace beside every repetition so far.
    private(set) var paces: [HostPace] = []

    /// How the delivery figures were made.
    struct DeliverySettings: Encodable {
        var batchSpans = DeliveryTrial().batchSpans
        var queueSpans = DeliveryTrial().queueSpans
        var connections = DeliveryTrial().connections
        var producers = 1
        var sink = "tracemill sink, count mode, one event loop, own process, loopback"
        var ledger = "not run"
        /// What the pipelines stated that they would hold at most, by figure.
        var memoryStatedBytes: [String: Int] = [:]
    }

    init(repetitions: Int, clock: ClockSource, deliveryNs: UInt64, filter: [String]?) {
        self.repetitions = repetitions
        self.clock = clock
        self.deliveryNs = deliveryNs
        self.filter = filter
    }

    /// Measures what is asked for. What cannot be measured, or would not be true, ends it: `broken` says why,
    /// and the figures until then stay.
    mutating func run() {
        do {
            try runGroups()
        } catch {
            broken = [broken, "\(error)"].compactMap(\.self).joined(separator: "\n")
        }
    }

    private mutating func runGroups() throws {
        host()
        // While the process is young: what others freed would be taken again, and growth would not show it.
        // What is not as stated is said in the end; it makes no other figure untrue.
        group = .memory
        do { try memory() } catch { broken = "\(error)" }
        group = .decisions
        try samplers()
        group = .spans
        try spans()
        try heap()
        group = .strings
        try strings()
        group = .threads
        try threads()
        group = .flat
        try flat()
        group = .attributes
        try attributes()
        group = .lengths
        try lengths()
        group = .events
        try events()
        group = .propagation
        propagation()
        group = .ring
        ring()
        group = .tail
        try tail()
        group = .delivery
        try delivery()
        group = .idle
        try idle()
        group = .host
        hostOverTheRun()
    }

    /// Whether a figure is asked for, by its name, a part of it, or its group.
    func isWanted(_ name: String) -> Bool {
        guard let filter, !Self.unasked.contains(name) else { return true }
        return filter.contains { word in
            BenchGroup(rawValue: word).map { $0 == group } ?? name.contains(word)
        }
    }

    func isAnyWanted(_ rows: [BenchRow]) -> Bool { rows.contains { isWanted($0.name) } }

    /// So many, or fewer when it has to be quick.
    func scaled(_ count: Int) -> Int { isQuick ? max(1, count / 4) : count }

    // MARK: Figures

    /// Enters a figure measured elsewhere. `references`: clock_gettime beside each sample.
    mutating func add(
        _ name: String, _ title: String, unit: String = "ns", note: String = "",
        _ samples: [Double], references: [Double] = []
    ) {
        var figure = BenchFigure(
            name: name, group: group, title: title, unit: unit, inOrder: samples, note: note)
        if !references.isEmpty {
            figure.referenceName = BenchRow.clockGettime
            figure.references = references
            figure.ratio = BenchFigure.ratio(samples, to: references)
            figure.timesClockGettime = figure.ratio
        }
        enter(figure)
    }

    mutating func enter(_ figure: BenchFigure) {
        var figure = figure
        if let lowest = paces.map(\.wideNs).min() { figure.tellQuiet(lowestWideNs: lowest) }
        figures.append(figure)
        onFigure?(figure)
    }

    /// Repeats a measurement that gives a sample for each row, once more than asked to warm up, with the
    /// clock and the host's pace measured before each. Rows that are not asked for are left out.
    mutating func measure(
        _ rows: [BenchRow], note: String = "",
        _ repetition: (_ number: Int) throws -> [BenchSample]
    ) rethrows {
        let notes = [String](repeating: note, count: rows.count)
        try measure(rows, notes: { _ in notes }, repetition)
    }

    /// - Parameter notes: made from every row's samples in the end.
    mutating func measure(
        _ rows: [BenchRow], notes: ([[BenchSample]]) -> [String],
        _ repetition: (_ number: Int) throws -> [BenchSample]
    ) rethrows {
        guard isAnyWanted(rows) else { return }
        var samples = [[BenchSample]](repeating: [], count: rows.count)
        var clocks: [Double] = []
        var rowPaces: [HostPace] = []
        let started = TraceClock.monotonicNs
        for number in 0...repetitions {
            let clock = clockGettimeNs()
            let pace = HostPace.now()
            if TraceClock.monotonicNs - started > 1_000_000_000 {
                onProgress?("\(rows[0].name): \(turn(number))")
            }
            let values = try repetition(number)
            guard number > 0 else { continue }
            clocks.append(clock)
            rowPaces.append(.between(pace, .now()))
            for index in rows.indices { samples[index].append(values[index]) }
        }
        paces += rowPaces
        let notes = notes(samples)
        for (index, row) in rows.enumerated() where isWanted(row.name) {
            enter(
                figure(
                    row, samples[index], clocks: clocks, paces: rowPaces, note: notes[index]))
        }
    }

    private func figure(
        _ row: BenchRow, _ samples: [BenchSample], clocks: [Double], paces: [HostPace],
        note: String
    ) -> BenchFigure {
        var figure = BenchFigure(
            name: row.name, group: group, title: row.title, unit: row.unit,
            inOrder: samples.map(\.value), paces: paces, note: note)
        let own = samples.compactMap(\.reference)
        if own.count == samples.count {
            figure.referenceName = row.reference
            figure.references = own
        } else if row.unit == "ns", row.reference == BenchRow.clockGettime {
            figure.referenceName = BenchRow.clockGettime
            figure.references = clocks
        }
        figure.ratio = BenchFigure.ratio(figure.inOrder, to: figure.references)
        if row.unit == "ns" {
            figure.timesClockGettime = BenchFigure.ratio(figure.inOrder, to: clocks)
        }
        return figure
    }

    /// Which repetition it is, for a reader.
    func turn(_ number: Int) -> String {
        number == 0 ? "warming up" : "repetition \(number) of \(repetitions)"
    }

    /// Nanoseconds a call, over `count` calls.
    mutating func time(
        _ name: String, _ title: String, count: Int, note: String = "", _ body: (Int) -> Void
    ) {
        let count = scaled(count)
        measure([BenchRow(name, title)], note: note) { _ in
            [BenchSample(cpuNs { body(count) } / Double(count))]
        }
    }

    /// What a reading of the clock costs at this moment, over 20,000 of them.
    func clockGettimeNs() -> Double {
        cpuNs {
            var sum: UInt64 = 0
            for _ in 0..<20_000 { sum &+= TraceClock.monotonicNs }
            keep(sum)
        } / 20_000
    }

    // MARK: Ring

    private mutating func ring() {
        let ring = BoundedRing(minimumCapacity: 1024, pages: MappedPageSource())
        time("ringNs", "push and pop of a chunk", count: 500_000) { count in
            var sum: UInt = 0
            for number in 0..<count {
                _ = ring.push(UInt(number))
                sum &+= ring.pop() ?? 0
            }
            keep(UInt64(sum))
        }
    }
}

/// Keeps the optimiser from removing what computed `value`.
@inline(never)
func keep(_ value: UInt64) {
    BenchSink.value.store(value, ordering: .relaxed)
}

private enum BenchSink {
    static let value = Atomic<UInt64>(0)
}
