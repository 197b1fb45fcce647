/// When traces may begin: the arrivals of open traffic in order of time, the users of closed traffic,
/// the bounds of what is in flight, and how far the simulation may go. One thread.
struct ArrivalState: Sendable {
    struct Waiting: Sendable {
        var index: UInt64
        var arrivedNs: UInt64
    }

    struct Entry: Sendable {
        /// Nil for closed traffic.
        var schedule: ArrivalSchedule?
        /// Of the schedule.
        var upcomingNs: UInt64 = .max
        var inFlightMax = Int.max
        var queues = false
        var inFlight = 0
        /// Arrivals beyond the bound, first come first served.
        var waiting: [Waiting] = []
        var firstWaiting = 0
        // Closed traffic.
        var users = 0
        /// Users that have not left: when the stages are over they do.
        var usersLeft = 0
        var think = 0
        var untilNs = UInt64.max
        var random = RandomStream(seed: 0, position: 0)
    }

    var entries: [Entry]
    /// Number of the next arrival.
    private(set) var nextIndex: UInt64 = 0
    /// The entry whose turn it is, and when; `.max` when none has one or none may begin.
    private(set) var nextEntry = 0
    private(set) var nextNs: UInt64 = .max
    /// Users whose turn came while nothing might begin.
    var parked: [PendingEvent] = []
    /// Arrivals that found no place, of those that are shown.
    var droppedArrivals: UInt64 = 0

    // How far to go.
    private var indexMax: UInt64 = 0
    private var untilNs: UInt64 = 0
    private(set) var isStopped = false

    init(_ compiled: CompiledScenario) {
        let scenario = compiled.scenario
        entries = scenario.traffic.enumerated().map { number, traffic in
            var entry = Entry()
            entry.inFlightMax = traffic.maxInFlight ?? .max
            entry.queues = traffic.overload == .queue
            entry.random = RandomStream(seed: scenario.seed, position: 1 << 62 | UInt64(number))
            switch traffic.model {
            case .open:
                entry.schedule = ArrivalSchedule(traffic, seed: scenario.seed, entry: number)
                entry.upcomingNs = entry.schedule?.next() ?? .max
            case .closed:
                entry.users = traffic.concurrency
                entry.usersLeft = traffic.concurrency
                entry.think = compiled.model.thinkSamplers[number]
                let lengthNs = traffic.stages.reduce(0) { $0 + $1.durationNs }
                if lengthNs > 0 { entry.untilNs = UInt64(lengthNs) }
            }
            return entry
        }
    }

    /// Lets arrivals begin until one of the limits.
    mutating func open(indexMax: UInt64, untilNs: UInt64) {
        (self.indexMax, self.untilNs, isStopped) = (indexMax, untilNs, false)
        findNext()
    }

    /// Nothing begins any more.
    mutating func stop() {
        isStopped = true
        findNext()
    }

    /// Whether a trace of closed traffic, or one that waits, may begin at some time yet.
    var mayBegin: Bool { !isStopped && nextIndex < indexMax }

    func mayBegin(at timeNs: UInt64) -> Bool { mayBegin && timeNs < untilNs }

    /// Takes the number of an arrival.
    mutating func takeIndex() -> UInt64 {
        defer { nextIndex += 1 }
        return nextIndex
    }

    /// Takes the arrival of `nextEntry`.
    mutating func takeNext() -> UInt64 {
        entries[nextEntry].upcomingNs = entries[nextEntry].schedule?.next() ?? .max
        let index = takeIndex()
        findNext()
        return index
    }

    /// The earliest arrival of all entries; the first entry wins a tie.
    mutating func findNext() {
        nextNs = .max
        guard mayBegin else { return }
        for (number, entry) in entries.enumerated() where entry.upcomingNs < nextNs {
            (nextEntry, nextNs) = (number, entry.upcomingNs)
        }
        if nextNs >= untilNs { nextNs = .max }
    }

    /// True when no arrival is left and all users have gone.
    var isOver: Bool {
        entries.allSatisfy {
            $0.upcomingNs == .max && $0.usersLeft == 0 && $0.firstWaiting == $0.waiting.count
        }
    }
}

extension TraceSimulation {
    /// Lets traces begin until the limits; those that are under way go on in any case.
    mutating func open(indexMax: UInt64 = .max, untilNs: UInt64 = .max) {
        arrivals.open(indexMax: indexMax, untilNs: untilNs)
        for event in arrivals.parked { queue.insert(event) }
        arrivals.parked.removeAll()
        for entry in arrivals.entries.indices { beginWaiting(entry) }
    }

