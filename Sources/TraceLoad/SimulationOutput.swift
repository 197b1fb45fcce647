/// Where a simulation puts what happens: into a stream for each worker, in order of simulated time, or
/// trace by trace into one batch. One thread.
struct SimulationOutput: Sendable {
    enum Form: Sendable {
        case batch
        /// Trace number t of the run belongs to shard t mod `shard.count`, and of those that this shard
        /// shows, each `workers`th to the same worker.
        case streams(workers: Int, shard: Shard)
    }

    private struct Stream {
        var chunk = PlanChunk()
        /// Whose instant the last event belongs to.
        var slot = UInt32.max
        var timeNs: UInt64 = 0
        var slotCount: UInt32 = 0
        var freeSlots: [UInt32] = []
    }

    private let isBatch: Bool
    let shard: Shard
    private var streams: [Stream]
    /// By place of the trace: what it has so far.
    private var groups: [[PlanEvent]] = []
    /// Whole traces, in order of their ends.
    private(set) var batch = PlanBatch()
    /// Whether some worker's chunk is full enough to be handed over.
    private(set) var isAnyFull = false

    init(_ form: Form) {
        switch form {
        case .batch:
            (isBatch, shard, streams) = (true, .whole, [])
        case .streams(let workers, let shard):
            isBatch = false
            self.shard = shard
            streams = Array(repeating: Stream(), count: workers)
        }
    }

    mutating func begin(_ trace: inout SimulatedTrace, place: Int, intendedNs: UInt64) {
        trace.isShown = shard.shows(trace.index)
        guard trace.isShown else { return }
        guard !isBatch else {
            while groups.count <= place { groups.append([]) }
            return
        }
        let worker = Int(trace.index / UInt64(shard.count) % UInt64(streams.count))
        let slot = streams[worker].freeSlots.popLast() ?? streams[worker].slotCount
        streams[worker].slotCount = max(streams[worker].slotCount, slot + 1)
        (trace.worker, trace.slot) = (worker, slot)
        let head = streams[worker].chunk.heads.count
        streams[worker].chunk.heads.append(
            TraceHead(index: trace.index, startNs: trace.startNs, intendedNs: intendedNs))
        streams[worker].chunk.events.append(
            PlanEvent(.begin, span: 0, operand: slot, value: UInt64(head)))
        (streams[worker].slot, streams[worker].timeNs) = (slot, trace.startNs)
    }

    @inline(__always)
    mutating func append(
        _ event: PlanEvent, worker: Int, slot: UInt32, _ place: Int, _ nowNs: UInt64
    ) {
        if isBatch {
            groups[place].append(event)
            return
        }
        mark(worker, slot, nowNs)
        streams[worker].chunk.events.append(event)
    }

    @inline(__always)
    private mutating func mark(_ worker: Int, _ slot: UInt32, _ nowNs: UInt64) {
        if streams[worker].slot == slot, streams[worker].timeNs == nowNs { return }
        (streams[worker].slot, streams[worker].timeNs) = (slot, nowNs)
        if streams[worker].chunk.events.count >= PlanChunk.eventsMax { isAnyFull = true }
        streams[worker].chunk.events.append(
            PlanEvent(.resume, span: 0, operand: slot, value: nowNs))
    }

    /// Copies a text to where the events go.
    mutating func appendText(_ text: [UInt8], _ range: Range<Int>, worker: Int) -> PlanText {
        let offset: Int
        if isBatch {
            offset = batch.text.count
            batch.text.append(contentsOf: text[range])
        } else {
            offset = streams[worker].chunk.text.count
            streams[worker].chunk.text.append(contentsOf: text[range])
        }
        return PlanText(offset: offset, byteCount: range.count, isKnownAhead: false)
    }

    mutating func finish(_ trace: SimulatedTrace, place: Int, nowNs: UInt64) {
        guard trace.isShown else { return }
        guard !isBatch else {
            batch.append(
                TracePlan(
                    index: trace.index, startNs: trace.startNs, durationNs: trace.lastEndNs,
                    firstEvent: 0, eventCount: 0, spanCount: trace.spanCount,
                    rootCount: trace.rootCount, traffic: trace.traffic),
                groups[place])
            groups[place].removeAll(keepingCapacity: true)
            return
        }
        let worker = trace.worker
        mark(worker, trace.slot, nowNs)
        streams[worker].chunk.events.append(
            PlanEvent(.finish, span: 0, operand: trace.slot, value: UInt64(trace.rootCount)))
        streams[worker].freeSlots.append(trace.slot)
    }

    // MARK: Handing over

    /// Whether a worker's chunk is full enough to be handed over.
    func isFull(_ worker: Int) -> Bool {
        streams[worker].chunk.events.count >= PlanChunk.eventsMax
    }

    func isEmpty(_ worker: Int) -> Bool { streams[worker].chunk.isEmpty }

    /// Gives a worker's chunk away for an empty one.
    mutating func take(_ worker: Int, leaving spare: inout PlanChunk) {
        spare.removeAll()
        swap(&streams[worker].chunk, &spare)
        streams[worker].slot = .max
        isAnyFull = false
    }

    /// The whole traces so far, in order of their numbers.
    mutating func takeBatch() -> PlanBatch {
        var result = PlanBatch()
        swap(&result, &batch)
        result.traces.sort { $0.index < $1.index }
        return result
    }
}

/// One of several runs that share the traces of a scenario: each simulates all of them and shows its
/// own.
public struct Shard: Hashable, Sendable {
    /// From 0.
    public var index: Int
    public var count: Int

    public static let whole = Shard(index: 0, count: 1)

    public init(index: Int, count: Int) {
        precondition(count > 0 && (0..<count).contains(index), "a shard is i of n, 0 ≤ i < n")
        self.index = index
        self.count = count
    }

    func shows(_ trace: UInt64) -> Bool {
        count == 1 || trace % UInt64(count) == UInt64(index)
    }
}
