import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// One span, several threads: every call is whole, and nobody waits for ever.
@Suite struct SharedSpanTests {
    static let key = AttributeKey("key")

    @Test(
        "Threads that start and threads that end share the slots", arguments: [2, 64, 4_096],
        [false, true])
    func crossThreadEnd(capacity: Int, fencesOpenly: Bool) throws {
        let harness = try CoreHarness {
            $0.fencesOpenly = fencesOpenly
            $0.liveSpansMax = capacity
            $0.queueSpans = 1 << 14
            $0.blocksWhenFull = true
        }
        let tracer = harness.tracer
        let perThread = 1_500
        let handed = Locked<[ActiveSpan]>([])
        let recorded = SharedNumber()
        let starting = SharedNumber(2)
        OSThreads.run(count: 4) { index in
            if index < 2 {
                for number in 0..<perThread {
                    let span = tracer.startSpan(
                        "span", identity: SpanMark(producer: index, number: number).identity)
                    guard span.isRecording else {
                        yieldProcessor()
                        continue
                    }
                    span.setAttribute(Self.key, number)
                    recorded.add()
                    handed.withLock { $0.append(span) }
                }
                starting.add(-1)
                return
            }
            while true {
                let isLast = starting.value == 0
                guard let span = handed.withLock({ $0.popLast() }) else {
                    if isLast { return }
                    yieldProcessor()
                    continue
                }
                span.setAttribute(Self.key, string: "ended by \(index)")
                span.end()
            }
        }
        let counters = harness.recorder.counters
        #expect(counters.recording == UInt64(recorded.value) && counters.live == 0)
        #expect(counters.startCalls == counters.recording + counters.notRecordedStoreFull)
        let spans = try harness.drain(spans: 1 << 14)
        #expect(
            spans.count == recorded.value
                && Set(spans.map { $0.traceID + $0.spanID }).count == spans.count)
        let isWhole = spans.allSatisfy { span in
            guard span.attributes.count == 1, case .string(let text)? = span["key"] else {
                return false
            }
            return text.hasPrefix("ended by ")
        }
        #expect(isWhole)
    }

    @Test(
        "Attributes from many threads on one span all arrive, or are counted", arguments: [2, 4, 8])
    func sharedSpan(threads: Int) throws {
        let keys = (0..<threads).map { thread in
            (0..<40).map { AttributeKey("key \(thread) \($0)") }
        }
        for limit in [128, 1_000] {
            var limits = SpanLimits()
            limits.attributeCount = limit
            limits.eventCount = 50
            let harness = try CoreHarness(limits: limits)
            let span = harness.tracer.startSpan("span")
            let starter = SharedNumber()
            // The starting thread takes part: it has a way in of its own.
            let others = OSThreads.start {
                OSThreads.run(count: threads - 1) { index in
                    starter.wait(for: 1)
                    for number in 0..<40 {
                        span.setAttribute(keys[index + 1][number], number)
                        span.addEvent(SpanName("event"), at: 1)
                    }
                }
            }
            for number in 0..<40 {
                starter.add()
                span.setAttribute(keys[0][number], number)
                span.addEvent(SpanName("event"), at: 1)
            }
            OSThreads.join(others)
            span.end()
            let read = try #require(try harness.drain().first)
            let expected = min(limit, threads * 40)
            #expect(read.attributes.count == expected)
            #expect(read.droppedAttributes == UInt64(threads * 40 - expected))
            #expect(Set(read.attributes.map(\.key)).count == expected)
            #expect(read.events.count == 50 && read.droppedEvents == UInt64(threads * 40 - 50))
            let isRight = read.attributes.allSatisfy { attribute in
                guard case .int(let number) = attribute.value else { return false }
                return attribute.key.hasSuffix(" \(number)")
            }
            #expect(isRight)
        }
    }

    @Test("Writing against ending: what is written before the end is in, the rest does nothing")
    func writeAgainstEnd() throws {
        let harness = try CoreHarness { $0.queueSpans = 1 << 14 }
        let tracer = harness.tracer
        let rounds = 600
        let current = Locked<ActiveSpan?>(nil)
        let round = SharedNumber()
        let done = SharedNumber()
        let writer = OSThreads.start {
            for number in 1...rounds {
                round.wait(for: number)
                guard let span = current.withLock({ $0 }) else { continue }
                for value in 0..<6 { span.setAttribute(Self.key, value) }
                done.add()
            }
        }
        for number in 1...rounds {
            let span = tracer.startSpan("span")
            current.withLock { $0 = span }
            round.add()
            for _ in 0..<(number % 40) { span.setAttribute(AttributeKey("mine"), number) }
            span.end()
            done.wait(for: number)
        }
        OSThreads.join(writer)
        let spans = try harness.drain(spans: 1 << 14)
        #expect(spans.count == rounds)
        for (index, span) in spans.enumerated() {
            #expect(span.attributes.count <= 2)
            if (index + 1) % 40 > 0 { #expect(span["mine"] == .int(Int64(index + 1))) }
            if let value = span["key"] {
                #expect((0..<6).map { ReadSpan.Value.int($0) }.contains(value))
            }
        }
    }

    @Test("Another thread waits for the one that started the span and is in it")
    func starterGoesFirst() throws {
        let harness = try CoreHarness { $0.liveSpansMax = 1 }
        let slot = unsafe try #require(harness.theOneFreeSlot)
        let span = harness.tracer.startSpan("span")
        let word = unsafe slot.pointee.state.load(ordering: .relaxed)
        let starter = unsafe RecorderCore.producer(slot.pointee.core)
        let hold = try #require(unsafe SlotHold.acquire(slot, starter: starter, word: word))
        #expect(!hold.isShared)
        let begun = SharedNumber()
        let done = SharedNumber()
        let threads = OSThreads.start {
            OSThreads.run(count: 2) { _ in
                begun.add()
                span.setAttribute(Self.key, 1)
                done.add()
            }
        }
        begun.wait(for: 2)
        for _ in 0..<2_000 { yieldProcessor() }
        #expect(done.value == 0)
        unsafe SlotWriter.add(hold.slot, hold.producer, SpanAttributes([("mine", 2)]))
        hold.release(word: word)
        OSThreads.join(threads)
        // From now on the starter takes turns with the others.
        let turn = try #require(unsafe SlotHold.acquire(slot, starter: starter, word: word))
        #expect(turn.isShared)
        turn.release(word: word)
        span.end()
        #expect(unsafe SlotHold.acquire(slot, starter: starter, word: word) == nil)
        #expect(try harness.drain().map { $0.attributes.map(\.key) } == [["mine", "key"]])
    }

    @Test("The thread that started the span waits for another that is in it")
    func starterWaits() throws {
        let harness = try CoreHarness { $0.liveSpansMax = 1 }
        let slot = unsafe try #require(harness.theOneFreeSlot)
        let span = harness.tracer.startSpan("span")
        let word = unsafe slot.pointee.state.load(ordering: .relaxed)
        nonisolated(unsafe) let starter = unsafe RecorderCore.producer(slot.pointee.core)
        let bits = UInt(bitPattern: slot)
        let held = SharedNumber()
        let done = SharedNumber()
        let early = SharedNumber()
        let thread = OSThreads.start {
            guard let slot = unsafe SlotPointer(bitPattern: bits),
                let hold = unsafe SlotHold.acquire(slot, starter: starter, word: word)
            else { return }
            held.add()
            for _ in 0..<200 { yieldProcessor() }
            early.add(done.value)
            unsafe SlotWriter.add(hold.slot, hold.producer, SpanAttributes([("theirs", 1)]))
            hold.release(word: word)
        }
        held.wait(for: 1)
        span.setAttribute(Self.key, 2)
        span.end()
        done.add()
        OSThreads.join(thread)
        #expect(early.value == 0)
        #expect(try harness.drain().map { $0.attributes.map(\.key) } == [["theirs", "key"]])
    }
}
