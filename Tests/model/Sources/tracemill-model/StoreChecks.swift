// The store of live spans: tickets against a model of what each may still do, slots that come back, and threads
// that want the same span or the same memory at one time.
import Glibc
import Synchronization

@testable import TraceCore

enum StoreChecks {
    static let all = [
        Check(name: "store", share: 4, body: model),
        Check(name: "store-shared", share: 0.05, body: shared),
        Check(name: "store-region", share: 0.3, body: region),
    ]

    /// A span that the model knows.
    private struct Known {
        var span: ActiveSpan
        var spanID: UInt64
        /// Times its attribute was set while it lived; the last value counts.
        var lastValue: Int?
    }

    /// One thread: starts, attributes, ends, and the same through tickets of spans that have ended.
    static func model(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        // The last one is large enough for threads to keep free slots in batches.
        let capacities = [2, 64, 1024, 8192]
        for capacity in capacities {
            let each = operations / capacities.count
            let rig = try Rig {
                $0.liveSpansMax = capacity
                $0.queueSpans = 1 << 14
            }
            try setGenerations(rig, capacity)
            var model = StoreModel(rig: rig, capacity: capacity, seed: seed)
            for step in 0..<each {
                try model.step()
                if step & 0x1fff == 0x1fff {
                    try model.settle()
                    Watchdog.beat()
                }
            }
            try model.settle()
            done += each
        }
        return done
    }

    /// Puts every slot a few lives before its generations wrap.
    private static func setGenerations(_ rig: Rig, _ capacity: Int) throws {
        let spans = (0..<capacity).map { _ in rig.tracer.startSpan("span") }
        try demand(
            spans.allSatisfy(\.isRecording), "a store of \(capacity) has no room for as many")
        for span in spans { span.end() }
        var index: UInt64 = 0
        rig.recorder.core.pointee.slots.forEachTouched { node in
            let slot = node.assumingMemoryBound(to: SpanSlot.self)
            slot.pointee.state.store(0 &- (index % 5 + 1) << 8, ordering: .relaxed)
            index += 1
        }
        var body = ExportBody(capacityBytes: 8 << 20)
        while rig.queue.fill(&body, spans: 4096) > 0 {}
    }

    private struct StoreModel {
        let rig: Rig
        let capacity: Int
        let key = AttributeKey("n")
        var draws: Draws
        var live: [Known] = []
        var ended: [ActiveSpan] = []
        var expected: [UInt64: Int?] = [:]
        var (starts, refused) = (UInt64(0), UInt64(0))
        var isFilling = true
        let before: CoreCounters
        var body = BodyBox()

        init(rig: Rig, capacity: Int, seed: UInt64) {
            self.rig = rig
            self.capacity = capacity
            draws = Draws(seed &+ UInt64(capacity))
            before = rig.recorder.counters
        }

        mutating func step() throws {
            // Filling up to the end, then emptying: both ends are met at any capacity.
            if live.isEmpty { isFilling = true }
            switch draws.below(8) {
            case 0, 1, 2: if isFilling { try start() } else { try end() }
            case 3: if isFilling { try end() } else { try start() }
            case 4, 5: try setAttribute()
            default: try useStale()
            }
        }

        private mutating func start() throws {
            let span = rig.tracer.startSpan("span")
            starts += 1
            let hasRoom = live.count < capacity
            try demand(
                span.isRecording == hasRoom,
                "a start with \(live.count) of \(capacity) alive "
                    + (hasRoom ? "does not record" : "records"))
            if hasRoom {
                live.append(
                    Known(span: span, spanID: span.context.spanID.rawValue, lastValue: nil))
            } else {
                refused += 1
                if refused % 8 == 0 { isFilling = false }
            }
        }

        private mutating func end() throws {
            guard !live.isEmpty else { return }
            let known = live.remove(at: draws.below(live.count))
            known.span.end()
            try demand(!known.span.isRecording, "a span records after its end")
            expected[known.spanID] = .some(known.lastValue)
            if ended.count < 256 {
                ended.append(known.span)
            } else {
                ended[draws.below(256)] = known.span
            }
        }

        private mutating func setAttribute() throws {
            guard !live.isEmpty else { return }
            let index = draws.below(live.count)
            try demand(live[index].span.isRecording, "a live span does not record")
            let value = draws.below(1 << 20)
            live[index].span.setAttribute(key, value)
            live[index].lastValue = value
        }

        /// A ticket of a span that has ended does nothing, whoever lives in the slot now.
        private mutating func useStale() throws {
            guard !ended.isEmpty else { return }
            let stale = ended[draws.below(ended.count)]
            try demand(!stale.isRecording, "a ticket of an ended span records")
            stale.setAttribute(key, -1)
            stale.end()
        }

        /// Everything that ended is drained, each span once and with what was set while it lived.
        mutating func settle() throws {
            var seen = 0
            while true {
                let count = rig.queue.fill(&body.body, spans: 4096)
                if count == 0 { break }
                try SpanMessageView.each(of: body.body.bytes) { span in
                    seen += 1
                    guard let value = expected.removeValue(forKey: span.spanID) else {
                        throw Failure("a span came that had not ended, or came twice")
                    }
                    let attributes = try span.attributes
                    try demand(
                        attributes.count == (value == nil ? 0 : 1),
                        "\(attributes.count) attributes on a span with \(value == nil ? 0 : 1)")
                    guard let value, let bytes = attributes.first else { return }
                    try demand(
                        Self.number(bytes) == value,
                        "\(Self.number(bytes).map { "\($0)" } ?? "nothing") where \(value) was set")
                }
            }
            try demand(expected.isEmpty, "\(expected.count) spans ended and did not come")
            let counters = rig.recorder.counters
            try demand(
                counters.startCalls - before.startCalls == starts
                    && counters.notRecordedStoreFull == refused
                    && counters.live == UInt64(live.count)
                    && rig.recorder.liveSlotCount == UInt64(live.count)
                    && counters.droppedQueueFull == 0,
                "\(starts) starts, \(refused) refused, \(live.count) alive by the model; "
                    + "\(rig.recorder.liveSlotCount) slots, \(counters)")
        }

