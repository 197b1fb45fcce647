/// Makes the plans of a run in order of arrival. A plan depends on the seed, the number of the
/// arrival and the arrivals before it, never on time or workers. One thread at a time.
public struct Planner: Sendable {
    private var simulation: TraceSimulation
    private var schedules: [ArrivalSchedule]
    /// The next arrival of each traffic entry.
    private var upcoming: [UInt64?]
    private let limits: [Int?]
    /// By traffic entry with a `max_in_flight`: when its live traces end.
    private var live: [MinHeap<UInt64>]
    /// Number of the next arrival.
    public private(set) var nextIndex: UInt64 = 0
    /// True when the schedule never ends by itself (`rate: max`).
    public let isSaturating: Bool

    public init(_ compiled: CompiledScenario) {
        simulation = TraceSimulation(compiled)
        let traffic = compiled.scenario.traffic
        schedules = traffic.enumerated().map {
            ArrivalSchedule($0.element, seed: compiled.scenario.seed, entry: $0.offset)
        }
        isSaturating = schedules.contains { $0.isSaturating }
        limits = traffic.map(\.maxInFlight)
        live = traffic.map { _ in MinHeap() }
        upcoming = []
        upcoming = schedules.indices.map { schedules[$0].next() }
    }

    /// Replaces the batch with the next plans, at most `count`, fewer at the end of the schedule;
    /// none when it is over. About 100 ns a span; allocates only while the batch grows.
    ///
    /// - Parameter arrivals: how many arrivals to take at most, dropped ones included.
    /// - Returns: whether there were any arrivals, dropped ones included.
    public mutating func fill(
        _ batch: inout PlanBatch, count: Int, arrivals: Int = .max
    ) -> Bool {
        batch.removeAll()
        let lastIndex = arrivals == .max ? .max : nextIndex + UInt64(arrivals)
        while batch.traces.count < count, nextIndex < lastIndex,
            let (entry, timeNs) = nextArrival()
        {
            let index = nextIndex
            nextIndex += 1
            guard let limit = limits[entry] else {
                simulation.append(index, traffic: entry, arrivalNs: timeNs, to: &batch)
                continue
            }
            while let endNs = live[entry].min, endNs <= timeNs { _ = live[entry].popMin() }
            guard live[entry].count < limit else {
                batch.droppedArrivals += 1
                continue
            }
            simulation.append(index, traffic: entry, arrivalNs: timeNs, to: &batch)
            live[entry].insert(timeNs + batch.traces[batch.traces.count - 1].durationNs)
        }
        return !batch.traces.isEmpty || batch.droppedArrivals > 0
    }

    /// True when no arrival is left.
    public var isOver: Bool { upcoming.allSatisfy { $0 == nil } }

    /// The earliest arrival of all entries; the first entry wins a tie.
    private mutating func nextArrival() -> (entry: Int, timeNs: UInt64)? {
        var first: (entry: Int, timeNs: UInt64)?
        for (entry, time) in upcoming.enumerated() {
            if let time, time < first?.timeNs ?? .max { first = (entry, time) }
        }
        if let first { upcoming[first.entry] = schedules[first.entry].next() }
        return first
    }
}
