// The breaker's states, by a clock turned by hand, and what each leaves in the trace.

import Synchronization
import Testing
import TraceCore
import TracePipeline

@testable import Shop

private struct Outage: Error, CustomStringConvertible {
    var description: String { "down" }
}

/// A breaker for "payments" that opens after three failures, for thirty seconds.
private struct BreakerBench: Sendable {
    let shop: TestShop
    let breaker: CircuitBreaker

    init() throws {
        shop = try TestShop()
        let time = shop.time
        breaker = CircuitBreaker(
            shop.tracing.makeProvider(of: "test", on: shop.pipeline).tracer(), failuresMax: 3,
            openFor: .seconds(30), now: { time.now })
    }

    func succeed() async throws { try await breaker.call("payments") {} }

    func fail() async {
        await #expect(throws: Outage.self) { try await breaker.call("payments") { throw Outage() } }
    }

    func expectRefused() async {
        await #expect(throws: CircuitOpen.self) {
            try await breaker.call("payments") { Issue.record("called through an open circuit") }
        }
    }

    /// Each call's state and events.
    func calls(_ body: @Sendable () async throws -> Void) async throws -> [String] {
        try await shop.spans { _ in try await body() }
            .sorted { $0.startUnixNano < $1.startUnixNano }
            .map { span in
                #expect(span.name == "circuit_breaker.call")
                #expect(span["service_name"] == "payments")
                let events = span.events.map(\.name).joined(separator: ", ")
                return "\(span["circuit_state"] ?? ""): \(events); "
                    + "\(span.status) \(span.statusMessage)"
            }
    }
}

private let success = "closed: circuit_success; unset "
private let failure = "closed: circuit_failure; error down"
private let refusal = "open: circuit_open; error Circuit breaker open"
private let attempt = "half_open: circuit_half_open_attempt, circuit_success; unset "
private let badAttempt = "half_open: circuit_half_open_attempt, circuit_failure; error down"

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    @Test("Closed, open, half open and closed again")
    func fullCircle() async throws {
        let bench = try BreakerBench()
        let calls = try await bench.calls {
            try await bench.succeed()
            for _ in 1...3 { await bench.fail() }
            await bench.expectRefused()
            bench.shop.time.advance(by: .milliseconds(29_999))
            await bench.expectRefused()
            bench.shop.time.advance(by: .milliseconds(1))
            try await bench.succeed()
            try await bench.succeed()
        }
        #expect(
            calls == [
                success, failure, failure, failure, refusal, refusal, attempt, success,
            ])
    }

    @Test("A failed attempt opens it for as long again")
    func failedAttempt() async throws {
        let bench = try BreakerBench()
        let calls = try await bench.calls {
            for _ in 1...3 { await bench.fail() }
            bench.shop.time.advance(by: .seconds(30))
            await bench.fail()
            bench.shop.time.advance(by: .seconds(29))
            await bench.expectRefused()
            bench.shop.time.advance(by: .seconds(1))
            try await bench.succeed()
        }
        #expect(calls == [failure, failure, failure, badAttempt, refusal, attempt])
    }

    @Test("Only failures in a row count")
    func interruptedFailures() async throws {
        let bench = try BreakerBench()
        let calls = try await bench.calls {
            for _ in 1...5 {
                await bench.fail()
                await bench.fail()
                try await bench.succeed()
            }
        }
        #expect(calls.allSatisfy { $0.hasPrefix("closed") })
        #expect(await bench.breaker.state(of: "payments") == .closed)
    }

    @Test("Half open, one call goes through and the others are refused")
    func singleAttempt() async throws {
        let bench = try BreakerBench()
        let calls = try await bench.calls {
            for _ in 1...3 { await bench.fail() }
            bench.shop.time.advance(by: .seconds(30))
            try await bench.breaker.call("payments") {
                for _ in 1...3 { await bench.expectRefused() }
            }
            try await bench.succeed()
        }
        #expect(calls == [failure, failure, failure, attempt, refusal, refusal, refusal, success])
    }

    @Test("Of many callers that find it half open, one gets through", .timeLimit(.minutes(1)))
    func concurrentAttempts() async throws {
        let bench = try BreakerBench()
        let (refusals, refused) = AsyncStream.makeStream(of: Void.self)
        let calls = try await bench.calls {
            for _ in 1...3 { await bench.fail() }
            bench.shop.time.advance(by: .seconds(30))
            await withTaskGroup { group in
                for _ in 1...50 {
                    group.addTask {
                        do {
                            try await bench.breaker.call("payments") {
                                // Under way until the other 49 have tried.
                                var rest = 49
                                for await _ in refusals {
                                    rest -= 1
                                    if rest == 0 { break }
                                }
                            }
                        } catch { refused.yield() }
                    }
                }
            }
        }
        #expect(calls.count { $0 == attempt } == 1)
        #expect(calls.count { $0 == refusal } == 49)
    }

    @Test("What began before it opened does not close it when it succeeds")
    func lateOutcomes() async throws {
        let bench = try BreakerBench()
        _ = try await bench.shop.spans { _ in
            try await bench.breaker.call("payments") {
                for _ in 1...3 { await bench.fail() }
            }
            #expect(await bench.breaker.state(of: "payments") == .open)
            bench.shop.time.advance(by: .seconds(30))
            #expect(await bench.breaker.state(of: "payments") == .halfOpen)
        }
    }

    @Test("A failure that comes late does not keep it open for longer")
    func lateFailure() async throws {
        let bench = try BreakerBench()
        _ = try await bench.shop.spans { _ in
            await #expect(throws: Outage.self) {
                try await bench.breaker.call("payments") {
                    for _ in 1...3 { await bench.fail() }
                    bench.shop.time.advance(by: .seconds(10))
                    throw Outage()
                }
            }
            bench.shop.time.advance(by: .seconds(20))
            #expect(await bench.breaker.state(of: "payments") == .halfOpen)
        }
    }

    @Test("Each service has a circuit of its own")
    func separateCircuits() async throws {
        let bench = try BreakerBench()
        _ = try await bench.shop.spans { _ in
            for _ in 1...3 { await bench.fail() }
            #expect(await bench.breaker.state(of: "payments") == .open)
            #expect(await bench.breaker.state(of: "invoices") == .closed)
        }
    }

    @Test(
        "In the shop, payments that time out open it, and orders fail at once until one gets through"
    )
    func inTheShop() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { customer in
            shop.fleet.network.fail("payment-service", with: .timeout)
            for _ in 1...3 {
                #expect(await customer.order(["item1": 1]).status == 504)
            }
            #expect(await customer.order(["item1": 1]).status == 503)
            shop.fleet.network.fail("payment-service", with: nil)
            #expect(await customer.order(["item1": 1]).status == 503)
            shop.time.advance(by: .seconds(30))
            #expect(await customer.order(["item1": 1]).status == 201)
        }
        let states = spans.traces.map { trace in
            trace.first { $0.name == "circuit_breaker.call" }?["circuit_state"]
        }
        #expect(states == ["closed", "closed", "closed", "open", "open", "half_open"])
        // An open circuit calls nobody.
        for trace in spans.traces[3...4] {
            #expect(!trace.contains { $0.name == "payment_client.process" })
        }
        #expect(TraceQuality(spans: spans) == TraceQuality(allOf: 6))
    }
}
