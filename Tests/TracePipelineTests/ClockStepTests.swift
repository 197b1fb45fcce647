// The wall clock steps by an hour either way, as NTP or an administrator may have it, while spans are
// recorded, sent and read again. Each test is a process of its own: the step is one of the whole process.

import Foundation
import Glibc
import SteppedClock
import TestSupport
import Testing
import TraceCore
import TraceResults
import TraceSink

@testable import TracePipeline

@Suite struct ClockStepTests {
    private static let anHour: Int64 = 3_600_000_000_000
    /// Ahead of the machine's clock: forward, back, back again, and home.
    private static let steps = [anHour, 0, -anHour, 0]
    private static let spansPerTrace = 4

    /// What was known of a span when it was recorded, by CLOCK_MONOTONIC.
    private struct Note: Sendable {
        var trace: String
        var span: String
        var thread: Int
        /// Around the start, around the end.
        var startNs: ClosedRange<UInt64>
        var endNs: ClosedRange<UInt64>
    }

    /// The reading of `body`, and the time before and after it.
    private static func timed<Value>(_ body: () -> Value) -> (Value, ClosedRange<UInt64>) {
        let before = TraceClock.monotonicNs
        let value = body()
        return (value, before...TraceClock.monotonicNs)
    }

    /// A trace of spans one within the other, and when they started and ended.
    private static func trace(_ tracer: Tracer, thread: Int) -> [Note] {
        var open: [(span: ActiveSpan, startNs: ClosedRange<UInt64>)] = []
        for _ in 0..<spansPerTrace {
            let (span, startNs) = timed {
                tracer.startSpan("step", parent: open.last?.span.context)
            }
            open.append((span, startNs))
        }
        return open.reversed().map { span, startNs in
            let (_, endNs) = timed { span.end() }
            return Note(
                trace: span.context.traceID.hex, span: span.context.spanID.hex, thread: thread,
                startNs: startNs, endNs: endNs)
        }
    }

    /// Notes of threads that trace while the clock steps, in the order in which each recorded.
    private static func recorded(_ tracer: Tracer) -> [Note] {
        let notes = Monitor<[Note]>([])
        let isDone = Monitor(false)
        let threads = (0..<2).map { index in
            SystemThread {
                while !isDone.withLock({ $0 }) {
                    let fresh = trace(tracer, thread: index)
                    notes.withLockAndSignal { $0 += fresh }
                    // A load, not as much as there could be: every span is looked at afterwards.
                    usleep(8_000)
                }
            }
        }
        for step in steps {
            tracemill_step_clock(step)
            // Threads anchor themselves anew about once a second: by then each has, and has told of it.
            let anchoredNs = TraceClock.monotonicNs + 1_100_000_000
            _ = notes.wait(untilNs: .max) { notes in
                threads.indices.allSatisfy { thread in
                    notes.last { $0.thread == thread }.map { $0.startNs.lowerBound >= anchoredNs }
                        ?? false
                }
            }
        }
        isDone.withLock { $0 = true }
        for thread in threads { thread.join() }
        return notes.withLock { $0 }
    }

