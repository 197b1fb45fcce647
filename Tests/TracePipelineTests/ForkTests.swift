// A forked child has the memory of all threads and only one of them. What its parent had pending is its
// parent's to send; nothing that the child does may wait for a thread that is not there.

import Foundation
import Glibc
import Synchronization
import Testing
import TraceCore

@testable import TracePipeline

// Swift's Glibc does not offer it: a child of a process with threads may do little. That little is tested.
@_silgen_name("fork") func forkProcess() -> pid_t

/// Appends the id of each span to a file that parent and child share, a line each.
private struct FileExporter: SpanExporter {
    let fileDescriptor: Int32

    func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        guard let spans = try? SpanData.decode(request: request) else { return .dropped(.refused) }
        for span in spans {
            let line = [UInt8]("\(span.spanID)\n".utf8)
            guard unsafe write(fileDescriptor, line, line.count) == line.count else {
                return .dropped(.refused)
            }
        }
        return .acknowledged
    }
}

@Suite struct ForkTests {
    /// What a child does that does not know better; whether all of it came to nothing.
    static func isInert(
        _ pipeline: TracingPipeline, inherited: ActiveSpan, processors: Int = 4
    ) -> Bool {
        let tracer = pipeline.provider.tracer(name: "child")
        var isInert = true
        for _ in 0..<100 {
            let span = tracer.startSpan("child's", parent: inherited.context)
            isInert = isInert && !span.isRecording
            span.setAttribute(AttributeKey("key"), 1)
            span.end()
        }
        inherited.setAttribute(AttributeKey("from the child"), 1)
        inherited.end()
        isInert = pipeline.sweep() == nil && isInert
        isInert = pipeline.forceFlush(timeoutMs: 10_000) == .completed && isInert
        isInert = pipeline.processor.forceFlush(timeoutMs: 10_000) == .completed && isInert
        isInert = pipeline.shutdown(timeoutMs: 10_000) == .completed && isInert
        isInert = pipeline.processor.shutdown(timeoutMs: 10_000) == .completed && isInert
        isInert = pipeline.ledgers.count == processors && isInert
        isInert = !pipeline.metrics.points.isEmpty && isInert
        return pipeline.recorder.counters.notRecordedForked == 100 && isInert
    }

