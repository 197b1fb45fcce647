import Synchronization

/// The streams of a run between the thread that simulates and the workers that replay: a bounded queue
/// of chunks for each worker, so that memory follows from the live traces and this bound, never from
/// the length of the run.
///
/// A worker that falls behind stops the simulation, not the others: before it waits, the simulation
/// hands over what it has for everybody, up to the same instant.
final class PlanFeed: Sendable {
    private struct State {
        /// By worker, first in first out.
        var ready: [[PlanChunk]]
        var firsts: [Int]
        var spare: [PlanChunk] = []
        var isOver = false
        /// Chunks a worker may be ahead.
        var depth: Int
        var isWaiting = false

        func count(_ worker: Int) -> Int { ready[worker].count - firsts[worker] }
    }

    private let simulation: WorkerLock<TraceSimulation>
    private let state: WorkerLock<State>
    private let closes = Atomic(false)
    private let workers: Int
    private let dropped = Atomic<UInt64>(0)

    /// `depth`: chunks for each worker, of about 300 spans.
    init(_ compiled: CompiledScenario, workers: Int, shard: Shard, depth: Int) {
        self.workers = workers
        simulation = WorkerLock(
            TraceSimulation(compiled, output: .streams(workers: workers, shard: shard)))
        state = WorkerLock(
            State(
                ready: Array(repeating: [], count: workers),
                firsts: Array(repeating: 0, count: workers), depth: depth))
    }

    /// When the last trace began, and whether no arrival is left. Between runs.
    var position: (lastBeginNs: UInt64, isOver: Bool) {
        simulation.withLock { ($0.lastBeginNs, $0.arrivals.isOver) }
    }

    /// Number of the next arrival. Between runs.
    var nextArrival: UInt64 { simulation.withLock { $0.arrivals.nextIndex } }

    /// Arrivals that were left out, since the feed was made.
    var droppedArrivals: UInt64 { dropped.load(ordering: .relaxed) }

    // MARK: The simulating thread

    /// Simulates until the limits and until all that began is over. Blocks while workers are busy; one
    /// thread at a time.
    func simulate(indexMax: UInt64, untilNs: UInt64) {
        simulation.withLock { simulation in
            simulation.open(indexMax: indexMax, untilNs: untilNs)
            var turn = 0
            var isClosed = false
            while true {
                if turn & 255 == 0, !isClosed, closes.load(ordering: .relaxed) {
                    simulation.arrivals.stop()
                    isClosed = true
                }
                turn &+= 1
                guard simulation.step() else { break }
                if simulation.output.isAnyFull { handOver(&simulation, all: false) }
            }
            handOver(&simulation, all: true)
            dropped.store(simulation.arrivals.droppedArrivals, ordering: .relaxed)
        }
        state.withLock { $0.isOver = true }
        state.signal()
    }

    /// Hands full chunks over, or all of them.
    private func handOver(_ simulation: inout TraceSimulation, all: Bool) {
        var gives = all
        if !all {
            // Whoever has to wait for one worker leaves no other without its share.
            gives = state.withLock { state in
                (0..<workers).contains {
                    simulation.output.isFull($0) && state.count($0) >= state.depth
                }
            }
            dropped.store(simulation.arrivals.droppedArrivals, ordering: .relaxed)
        }
        for worker in 0..<workers
        where gives ? !simulation.output.isEmpty(worker) : simulation.output.isFull(worker) {
            var chunk = state.withLock { $0.spare.popLast() } ?? PlanChunk()
            simulation.output.take(worker, leaving: &chunk)
            let full = chunk
            state.withLock { $0.ready[worker].append(full) }
            state.signal()
        }
        guard !all else { return }
        // Woken when half of it is used up, not at every chunk.
        state.waitFor { state -> Void? in
            let most = (0..<workers).map { state.count($0) }.max() ?? 0
            if most < (state.isWaiting ? max(1, state.depth / 2) : state.depth) {
                state.isWaiting = false
                return ()
            }
            state.isWaiting = true
            return nil
        }
    }

    /// Simulates everything up to the limit and keeps it, before any worker runs; `observe` sees each piece.
    /// A run then replays what is there, and simulates nothing. Once, instead of `simulate`.
    ///
    /// - Parameters:
    ///   - observe: the chunk and its worker; what it throws ends the simulation.
    func prepare<Failure: Error>(
        indexMax: UInt64, _ observe: (PlanChunk, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let kept: Result<[[PlanChunk]], Failure> = simulation.withLock { simulation in
            var kept = Array(repeating: [PlanChunk](), count: workers)
            func keep(_ worker: Int) throws(Failure) {
                var chunk = PlanChunk()
                simulation.output.take(worker, leaving: &chunk)
                // Without what it set aside while it grew.
                chunk.events = Array(chunk.events[...])
                try observe(chunk, worker)
                kept[worker].append(chunk)
            }
            simulation.open(indexMax: indexMax)
            do throws(Failure) {
                while simulation.step() {
                    guard simulation.output.isAnyFull else { continue }
                    for worker in 0..<workers where simulation.output.isFull(worker) {
                        try keep(worker)
                    }
                }
                for worker in 0..<workers where !simulation.output.isEmpty(worker) {
                    try keep(worker)
                }
            } catch {
                return .failure(error)
            }
            dropped.store(simulation.arrivals.droppedArrivals, ordering: .relaxed)
            return .success(kept)
        }
        let chunks = try kept.get()
        state.withLock { state in
            state.ready = chunks
            state.depth = .max
            state.isOver = true
        }
    }

    // MARK: Workers

    /// Replaces a used chunk by the worker's next; false when there is none. Blocks until it is made.
    func next(_ worker: Int, _ chunk: inout PlanChunk) -> Bool {
        var used = PlanChunk()
        swap(&used, &chunk)
        var isHalfEmpty = false
        let next: PlanChunk? = state.waitFor { state -> PlanChunk?? in
            if used.events.capacity > 0 {
                state.spare.append(used)
                used = PlanChunk()
            }
            guard state.count(worker) > 0 else { return state.isOver ? .some(nil) : nil }
            let first = state.firsts[worker]
            var taken = PlanChunk()
            swap(&taken, &state.ready[worker][first])
            state.firsts[worker] += 1
            if state.firsts[worker] == state.ready[worker].count {
                state.ready[worker].removeAll(keepingCapacity: true)
                state.firsts[worker] = 0
            } else if state.firsts[worker] >= state.depth {
                state.ready[worker].removeFirst(state.firsts[worker])
                state.firsts[worker] = 0
            }
            isHalfEmpty = state.isWaiting && state.count(worker) < max(1, state.depth / 2)
            return .some(taken)
        }
        if isHalfEmpty { state.signal() }
        guard let next else { return false }
        chunk = next
        return true
    }

    /// No further trace begins. Any thread.
    func close() { closes.store(true, ordering: .relaxed) }

    /// For another run. No thread may be using the feed.
    func reopen() {
        closes.store(false, ordering: .relaxed)
        state.withLock { $0.isOver = false }
    }
}
