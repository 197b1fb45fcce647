// The recorder: clock, store and queue, shared by the providers of many services.
import CThread
import Glibc
import Synchronization

/// Sizes and ways of a recorder. Memory is reserved, not touched, until spans need it.
public struct RecorderOptions: Sendable {
    /// Spans that may be live at one time; more do not record and are counted.
    public var liveSpansMax = 65_536
    /// Blocks of 4 KiB for spans that outgrow their slot.
    public var blocksMax = 16_384
    /// Finished spans that may wait for the exporter.
    public var queueSpans = 2_048
    /// Bytes that waiting spans may hold; nil: 64 MiB, or 1 KiB a span where that is more. Spans of more
    /// than 64 KiB have as much again of their own.
    public var queueBytesMax: Int?
    /// A full queue makes `end` wait instead of dropping the span.
    public var blocksWhenFull = false
    /// Keep order-free sums over spans, for the delivery ledger.
    public var sumsChecked = false
    /// One `end` in this many carries its instant, for latency figures; 0 is none.
    public var timeOneIn = 0
    public var clock: ClockSource = .cycleCounter
    /// The start times that callers give are the time, as in a simulation: samplers that look at time go by
    /// them instead of by the clock.
    public var simulatesTime = false
    /// Where pages come from.
    public var pages: any PageSource = MappedPageSource()
    /// Where ring positions begin: tests set it near the wrap.
    package var ringStartPosition: UInt64 = 0
    /// As on a kernel without membarrier(2): for tests.
    package var fencesOpenly = false

    public init() {}
}

/// Counts of what became of spans so far. Exact at rest; while threads run, each is a recent value.
public struct CoreCounters: Sendable, Equatable {
    public var startCalls: UInt64 = 0
    public var notRecordedSampler: UInt64 = 0
    public var notRecordedStoreFull: UInt64 = 0
    public var notRecordedAfterShutdown: UInt64 = 0
    public var notRecordedDisabled: UInt64 = 0
    /// Starts in a forked child.
    public var notRecordedForked: UInt64 = 0
    /// Spans that took a slot.
    public var recording: UInt64 = 0
    /// Of these, spans for processors alone: recorded but not sampled.
    public var recordingOnly: UInt64 = 0
    /// Recording spans that ended, by their caller or by the sweeper.
    public var ended: UInt64 = 0
    /// Of these, the ones that the sweeper ended.
    public var sweptEnded: UInt64 = 0
    /// Recording spans that the sweeper took out without an end.
    public var sweptDropped: UInt64 = 0
    /// Of those, the sampled ones: what a processor has to account for.
    public var endedSampled: UInt64 = 0
    /// Of the sampled ones, those that had lost attributes, events or links to their limits.
    public var endedOverLimit: UInt64 = 0
    /// Put into the queue.
    public var published: UInt64 = 0
    public var droppedQueueFull: UInt64 = 0
    public var droppedAfterShutdown: UInt64 = 0
    public var droppedOversize: UInt64 = 0
    /// Sum of identities over the dropped, when the recorder keeps sums.
    public var droppedIdentitySum: UInt64 = 0
    /// Taken out of the queue by the exporter.
    public var drained: UInt64 = 0

    public init() {}

    /// Spans that record and have not ended.
    public var live: UInt64 { recording &- ended &- sweptDropped }
    /// Spans in the queue.
    public var queued: UInt64 { published &- drained }
}

/// Clock, store and queue. Any number of providers share one; any thread may trace through it.
/// Safe because `core` is set once and what it points to is made for many threads.
@safe public final class SpanRecorder: @unchecked Sendable {
    let core: CorePointer
    /// The consumer's side.
    public let queue: SpanQueue
    private let streamTable = Guarded(StreamTable())
    /// Guards the making of the observers. No empty value: one has the address of what stands behind it, and the
    /// thread sanitizer takes a change of the one for a change of the other.
    let observersLock = Guarded(false)
    /// Every hook there was: a thread may be in an earlier one.
    private let hooks = Guarded<[AfterEndHook]>([])

