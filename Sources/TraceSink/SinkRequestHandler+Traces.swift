// Answers to questions about traces: one of them, now or when it is whole; a list; the graph.

import FoundationEssentials
import NIOCore
import NIOHTTP1
import TraceResults

extension SinkRequestHandler {
    /// How often a trace that is waited for is looked at again. A look costs a lock and two numbers
    /// until a further piece of the trace has come.
    private static let lookNs: Int64 = 20_000_000

    /// Answers with a trace, at once or when it is what is waited for.
    func answerTrace(_ key: TraceKey, _ wait: TraceWait) {
        guard state.keepsTraces else {
            answer(
                SinkRefusal(
                    .notFound, "no traces are kept here: start the sink with --store memory or DIR")
            )
            return
        }
        guard wait.waitNs > 0 else {
            answerTrace(state.trace(key))
            return
        }
        let deadline = ProcessUsage.monotonicNs() + wait.waitNs
        look(for: key, wait, deadlineNs: deadline, judged: nil)
    }

    /// Looks whether a trace is what is waited for, and looks again later if not.
    /// - Parameter judged: what was found last, and of how many pieces.
    private func look(
        for key: TraceKey, _ wait: TraceWait, deadlineNs: UInt64,
        judged: (pieces: Int, shape: TraceShape, tookNs: UInt64)?
    ) {
        let nowNs = ProcessUsage.monotonicNs()
        guard nowNs < deadlineNs else {
            answerTrace(state.trace(key))
            return
        }
        var judged = judged
        if let kept = state.state(of: key) {
            if judged?.pieces != kept.pieces, let trace = state.trace(key) {
                let shape = TraceShape(trace.document)
                judged = (kept.pieces, shape, ProcessUsage.monotonicNs() - nowNs)
            }
            if let shape = judged?.shape,
                wait.isMet(by: shape, idleNs: nowNs - min(nowNs, kept.lastNs))
            {
                answerTrace(state.trace(key))
                return
            }
        }
        // A giant trace that still grows must not keep the loop busy with judging it.
        let pause = max(Self.lookNs, Int64(clamping: (judged?.tookNs ?? 0) &* 10))
        let left = Int64(clamping: deadlineNs - nowNs)
        later(min(pause, left)) {
            $0.look(for: key, wait, deadlineNs: deadlineNs, judged: judged)
        }
    }

    private func answerTrace(_ trace: (document: OTLPTraces, isCut: Bool)?) {
        guard let trace else {
            answer(SinkRefusal(.notFound, "no such trace is kept here"))
            return
        }
        answerJSON(
            trace.document, headers: trace.isCut ? [("tracemill-trace", "cut")] : [])
    }

    /// Answers with a list of traces.
    func answerTraces(_ filter: TraceFilter) {
        guard state.keepsTraces else {
            answer(
                SinkRefusal(
                    .notFound, "no traces are kept here: start the sink with --store memory or DIR")
            )
            return
        }
        let found = state.traces(filter)
        answerJSON(TraceList(traces: found.traces, failure: found.failure))
    }

    /// Answers with the graph of who calls whom.
    func answerGraph(_ format: GraphFormat) {
        let graph = state.study().graph
        switch format {
        case .json: answerJSON(graph)
        case .text, .mermaid, .dot:
            answer(
                .ok, type: "text/plain; charset=utf-8", body: Array(graph.text(as: format).utf8))
        }
    }
}

/// What `GET /api/traces` answers.
public struct TraceList: Codable, Sendable, Equatable {
    /// Latest first.
    public var traces: [TraceSummary]
    /// Why traces cannot be kept at the moment; nil when they can.
    public var failure: String?
}
