import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// Hooks at start and end, and recorders that follow another.
@Suite struct SpanObserverTests {
    /// The one span in a snapshot's request.
    static func span(_ snapshot: SpanSnapshot) throws -> ReadSpan {
        let resource = try #require(try wireFields(snapshot.request).first)
        let scope = try #require(try wireFields(resource.bytes).first { $0.number == 2 })
        let message = try #require(try wireFields(scope.bytes).first { $0.number == 2 })
        return try ReadSpan(message: message.bytes)
    }

    @Test("A start hook gets the span to read and write and may keep its ticket")
    func startHook() throws {
        let harness = try CoreHarness(sampler: .parentBased(root: .alwaysOn))
        let kept = Locked<[ActiveSpan]>([])
        let parents = Locked<[SpanContext?]>([])
        let key = AttributeKey("by.hook")
        harness.recorder.setStartHook { span, parent in
            #expect(span.isRecording)
            let name = span.snapshot().flatMap { try? Self.span($0).name }
            span.setAttribute(key, string: "saw \(name ?? "nothing")")
            kept.withLock { $0.append(span) }
            parents.withLock { $0.append(parent) }
        }
        let root = harness.tracer.startSpan("root")
        let child = harness.tracer.startSpan("child", parent: root.context)
        let unsampled = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), isRemote: true)
        harness.tracer.startSpan("dropped", parent: unsampled).end()
        child.end()
        kept.withLock { $0 }[0].end()
        root.end()
        let spans = try harness.drain()
        #expect(spans.map(\.name) == ["child", "root"])
        #expect(spans.map { $0["by.hook"] } == [.string("saw child"), .string("saw root")])
        #expect(parents.withLock { $0 } == [nil, root.context])
    }

    @Test("A snapshot shows a live span as it is, with no end time; an ended one has none")
    func snapshot() throws {
        let harness = try CoreHarness()
        // A slot that had an end time in an earlier life.
        harness.tracer.startSpan("earlier").end()
        let span = harness.tracer.startSpan("live")
        span.setAttribute(AttributeKey("key"), 1)
        span.setStatus(.error, "broken")
        let read = try Self.span(#require(span.snapshot()))
        #expect(read.name == "live")
        #expect(read.endUnixNano == 0)
        #expect(read["key"] == .int(1))
        #expect(read.statusMessage == "broken")
        span.end()
        #expect(span.snapshot() == nil)
        let ended = try #require(try harness.drain().last)
        #expect(ended.endUnixNano >= ended.startUnixNano)
        #expect(ended.startUnixNano > 0)
    }

    @Test("An end hook sees every ended span whole, on the ending thread, outside of its slot")
    func endHook() throws {
        let harness = try CoreHarness()
        let seen = Locked<[SpanSnapshot]>([])
        let tracer = harness.tracer
        harness.recorder.setEndHook { snapshot in
            seen.withLock { $0.append(snapshot) }
            // A hook that traces by itself must not come upon a lock or its own slot.
            if seen.withLock({ $0.count }) == 1 { tracer.startSpan("by the hook").end() }
        }
        let span = harness.tracer.startSpan("span")
        span.setAttribute(AttributeKey("large"), string: String(repeating: "x", count: 10_000))
        span.end(at: UInt64.max / 2)
        let snapshots = seen.withLock { $0 }
        #expect(try snapshots.map { try Self.span($0).name } == ["span", "by the hook"])
        #expect(snapshots.map(\.isSampled) == [true, true])
        let queued = try harness.drain()
        #expect(try snapshots.map { try Self.span($0).message } == queued.map(\.message))
    }

    @Test("Followers get every sampled span whole, and what one drops the others still have")
    func followers() throws {
        let harness = try CoreHarness { $0.queueSpans = 64 }
        var small = RecorderOptions()
        small.queueSpans = 2
        small.sumsChecked = true
        var large = RecorderOptions()
        large.queueSpans = 1_000
        let first = try harness.recorder.makeFollower(options: small)
        let second = try harness.recorder.makeFollower(options: large)
        let other = harness.provider.tracer(name: "another scope")
        for number in 0..<100 {
            let span = (number % 2 == 0 ? harness.tracer : other).startSpan(
                "span", identity: SpanMark(producer: 0, number: number).identity)
            span.setAttribute(AttributeKey("number"), number)
            span.end()
        }
        #expect(harness.recorder.counters.droppedQueueFull == 36)
        #expect(first.counters.droppedQueueFull == 98)
        #expect(first.counters.endedSampled == 100)
        #expect(first.counters.droppedIdentitySum != 0)
        #expect(second.counters.droppedQueueFull == 0)
        var body = ExportBody()
        #expect(second.queue.fill(&body, spans: 1_000) == 100)
        let spans = try CoreHarness.spans(in: body)
        #expect(
            Set(spans.compactMap { $0["number"] }) == Set((0..<100).map { ReadSpan.Value.int($0) }))
        #expect(first.queue.fill(&body, spans: 1_000) == 2)
        #expect(try harness.drain().count == 64)
    }

    @Test("A large span reaches a follower in a chunk of its own")
    func largeSpan() throws {
        let harness = try CoreHarness()
        let follower = try harness.recorder.makeFollower(options: RecorderOptions())
        let span = harness.tracer.startSpan("large")
        for number in 0..<30 {
            span.setAttribute(
                AttributeKey("part.\(number)"), string: String(repeating: "y", count: 4_000))
        }
        span.end()
        var body = ExportBody()
        #expect(follower.queue.fill(&body, spans: 1) == 1)
        let copied = try #require(try CoreHarness.spans(in: body).first)
        #expect(copied.message == (try harness.drain().first?.message))
        #expect(copied.attributes.count == 30)
    }

    @Test("Many threads end spans under hooks and followers: each is seen once by each")
    func concurrency() throws {
        let harness = try CoreHarness { $0.queueSpans = 1 << 14 }
        var options = RecorderOptions()
        options.queueSpans = 1 << 14
        let follower = try harness.recorder.makeFollower(options: options)
        let hooked = SharedNumber()
        harness.recorder.setEndHook { _ in hooked.add() }
        let tracer = harness.tracer
        OSThreads.run(count: 4) { index in
            for number in 0..<1_000 {
                tracer.startSpan(
                    "span", identity: SpanMark(producer: index, number: number).identity
                ).end()
            }
        }
        var tally = SpanTally()
        var body = ExportBody()
        while follower.queue.fill(&body, spans: 512) > 0 {
            for message in try CoreHarness.messages(in: body) {
                #expect(try SpanMark(message: message).number < 1_000)
            }
            try tally.add(body, checksContents: false)
        }
        #expect(tally.count == 4_000)
        #expect(tally.seen.count == 4_000)
        #expect(hooked.value == 4_000)
        #expect(try harness.drain().count == 4_000)
    }
}
