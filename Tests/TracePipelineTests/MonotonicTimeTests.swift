import Testing

@testable import TracePipeline

@Suite struct MonotonicTimeTests {
    @Test(
        "Time left is rounded up: a timer is never early, and what is left is never 0",
        arguments: [
            (10, 10, 0), (10, 11, 0), (1, 0, 1), (999_999, 0, 1), (1_000_000, 0, 1),
            (1_000_001, 0, 2), (UInt64.max, 0, Int(Int32.max)), (0, UInt64.max, 0),
        ] as [(UInt64, UInt64, Int)])
    func rounding(deadlineNs: UInt64, nowNs: UInt64, milliseconds: Int) {
        #expect(
            MonotonicTime.millisecondsLeft(until: deadlineNs, nowNs: nowNs) == milliseconds)
    }

    @Test("Deadlines saturate instead of wrapping, and a negative wait is none")
    func saturation() {
        #expect(MonotonicTime.deadlineNs(from: 5, afterMs: 2) == 2_000_005)
        #expect(MonotonicTime.deadlineNs(from: 5, afterMs: -2) == 5)
        #expect(MonotonicTime.deadlineNs(from: 5, afterMs: .max) == .max)
        #expect(MonotonicTime.deadlineNs(from: .max - 1, afterMs: 1) == .max)
    }
}
