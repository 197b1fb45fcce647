// Finished spans kept back, packed by trace, until somebody decides about the trace: the storage behind tail
// sampling. It stands between the queue and request bodies; the exporter thread alone touches it.
// What a decision is made from is gathered as spans come in, so that dropping a trace looks at none of them.
import CThread

/// Sizes of a ``TraceHold``.
package struct TraceHoldSizes: Sendable, Equatable {
    /// Traces that may wait at one time.
    package var tracesMax: Int
    /// Memory for everything: spans, tables and decisions.
    package var memoryBytesMax: Int
    /// Traces remembered after they were kept, and after they were dropped.
    package var keptDecisions: Int
    package var droppedDecisions: Int

    package init(tracesMax: Int, memoryBytesMax: Int, keptDecisions: Int, droppedDecisions: Int) {
        self.tracesMax = tracesMax
        self.memoryBytesMax = memoryBytesMax
        self.keptDecisions = keptDecisions
        self.droppedDecisions = droppedDecisions
    }

    /// Bytes of tables and decisions, without any span.
    package func tableBytes(pages: some PageSource) -> Int {
        pages.footprintBytes(of: tracesMax * MemoryLayout<HeldTrace>.stride)
            + TraceIndex.footprintBytes(capacity: tracesMax, pages: pages)
            + DeadlineOrder.footprintBytes(capacity: tracesMax, pages: pages)
            + DecisionCache.footprintBytes(capacity: keptDecisions, pages: pages)
            + DecisionCache.footprintBytes(capacity: droppedDecisions, pages: pages)
    }

    /// Blocks for spans, by what the tables leave: as many as fit with what the source rounds up.
    func blockCount(pages: some PageSource) -> Int {
        let bytes = memoryBytesMax - tableBytes(pages: pages)
        var count = max(0, bytes) / TraceBlocks.footprintBytes
        while count > 0 {
            let excess = TraceBlocks.footprintBytes(capacity: count, pages: pages) - bytes
            if excess <= 0 { break }
            count -= min(count, max(1, excess / TraceBlocks.footprintBytes))
        }
        return count
    }

    /// What all of it comes to, once everything is in use.
    package func footprintBytes(pages: some PageSource) -> Int {
        tableBytes(pages: pages)
            + TraceBlocks.footprintBytes(capacity: blockCount(pages: pages), pages: pages)
    }
}

/// A trace that waits: what its decision may look at, and where its spans are.
@safe package struct HeldTrace {
    package var traceID: TraceID
    /// Earliest start and latest end, Unix time.
    package var startUnixNano = UInt64.max
    package var endUnixNano: UInt64 = 0
    /// When its wait is over, on the clock that the hold goes by.
    package var deadlineNs: UInt64
    /// Bits of what its spans fulfilled, as the scan said.
    package var conditions: UInt64 = 0
    /// Spans that came before the deadline.
    package var spans: UInt32 = 0
    /// Bit n: a span has OTLP status n.
    package var statuses: UInt32 = 0
    /// With those that came after it, while the decision was still to be made.
    var heldSpans: UInt32 = 0
    var hash: UInt32
    var identitySum: UInt64 = 0
    var chain = RecordChain()
    /// The next free one, while it is free.
    var nextFree = -1
    /// Two lines exactly.
    private let padding: (UInt64, UInt64, UInt64) = (0, 0, 0)

    init(_ traceID: TraceID, hash: UInt32, deadlineNs: UInt64) {
        self.traceID = traceID
        self.hash = hash
        self.deadlineNs = deadlineNs
    }
}

/// What a hold has counted. Spans and the sum of their identities, which is 0 where nobody keeps sums.
package struct TraceHoldCounts: Sendable, Equatable {
    package struct Spans: Sendable, Equatable {
        package var count: UInt64 = 0
        package var identitySum: UInt64 = 0

        package init() {}

        mutating func add(_ count: some BinaryInteger, _ identitySum: UInt64) {
            self.count &+= UInt64(truncatingIfNeeded: count)
            self.identitySum &+= identitySum
        }

        mutating func subtract(_ count: some BinaryInteger, _ identitySum: UInt64) {
            self.count &-= UInt64(truncatingIfNeeded: count)
            self.identitySum &-= identitySum
        }
    }

    /// Why a trace was let go undecided.
    package enum Shortage: Sendable { case traces, memory }

    /// Undecided.
    package var waiting = Spans()
    /// Decided, and not in a request body yet.
    package var released = Spans()
    /// Given up, for whatever reason.
    package var discarded = Spans()
    package var traces: UInt64 = 0
    package var keptTraces: UInt64 = 0
    package var droppedTraces: UInt64 = 0
    /// Let go undecided since there were too many, or their spans too large.
    package var letGoTraces: UInt64 = 0
    package var letGoForMemoryTraces: UInt64 = 0
    package var letGoSpans: UInt64 = 0
    /// Came after their trace's deadline, and went the way of the trace.
    package var lateKept: UInt64 = 0
    package var lateDropped: UInt64 = 0

    package init() {}
}