        /// The value of an attribute `n`: key (2 bytes and the letter), then AnyValue with an int (tag 0x18).
        private static func number(_ attribute: UnsafeRawBufferPointer) -> Int? {
            guard attribute.count >= 7, attribute[0] == 0x0a, attribute[1] == 1,
                attribute[3] == 0x12, attribute[5] == 0x18
            else { return nil }
            var value: UInt64 = 0
            for (index, byte) in attribute[6...].enumerated() {
                value |= UInt64(byte & 0x7f) << UInt64(7 * min(index, 9))
                if byte < 0x80 { break }
            }
            return Int(Int64(bitPattern: value))
        }
    }

    /// A body among values that are copied.
    private final class BodyBox {
        var body = ExportBody(capacityBytes: 8 << 20)
    }

    /// Threads that share a span: what each set before any of them ended it is there, and it ends once.
    static func shared(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        for (threads, fences) in [(2, false), (4, false), (4, true), (8, false)] {
            let rounds = max(20, operations / (4 * 3 * threads))
            let rig = try Rig {
                $0.queueSpans = 1 << 14
                $0.fencesOpenly = fences
            }
            let perWave = 200
            var body = ExportBody(capacityBytes: 8 << 20)
            var round = 0
            while round < rounds {
                let tracer = rig.tracer
                let spans = (0..<perWave).map {
                    tracer.startSpan(
                        "span", at: 1, identity: Mark(producer: 0, number: $0).identity)
                }
                let arrived = SharedNumber()
                OSThreads.run(count: threads) { thread in
                    let key = AttributeKey("k\(thread)")
                    for index in 0..<perWave {
                        spans[index].setAttribute(key, thread)
                        arrived.add()
                        arrived.wait(for: (index + 1) * threads)
                        spans[index].end(at: 2)
                        spans[index].end(at: 3)
                    }
                }
                var seen = Set<Int>()
                while rig.queue.fill(&body, spans: 4096) > 0 {
                    try SpanMessageView.each(of: body.bytes) { span in
                        try demand(
                            seen.insert(span.mark.number).inserted, "a span ended twice")
                        let count = try span.attributes.count
                        try demand(
                            count == threads,
                            "\(count) of \(threads) attributes that \(threads) threads set")
                    }
                }
                try demand(seen.count == perWave, "\(seen.count) of \(perWave) shared spans came")
                try demand(rig.recorder.liveSlotCount == 0, "a shared span lives on")
                round += perWave
                Watchdog.beat()
            }
            done += 3 * threads * round
        }
        return done
    }

    /// Threads that want the same new memory get the same one; nothing is left over.
    static func region(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        let (capacity, stride, threads) = (128, 65_536, 4)
        while done < operations {
            let pages = CountedPages()
            let box = RegionBox(
                SegmentedRegion(capacity: capacity, strideBytes: stride, pages: pages))
            let addresses = Guarded([[UInt]](repeating: [], count: threads))
            let ready = SharedNumber()
            OSThreads.run(count: threads) { thread in
                ready.add()
                ready.wait(for: threads)
                let found = (0..<capacity).map { UInt(bitPattern: box.region.piece($0)) }
                addresses.withLock { $0[thread] = found }
            }
            let all = addresses.withLock { $0 }
            try demand(
                all.allSatisfy { $0 == all[0] }, "two threads have different memory for one piece")
            try demand(Set(all[0]).count == capacity, "two pieces share memory")
            let stated = SegmentedRegion.footprintBytes(
                capacity: capacity, used: capacity, strideBytes: stride, pages: pages)
            try demand(pages.heldBytes == stated, "\(pages.heldBytes) bytes held, \(stated) stated")
            pages.releaseAll()
            done += capacity * threads
            Watchdog.beat()
        }
        return done
    }

    private final class RegionBox: Sendable {
        let region: SegmentedRegion
        init(_ region: consuming SegmentedRegion) { self.region = region }
    }
}

/// Pages that are counted as they are given out and taken back.
final class CountedPages: PageSource {
    private let given = Guarded<[UInt: Int]>([:])
    var heldBytes: Int { given.withLock { $0.values.reduce(0, +) } }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        guard let pages = MappedPageSource().allocate(byteCount: byteCount) else { return nil }
        given.withLock { $0[UInt(bitPattern: pages)] = footprintBytes(of: byteCount) }
        return pages
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        given.withLock { $0[UInt(bitPattern: pages)] = nil }
        MappedPageSource().release(pages, byteCount: byteCount)
    }

    /// Nobody looks at any of it any more.
    func releaseAll() {
        for (address, byteCount) in given.withLock({ $0 }) {
            guard let pages = UnsafeMutableRawPointer(bitPattern: address) else { continue }
            release(pages, byteCount: byteCount)
        }
    }
}