    /// The spans of these traces that a sink holds, by their identifiers.
    private static func received(
        _ traces: Set<String>, by server: SinkServer
    ) throws -> [String: OTLPTraces.Span] {
        var spans: [String: OTLPTraces.Span] = [:]
        for trace in traces {
            let answer = try httpRequest(
                method: "GET", url: "http://127.0.0.1:\(server.port)/api/traces/\(trace)",
                timeoutMs: 30_000)
            let document = try JSONDecoder().decode(OTLPTraces.self, from: Data(answer.body))
            for span in document.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) {
                spans[span.spanId] = span
            }
        }
        return spans
    }

    @Test(
        "Steps of an hour leave durations, order and delivery as they are",
        arguments: [ClockSource.cycleCounter, .system])
    func wholeWay(clock: ClockSource) async {
        switch clock {
        case .cycleCounter:
            await #expect(processExitsWith: .success) { try ClockStepTests.run(.cycleCounter) }
        case .system:
            await #expect(processExitsWith: .success) { try ClockStepTests.run(.system) }
        }
    }

    private static func run(_ clock: ClockSource) throws {
        var sink = SinkConfiguration()
        sink.mode = .verify
        let server = try SinkServer.start(sink)
        let pipeline = try PipelineHarness.pipeline(
            endpoint: "http://127.0.0.1:\(server.port)/v1/traces"
        ) {
            $0.recorder.clock = clock
            $0.batch.scheduleDelayMs = 100
            // Nothing that lives for a moment is older than that, by a clock that does not step.
            $0.sweeper.spanTTLMs = 60_000
            $0.sweeper.intervalMs = 100
        }
        // The clock that threads are to have anchored themselves by when there is no step: their offset.
        let (unixNs, monotonicNs) = (TraceClock.unixNs, TraceClock.monotonicNs)
        let tracer = pipeline.provider.tracer(name: "test")
        // Alive over every step.
        let (long, longStartNs) = timed { tracer.startSpan("long") }
        let notes = recorded(tracer)
        let (_, longEndNs) = timed { long.end() }
        #expect(pipeline.shutdown(timeoutMs: 60_000) == .completed)

        // Every span came, once, and nothing ran into a timeout.
        let ledger = pipeline.ledger
        #expect(ledger.isBalanced)
        #expect(ledger.acknowledged.spans == UInt64(notes.count + 1))
        #expect(pipeline.recorder.counters.sweptDropped == 0)
        #expect(pipeline.recorder.counters.sweptEnded == 0)
        let books = server.ledger()
        #expect(books.spansDistinct == notes.count + 1)
        #expect(books.spansDuplicate == 0)
        #expect(books.invalidSpans == 0)

        let whole =
            notes + [
                Note(
                    trace: long.context.traceID.hex, span: long.context.spanID.hex, thread: -1,
                    startNs: longStartNs, endNs: longEndNs)
            ]
        let spans = try received(Set(whole.map(\.trace)), by: server)
        // Whole hours that a thread's starts lie off the clock without steps, in the order of its starts.
        var offsets: [Int: [Int64]] = [:]
        for note in whole.sorted(by: { $0.startNs.lowerBound < $1.startNs.lowerBound }) {
            let span = try #require(spans[note.span], "\(note) did not arrive")
            #expect(span.endTimeUnixNano >= span.startTimeUnixNano)
            // The monotonic time that passed: the cycle counter is calibrated to some parts in 100,000.
            let duration = span.endTimeUnixNano - span.startTimeUnixNano
            let atLeast = note.endNs.lowerBound - note.startNs.upperBound
            let atMost = note.endNs.upperBound - note.startNs.lowerBound
            #expect(duration + duration / 1_000 + 2_000 >= atLeast)
            #expect(duration <= atMost + atMost / 1_000 + 2_000)
            // By its anchor it is off by a step or by none; the anchor itself by a moment.
            let expected = Int64(unixNs) + Int64(note.startNs.lowerBound) - Int64(monotonicNs)
            let off = Int64(span.startTimeUnixNano) - expected
            let hours = (Double(off) / Double(anHour)).rounded()
            #expect(abs(Double(off) - hours * Double(anHour)) < 1e9, "\(off) ns off")
            #expect((-1...1).contains(hours))
            offsets[note.thread, default: []].append(Int64(hours))
        }
        for (thread, offsets) in offsets where thread >= 0 {
            // One anchor a step, and no start that goes by another clock in between.
            let changes = zip(offsets, offsets.dropFirst()).filter { $0 != $1 }
            #expect(changes.count <= steps.count, "thread \(thread): \(changes)")
            #expect(Set(offsets) == [-1, 0, 1], "thread \(thread) did not follow the clock")
        }
        try orderHolds(spans)
        server.shutdown()
    }

    /// Within a trace of one thread a child does not start before its parent, but for a step between them.
    private static func orderHolds(_ spans: [String: OTLPTraces.Span]) throws {
        var across = 0
        for span in spans.values {
            guard let parent = span.parentSpanId, !parent.isEmpty else { continue }
            let above = try #require(spans[parent])
            guard span.startTimeUnixNano < above.startTimeUnixNano else { continue }
            let back = above.startTimeUnixNano - span.startTimeUnixNano
            #expect(back > UInt64(anHour) - 1_000_000_000, "\(back) ns before its parent")
            across += 1
        }
        // Two threads, at most one trace of each a step backwards.
        #expect(across <= 2 * steps.count)
    }

    @Test("A step ahead cuts no attempt short, and a step back holds none up")
    func timeouts() async {
        await #expect(processExitsWith: .success) {
            // An answer that comes after the step is in time.
            let holding = ScriptedServer(then: .hold)
            let patient = try ExporterHarness(endpoint: holding.endpoint)
            let releaser = SystemThread {
                holding.waitForRequests(1)
                tracemill_step_clock(ClockStepTests.anHour)
                holding.release()
            }
            #expect(patient.send().outcome == .acknowledged)
            releaser.join()
            holding.stop()

            // An answer that never comes is waited for as long as was said, and no hour longer.
            let silent = ScriptedServer(then: .hang)
            let impatient = try ExporterHarness(endpoint: silent.endpoint) { $0.timeoutMs = 300 }
            let stepper = SystemThread {
                silent.waitForRequests(1)
                tracemill_step_clock(-ClockStepTests.anHour)
            }
            let before = TraceClock.monotonicNs
            let finished = impatient.send()
            let passedNs = TraceClock.monotonicNs - before
            stepper.join()
            #expect(finished.outcome == .dropped(.retriesExhausted))
            #expect(finished.indeterminate)
            #expect(passedNs >= 300_000_000)
            silent.stop()

            // Neither a flush nor the schedule's delay goes by the wall clock.
            let server = ScriptedServer()
            let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
                $0.batch.scheduleDelayMs = 50
            }
            for step in ClockStepTests.steps {
                let sent = server.requests.count
                PipelineHarness.end(1, of: pipeline)
                tracemill_step_clock(step)
                // Nobody flushes: the delay alone sends it.
                server.waitForRequests(sent + 1)
            }
            #expect(pipeline.shutdown(timeoutMs: 60_000) == .completed)
            #expect(pipeline.ledger.acknowledged.spans == 4)
            server.stop()
        }
    }
}
