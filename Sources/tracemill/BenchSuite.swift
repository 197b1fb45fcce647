// What `bench` measures, part by part. Each repetition is a whole measurement of its own; the order is
// fixed, and nothing runs beside it but what the figure says.
import Glibc
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
    var figures: [BenchFigure] = []
    var settings = DeliverySettings()
    /// The first broken ledger of a delivery trial.
    var brokenLedger: String?
    var onFigure: ((BenchFigure) -> Void)?

    /// How the delivery figures were made.
    struct DeliverySettings: Encodable {
        var batchSpans = DeliveryTrial().batchSpans
        var queueSpans = DeliveryTrial().queueSpans
        var connections = DeliveryTrial().connections
        var producers = 1
        var sink = "tracemill sink, count mode, one event loop, own process, loopback"
        var ledger = "not run"
    }

    init(repetitions: Int, clock: ClockSource, deliveryNs: UInt64, filter: [String]?) {
        self.repetitions = repetitions
        self.clock = clock
        self.deliveryNs = deliveryNs
        self.filter = filter
    }

    mutating func run() throws {
        clocks()
        samplers()
        try spans()
        propagation()
        ring()
        try delivery()
    }

    func isWanted(_ name: String) -> Bool {
        guard let filter else { return true }
        return name == "clockGettimeNs" || filter.contains { name.contains($0) }
    }

    mutating func add(
        _ name: String, _ title: String, unit: String = "ns", note: String = "",
        _ samples: [Double], references: [Double] = []
    ) {
        var figure = BenchFigure(
            name: name, title: title, unit: unit, samples: samples.sorted(), note: note)
        if !references.isEmpty, name != "clockGettimeNs" {
            // Each repetition against the clock right before it: machines change pace within a run.
            let ratios = zip(samples, references).map { $0 / $1 }.sorted()
            figure.ratio = ratios[ratios.count / 2]
        }
        figures.append(figure)
        onFigure?(figure)
    }

    /// Nanoseconds a call over `repetitions` runs of `count` calls, after one run to warm up.
    mutating func time(
        _ name: String, _ title: String, count: Int, note: String = "", _ body: (Int) -> Void
    ) {
        guard isWanted(name) else { return }
        var samples: [Double] = []
        var references: [Double] = []
        for repetition in 0...repetitions {
            let reference = clockGettimeNs()
            let start = TraceClock.monotonicNs
            body(count)
            let passed = TraceClock.monotonicNs - start
            guard repetition > 0 else { continue }
            samples.append(Double(passed) / Double(count))
            references.append(reference)
        }
        add(name, title, note: note, samples, references: references)
    }

    /// What a reading of the clock costs at this moment, over 20,000 of them.
    func clockGettimeNs() -> Double {
        let start = TraceClock.monotonicNs
        var sum: UInt64 = 0
        for _ in 0..<20_000 { sum &+= TraceClock.monotonicNs }
        keep(sum)
        return Double(TraceClock.monotonicNs - start) / 20_000
    }

    // MARK: Clocks

    private mutating func clocks() {
        time("clockGettimeNs", "clock_gettime(CLOCK_MONOTONIC)", count: 200_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= TraceClock.monotonicNs }
            keep(sum)
        }
        time("cycleCounterNs", "cycle counter", count: 500_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= TraceClock.cycles }
            keep(sum)
        }
    }

    // MARK: Ring

    private mutating func ring() {
        let ring = BoundedRing(minimumCapacity: 1024, pages: MappedPageSource())
        time("ringNs", "ring, push and pop of a chunk", count: 500_000) { count in
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
