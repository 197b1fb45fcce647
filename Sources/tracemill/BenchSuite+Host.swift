// The machine at this moment: its pace, its clocks, and what the harness itself costs.
import Synchronization
import TraceCore
import TraceResults

/// Two fixed pieces of integer work, so that a slow minute can be told from a slow change. A chain, each
/// step of which waits for the one before, follows the clock rate alone; six chains side by side keep
/// the core's units busy, as a span does, and lose them when the core's other thread wants them, too.
struct HostPace {
    /// Nanoseconds of CPU time for 1,000 multiply-adds, each waiting for the one before.
    var chainNs = 0.0
    /// Nanoseconds of CPU time for 1,000 rounds of six independent additions and exclusive ors.
    var wideNs = 0.0

    private static let steps = 1_000
    private static let rounds = 20

    /// Measured over 20 times as much: some 40 µs.
    static func now() -> HostPace {
        var pace = HostPace()
        pace.chainNs = cpuNs { repeated(chain) } / Double(rounds)
        pace.wideNs = cpuNs { repeated { wide($0, steps: steps) } } / Double(rounds)
        return pace
    }

    /// The mean of two moments.
    static func between(_ first: HostPace, _ second: HostPace) -> HostPace {
        HostPace(
            chainNs: (first.chainNs + second.chainNs) / 2,
            wideNs: (first.wideNs + second.wideNs) / 2)
    }

    private static func repeated(_ body: (UInt64) -> UInt64) {
        var value: UInt64 = 1
        for _ in 0..<rounds { value = body(value) }
        keep(value)
    }

    @inline(never)
    private static func chain(_ start: UInt64) -> UInt64 {
        var value = start
        // Not known to the compiler, which cannot fold the loop then.
        let factor = value | 0x5851_F42D_4C95_7F2D
        for _ in 0..<steps { value = value &* factor &+ 0x1405_7B7E_F767_814F }
        return value
    }

    /// So many rounds of six operations that do not wait for one another.
    @inline(never)
    static func wide(_ start: UInt64, steps: Int) -> UInt64 {
        var (a, b, c) = (start, start &+ 1, start &+ 2)
        var (d, e, f) = (start &+ 3, start &+ 4, start &+ 5)
        for step in 0..<UInt64(steps) {
            a = (a ^ step) &+ 0x9E37
            b = (b &+ step) ^ 0x79B9
            c = (c ^ step) &+ 0x7F4A
            d = (d &+ step) ^ 0x7C15
            e = (e ^ step) &+ 0xBF58
            f = (f &+ step) ^ 0x94D0
        }
        return a ^ b ^ c ^ d ^ e ^ f
    }
}

extension BenchSuite {
    /// Measured whatever was asked for: everything else is read beside them.
    static let unasked: Set = [
        "hostPaceNs", "hostWidePaceNs", "clockGettimeNs", "hostPaceRunNs", "hostWidePaceRunNs",
        "wallPerCPU",
    ]

    mutating func host() {
        measure([
            BenchRow("hostPaceNs", "1,000 dependent multiply-adds", beside: ""),
            BenchRow("hostWidePaceNs", "1,000 × six independent add-xors", beside: ""),
        ]) { _ in
            let pace = HostPace.now()
            return [BenchSample(pace.chainNs), BenchSample(pace.wideNs)]
        }
        let clockGettime = BenchRow(
            "clockGettimeNs", "clock_gettime(CLOCK_MONOTONIC)", beside: "")
        measure([clockGettime]) { _ in
            let count = 200_000
            let ns = cpuNs {
                var sum: UInt64 = 0
                for _ in 0..<count { sum &+= TraceClock.monotonicNs }
                keep(sum)
            }
            return [BenchSample(ns / Double(count))]
        }
        time("cycleCounterNs", "cycle counter", count: 500_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= TraceClock.cycles }
            keep(sum)
        }
    }

    /// What the host was like while everything else was measured.
    mutating func hostOverTheRun() {
        guard paces.count > 2 * repetitions else { return }
        let note = "beside \(NumberText.grouped(paces.count)) repetitions"
        add(
            "hostPaceRunNs", "the same over the whole run: dependent", note: note,
            paces.map(\.chainNs))
        add("hostWidePaceRunNs", "… independent", note: note, paces.map(\.wideNs))
        let share =
            Double(MeasuredTime.wallNs.load(ordering: .relaxed))
            / Double(max(1, MeasuredTime.cpuNs.load(ordering: .relaxed)))
        add(
            "wallPerCPU", "wall time over CPU time while measuring", unit: "×",
            note: share > 1.05 ? "neighbours took the rest" : "", [share])
    }
}

/// What single threads measured, by both clocks.
enum MeasuredTime {
    static let cpuNs = Atomic<UInt64>(0)
    static let wallNs = Atomic<UInt64>(0)
}

/// CPU time of the calling thread while `body` runs, in nanoseconds.
func cpuNs(_ body: () throws -> Void) rethrows -> Double {
    let wallBefore = TraceClock.monotonicNs
    let before = HostClock.threadCPUNs()
    try body()
    let passed = HostClock.threadCPUNs() - before
    MeasuredTime.cpuNs.add(passed, ordering: .relaxed)
    MeasuredTime.wallNs.add(TraceClock.monotonicNs - wallBefore, ordering: .relaxed)
    return Double(passed)
}
