import Testing

@testable import TraceLoad

@Suite struct CircuitBreakerTests {
    private let rule = CompiledBreaker(
        failures: 3, windowNs: 100, openForNs: 50, halfOpenCalls: 2, rejected: 0, opened: 0,
        halfOpened: 0, closed: 0, rejectedMessage: 0)

    @Test func `It opens at the last of its failures within the window`() {
        var state = BreakerState(rule)
        #expect(state.settle(rule, at: 0, hasFailed: true) == .unchanged)
        #expect(state.settle(rule, at: 60, hasFailed: true) == .unchanged)
        // The first failure is out of the window by now.
        #expect(state.settle(rule, at: 101, hasFailed: true) == .unchanged)
        #expect(state.settle(rule, at: 110, hasFailed: false) == .unchanged)
        #expect(state.settle(rule, at: 160, hasFailed: true) == .opened)
        #expect(state.admit(rule, at: 161) == .rejected)
        #expect(state.admit(rule, at: 209) == .rejected)
    }

    @Test func `Trials close it when they pass and open it again when one fails`() {
        var state = BreakerState(rule)
        for time in 0..<3 { _ = state.settle(rule, at: UInt64(time), hasFailed: true) }
        #expect(state.admit(rule, at: 60) == .firstTrial)
        #expect(state.admit(rule, at: 61) == .trial)
        #expect(state.admit(rule, at: 62) == .rejected)
        #expect(state.settle(rule, at: 63, hasFailed: false) == .unchanged)
        #expect(state.settle(rule, at: 64, hasFailed: false) == .closed)
        #expect(state.admit(rule, at: 65) == .closed)
        for time in 70..<73 { _ = state.settle(rule, at: UInt64(time), hasFailed: true) }
        #expect(state.admit(rule, at: 130) == .firstTrial)
        #expect(state.settle(rule, at: 131, hasFailed: true) == .opened)
        #expect(state.admit(rule, at: 132) == .rejected)
    }

    @Test func `Its state crosses traces, and its changes are events on the caller`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: b/y, circuit_breaker: {failures: 3, window: 1s, open_for: 100ms, half_open_calls: 1}}}]}
                b:
                  operations:
                    y: {self: 1ms, error: {rate: 1}}
                """, root: "a/x")
        // A trace every 10 ms: three fail, then the breaker is open for 100 ms, a trial fails, …
        let batch = plans(compiled, count: 40)
        let events = batch.traces.map { plan in
            read(plan, batch, compiled)[0]?.events.map(\.name) ?? []
        }
        #expect(events[0].isEmpty && events[1].isEmpty)
        #expect(events[2] == ["circuit_breaker.opened"])
        #expect(events[3...12].allSatisfy { $0 == ["circuit_breaker.rejected"] })
        #expect(events[13] == ["circuit_breaker.half_opened", "circuit_breaker.opened"])
        #expect(batch.traces[3].spanCount == 1)
        let rejected = try #require(read(batch.traces[3], batch, compiled)[0])
        #expect(rejected.message == "circuit breaker open: b/y")
    }
}
