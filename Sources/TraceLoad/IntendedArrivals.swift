// How many traces a scenario's schedule asks for by when: what a run in real time is held against second by
// second. It goes through the same arrivals as the load does, apart from it.

/// The arrivals of all open traffic in their order. One thread.
struct IntendedArrivals {
    private var schedules: [ArrivalSchedule]
    private var upcomingNs: [UInt64?] = []
    private var passed: UInt64 = 0
    private let shards: Double

    /// nil where a schedule does not say when traces begin: simulated time, users who wait for answers, `rate: max`.
    init?(_ scenario: Scenario, shard: Shard) {
        guard scenario.clock == .realtime, scenario.traffic.allSatisfy({ $0.model == .open }) else {
            return nil
        }
        schedules = scenario.traffic.enumerated().map { entry, traffic in
            ArrivalSchedule(traffic, seed: scenario.seed, entry: entry)
        }
        guard !schedules.contains(where: \.isSaturating) else { return nil }
        shards = Double(shard.count)
        for index in schedules.indices { upcomingNs.append(schedules[index].next()) }
    }

    /// Traces that should have begun before a time of the schedule; times must not fall. For a shard its share.
    mutating func count(beforeNs timeNs: UInt64) -> Double {
        for index in schedules.indices {
            while let next = upcomingNs[index], next < timeNs {
                passed += 1
                upcomingNs[index] = schedules[index].next()
            }
        }
        return Double(passed) / shards
    }
}
