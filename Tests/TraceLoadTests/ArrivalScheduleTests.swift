import Testing

@testable import TraceLoad

@Suite struct ArrivalScheduleTests {
    private func traffic(
        _ arrival: TrafficDeclaration.Arrival,
        _ stages: [(Double, StageDeclaration.Rate, StageDeclaration.Shape)]
    ) -> TrafficDeclaration {
        let position = SourcePosition(line: 1, column: 1)
        return TrafficDeclaration(
            root: .init(text: "s/o", position: position), arrival: arrival,
            stages: stages.map {
                StageDeclaration(
                    durationNs: $0.0 * 1e9, rate: $0.1, shape: $0.2, position: position)
            }, maxInFlight: nil, position: position)
    }

    private func times(_ traffic: TrafficDeclaration, seed: UInt64 = 1) -> [UInt64] {
        var schedule = ArrivalSchedule(traffic, seed: seed, entry: 0)
        var times: [UInt64] = []
        while let time = schedule.next(), times.count < 1_000_000 { times.append(time) }
        return times
    }

    @Test func `A constant rate is evenly spaced and ends with its stage`() {
        let times = times(traffic(.constant, [(1, .tracesPerSecond(4), .step)]))
        #expect(times == [0, 250_000_000, 500_000_000, 750_000_000])
    }

    @Test func `A change of rate carries the fraction of an arrival over`() {
        let stages = traffic(
            .constant, [(0.5, .tracesPerSecond(3), .step), (1, .tracesPerSecond(2), .step)])
        // 1.5 arrivals in the first stage: the third falls a quarter of a second into the second.
        #expect(times(stages) == [0, 333_333_333, 750_000_000, 1_250_000_000])
    }

    @Test func `A ramp begins at the rate before it and reaches its own`() {
        let stages = traffic(.constant, [(2, .tracesPerSecond(100), .linear)])
        let times = times(stages)
        // Integral of 50 t is 25 t²: the k-th arrival at √(k/25) s.
        #expect(times.count == 100)
        for (k, time) in times.enumerated() {
            #expect(abs(Double(time) - (Double(k) / 25).squareRoot() * 1e9) < 2)
        }
        let flat = traffic(
            .constant, [(1, .tracesPerSecond(10), .step), (1, .tracesPerSecond(30), .linear)])
        #expect(ArrivalSchedule(flat, seed: 1, entry: 0).expectedArrivals == 30)
    }

    @Test func `A pause has no arrivals, and a ramp to 0 ends`() {
        let stages = traffic(
            .constant,
            [
                (1, .tracesPerSecond(2), .step), (1, .tracesPerSecond(0), .step),
                (1, .tracesPerSecond(2), .step), (2, .tracesPerSecond(0), .linear),
            ])
        let times = times(stages)
        #expect(times.count == 6)
        #expect(!times.contains { (1_000_000_000..<2_000_000_000).contains($0) })
    }

    @Test func `Poisson gaps have the mean and the variance of an exponential`() {
        let times = times(traffic(.poisson, [(1000, .tracesPerSecond(100), .step)]))
        let gaps = zip(times, times.dropFirst()).map { Double($1 - $0) / 1e7 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance =
            gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        #expect(abs(mean - 1) < 0.016)
        #expect(abs(variance - 1) < 0.05)
        #expect(abs(Double(times.count) - 100_000) < 5 * 100_000.0.squareRoot())
        #expect(times == self.times(traffic(.poisson, [(1000, .tracesPerSecond(100), .step)])))
        #expect(
            times != self.times(traffic(.poisson, [(1000, .tracesPerSecond(100), .step)]), seed: 2))
    }

    @Test func `The greatest rate never ends and has nominal times`() {
        var schedule = ArrivalSchedule(traffic(.poisson, [(1, .max, .step)]), seed: 1, entry: 0)
        #expect(schedule.isSaturating)
        #expect(schedule.expectedArrivals == .infinity)
        let times = (0..<5000).map { _ in schedule.next() }
        #expect(times == (0..<5000).map { UInt64($0) * 1_000_000 })
    }
}