    private struct StreamTable {
        var resources: [[UInt8]: Int] = [:]
        var streams: [Key: UInt32] = [:]
        struct Key: Hashable {
            var resource: Int
            /// Encoded: two texts that Swift holds equal may differ in their bytes.
            var scope: [UInt8]
        }
    }

    public init(options: RecorderOptions = RecorderOptions()) throws(RecorderError) {
        try Self.check(options)
        unsafe core = try unsafe Self.makeCore(options, RecorderIndices.take(), following: nil)
        queue = unsafe SpanQueue(core: core)
        unsafe RecorderIndices.note(core)
    }

    /// A recorder for the spans of another; see `makeFollower`.
    init(following other: SpanRecorder, options: RecorderOptions) throws(RecorderError) {
        try Self.check(options)
        var options = options
        (options.liveSpansMax, options.blocksMax) = (1, 1)
        unsafe core = try unsafe Self.makeCore(
            options, RecorderIndices.take(), following: other.core)
        queue = unsafe SpanQueue(core: core)
        unsafe RecorderIndices.note(core)
    }

    private static func check(_ options: RecorderOptions) throws(RecorderError) {
        for (name, value, least) in [
            ("liveSpansMax", options.liveSpansMax, 1), ("blocksMax", options.blocksMax, 1),
            ("queueSpans", options.queueSpans, 1), ("timeOneIn", options.timeOneIn, 0),
            ("queueBytesMax", options.queueBytesMax ?? .max, 1 << 16),
        ] where value < least {
            throw .badOption(name: name, value: value, least: least)
        }
    }

