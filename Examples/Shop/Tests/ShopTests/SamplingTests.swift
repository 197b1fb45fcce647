// The first service decides, and everybody follows: whole traces or none.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

@Suite("Sampling")
struct SamplingTests {
    /// The flags that the payment API, at the far end, was sent.
    private static func flagsAtTheEnd(
        of shop: TestShop, orders: Int
    ) async throws -> (flags: [Substring], spans: [SpanData]) {
        let log = HeaderLog()
        let spans = try await shop.spans { customer in
            shop.fleet.network.register("external-payment-api") { request in
                log.add(request.headers)
                return HTTPResponse(200)
            }
            for _ in 0..<orders { await customer.order(["item1": 1]) }
        }
        return (log.all.compactMap { $0.values(of: "traceparent").first?.suffix(2) }, spans)
    }

    @Test("At ratio 0 nothing is exported, and the decision reaches the last service")
    func nothing() async throws {
        let shop = try TestShop(environment: ["OTEL_SAMPLE_RATIO": "0"])
        let (flags, spans) = try await Self.flagsAtTheEnd(of: shop, orders: 5)
        #expect(spans.isEmpty)
        // Random trace id, not sampled.
        #expect(flags == ["02", "02", "02", "02", "02"])
        #expect(shop.pipeline.recorder.counters.notRecordedSampler == 5 * 17)
    }

    @Test("At ratio 1 everything is")
    func everything() async throws {
        let shop = try TestShop(environment: ["OTEL_SAMPLE_RATIO": "1"])
        let (flags, spans) = try await Self.flagsAtTheEnd(of: shop, orders: 5)
        #expect(flags == ["03", "03", "03", "03", "03"])
        #expect(TraceQuality(spans: spans) == TraceQuality(allOf: 5))
    }

    @Test("In between, a trace is whole or not there at all")
    func wholeOrNothing() async throws {
        let shop = try TestShop(environment: ["OTEL_SAMPLE_RATIO": "0.5"])
        let (flags, spans) = try await Self.flagsAtTheEnd(of: shop, orders: 60)
        let kept = flags.count { $0 == "03" }
        #expect(flags.count == 60)
        // All or none of 60 by chance: 2 in 2^60.
        #expect((1..<60).contains(kept))
        #expect(TraceQuality(spans: spans) == TraceQuality(allOf: kept))
        #expect(spans.traces.allSatisfy { $0.count == 17 })
    }

    @Test(
        "The caller's decision is over the ratio",
        arguments: [
            ("1", "00", 0), ("0", "01", 17),
        ])
    func callersDecision(ratio: String, flags: String, spanCount: Int) async throws {
        let shop = try TestShop(environment: ["OTEL_SAMPLE_RATIO": ratio])
        let spans = try await shop.spans { customer in
            var customer = customer
            customer.headers.appendHeader(
                "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\(flags)")
            #expect(await customer.order(["item1": 1]).status == 201)
        }
        #expect(spans.count == spanCount)
        #expect(spans.allSatisfy { $0.traceID.hex == "0af7651916cd43dd8448eb211c80319c" })
    }
}
