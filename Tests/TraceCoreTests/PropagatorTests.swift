import Testing

@testable import TraceCore

/// The front: names, composites, what one propagator leaves of another's find, custom ones.
@Suite struct PropagatorTests {
    static let remote = SpanContext.carried(
        "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", .sampled)
    static let traceparent = (
        "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    )
    static let b3 = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-0")
    static let zipkin = SpanContext.carried(
        "80f198ee56343ba864fe8b2a57d3eff7", "05e3ac9a4f6e3b90", [])

    static func injected(_ propagator: Propagator, _ context: TraceContext) -> [String] {
        var headers = HeaderBuffer()
        propagator.inject(context, into: &headers)
        return headers.text
    }

    static func extracted(
        _ propagator: Propagator, _ lines: [(String, String)], into context: TraceContext = .empty
    ) -> TraceContext {
        propagator.extract(from: HeaderBuffer(lines), into: context)
    }

    // MARK: Names

    @Test(
        "Names make propagators, in order and each once",
        arguments: [
            (["tracecontext"], "tracecontext"), (["baggage"], "baggage"), (["b3"], "b3"),
            (["b3multi"], "b3multi"), (["none"], "none"), ([], "none"), ([""], "none"),
            (["tracecontext", "baggage"], "tracecontext,baggage"),
            (["b3", "tracecontext", "b3", "b3"], "b3,tracecontext"),
            (["B3Multi", " TraceContext\t", "BAGGAGE"], "b3multi,tracecontext,baggage"),
            (["none", "baggage", "none"], "none"), (["b3", "B3"], "b3"),
        ])
    func names(names: [String], expected: String) throws {
        #expect(try Propagator(names: names).description == expected)
    }

    @Test("Unknown names are an error that says which, and what there is")
    func unknownNames() {
        let names = ["jaeger", "tracecontext", "xray", "jaeger"]
        let error = #expect(throws: PropagatorError.self) { try Propagator(names: names) }
        #expect(error == .unknownNames(["jaeger", "xray"]))
        #expect(
            error?.description
                == "unknown propagators \"jaeger\", \"xray\": "
                + "use tracecontext, baggage, b3, b3multi, none")
        for name in Propagator.names { #expect((try? Propagator(names: [name])) != nil) }
    }

    @Test(
        "Fields are the names that injecting writes",
        arguments: [
            (Propagator.traceContext, ["traceparent", "tracestate"]), (.baggage, ["baggage"]),
            (.b3, ["b3"]),
            (.b3multi, ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"]),
            (.none, []), (.composite([]), []),
            (.standard, ["traceparent", "tracestate", "baggage"]),
            (
                .composite([.b3, .standard, .b3, .custom(Tenant())]),
                ["b3", "traceparent", "tracestate", "baggage", "x-tenant"]
            ),
        ])
    func fields(propagator: Propagator, expected: [String]) {
        #expect(propagator.fields == expected)
    }

    // MARK: Composites

    @Test("A composite writes what each of its parts writes, and reads what each finds")
    func composite() {
        var context = TraceContext(spanContext: Self.remote, baggage: ["k": "v"])
        let all = Propagator.composite([.traceContext, .baggage, .b3, .b3multi, .none])
        #expect(
            Self.injected(all, context) == [
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "baggage: k=v", "b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
                "x-b3-traceid: 0af7651916cd43dd8448eb211c80319c",
                "x-b3-spanid: b7ad6b7169203331", "x-b3-sampled: 1",
            ])
        let found = Self.extracted(.standard, [Self.traceparent, ("baggage", "a=1"), Self.b3])
        #expect(found.spanContext == Self.remote && found.baggage == ["a": "1"])
        #expect(Self.injected(.none, context).isEmpty)
        // Only baggage, only a span.
        context.spanContext = .invalid
        #expect(Self.injected(all, context) == ["baggage: k=v"])
        #expect(Self.injected(all, .empty).isEmpty)
        #expect(Self.extracted(all, []).spanContext == .invalid)
    }

    @Test(
        "A later propagator whose header is absent or malformed keeps what an earlier one found",
        arguments: [
            [], [("b3", "")], [("b3", "malformed")], [("b3", "0")], [("b3", "1")],
            [("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7")], [("x-b3-sampled", "0")],
        ] as [[(String, String)]])
    func keepsEarlier(lines: [(String, String)]) {
        let all = [Self.traceparent, ("baggage", "a=1")] + lines
        for later in [Propagator.b3, .b3multi, .baggage, .none, .composite([])] {
            let found = Self.extracted(.composite([.traceContext, .baggage, later]), all)
            #expect(found.spanContext == Self.remote && found.baggage == ["a": "1"])
        }
        // And the other way round.
        let malformed = [Self.b3, ("traceparent", "malformed"), ("tracestate", "a=1")]
        let found = Self.extracted(.composite([.b3, .traceContext]), malformed)
        #expect(found.spanContext == Self.zipkin)
    }

    @Test(
        "Where both are well-formed the later one's ids count, and a decision alone gives way to ids"
    )
    func laterCounts() {
        let lines = [Self.traceparent, Self.b3]
        #expect(Self.extracted(.composite([.traceContext, .b3]), lines).spanContext == Self.zipkin)
        #expect(Self.extracted(.composite([.b3, .traceContext]), lines).spanContext == Self.remote)
        let decided = [Self.traceparent, ("b3", "0")]
        for order in [[Propagator.b3, .traceContext], [.traceContext, .b3]] {
            #expect(Self.extracted(.composite(order), decided).spanContext == Self.remote)
        }
        #expect(
            Self.extracted(.composite([.traceContext, .b3]), [("b3", "0")]).spanContext
                == .decision(.denied))
    }

