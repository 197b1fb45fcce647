import TestSupport
import Testing

@testable import TraceCore

/// Spans that nobody ends.
@Suite struct SpanSweepTests {
    static let mark = AttributeKey("finished_by_sweeper")

    private static func harness() throws -> CoreHarness {
        try CoreHarness {
            $0.liveSpansMax = 64
            $0.queueSpans = 64
        }
    }

    @Test("Dropped spans vanish, counted; their owners' calls do nothing any more")
    func drop() throws {
        let harness = try Self.harness()
        let spans = (0..<5).map { _ in harness.tracer.startSpan("forgotten") }
        #expect(harness.recorder.sweep(olderThanNs: 0, .drop).sweptSpans == 5)
        for span in spans {
            #expect(!span.isRecording)
            #expect(span.context.isSampled, "a ticket still names its context")
            span.setAttribute(Self.mark, 1)
            span.end()
        }
        let counters = harness.recorder.counters
        #expect(counters.sweptDropped == 5)
        #expect(counters.ended == 0)
        #expect(counters.live == 0)
        #expect(harness.recorder.liveSlotCount == 0)
        #expect(try harness.drain().isEmpty)
    }

    @Test(
        "Ended spans go the way of all, with the mark where it is asked for",
        arguments: [false, true])
    func end(marks: Bool) throws {
        let harness = try Self.harness()
        let span = harness.tracer.startSpan("forgotten")
        span.setAttribute(AttributeKey("key"), 1)
        #expect(
            harness.recorder.sweep(olderThanNs: 0, .end(markingAs: marks ? Self.mark : nil))
                .sweptSpans == 1)
        span.end()
        let read = try #require(try harness.drain().first)
        #expect(read["key"] == .int(1))
        #expect(read["finished_by_sweeper"] == (marks ? .bool(true) : nil))
        #expect(read.endUnixNano >= read.startUnixNano)
        let counters = harness.recorder.counters
        #expect(counters.ended == 1)
        #expect(counters.sweptEnded == 1)
        #expect(counters.endedSampled == 1)
        #expect(counters.live == 0)
    }

    @Test("The mark finds room on a span that has as many attributes as it may")
    func markOnFullSpan() throws {
        var limits = SpanLimits()
        limits.attributeCount = 1
        let harness = try CoreHarness(limits: limits) { $0.liveSpansMax = 8 }
        let span = harness.tracer.startSpan("forgotten")
        span.setAttribute(AttributeKey("a"), 1)
        span.setAttribute(AttributeKey("b"), 2)
        _ = harness.recorder.sweep(olderThanNs: 0, .end(markingAs: Self.mark))
        let read = try #require(try harness.drain().first)
        #expect(read.attributes.map(\.key) == ["a", "finished_by_sweeper"])
        #expect(read.droppedAttributes == 1)
    }

    @Test("A closure gets the span whole, and may trace by itself")
    func hand() throws {
        let harness = try Self.harness()
        let handed = Locked<[SpanSnapshot]>([])
        let tracer = harness.tracer
        let span = tracer.startSpan("forgotten")
        span.addEvent(SpanName("last seen"))
        let result = harness.recorder.sweep(
            olderThanNs: 0,
            .hand { snapshot in
                handed.withLock { $0.append(snapshot) }
                tracer.startSpan("report").end()
            })
        #expect(result.sweptSpans == 1)
        let read = try SpanObserverTests.span(#require(handed.withLock { $0 }.first))
        #expect(read.name == "forgotten")
        #expect(read.events.map(\.name) == ["last seen"])
        #expect(harness.recorder.counters.sweptDropped == 1)
        #expect(try harness.drain().map(\.name) == ["report"])
    }

    @Test("Only what is old enough goes; a start time given by the caller counts by the wall clock")
    func age() throws {
        let harness = try Self.harness()
        let now = TraceClock.unixNs
        let hour: UInt64 = 3_600_000_000_000
        let old = harness.tracer.startSpan("old", at: now - 2 * hour)
        let future = harness.tracer.startSpan("of a clock that is ahead", at: now + hour)
        let young = harness.tracer.startSpan("young")
        let result = harness.recorder.sweep(olderThanNs: hour, .drop)
        #expect(result.sweptSpans == 1)
        #expect(result.liveSpans == 2)
        #expect(result.oldestAgeNs < hour)
        #expect(!old.isRecording)
        #expect(future.isRecording)
        #expect(young.isRecording)
        #expect(harness.recorder.sweep(olderThanNs: .max, .drop).sweptSpans == 0)
    }

    @Test("A swept span's slot serves the next one, and the old ticket cannot touch it")
    func reuse() throws {
        let harness = try CoreHarness { $0.liveSpansMax = 1 }
        let forgotten = harness.tracer.startSpan("forgotten")
        #expect(!harness.tracer.startSpan("no room").isRecording)
        _ = harness.recorder.sweep(olderThanNs: 0, .drop)
        let next = harness.tracer.startSpan("next")
        #expect(next.isRecording)
        forgotten.setAttribute(AttributeKey("key"), 1)
        forgotten.end()
        #expect(next.isRecording)
        next.end()
        #expect(try harness.drain().map(\.attributes) == [[]])
    }

    @Test("The sweeping thread does not wait for room that it may have to make itself")
    func neverWaits() throws {
        let harness = try CoreHarness {
            $0.queueSpans = 1
            $0.blocksWhenFull = true
        }
        let tracer = harness.tracer
        let spans = (0..<3).map { _ in tracer.startSpan("forgotten") }
        #expect(harness.recorder.sweep(olderThanNs: 0, .end(markingAs: nil)).sweptSpans == 3)
        #expect(harness.recorder.counters.droppedQueueFull == 2)
        #expect(spans.filter(\.isRecording).isEmpty)
    }

    @Test("The bytes of live spans are known, blocks included")
    func liveBytes() throws {
        let harness = try Self.harness()
        #expect(harness.recorder.liveBytes == 0)
        let small = harness.tracer.startSpan("small")
        let slot = harness.recorder.liveBytes
        #expect(slot == SlotLayout.strideBytes)
        let large = harness.tracer.startSpan("large")
        large.setAttribute(Self.mark, string: String(repeating: "x", count: 10_000))
        #expect(harness.recorder.liveBytes > 2 * slot + 10_000)
        large.end()
        small.end()
        #expect(harness.recorder.liveBytes == 0)
    }

    @Test(
        "Owners that write and end race a sweeper: each span is settled once",
        arguments: [SweepChoice.drop, .end, .hand], [false, true])
    func race(choice: SweepChoice, fencesOpenly: Bool) throws {
        let harness = try CoreHarness {
            $0.fencesOpenly = fencesOpenly
            $0.liveSpansMax = 256
            $0.queueSpans = 1 << 14
        }
        let recorder = harness.recorder
        let tracer = harness.tracer
        let owners = SharedNumber(2)
        let handed = SharedNumber()
        let drained = Locked(SpanTally())
        OSThreads.run(count: 4) { index in
            switch index {
            case 0, 1:
                for number in 0..<5_000 {
                    let span = tracer.startSpan(
                        "span", identity: SpanMark(producer: index, number: number).identity)
                    span.setAttribute(Self.mark, number)
                    if number % 64 == 0 { yieldProcessor() }
                    span.end()
                }
                owners.add(-1)
            case 2:
                while owners.value > 0 {
                    switch choice {
                    case .drop: _ = recorder.sweep(olderThanNs: 0, .drop)
                    case .end: _ = recorder.sweep(olderThanNs: 0, .end(markingAs: nil))
                    case .hand: _ = recorder.sweep(olderThanNs: 0, .hand { _ in handed.add() })
                    }
                }
            default:
                var body = ExportBody(capacityBytes: 1 << 20)
                repeat {
                    while recorder.queue.fill(&body, spans: 512) > 0 {
                        drained.withLock { tally in
                            for mark in (try? CoreHarness.marks(in: body)) ?? [] {
                                tally.note(mark)
                            }
                        }
                    }
                    yieldProcessor()
                } while owners.value > 0
            }
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        while recorder.queue.fill(&body, spans: 512) > 0 {
            for mark in try CoreHarness.marks(in: body) { drained.withLock { $0.note(mark) } }
        }
        let counters = recorder.counters
        #expect(counters.recording == 10_000)
        #expect(counters.live == 0)
        #expect(counters.ended + counters.sweptDropped == 10_000)
        #expect(
            counters.sweptDropped
                == (choice == .hand ? UInt64(handed.value) : counters.sweptDropped))
        #expect(
            drained.withLock { UInt64($0.seen.count) } + counters.droppedQueueFull
                == counters.endedSampled)
        #expect(drained.withLock { $0.problems } == [])
    }

    enum SweepChoice: Sendable { case drop, end, hand }
}