    /// Does the same once in this process. Swift's runtime makes generic types under locks of its own when
    /// they are first used: a child that is forked meanwhile, and needs one, hangs with any program.
    static func warmUp() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [
                .batch($0.batch, .none), .custom(NotingProcessor()), .simple(.none),
            ]
        }
        let live = pipeline.provider.tracer(name: "test").startSpan("live")
        #expect(!isInert(pipeline, inherited: live))
    }

    /// Forks, and waits for what becomes of the child.
    static func forkedChildStatus(
        _ pipeline: TracingPipeline, inherited: ActiveSpan, processors: Int = 4
    ) -> Int32 {
        let child = forkProcess()
        guard child == 0 else { return exitStatus(of: child) }
        endIfHanging()
        _exit(isInert(pipeline, inherited: inherited, processors: processors) ? 0 : 1)
    }

    /// A hang ends the process with a signal, which its parent sees. The thread may have signals blocked.
    static func endIfHanging() {
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
        alarm(20)
    }

    static func exitStatus(of child: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status
    }

    private static func pipeline(_ file: Int32, _ custom: NotingProcessor) throws -> TracingPipeline
    {
        try PipelineHarness.pipeline(exporter: .custom(FileExporter(fileDescriptor: file))) {
            $0.batch.scheduleDelayMs = Int(Int32.max)
            $0.batch.queueSpans = 100_000
            $0.batch.batchSpans = 100_000
            $0.additionalProcessors = [
                .batch($0.batch, .custom(FileExporter(fileDescriptor: file))), .custom(custom),
                .simple(.none),
            ]
        }
    }

    private static func lines(_ path: String) -> [Substring] {
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    @Test("A forked child sends nothing of its parent's and nothing of its own, and hangs nowhere")
    func childIsInert() async {
        await #expect(processExitsWith: .success) {
            try ForkTests.warmUp()
            let path = "\(NSTemporaryDirectory())/tracemill-fork-\(getpid())"
            let file = unsafe open(path, O_CREAT | O_TRUNC | O_APPEND | O_RDWR, 0o600)
            defer { _ = unsafe unlink(path) }
            #expect(file >= 0)
            let custom = NotingProcessor()
            let pipeline = try ForkTests.pipeline(file, custom)
            PipelineHarness.end(50, of: pipeline)
            let live = pipeline.provider.tracer(name: "test").startSpan("live")
            for _ in 0..<5 {
                #expect(ForkTests.forkedChildStatus(pipeline, inherited: live) == 0)
            }
            #expect(ForkTests.lines(path).isEmpty)
            live.end()
            #expect(pipeline.shutdown() == .completed)
            // Two of the processors write: each span twice, the child's never.
            let counts = Dictionary(grouping: ForkTests.lines(path)) { $0 }.mapValues(\.count)
            #expect(counts.count == 51)
            #expect(counts.values.allSatisfy { $0 == 2 })
            #expect(custom.seen.ended.count == 51)
            #expect(custom.seen.ended.last?["from the child"] == nil)
            #expect(custom.seen.flushTimeouts.isEmpty)
            #expect(custom.seen.shutdownTimeouts.count == 1)
            #expect(pipeline.ledgers.allSatisfy { $0.ledger.isBalanced })
        }
    }

    @Test("A child forked while other threads trace and flush hangs nowhere either")
    func childOfBusyProcess() async {
        await #expect(processExitsWith: .success) {
            try ForkTests.warmUp()
            let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                $0.keepsLedger = false
                $0.batch.whenFull = .block
                $0.batch.queueSpans = 64
                $0.batch.batchSpans = 16
                $0.additionalProcessors = [
                    .batch($0.batch, .none), .custom(NotingProcessor()), .simple(.none),
                ]
            }
            let live = pipeline.provider.tracer(name: "test").startSpan("live")
            let isDone = Monitor(false)
            let threads = (0..<2).map { index in
                SystemThread {
                    while !isDone.withLock({ $0 }) {
                        PipelineHarness.end(20, of: pipeline)
                        if index == 0 { _ = pipeline.forceFlush() }
                    }
                }
            }
            for _ in 0..<40 {
                #expect(ForkTests.forkedChildStatus(pipeline, inherited: live) == 0)
            }
            isDone.withLock { $0 = true }
            for thread in threads { thread.join() }
            live.end()
            #expect(pipeline.shutdown() == .completed)
            #expect(pipeline.ledgers.allSatisfy { $0.ledger.isBalanced })
            #expect(pipeline.recorder.counters.notRecordedForked == 0)
        }
    }

    @Test("A forked child may trace with a pipeline of its own")
    func childsOwnPipeline() async {
        await #expect(processExitsWith: .success) {
            let parents = InMemoryExporter()
            let pipeline = try PipelineHarness.pipeline(exporter: .custom(parents))
            PipelineHarness.end(3, of: pipeline)
            let child = forkProcess()
            if child == 0 {
                ForkTests.endIfHanging()
                let own = InMemoryExporter()
                guard let fresh = try? PipelineHarness.pipeline(exporter: .custom(own)) else {
                    _exit(1)
                }
                PipelineHarness.end(7, of: fresh)
                let isRight = fresh.shutdown() == .completed && own.finishedSpans.count == 7
                _exit(isRight ? 0 : 2)
            }
            #expect(ForkTests.exitStatus(of: child) == 0)
            #expect(pipeline.shutdown() == .completed)
            #expect(parents.finishedSpans.count == 3)
        }
    }
}