    /// An arrival of open traffic.
    mutating func arrive() {
        let entry = arrivals.nextEntry
        let index = arrivals.takeNext()
        guard arrivals.entries[entry].inFlight >= arrivals.entries[entry].inFlightMax else {
            arrivals.entries[entry].inFlight += 1
            beginTrace(index, traffic: entry, user: -1, intendedNs: nowNs)
            return
        }
        if arrivals.entries[entry].queues {
            arrivals.entries[entry].waiting.append(.init(index: index, arrivedNs: nowNs))
        } else if output.shard.shows(index) {
            arrivals.droppedArrivals += 1
        }
    }

    /// An arrival at a service that is gone.
    mutating func refuseArrival(_ index: UInt64, traffic: Int, user: Int) {
        arrivals.entries[traffic].inFlight -= 1
        if output.shard.shows(index) { arrivals.droppedArrivals += 1 }
        // Even who does not think does not ask without end.
        if user >= 0 { scheduleUser(user, of: traffic, atLeastNs: 1_000_000) }
    }

    /// The trace in hand has answered: its place is free, or its user thinks.
    mutating func answerArrival() {
        let number = trace.traffic
        arrivals.entries[number].inFlight -= 1
        guard trace.user >= 0 else { return }
        // Time passes even for users without thought and work.
        scheduleUser(trace.user, of: number, atLeastNs: 1)
    }

    /// Arrivals that have waited take the places that are free.
    mutating func beginWaiting(_ number: Int) {
        while !arrivals.isStopped,
            arrivals.entries[number].firstWaiting < arrivals.entries[number].waiting.count,
            arrivals.entries[number].inFlight < arrivals.entries[number].inFlightMax
        {
            let first = arrivals.entries[number].firstWaiting
            let waiting = arrivals.entries[number].waiting[first]
            arrivals.entries[number].firstWaiting += 1
            if first >= 1024, 2 * first > arrivals.entries[number].waiting.count {
                arrivals.entries[number].waiting.removeFirst(first + 1)
                arrivals.entries[number].firstWaiting = 0
            }
            arrivals.entries[number].inFlight += 1
            beginTrace(
                waiting.index, traffic: number, user: -1, intendedNs: waiting.arrivedNs)
        }
    }

    // MARK: Closed traffic

    /// Every user thinks first, so that they do not all come at once.
    mutating func scheduleUsers() {
        for number in arrivals.entries.indices {
            for user in 0..<arrivals.entries[number].users { scheduleUser(user, of: number) }
        }
    }

    private mutating func scheduleUser(_ user: Int, of number: Int, atLeastNs: UInt64 = 0) {
        let thinkNs = model.drawNs(
            arrivals.entries[number].think, &arrivals.entries[number].random)
        let timeNs = nowNs + max(thinkNs, atLeastNs)
        guard timeNs < arrivals.entries[number].untilNs else {
            arrivals.entries[number].usersLeft -= 1
            return
        }
        // Behind everything that traces do at that instant.
        queue.insert(
            PendingEvent(
                timeNs: timeNs, order: 1 << 63 | UInt64(number) << 40 | UInt64(user),
                target: UInt32(number), argument: UInt32(user), action: .user))
    }

    mutating func beginUser(_ event: PendingEvent) {
        guard arrivals.mayBegin(at: event.timeNs) else {
            arrivals.parked.append(event)
            return
        }
        let number = Int(event.target)
        arrivals.entries[number].inFlight += 1
        let index = arrivals.takeIndex()
        arrivals.findNext()
        beginTrace(index, traffic: number, user: Int(event.argument), intendedNs: nowNs)
    }

    // MARK: Incidents

    mutating func scheduleIncidents() {
        for (number, stretch) in model.stretches.enumerated() where number > 0 {
            queue.insert(
                PendingEvent(
                    timeNs: stretch.startNs, order: UInt64(number), target: 0,
                    argument: UInt32(number), action: .incident))
        }
    }

    // MARK: Whole traces

    /// Simulates so many arrivals to their ends and gives their plans, in order of their numbers.
    mutating func plans(arrivals count: Int) -> PlanBatch {
        open(indexMax: arrivals.nextIndex + UInt64(count))
        while step() {}
        return output.takeBatch()
    }
}
