// The memory behind a recorder: never unmapped, so that a stale ticket always finds a readable slot.
import CThread
import Glibc
import Synchronization

/// Bits of the word that every `end` looks at once: all clear on the fast path.
enum Signal {
    /// No span is taken any more.
    static let closed: UInt32 = 1
    /// The exporter sleeps over an empty queue: wake it.
    static let wakeOnAny: UInt32 = 2
    /// A hook runs after every published span (simple processor).
    static let afterEnd: UInt32 = 4
    /// Tracing is off: starts give no-op spans.
    static let disabled: UInt32 = 8
    /// Somebody wants to see starts and ends: processors of the user's, further queues.
    static let observed: UInt32 = 16
    /// This process is a forked child: nothing is recorded, ended or exported here.
    static let forked: UInt32 = 32
    /// The exporter sleeps over a batch that is all but full: each span is reported as it is published.
    static let reportsEach: UInt32 = 64
    /// Nobody can make all threads pass a barrier (see `tracemill_process_barrier`): they fence themselves, and
    /// take turns on slots from the start.
    static let fences: UInt32 = 128

    /// What a start looks at first.
    static let refusesStarts = closed | disabled | forked
    /// What makes a start of the usual kind unusual.
    static let unusualStarts = refusesStarts | observed | fences
    /// What an end looks at first.
    static let divertsEnds = observed | forked | fences
}

/// Words shared by all threads and written now and then: each kind on lines of its own.
struct SharedWords: ~Copyable {
    /// Read by every start and end, written when the exporter sleeps or wakes.
    let signals = Atomic<UInt32>(0)
    private let padding0 = InlineArray<15, UInt64>(repeating: 0)
    /// Spans admitted (credits given out) and not yet drained.
    let admitted = Atomic<Int>(0)
    /// Spans that threads reported as published, a batch of credits at a time.
    let reported = Atomic<Int>(0)
    /// Threads waiting for room.
    let waiters = Atomic<Int>(0)
    /// When not 0: `reported` has to reach this for the exporter to be woken.
    let wakeAtReported = Atomic<Int>(0)
    private let padding1 = InlineArray<12, UInt64>(repeating: 0)
    /// Spans drained; the exporter's.
    let drained = Atomic<Int>(0)
    /// Spans taken out since no request body could hold them; the exporter's.
    let skipped = Atomic<Int>(0)
    let skippedIdentitySum = Atomic<UInt64>(0)
    private let padding2 = InlineArray<13, UInt64>(repeating: 0)
}

/// One resource and scope: encoded once, found by number.
@safe struct Stream {
    var resourceIndex: Int
    var resource: InternedBytes
    var scope: InternedBytes
}

@safe struct RecorderCore: ~Copyable {
    let index: UInt32
    let epoch: UInt64
    let usesCycles: Bool
    let queueSpans: Int
    let blocksWhenFull: Bool
    let sumsChecked: Bool
    /// Samplers go by the start times that callers give.
    let simulatesTime: Bool
    /// One end in this many carries its instant for latency figures; 0: none.
    let timeOneIn: UInt32
    let eventFileDescriptor: Int32
    let shared: UnsafeMutablePointer<SharedWords>
    let slots: NodePool
    let blocks: NodePool
    let chunks: ChunkPool
    /// Guards waiting for room, closing, and the list of streams.
    let gate: OpaquePointer
    let producers = Atomic<UInt>(0)
    let producerCount = Atomic<Int>(0)
    /// Shared with the recorders that follow this one.
    let streams: UnsafeMutablePointer<Stream>
    let streamCount: UnsafeMutablePointer<Atomic<Int>>
    /// Set once the last drain is done; under `gate`.
    var isSealed = false
    /// Called after a published span when `Signal.afterEnd` is set; set before any span is.
    var afterEnd: UnsafeMutableRawPointer?
    /// `SpanObservers`, when `Signal.observed` is set; set before any span is, and never freed.
    var observers: UnsafeMutableRawPointer?

    static let streamsMax = 65_536
}

typealias CorePointer = UnsafeMutablePointer<RecorderCore>
typealias ProducerPointer = UnsafeMutablePointer<Producer>

/// Which recorder indices are taken; an index is what a thread's block is addressed by. Each has one event
/// descriptor for ever: a span may end after its recorder is gone, and must not signal what is then
/// somebody else's file.
enum RecorderIndices {
    struct Lease {
        var index: UInt32
        var epoch: UInt64
        var eventFileDescriptor: Int32
    }
    struct State {
        var used: UInt64 = 0
        /// The last core at each index, as an address; cores are never freed.
        var cores: [UInt] = []
        var epoch: UInt64 = 0
        var eventFileDescriptors: [Int32] = []
    }
    static let state = Guarded(State())

    /// A free index, with an epoch never given before.
    static func take() throws(RecorderError) -> Lease {
        try state.withLock { state throws(RecorderError) in
            let free = (~state.used).trailingZeroBitCount
            guard free < Int(TRACEMILL_RECORDERS_MAX) else { throw .tooManyRecorders }
            if free == state.eventFileDescriptors.count {
                let made = tracemill_eventfd_new()
                guard made >= 0 else { throw .noEventDescriptor }
                state.eventFileDescriptors.append(made)
            }
            _ = tracemill_eventfd_take(state.eventFileDescriptors[free])
            state.used |= 1 << UInt64(free)
            state.epoch += 1
            return Lease(
                index: UInt32(free), epoch: state.epoch,
                eventFileDescriptor: state.eventFileDescriptors[free])
        }
    }

