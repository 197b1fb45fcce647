import Testing
import TraceCore

/// `endedOverLimit`: what the pipeline's warning goes by.
@Suite struct OverLimitCountTests {
    enum Loss: CaseIterable {
        case nothing, status, attribute, event, link, everything
        var isLoss: Bool { self != .nothing && self != .status }
    }

    @Test(
        "Sampled spans that end are counted when they lost something, once each; a status is no loss",
        arguments: Loss.allCases, [false, true])
    func counted(loss: Loss, observed: Bool) throws {
        let recorder = try SpanRecorder()
        if observed { recorder.setEndHook { _ in } }
        var limits = SpanLimits()
        (limits.attributeCount, limits.eventCount, limits.linkCount) = (1, 1, 1)
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "test"), sampler: .alwaysOn,
            limits: limits)
        let tracer = provider.tracer(name: "test")
        for number in 1...3 {
            let span = tracer.startSpan("span")
            if loss != .nothing { span.setStatus(.error, "failed") }
            let repeats = loss == .everything ? 4 : 3
            for index in 0..<repeats where loss == .attribute || loss == .everything {
                span.setAttribute(AttributeKey("key\(index)"), index)
            }
            for _ in 0..<repeats where loss == .event || loss == .everything {
                span.addEvent(SpanName("event"))
            }
            for _ in 0..<repeats where loss == .link || loss == .everything {
                span.addLink(span.context)
            }
            let before = loss.isLoss ? UInt64(number - 1) : 0
            #expect(recorder.counters.endedOverLimit == before)
            span.end()
            span.end()
            #expect(recorder.endedOverLimit == (loss.isLoss ? UInt64(number) : 0))
        }
        #expect(recorder.counters.endedOverLimit == recorder.endedOverLimit)
        #expect(recorder.counters.endedSampled == 3)
    }
}
