import Foundation
import Testing
import TraceCore

/// A queue that is never empty: what becomes of a thread that has only one span to say.
@Suite("Draining under overload")
struct FairDrainTests {
    private static let name = SpanName("span")

    private func makeRecorder() throws -> (SpanRecorder, Tracer) {
        var options = RecorderOptions()
        options.queueSpans = 8192
        let recorder = try SpanRecorder(options: options)
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "test"), sampler: .alwaysOn)
        return (recorder, provider.tracer(name: "test"))
    }

    private func publish(_ tracer: Tracer, _ count: Int) {
        for _ in 0..<count { tracer.startSpan(Self.name).end() }
    }

    @Test("a slow thread's span comes out although a fast thread keeps the ring full")
    func slowThread() throws {
        let (recorder, tracer) = try makeRecorder()
        publish(tracer, 4096)
        let marked = SpanID(rawValue: 0x0123_4567_89ab_cdef)
        let thread = Thread {
            tracer.startSpan(
                Self.name,
                identity: SpanIdentity(traceID: TraceID(high: 1, low: 1), spanID: marked)
            ).end()
        }
        thread.start()
        while recorder.counters.published < 4097 { sched_yield() }
        let wanted = unsafe withUnsafeBytes(of: marked.rawValue.bigEndian) { unsafe Data($0) }
        var body = ExportBody()
        var fills = 0
        var isFound = false
        while !isFound, fills < 8 {
            fills += 1
            #expect(recorder.queue.fill(&body, spans: 64) == 64)
            isFound = unsafe Data(body.bytes).range(of: wanted) != nil
            publish(tracer, 64)
        }
        #expect(isFound)
        #expect(fills <= 4)
    }

    @Test(
        "a mark is passed once everything before it is out, whatever comes after",
        arguments: [1, 7, 64])
    func mark(batchSpans: Int) throws {
        let (recorder, tracer) = try makeRecorder()
        publish(tracer, 300)
        let mark = recorder.queue.mark()
        var body = ExportBody()
        var drained = 0
        while drained < 300 {
            #expect(!recorder.queue.hasDrained(mark))
            drained += recorder.queue.fill(&body, spans: batchSpans)
            publish(tracer, batchSpans)
        }
        #expect(recorder.queue.hasDrained(mark))
        #expect(recorder.queue.pendingCount > 0)
        #expect(!recorder.queue.hasDrained(recorder.queue.mark()))
    }
}