    private static func makeCore(
        _ options: RecorderOptions, _ lease: RecorderIndices.Lease, following other: CorePointer?
    ) -> CorePointer {
        let pages = options.pages
        let queueBytes = options.queueBytes
        let shared = unsafe UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<SharedWords>.stride, alignment: 128
        ).bindMemory(to: SharedWords.self, capacity: 1)
        unsafe shared.initialize(to: SharedWords())
        if options.fencesOpenly || !tracemill_has_process_barrier() {
            unsafe shared.pointee.signals.store(Signal.fences, ordering: .relaxed)
        }
        guard let gate = unsafe tracemill_gate_new() else {
            fatalError("tracemill: no memory for a recorder")
        }
        let (streams, streamCount) =
            unsafe other.map { unsafe ($0.pointee.streams, $0.pointee.streamCount) }
            ?? Self.makeStreams()
        let usesCycles = options.clock == .cycleCounter && TraceClock.isCycleCounterInvariant
        if usesCycles { _ = TraceClock.calibration }
        let core = CorePointer.allocate(capacity: 1)
        unsafe core.initialize(
            to: RecorderCore(
                index: lease.index, epoch: lease.epoch, usesCycles: usesCycles,
                queueSpans: options.queueSpans,
                blocksWhenFull: options.blocksWhenFull, sumsChecked: options.sumsChecked,
                simulatesTime: options.simulatesTime,
                timeOneIn: UInt32(clamping: options.timeOneIn),
                eventFileDescriptor: lease.eventFileDescriptor, shared: shared,
                slots: NodePool(
                    capacity: options.liveSpansMax, stride: SlotLayout.strideBytes, pages: pages),
                blocks: NodePool(
                    capacity: options.blocksMax, stride: Block.strideBytes, pages: pages),
                chunks: ChunkPool(
                    capacity: options.queueChunks, ownBytesMax: queueBytes,
                    ringStartPosition: options.ringStartPosition, pages: pages),
                gate: gate,
                streams: streams, streamCount: streamCount))
        return unsafe core
    }

    /// The table of tracers: not of the options' pages, since no span holds any of it, and touched only as
    /// far as there are tracers.
    private static func makeStreams()
        -> (UnsafeMutablePointer<Stream>, UnsafeMutablePointer<Atomic<Int>>)
    {
        guard
            let memory = unsafe MappedPageSource().allocate(
                byteCount: RecorderCore.streamsMax * MemoryLayout<Stream>.stride)
        else { fatalError("tracemill: no memory for a recorder") }
        let count = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 1)
        unsafe count.initialize(to: Atomic(0))
        return unsafe (memory.bindMemory(to: Stream.self, capacity: RecorderCore.streamsMax), count)
    }

    deinit {
        // In a forked child the locks may be held by threads that are not there, and nothing is left to do.
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        if signals & Signal.forked != 0 { return }
        queue.close()
        queue.disarm()
        dropObservers()
        unsafe RecorderIndices.give(core.pointee.index)
        // The rest stays: a stale ticket may look at its slot as long as the process runs.
    }

    /// What became of spans so far. Any thread.
    public var counters: CoreCounters {
        var sum = CoreCounters()
        let shared = unsafe core.pointee.shared
        func read(_ counter: borrowing Atomic<UInt64>) -> UInt64 {
            counter.load(ordering: .acquiring)
        }
        // Downstream before upstream, each in a walk of its own since a span may start on one thread and
        // end on another: so no inequality breaks while threads run.
        sum.drained = unsafe UInt64(shared.pointee.drained.load(ordering: .acquiring))
        let skipped = unsafe UInt64(shared.pointee.skipped.load(ordering: .acquiring))
        sum.endedOverLimit = endedOverLimit
        unsafe queue.forEachProducer { producer in
            unsafe sum.droppedIdentitySum &+= read(producer.pointee.counters.droppedIdentitySum)
            unsafe sum.published &+= read(producer.pointee.counters.published)
            unsafe sum.droppedQueueFull &+= read(producer.pointee.counters.droppedQueueFull)
            unsafe sum.droppedAfterShutdown &+= read(producer.pointee.counters.droppedAfterShutdown)
            unsafe sum.droppedOversize &+= read(producer.pointee.counters.droppedOversize)
        }
        // What was skipped in the drain counts as if it had never got into the queue.
        sum.published -= skipped
        sum.droppedOversize += skipped
        unsafe sum.droppedIdentitySum &+= shared.pointee.skippedIdentitySum.load(ordering: .relaxed)
        unsafe queue.forEachProducer {
            unsafe sum.endedSampled &+= read($0.pointee.counters.endedSampled)
            unsafe sum.endedSampled &+= read($0.pointee.counters.endedUsual)
        }
        unsafe queue.forEachProducer {
            unsafe sum.ended &+= read($0.pointee.counters.ended)
            unsafe sum.ended &+= read($0.pointee.counters.endedUsual)
            unsafe sum.sweptEnded &+= read($0.pointee.counters.sweptEnded)
            unsafe sum.sweptDropped &+= read($0.pointee.counters.sweptDropped)
        }
        unsafe queue.forEachProducer {
            unsafe sum.recordingOnly &+= read($0.pointee.counters.recordingOnly)
            unsafe sum.recording &+= read($0.pointee.counters.recording)
        }
        unsafe queue.forEachProducer { producer in
            unsafe sum.notRecordedSampler &+= read(producer.pointee.counters.notRecordedSampler)
            unsafe sum.notRecordedStoreFull &+= read(producer.pointee.counters.notRecordedStoreFull)
            unsafe sum.notRecordedAfterShutdown &+= read(
                producer.pointee.counters.notRecordedAfterShutdown)
            unsafe sum.notRecordedDisabled &+= read(producer.pointee.counters.notRecordedDisabled)
            unsafe sum.notRecordedForked &+= read(producer.pointee.counters.notRecordedForked)
        }
        unsafe queue.forEachProducer {
            unsafe sum.startCalls &+= read($0.pointee.counters.startCalls)
        }
        return sum
    }

    /// ``CoreCounters/endedOverLimit`` alone: a load a thread. Any thread.
    public var endedOverLimit: UInt64 {
        var sum: UInt64 = 0
        unsafe queue.forEachProducer {
            unsafe sum &+= $0.pointee.counters.endedOverLimit.load(ordering: .acquiring)
        }
        return sum
    }

    /// Slots that hold a live span, counted slot by slot: an account of its own beside the counters.
    /// Linear in the slots ever used; exact at rest. Any thread.
    public var liveSlotCount: UInt64 {
        var live: UInt64 = 0
        unsafe core.pointee.slots.forEachTouched { node in
            let slot = unsafe node.assumingMemoryBound(to: SpanSlot.self)
            if unsafe slot.pointee.state.load(ordering: .acquiring) & SlotState.live != 0 {
                live += 1
            }
        }
        return live
    }

    /// Whether spans record at all; off, a start costs a look at one word. Any thread, any time.
    public var isEnabled: Bool {
        get {
            unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed) & Signal.disabled
                == 0
        }
        set {
            if newValue {
                unsafe core.pointee.shared.pointee.signals.bitwiseAnd(
                    ~Signal.disabled, ordering: .relaxed)
            } else {
                unsafe core.pointee.shared.pointee.signals.bitwiseOr(
                    Signal.disabled, ordering: .relaxed)
            }
        }
    }

    /// Runs `body` on the ending thread after every span that got into the queue: what a processor that
    /// exports each span at once hooks into. Set it before the first span; nil takes it away.
    public func setAfterEnd(_ body: (@Sendable () -> Void)?) {
        hooks.withLock { hooks in
            let signals = unsafe core.pointee.shared
            guard let body else {
                unsafe signals.pointee.signals.bitwiseAnd(~Signal.afterEnd, ordering: .releasing)
                return
            }
            let hook = AfterEndHook(body)
            hooks.append(hook)
            unsafe core.pointee.afterEnd = unsafe Unmanaged.passUnretained(hook).toOpaque()
            unsafe signals.pointee.signals.bitwiseOr(Signal.afterEnd, ordering: .releasing)
        }
    }

    /// The number of a resource and scope, the same for equal ones.
    func stream(resource: Resource, scope: InstrumentationScope) -> UInt32 {
        // In a forked child nothing will use the number, and the lock may be held by a thread that is not there.
        if unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed) & Signal.forked != 0
        {
            return 0
        }
        return streamTable.withLock { table in
            let encoded = resource.encodedField
            let resourceIndex = table.resources[encoded] ?? table.resources.count
            table.resources[encoded] = resourceIndex
            let encodedScope = scope.encodedFields
            let key = StreamTable.Key(resource: resourceIndex, scope: encodedScope)
            if let known = table.streams[key] { return known }
            let index = unsafe core.pointee.streamCount.pointee.load(ordering: .relaxed)
            precondition(
                index < RecorderCore.streamsMax,
                "more than \(RecorderCore.streamsMax) pairs of resource and scope: reuse tracers")
            unsafe (core.pointee.streams + index).initialize(
                to: Stream(
                    resourceIndex: resourceIndex, resource: Self.keep(encoded),
                    scope: Self.keep(encodedScope)))
            // release: publishes the entry; pairs with the acquire in collect().
            unsafe core.pointee.streamCount.pointee.store(index + 1, ordering: .releasing)
            table.streams[key] = UInt32(index)
            return UInt32(index)
        }
    }

    /// A copy that is never freed.
    private static func keep(_ bytes: [UInt8]) -> InternedBytes {
        let copy = UnsafeMutableRawPointer.allocate(
            byteCount: bytes.count + Wire.slackBytes, alignment: 16)
        unsafe bytes.withUnsafeBytes {
            unsafe copy.copyMemory(from: $0.baseAddress!, byteCount: bytes.count)
        }
        return unsafe InternedBytes(pointer: UnsafeRawPointer(copy), count: bytes.count)
    }
}
