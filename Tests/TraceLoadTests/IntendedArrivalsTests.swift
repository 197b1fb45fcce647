import Testing

@testable import TraceLoad

/// What a run in real time is held against.
@Suite("Intended arrivals")
struct IntendedArrivalsTests {
    private func scenario(_ traffic: String, clock: String = "realtime") throws -> Scenario {
        try Scenario.parse(
            """
            version: 1
            name: shop
            clock: \(clock)
            services: {shop: {operations: {GET /: {type: http}}}}
            traffic:
            \(traffic)
            """)
    }

    @Test("counts follow the stages of every entry, and a shard's are its share")
    func stages() throws {
        let scenario = try scenario(
            """
              - {root: shop/GET /, arrival: constant, stages: [{duration: 2s, rate: 100}, {duration: 1s, rate: 10}]}
              - {root: shop/GET /, arrival: constant, stages: [{duration: 3s, rate: 50}]}
            """)
        var whole = try #require(IntendedArrivals(scenario, shard: .whole))
        var quarter = try #require(IntendedArrivals(scenario, shard: Shard(index: 1, count: 4)))
        for (second, expected) in [(0, 0.0), (1, 150), (2, 300), (3, 360), (9, 360)] {
            let timeNs = UInt64(second) * 1_000_000_000
            #expect(abs(whole.count(beforeNs: timeNs) - expected) <= 2, "\(second)")
            #expect(abs(quarter.count(beforeNs: timeNs) - expected / 4) <= 0.5, "\(second)")
        }
    }

    @Test("they are the very arrivals that the load goes through, Poisson's too")
    func same() throws {
        let scenario = try scenario(
            "  - {root: shop/GET /, arrival: poisson, stages: [{duration: 5s, rate: 200}]}")
        var arrivals = ArrivalSchedule(scenario.traffic[0], seed: scenario.seed, entry: 0)
        var times: [UInt64] = []
        while let next = arrivals.next() { times.append(next) }
        var intended = try #require(IntendedArrivals(scenario, shard: .whole))
        for timeNs in stride(from: 0 as UInt64, through: 6_000_000_000, by: 333_333_333) {
            #expect(intended.count(beforeNs: timeNs) == Double(times.count { $0 < timeNs }))
        }
    }

    @Test("no schedule says when traces begin in simulated time, with waiting users, at rate: max")
    func none() throws {
        let rate = "  - {root: shop/GET /, stages: [{duration: 1s, rate: 10}]}"
        #expect(IntendedArrivals(try scenario(rate, clock: "simulated"), shard: .whole) == nil)
        let users =
            "  - {root: shop/GET /, model: closed, concurrency: 3, stages: [{duration: 1s}]}"
        let closed = try scenario(users)
        #expect(IntendedArrivals(closed, shard: .whole) == nil)
        var saturating = try scenario(rate)
        saturating.traffic[0].stages[0].rate = .max
        #expect(IntendedArrivals(saturating, shard: .whole) == nil)
    }
}
