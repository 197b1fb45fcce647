import TestSupport
import Testing

@testable import TraceCore

/// The current context: who sees which span, and how a span around a piece of work ends.
@Suite struct WithSpanTests {
    struct Declined: Error, Equatable, CustomStringConvertible {
        var reason: String
        var description: String { "declined: \(reason)" }
    }

    @Test("A nested span is the child of the one around it, and both end")
    func nesting() throws {
        let harness = try CoreHarness()
        #expect(!TraceContext.current.spanContext.isValid)
        let value = harness.tracer.withSpan("outer") { outer in
            #expect(TraceContext.current.spanContext == outer.context)
            return harness.tracer.withSpan("inner", kind: .client) { inner in
                #expect(TraceContext.current.span.context == inner.context)
                #expect(inner.context.traceID == outer.context.traceID)
                return 7
            }
        }
        #expect(value == 7)
        #expect(!TraceContext.current.spanContext.isValid)
        let spans = try harness.drain()
        #expect(spans.map(\.name) == ["inner", "outer"])
        #expect(spans[0].parentSpanID == spans[1].spanID)
        #expect(spans[1].parentSpanID == "")
        #expect(spans[0].flags & 0x300 == 0x100, "a local parent")
    }

    @Test("The parent may be given: none, or a context that came from elsewhere")
    func parents() throws {
        let harness = try CoreHarness()
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: [.sampled],
            isRemote: true)
        harness.tracer.withSpan("outer") { outer in
            harness.tracer.withSpan("root", parent: .root) { span in
                #expect(span.context.traceID != outer.context.traceID)
            }
            harness.tracer.withSpan("continued", parent: .context(remote)) { span in
                #expect(span.context.traceID == remote.traceID)
            }
        }
        TraceContext(spanContext: remote).run {
            harness.tracer.withSpan(named: "as " + "current") { span in
                #expect(span.context.traceID == remote.traceID)
            }
        }
        let spans = try harness.drain()
        #expect(spans.map(\.name) == ["root", "continued", "outer", "as current"])
        #expect(spans[0].parentSpanID == "")
        #expect(spans[1].parentSpanID == remote.spanID.hex)
        #expect(spans[1].flags & 0x300 == 0x300, "a remote parent")
        #expect(spans[3].parentSpanID == remote.spanID.hex)
    }

    @Test("A thrown error is recorded, sets the status, ends the span, and goes on as it is")
    func thrownError() throws {
        let harness = try CoreHarness()
        // The type of the error is kept: this catches nothing else.
        do throws(Declined) {
            try harness.tracer.withSpan("pay") { (_: ActiveSpan) throws(Declined) -> Void in
                throw Declined(reason: "no money")
            }
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.reason == "no money")
        }
        let span = try #require(try harness.drain().first)
        #expect(span.statusCode == 2)
        #expect(span.statusMessage == "declined: no money")
        let event = try #require(span.events.first)
        #expect(event.name == "exception")
        #expect(
            event.attributes == [
                .init(
                    key: "exception.type",
                    value: .string("TraceCoreTests.WithSpanTests.Declined")),
                .init(key: "exception.message", value: .string("declined: no money")),
            ])
    }

    @Test("What the body decided stays: a status set to ok, a span ended early")
    func bodyDecides() throws {
        let harness = try CoreHarness()
        try? harness.tracer.withSpan("fine") { span in
            span.setStatus(.ok)
            throw Declined(reason: "later")
        }
        try? harness.tracer.withSpan("early") { span in
            span.end(at: 5)
            throw Declined(reason: "after the end")
        }
        let spans = try harness.drain()
        #expect(spans.map(\.statusCode) == [1, 0])
        #expect(spans[0].events.count == 1)
        #expect(spans[1].events.isEmpty)
        #expect(harness.recorder.counters.ended == 2)
    }

    @Test(
        "Asynchronous work keeps its span over suspensions and in child tasks, not in detached ones"
    )
    func tasks() async throws {
        let harness = try CoreHarness()
        let tracer = harness.tracer
        let value = await tracer.withSpan("request") { request in
            await Task.yield()
            #expect(TraceContext.current.spanContext == request.context)
            async let first = tracer.withSpan("first") { span in
                await Task.yield()
                return span.context.traceID == request.context.traceID ? 1 : 0
            }
            let others = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        await tracer.withSpan("of a group") { span in
                            await Task.yield()
                            return span.context.traceID == request.context.traceID ? 1 : 0
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            let detached = await Task.detached { TraceContext.current.spanContext.isValid }.value
            #expect(!detached)
            return await first + others
        }
        #expect(value == 9)
        let spans = try harness.drain()
        #expect(spans.count == 10)
        let request = try #require(spans.first { $0.name == "request" })
        #expect(spans.filter { $0.parentSpanID == request.spanID }.count == 9)
    }

    @Test("An asynchronous error is recorded, too")
    func asynchronousError() async throws {
        let harness = try CoreHarness()
        await #expect(throws: CancellationError.self) {
            try await harness.tracer.withSpan("work") { _ in
                await Task.yield()
                throw CancellationError()
            }
        }
        let span = try #require(try harness.drain().first)
        #expect(span.statusCode == 2)
        #expect(span.events.map(\.name) == ["exception"])
    }

    enum Tenant: TraceContextKey { typealias Value = String }

    @Test("Baggage and values of one's own go with the context, whatever the span")
    func baggageAndValues() throws {
        let harness = try CoreHarness()
        var context = TraceContext.empty
        #expect(context.baggage.isEmpty)
        #expect(context[Tenant.self] == nil)
        context.baggage.set("user.id", "u1")
        context[Tenant.self] = "acme"
        context.run {
            harness.tracer.withSpan("span") { _ in
                #expect(TraceContext.current.baggage["user.id"]?.value == "u1")
                #expect(TraceContext.current[Tenant.self] == "acme")
                var inner = TraceContext.current
                inner.baggage = Baggage()
                inner.run { #expect(TraceContext.current.baggage.isEmpty) }
                inner[Tenant.self] = nil
                inner.run { #expect(TraceContext.current[Tenant.self] == nil) }
            }
            #expect(TraceContext.current.baggage["user.id"]?.value == "u1")
        }
        #expect(TraceContext.current.baggage.isEmpty)
    }

    @Test("Baggage can be changed for a piece of work")
    func changedBaggage() async throws {
        let seen = TraceContext.withBaggage({ $0.set("user.id", "u1") }) {
            TraceContext.withBaggage({ $0.set("order.id", "o1") }) {
                TraceContext.current.baggage.entries.map(\.name)
            }
        }
        #expect(seen == ["user.id", "order.id"])
        let later = await TraceContext.withBaggage({ $0.set("user.id", "u2") }) {
            await Task.yield()
            return TraceContext.current.baggage["user.id"]?.value
        }
        #expect(later == "u2")
        #expect(TraceContext.current.baggage.isEmpty)
    }

    @Test("With tracing off the body runs, its span does nothing, and the parent's context goes on")
    func disabled() throws {
        let harness = try CoreHarness()
        harness.recorder.isEnabled = false
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: [.sampled],
            isRemote: true)
        let value = harness.tracer.withSpan("span", parent: .context(remote)) { span in
            span.setAttribute(AttributeKey("key"), 1)
            #expect(!span.isRecording)
            #expect(TraceContext.current.spanContext == remote)
            return 3
        }
        #expect(value == 3)
        #expect(try harness.drain().isEmpty)
        #expect(harness.recorder.counters.notRecordedDisabled == 1)
    }

    @Test("A tracer without a name has its module's, unless that is switched off")
    func applicationTracers() throws {
        func scopeName(_ tracer: Tracer, _ recorder: SpanRecorder) throws -> String? {
            tracer.startSpan("span").end()
            var body = ExportBody()
            #expect(recorder.queue.fill(&body, spans: 1) == 1)
            let resource = try #require(try wireFields(unsafe Array(body.bytes)).first)
            let scopes = try wireFields(resource.bytes).filter { $0.number == 2 }
            let scope = try #require(try wireFields(scopes[0].bytes).first { $0.number == 1 })
            return try wireFields(scope.bytes).first { $0.number == 1 }?.text
        }
        let harness = try CoreHarness()
        #expect(try scopeName(harness.provider.tracer(), harness.recorder) == "TraceCoreTests")
        #expect(try scopeName(harness.provider.tracer(name: "lib"), harness.recorder) == "lib")
        let unnamed = TracerProvider(
            recorder: harness.recorder, resource: Resource(serviceName: "x"), sampler: .alwaysOn,
            namesApplicationTracers: false)
        #expect(try scopeName(unnamed.tracer(), harness.recorder) == nil)
        #expect(try scopeName(unnamed.tracer(name: "lib"), harness.recorder) == "lib")
    }
}