    @Test("The same span in both headers keeps what each alone can say of it")
    func completes() throws {
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
        let state = try #require(TraceState(header: "ot=th:8"))
        func found(_ order: [Propagator], _ flags: String, _ single: String) -> SpanContext {
            Self.extracted(
                .composite(order),
                [
                    ("traceparent", "00-\(ids)-\(flags)"), ("tracestate", "ot=th:8"),
                    ("b3", ids + single),
                ]
            ).spanContext
        }
        for order in [[Propagator.b3multi, .traceContext], [.traceContext, .b3]] {
            var expected = Self.remote
            expected.traceState = state
            expected.flags = [.sampled, .random]
            #expect(found(order, "03", "-1") == expected)
            expected.flags = [.sampled, .random, .debug]
            #expect(found(order, "03", "-d") == expected)
            // B3 has not decided. W3C can only say so by not being sampled.
            expected.flags = [.sampled, .random]
            #expect(found(order, "03", "") == expected)
            expected.flags = [.random, .deferred]
            #expect(found(order, "02", "") == expected)
            // They disagree: the later one decides, and debug is a decision to keep.
            let isB3Last = order.last?.fields == ["b3"]
            expected.flags = isB3Last ? [.sampled] : []
            #expect(found(order, "00", "-1") == expected)
            expected.flags = isB3Last ? [.sampled, .debug] : []
            #expect(found(order, "00", "-d") == expected)
            expected.flags = isB3Last ? [.random] : [.sampled, .random]
            #expect(found(order, "03", "-0") == expected)
        }
    }

    @Test("A local span gives way to what comes in, and stays where nothing does")
    func intoLocal() {
        var local = TraceContext(
            spanContext: .carried("1", "0000000000000002", .sampled, isRemote: false),
            baggage: ["a": "1", "b": "1"])
        local[Tenant.Key.self] = "kept"
        let found = Self.extracted(.composite([.b3, .baggage]), [("b3", "0")], into: local)
        #expect(found.spanContext == .decision(.denied) && found[Tenant.Key.self] == "kept")
        let nothing = Self.extracted(.standard, [("traceparent", "bad")], into: local)
        #expect(nothing.spanContext == local.spanContext && nothing.baggage == local.baggage)
        // Baggage is added; of the same name the carrier's counts.
        let added = Self.extracted(.baggage, [("baggage", "b=2,c=2")], into: local)
        #expect(added.baggage == ["a": "1", "b": "2", "c": "2"])
    }

    @Test("Flags without a bit in W3C stay off its wire")
    func localFlags() {
        let flags: TraceFlags = [.sampled, .random, .debug, .deferred, .denied]
        let context = TraceContext(spanContext: .carried("1", "0000000000000002", flags))
        #expect(
            Self.injected(.traceContext, context) == [
                "traceparent: 00-00000000000000000000000000000001-0000000000000002-03"
            ])
        let deferred = TraceContext(spanContext: .carried("1", "0000000000000002", .deferred))
        #expect(
            Self.injected(.traceContext, deferred) == [
                "traceparent: 00-00000000000000000000000000000001-0000000000000002-00"
            ])
        #expect(
            Self.injected(.traceContext, TraceContext(spanContext: .decision(.denied))).isEmpty)
    }

    // MARK: Custom

    /// Carries a tenant under a key of its own, and claims upper-case letters and two lines.
    struct Tenant: TextMapPropagator {
        enum Key: TraceContextKey { typealias Value = String }

        var fields: [String] { ["X-Tenant"] }

        func inject(_ context: TraceContext, into carrier: inout HeaderBuffer) {
            guard let tenant = context[Key.self] else { return }
            carrier.append("x-tenant", tenant)
            carrier.append("x-tenant-extra", "1")
        }

        func extract(from carrier: HeaderBuffer, into context: TraceContext) -> TraceContext {
            var context = context
            // Not what the protocol asks for: it forgets the span where it finds nothing.
            guard let tenant = carrier.first("X-TENANT") else { return .empty }
            context[Key.self] = tenant
            return context
        }
    }

    @Test("A custom propagator takes part: its lines replace, its values travel under its key")
    func custom() {
        let propagator = Propagator.composite([.traceContext, .custom(Tenant())])
        var context = TraceContext(spanContext: Self.remote)
        context[Tenant.Key.self] = "blue"
        var headers = HeaderBuffer([("X-Tenant", "old"), ("other", "stays"), ("x-tenant", "old")])
        propagator.inject(TraceContext(spanContext: .invalid), into: &headers)
        #expect(headers.count == 3)
        propagator.inject(context, into: &headers)
        #expect(
            headers.text == [
                "other: stays", "traceparent: " + Self.traceparent.1, "x-tenant: blue",
                "x-tenant-extra: 1",
            ])
        let found = propagator.extract(from: headers)
        #expect(found[Tenant.Key.self] == "blue" && found.spanContext == Self.remote)
        // Through other carriers, with names it does not declare.
        var carrier: [String: String] = ["X-TENANT": "old", "X-Tenant-Extra": "old"]
        propagator.inject(context, into: &carrier)
        #expect(
            carrier == [
                "traceparent": Self.traceparent.1, "x-tenant": "blue", "x-tenant-extra": "1",
            ])
        #expect(propagator.extract(from: carrier)[Tenant.Key.self] == "blue")
        #expect(propagator.description == "tracecontext,Tenant")
    }

    @Test("A custom propagator that finds nothing does not take the span of another")
    func customFindsNothing() {
        let propagator = Propagator.composite([.traceContext, .custom(Tenant())])
        #expect(Self.extracted(propagator, [Self.traceparent]).spanContext == Self.remote)
    }
}
