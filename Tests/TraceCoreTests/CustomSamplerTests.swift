import Foundation
import Synchronization
import Testing

@testable import TraceCore

/// Answers what it is told to, and notes what it was asked.
private final class Recorder: CustomSampler {
    let answer: SamplingResult
    private let seen = Guarded<[SamplingRequest]>([])

    init(_ answer: SamplingResult) { self.answer = answer }

    var description: String { "Recorder" }
    var requests: [SamplingRequest] { seen.withLock { $0 } }

    func sample(_ request: SamplingRequest) -> SamplingResult {
        seen.withLock { $0.append(request) }
        return answer
    }
}

@Suite struct CustomSamplerTests {
    @Test("The documented example does what it says")
    func example() throws {
        let sampler = Sampler.custom(TenantSampler(tenants: ["acme"], share: 0.5))
        #expect(sampler.description == "TenantSampler{acme,0.5}")
        let harness = try CoreHarness(sampler: sampler) { $0.liveSpansMax = 8 }
        let identity = SpanIdentity(
            traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 1))
        var attributes = SpanAttributes()
        attributes.set(AttributeKey("tenant.id"), "acme")
        let paid = harness.tracer.startSpan("root", identity: identity, attributes: attributes)
        #expect(paid.isRecording && paid.context.isSampled)
        let child = harness.tracer.startSpan("child", parent: paid.context)
        #expect(child.context.isSampled)
        child.end()
        paid.end()
        // Below the share: recorded for processors, and not exported.
        let other = harness.tracer.startSpan("root", identity: identity)
        #expect(other.isRecording && !other.context.isSampled)
        other.end()
        let read = try harness.drain()
        #expect(read.compactMap(\.name).sorted() == ["child", "root"])
        let root = try #require(read.first { $0.name == "root" })
        #expect("\(root.attributes)".contains("sampling.reason"))
    }

    @Test("The example in docs/samplers.md is the one that was compiled")
    func documentedExample() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
        let code = try String(
            contentsOf: tests.appending(path: "CustomSamplerExample.swift"), encoding: .utf8)
        let page = try String(
            contentsOf: tests.appending(path: "../../docs/samplers.md").standardizedFileURL,
            encoding: .utf8)
        #expect(page.contains("```swift\n\(code)```\n"))
    }

    @Test(
        "The parent's threshold, handed on by a custom sampler, does not stay: it is not the span's"
    )
    func parentsThreshold() throws {
        struct Follower: CustomSampler {
            var description: String { "Follower" }
            func sample(_ request: SamplingRequest) -> SamplingResult {
                SamplingResult(.recordAndSample, traceState: request.parent?.traceState)
            }
        }
        let harness = try CoreHarness(sampler: .custom(Follower())) { $0.liveSpansMax = 8 }
        let parent = SpanContext(
            low: .max, [.sampled, .random], state: "v=1,ot=th:8;rv:f0000000000000")
        let child = harness.tracer.startSpan("child", parent: parent)
        #expect(child.context.traceState.header == "ot=rv:f0000000000000,v=1")
        let alone = SpanContext(low: .max, [.sampled, .random], state: "ot=th:8")
        #expect(harness.tracer.startSpan("child", parent: alone).context.traceState.isEmpty)
    }

    @Test("It is asked with everything that is known at the start")
    func request() throws {
        let recorder = Recorder(SamplingResult(.drop))
        let harness = try CoreHarness(sampler: .custom(recorder)) { $0.liveSpansMax = 8 }
        let parent = SpanContext(low: 77, [.sampled, .random], state: "v=1,ot=th:8")
        let link = SpanLink(context: parent)
        var attributes = SpanAttributes()
        attributes.set(AttributeKey("a"), 1)
        _ = harness.tracer.startSpan(
            "named", kind: .client, parent: parent, at: 123, attributes: attributes, links: [link])
        _ = harness.tracer.startSpan("root")
        let requests = recorder.requests
        try #require(requests.count == 2)
        #expect(requests[0].parent == parent && requests[0].traceID == parent.traceID)
        #expect(requests[0].name == "named" && requests[0].kind == .client)
        #expect(requests[0].attributes[AttributeKey("a")] == .int(1))
        #expect(requests[0].links.map(\.context) == [parent] && requests[0].startUnixNano == 123)
        #expect(requests[1].parent == nil && requests[1].attributes.count == 0)
        #expect(requests[1].startUnixNano > 1_600_000_000_000_000_000)
    }

    @Test(
        "Without a tracestate of its own the parent's goes on, without a threshold",
        arguments: SamplingDecision.allCases)
    func traceState(decision: SamplingDecision) {
        let parent = SpanContext(low: .max, .sampled, state: "v=1,ot=th:8;rv:ffffffffffffff")
        let silent = SamplerProgram(.custom(Recorder(SamplingResult(decision)))).ask(parent: parent)
        #expect(silent.decision == decision)
        #expect(silent.traceState.header == "ot=rv:ffffffffffffff,v=1")
        // One's own goes as it is, but never with a threshold on what is not sampled.
        let own = SamplingResult(
            decision, traceState: TraceState(header: "ot=th:c,w=2"))
        let spoken = SamplerProgram(.custom(Recorder(own))).ask(parent: parent)
        #expect(
            spoken.traceState.header == (decision == .recordAndSample ? "ot=th:c,w=2" : "w=2"))
    }

    @Test("Its attributes are the span's, in any branch of any sampler around it")
    func attributes() {
        var attributes = SpanAttributes()
        attributes.set(AttributeKey("why"), "because")
        let custom = Sampler.custom(
            Recorder(SamplingResult(.recordAndSample, attributes: attributes)))
        let samplers: [Sampler] = [
            custom, .parentBased(root: custom), .alwaysRecord(custom),
            .parentBased(root: .parentBased(root: .alwaysRecord(custom))),
        ]
        for sampler in samplers {
            let verdict = SamplerProgram(sampler).ask()
            #expect(verdict.attributes?[AttributeKey("why")] == .string("because"))
        }
        #expect(SamplerProgram(.alwaysOn).ask().attributes == nil)
    }

    @Test("A decision without ids is shown to it as it came")
    func decisionWithoutIDs() {
        var denied = SpanContext.invalid
        denied.flags = .denied
        let recorder = Recorder(SamplingResult(.recordAndSample))
        #expect(
            SamplerProgram(.custom(recorder)).ask(parent: denied).decision == .recordAndSample)
        #expect(recorder.requests.first?.parent?.flags == .denied)
    }
}