/// What the hold asks of whoever decides.
package protocol TraceDecider: AnyObject {
    /// Whether every span is to be looked at.
    var scansSpans: Bool { get }
    /// Looks at a span as it comes in.
    /// - Parameter known: the trace's bits so far; the result is added to them.
    func scan(_ message: UnsafeRawBufferPointer, stream: Int, known: UInt64) -> UInt64
    /// Whether the trace is kept, at its deadline.
    func keeps(_ trace: borrowing HeldTrace) -> Bool
    /// A span came after its trace's deadline, by so much.
    func noteLate(ageNs: UInt64)
}

/// Spans by trace, waiting. One owner, one thread.
@safe package struct TraceHold: ~Copyable {
    let waitNs: UInt64
    let tracesMax: Int
    /// Spans' own times are the clock.
    let simulatesTime: Bool
    let keepsSums: Bool
    let traces: UnsafeMutablePointer<HeldTrace>
    private let tracesBytes: Int
    private let pages: any PageSource
    var blocks: TraceBlocks
    var index: TraceIndex
    var order: DeadlineOrder
    var kept: DecisionCache
    var dropped: DecisionCache
    /// Kept spans on their way into bodies: one chain, read from `reader` on.
    var released = RecordChain()
    var reader: ChainReader?
    private var firstFree = -1
    private var touchedTraces = 0
    /// The trace that the last span belonged to; -1: none that waits.
    var last = -1
    /// Simulated time that all traces to come are behind.
    var simulatedNs: UInt64 = 0
    package var counts = TraceHoldCounts()

    /// - Parameter queue: whose spans are held; it says which clock counts and whether sums are kept.
    package init(
        sizes: TraceHoldSizes, waitNs: UInt64, queue: SpanQueue, pages: some PageSource
    ) {
        self.init(
            sizes: sizes, waitNs: waitNs, simulatesTime: unsafe queue.core.pointee.simulatesTime,
            keepsSums: unsafe queue.core.pointee.sumsChecked, pages: pages)
    }

    init(
        sizes: TraceHoldSizes, waitNs: UInt64, simulatesTime: Bool, keepsSums: Bool,
        pages: some PageSource
    ) {
        self.waitNs = waitNs
        self.simulatesTime = simulatesTime
        self.keepsSums = keepsSums
        self.pages = pages
        tracesMax = sizes.tracesMax
        tracesBytes = sizes.tracesMax * MemoryLayout<HeldTrace>.stride
        guard let memory = unsafe pages.allocate(byteCount: tracesBytes) else {
            fatalError("tracemill: no memory for \(sizes.tracesMax) waiting traces")
        }
        unsafe HugePages.wish(memory, tracesBytes)
        unsafe traces = unsafe memory.bindMemory(to: HeldTrace.self, capacity: tracesMax)
        blocks = TraceBlocks(capacity: sizes.blockCount(pages: pages), pages: pages)
        index = TraceIndex(capacity: tracesMax, pages: pages)
        order = DeadlineOrder(capacity: tracesMax, isHeap: simulatesTime, pages: pages)
        kept = DecisionCache(capacity: sizes.keptDecisions, pages: pages)
        dropped = DecisionCache(capacity: sizes.droppedDecisions, pages: pages)
    }

    deinit { unsafe pages.release(traces, byteCount: tracesBytes) }

    // MARK: State

    /// Traces that wait.
    package var waitingTraces: Int { order.count }
    /// Kept spans that are in no body yet.
    package var releasedSpans: Int { Int(counts.released.count) }
    package var isEmpty: Bool { counts.waiting.count == 0 && counts.released.count == 0 }
    /// Blocks of spans in use, bytes.
    package var usedBytes: Int {
        (blocks.capacity - blocks.freeCount) * TraceBlocks.strideBytes
    }
    /// What the spans' blocks take of their source by now.
    package var heldBlockBytes: Int { blocks.heldBytes }
    package var keptDecisions: Int { kept.count }
    package var droppedDecisions: Int { dropped.count }

    /// Whether more spans may come in: what is on its way out holds no more than half of the memory. The rest
    /// is for those that wait; while a receiver is away, the queue has to hold back what comes.
    package var takesMore: Bool { Int(released.blocks) <= blocks.capacity / 2 }

    /// When the next wait is over; nil when none is, or where the clock is not the wall's.
    package var nextDeadlineNs: UInt64? {
        order.count == 0 || simulatesTime ? nil : order.nextNs
    }

    // MARK: Decisions

    /// Decides every trace whose wait is over, in the order of their deadlines.
    package mutating func decideDue(nowNs: UInt64, _ decider: some TraceDecider) {
        let nowNs = simulatesTime ? simulatedNs : nowNs
        while order.nextNs <= nowNs, order.count > 0 { decideNext(decider) }
    }

    /// Decides all that wait, as if the time had come.
    package mutating func decideAll(_ decider: some TraceDecider) {
        while order.count > 0 { decideNext(decider) }
    }

    mutating func decideNext(_ decider: some TraceDecider) {
        fetchAhead()
        let number = order.removeNext()
        let trace = unsafe traces + number
        let keeps = unsafe decider.keeps(trace.pointee)
        let (traceID, hash) = unsafe (trace.pointee.traceID, trace.pointee.hash)
        let deadlineNs = unsafe trace.pointee.deadlineNs
        if keeps {
            counts.keptTraces &+= 1
            release(number)
            kept.insert(traceID, hash, decidedNs: deadlineNs)
        } else {
            counts.droppedTraces &+= 1
            discard(number)
            dropped.insert(traceID, hash, decidedNs: deadlineNs)
        }
        free(number)
    }

    /// Fetches what the decisions after this one will look at.
    @inline(__always)
    private func fetchAhead() {
        if let soon = order.ahead(6) {
            unsafe tracemill_prefetch(traces + soon, Int64(MemoryLayout<HeldTrace>.stride))
        }
        guard let next = order.ahead(3) else { return }
        let hash = unsafe traces[next].hash
        index.prefetch(hash)
        dropped.prefetch(hash)
        dropped.prefetchOldest()
    }

    /// Lets the oldest trace go undecided. Spans of it that come later are dropped like it.
    /// - Returns: which it was.
    mutating func letOldestGo(_ shortage: TraceHoldCounts.Shortage) -> Int {
        let number = order.removeNext()
        let trace = unsafe traces + number
        counts.letGoTraces &+= 1
        if shortage == .memory { counts.letGoForMemoryTraces &+= 1 }
        unsafe counts.letGoSpans &+= UInt64(trace.pointee.heldSpans)
        discard(number)
        unsafe dropped.insert(
            trace.pointee.traceID, trace.pointee.hash, decidedNs: trace.pointee.deadlineNs)
        free(number)
        return number
    }

    private mutating func release(_ number: Int) {
        let trace = unsafe traces + number
        let chain = unsafe trace.pointee.chain
        unsafe counts.waiting.subtract(trace.pointee.heldSpans, trace.pointee.identitySum)
        unsafe counts.released.add(trace.pointee.heldSpans, trace.pointee.identitySum)
        chain.close()
        released.append(chain, &blocks)
        if reader == nil, !released.isEmpty { reader = ChainReader(released, blocks) }
    }

    private mutating func discard(_ number: Int) {
        let trace = unsafe traces + number
        unsafe counts.waiting.subtract(trace.pointee.heldSpans, trace.pointee.identitySum)
        unsafe counts.discarded.add(trace.pointee.heldSpans, trace.pointee.identitySum)
        unsafe trace.pointee.chain.release(to: &blocks)
    }

    /// Gives up everything, as a shutdown does whose time is up: not discarded, but not sent either.
    package mutating func dropAll() -> TraceHoldCounts.Spans {
        var dropped = counts.waiting
        dropped.add(counts.released.count, counts.released.identitySum)
        while order.count > 0 {
            let number = order.removeNext()
            unsafe traces[number].chain.release(to: &blocks)
            free(number)
        }
        giveBackReleased()
        counts.waiting = TraceHoldCounts.Spans()
        counts.released = TraceHoldCounts.Spans()
        return dropped
    }

    /// Gives back all blocks of what was released.
    mutating func giveBackReleased() {
        released.release(to: &blocks)
        reader = nil
    }

    // MARK: Places

    /// A place for a new trace; there must be one.
    mutating func take() -> Int {
        if firstFree >= 0 {
            let number = firstFree
            firstFree = unsafe traces[number].nextFree
            return number
        }
        precondition(touchedTraces < tracesMax, "more traces wait than there is room for")
        defer { touchedTraces += 1 }
        return touchedTraces
    }

    private mutating func free(_ number: Int) {
        unsafe index.remove(traces[number].hash, number)
        // A guess made before may still point here.
        unsafe traces[number].traceID = TraceID(high: 0, low: 0)
        unsafe traces[number].nextFree = firstFree
        firstFree = number
        if last == number { last = -1 }
    }
}