    /// Keeps the core of an index, to be found in a forked child.
    static func note(_ core: CorePointer) {
        _ = ForkedChild.isHandled
        let index = unsafe Int(core.pointee.index)
        state.withLock { state in
            while state.cores.count <= index { state.cores.append(0) }
            state.cores[index] = UInt(bitPattern: core)
        }
    }

    /// Makes every recorder inert: this process is a forked child. The state is locked.
    static func markForked() {
        state.withValueWhileLocked { state in
            for address in state.cores {
                unsafe CorePointer(bitPattern: address)?.pointee.shared.pointee.signals.bitwiseOr(
                    Signal.forked, ordering: .relaxed)
            }
        }
    }

    static func give(_ index: UInt32) {
        state.withLock { $0.used &= ~(1 << UInt64(index)) }
    }
}

extension RecorderCore {
    /// The calling thread's producer, made or taken over on the thread's first span.
    @inline(__always)
    static func producer(_ core: CorePointer) -> ProducerPointer {
        let entry = unsafe tracemill_thread_entry(core.pointee.index)!
        if unsafe entry.pointee.epoch == core.pointee.epoch {
            return unsafe entry.pointee.producer.assumingMemoryBound(to: Producer.self)
        }
        return unsafe attach(core)
    }

    /// The calling thread's producer, if it has one.
    @inline(__always)
    static func producerIfAttached(_ core: CorePointer) -> ProducerPointer? {
        let entry = unsafe tracemill_thread_entry(core.pointee.index).unsafelyUnwrapped
        guard unsafe entry.pointee.epoch == core.pointee.epoch else { return nil }
        return unsafe entry.pointee.producer.unsafelyUnwrapped.assumingMemoryBound(
            to: Producer.self)
    }

    @inline(never)
    private static func attach(_ core: CorePointer) -> ProducerPointer {
        let entry = unsafe tracemill_thread_entry(core.pointee.index)!
        // A recorder that had this index before and is gone, or a span of it that ends only now.
        if let stale = unsafe entry.pointee.producer {
            unsafe entry.pointee.producer = nil
            unsafe detach(stale.assumingMemoryBound(to: Producer.self))
        }
        let producer = unsafe takeOver(core) ?? add(core)
        unsafe entry.pointee.producer = UnsafeMutableRawPointer(producer)
        unsafe entry.pointee.epoch = unsafe core.pointee.epoch
        // relaxed: only this thread ever finds its own number here.
        unsafe producer.pointee.threadID.store(tracemill_thread_identify(), ordering: .relaxed)
        unsafe tracemill_thread_register { raw in
            guard let raw = unsafe raw else { return }
            unsafe RecorderCore.detach(raw.assumingMemoryBound(to: Producer.self))
        }
        return unsafe producer
    }

    /// The producer of a thread that has ended, if there is one.
    private static func takeOver(_ core: CorePointer) -> ProducerPointer? {
        var next = unsafe ProducerPointer(
            bitPattern: core.pointee.producers.load(ordering: .acquiring))
        while let producer = unsafe next {
            // acquire: pairs with the release in detach(); all the last owner wrote is seen.
            if unsafe producer.pointee.owner.load(ordering: .relaxed) == Producer.Owner.none,
                unsafe producer.pointee.owner.compareExchange(
                    expected: Producer.Owner.none, desired: Producer.Owner.thread,
                    ordering: .acquiring
                ).exchanged
            {
                return unsafe producer
            }
            unsafe next = unsafe producer.pointee.nextInList
        }
        return nil
    }

    private static func add(_ core: CorePointer) -> ProducerPointer {
        let stride = (MemoryLayout<Producer>.stride + 127) & ~127
        let memory = UnsafeMutableRawPointer.allocate(byteCount: stride, alignment: 128)
        let producer = unsafe memory.bindMemory(to: Producer.self, capacity: 1)
        unsafe producer.initialize(to: Producer(core: core))
        var head = unsafe core.pointee.producers.load(ordering: .relaxed)
        while true {
            unsafe producer.pointee.nextInList = unsafe ProducerPointer(bitPattern: head)
            // release: publishes the producer; pairs with the acquire of whoever walks the list.
            let (exchanged, current) = unsafe core.pointee.producers.compareExchange(
                expected: head, desired: UInt(bitPattern: producer), ordering: .releasing)
            if exchanged { break }
            head = current
        }
        // seq_cst: pairs with the one in armCounted(); the exporter reckons with this thread, or is woken to
        // do so before it has ended a span.
        unsafe core.pointee.producerCount.add(1, ordering: .sequentiallyConsistent)
        if unsafe core.pointee.shared.pointee.wakeAtReported.load(ordering: .sequentiallyConsistent)
            != 0
        {
            unsafe tracemill_eventfd_signal(core.pointee.eventFileDescriptor)
        }
        return unsafe producer
    }

    /// The thread ends: its free slots and credits go back, its open chunk waits for the next thread.
    private static func detach(_ producer: ProducerPointer) {
        let core = unsafe producer.pointee.core
        unsafe core.pointee.slots.empty(&producer.pointee.slots)
        unsafe core.pointee.blocks.empty(&producer.pointee.blocks)
        unsafe SpanAdmission.returnCredits(core, producer)
        unsafe producer.pointee.scratch?.deallocate()
        unsafe producer.pointee.scratch = nil
        unsafe producer.pointee.scratchBytes = 0
        unsafe producer.pointee.threadID.store(Producer.nobody, ordering: .relaxed)
        unsafe producer.pointee.owner.store(Producer.Owner.none, ordering: .releasing)
    }

    /// Monotonic ticks now, of whichever counter this recorder uses.
    @inline(__always)
    static func ticks(_ core: CorePointer) -> UInt64 {
        unsafe core.pointee.usesCycles ? tracemill_cycles() : tracemill_monotonic_ns()
    }
}
