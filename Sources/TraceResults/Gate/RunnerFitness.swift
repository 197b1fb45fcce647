// Whether the machine was fit to measure on, by a piece of work that never changes: timed before and
// after each round. It declares, it never corrects: a figure is not rescaled by it.
//
// A pair is judged within its round, so a machine that is slow all the time, or slower in the evening, is
// fit. One whose pace changes within rounds is not: a pair then compares two machines.

import Glibc

/// How steady a machine was during a collection.
public struct RunnerFitness: Sendable, Equatable {
    /// Within a round the pace may change by this share.
    public static let stepMax = 0.2
    /// So large a share of the rounds may be unsteady.
    public static let unsteadyRoundShareMax = 1.0 / 3
    /// So large a share of processor time may go to others, in the median run.
    public static let stealShareMax = 0.1

    /// The kernel's time before and after each round, ns; empty where it was not run.
    public var calibrationsNs: [(before: UInt64, after: UInt64)] = []
    /// What the hypervisor gave to others, in the median run; nil where it cannot tell.
    public var stealShare: Double?
    /// Why it is unfit.
    public var reasons: [String] = []

    public init() {}

    /// Whether it was fit.
    public var isFit: Bool { reasons.isEmpty }

    /// Of the runs of a collection.
    public init(_ runs: [RunRecord]) {
        let rounds = Dictionary(grouping: runs, by: \.round)
        for round in rounds.keys.sorted() {
            let hosts = (rounds[round] ?? []).map(\.host)
            guard let before = hosts.compactMap(\.calibrationBeforeNs).first,
                let after = hosts.compactMap(\.calibrationAfterNs).first, before > 0, after > 0
            else { continue }
            calibrationsNs.append((before, after))
        }
        let steals = runs.compactMap(\.host.stealShare)
        if !steals.isEmpty { stealShare = OrderStatistics.median(steals) }
        judge()
    }

    /// The longest time of the kernel over the shortest; nil where it was not run.
    public var spread: Double? {
        let times = calibrationsNs.flatMap { [$0.before, $0.after] }
        guard let shortest = times.min(), let longest = times.max() else { return nil }
        return Double(longest) / Double(shortest)
    }

    /// The rounds within which the pace changed.
    public var unsteadyRounds: Int {
        calibrationsNs.count { before, after in
            let ratio = Double(before) / Double(after)
            return max(ratio, 1 / ratio) > 1 + Self.stepMax
        }
    }

    private mutating func judge() {
        let unsteady = unsteadyRounds
        if Double(unsteady) > Self.unsteadyRoundShareMax * Double(calibrationsNs.count) {
            reasons.append(
                "its pace changed by more than \(GateText.percent(Self.stepMax)) within "
                    + "\(unsteady) of \(GateText.count(calibrationsNs.count, "round")): something else was "
                    + "at work, or the host gives it changing shares")
        }
        if let stealShare, stealShare > Self.stealShareMax {
            reasons.append(
                "the hypervisor gave \(GateText.percent(stealShare)) of its processors to others")
        }
    }

    /// The machine in one line; nil where nothing was measured.
    public var text: String? {
        guard let spread, !calibrationsNs.isEmpty else { return nil }
        let times = calibrationsNs.flatMap { [Double($0.before), Double($0.after)] }
        var text =
            "calibration \(NumberText.duration(ns: OrderStatistics.median(times))), longest over "
            + "shortest \(NumberText.fixed(spread, decimals: 2)), unsteady within "
            + "\(unsteadyRounds) of \(GateText.count(calibrationsNs.count, "round"))"
        if let stealShare { text += ", steal \(GateText.percent(stealShare))" }
        return text
    }

    public static func == (left: RunnerFitness, right: RunnerFitness) -> Bool {
        left.calibrationsNs.elementsEqual(right.calibrationsNs, by: ==)
            && left.stealShare == right.stealShare && left.reasons == right.reasons
    }
}

/// The work that never changes: integer mixing over a table that fits no first-level cache.
public enum CalibrationKernel {
    private static let tableCount = 1 << 15
    #if DEBUG
        private static let steps = 4e6
    #else
        private static let steps = 1.6e8
    #endif

    /// Times the kernel once. About 0.5 s for the whole of it on a processor of 2020s make; `share` of it
    /// for a shorter one. Wall-clock time, so that others at work show.
    public static func run(share: Double = 1) -> UInt64 {
        var table = [UInt64](repeating: 0, count: tableCount)
        for index in table.indices { table[index] = UInt64(truncatingIfNeeded: index) }
        let started = HostClock.monotonicNs()
        let state = mix(&table, steps: Int(steps * share))
        let passed = HostClock.monotonicNs() - started
        // The outcome is used, or the work would be optimised away.
        return state == 0 ? passed + 1 : passed
    }

    @inline(never)
    private static func mix(_ table: inout [UInt64], steps: Int) -> UInt64 {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        let mask = tableCount - 1
        for _ in 0..<steps {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let place = Int(truncatingIfNeeded: state) & mask
            table[place] &+= state
            state &+= table[(place &+ 64) & mask]
        }
        return state
    }
}
