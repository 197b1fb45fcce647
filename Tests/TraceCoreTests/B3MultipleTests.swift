import TestSupport
import Testing

@testable import TraceCore

/// Zipkin's headers in several lines, and which of both encodings counts.
@Suite struct B3MultipleTests {
    static let trace = B3Tests.trace
    static let span = B3Tests.span
    static let badTrace = "g" + trace.dropFirst()
    static let shortTrace = String(trace.dropFirst(2))
    static let badSpan = "g" + span.dropFirst()
    static let shortSpan = String(span.dropFirst(2))

    static func extract(_ lines: HeaderList) -> SpanContext? {
        B3Propagator.extract(from: HeaderBuffer(lines.lines.map { ("x-b3-" + $0.name, $0.value) }))
    }

    // MARK: Extraction

    /// Facts from opentelemetry-go-contrib, b3_data_test.go, opentelemetry-java, B3PropagatorTest,
    /// openzipkin/b3-propagation, README, and openzipkin/zipkin-go, propagation/b3/http_test.go.
    /// Go reads no decision to keep without ids, which the specification and Zipkin's own library have.
    static let wellFormedLines: [(HeaderList, SpanContext)] = [
        (["traceid": trace, "spanid": span], SpanContext.carried(trace, span, .deferred)),
        (["traceid": trace, "spanid": span, "sampled": "0"], .carried(trace, span, [])),
        (["traceid": trace, "spanid": span, "sampled": "1"], .carried(trace, span, .sampled)),
        (
            ["traceid": trace, "spanid": span, "sampled": "true"],
            .carried(trace, span, .sampled)
        ),
        (
            ["traceid": trace, "spanid": span, "sampled": "True"],
            .carried(trace, span, .sampled)
        ),
        (["traceid": trace, "spanid": span, "sampled": "false"], .carried(trace, span, [])),
        (["traceid": trace, "spanid": span, "sampled": "False"], .carried(trace, span, [])),
        (
            ["traceid": trace, "spanid": span, "flags": "1"],
            .carried(trace, span, [.sampled, .debug])
        ),
        (
            ["traceid": trace, "spanid": span, "sampled": "1", "flags": "2"],
            .carried(trace, span, .sampled)
        ),
        (
            ["traceid": trace, "spanid": span, "sampled": "0", "flags": "1"],
            .carried(trace, span, [.sampled, .debug])
        ),
        (
            ["traceid": trace, "spanid": span, "sampled": "1", "flags": "1"],
            .carried(trace, span, [.sampled, .debug])
        ),
        (
            [
                "traceid": trace, "spanid": span, "sampled": "1",
                "parentspanid": "00f067aa0ba90200",
            ], .carried(trace, span, .sampled)
        ),
        // The parent is not looked at.
        (
            ["traceid": trace, "spanid": span, "sampled": "1", "parentspanid": "bad"],
            .carried(trace, span, .sampled)
        ),
        (
            ["traceid": "a3ce929d0e0e4736", "spanid": span],
            .carried("a3ce929d0e0e4736", span, .deferred)
        ),
        (
            ["traceid": "ff00000000000000", "spanid": "ff00000000000041", "sampled": "0"],
            .carried("ff00000000000000", "ff00000000000041", [])
        ),
        (
            ["traceid": "463ac35c9f6413ad48485a3953bb6124", "spanid": "a2fb4a1d1a96d312"],
            .carried("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", .deferred)
        ),
        (["sampled": "0"], .decision(.denied)), (["sampled": "1"], .decision(.sampled)),
        (["flags": "1"], .decision([.sampled, .debug])),
        (["flags": "1", "sampled": "1"], .decision([.sampled, .debug])),
        // Flags are no set of bits.
        (["sampled": "0", "flags": "3"], .decision(.denied)),
        (
            [" sampled": "1", "TraceID": trace, "SPANID": span],
            .carried(trace, span, .deferred)
        ),
        (
            ["sampled": " 1\t", "traceid": " " + trace, "spanid": span + " "],
            .carried(trace, span, .sampled)
        ),
    ]

    @Test(
        "Well-formed lines",
        arguments: wellFormedLines)
    func wellFormed(lines: HeaderList, expected: SpanContext) {
        #expect(Self.extract(lines) == expected)
    }

    /// Facts from the same sources.
    static let malformedLines: [HeaderList] = [
        [:],
        ["traceid": "ab00000000000000000000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "ab0000000000000000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "ab0000000000", "spanid": "cd00000000000000", "sampled": "1"],
        ["traceid": "ab000000000000000000000000000000", "spanid": "cd0000000000000000"],
        ["traceid": trace, "spanid": span, "sampled": "10"],
        ["traceid": "qw000000000000000000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "ab000000000000000000000000000000", "spanid": "qw00000000000000"],
        ["traceid": trace, "spanid": span, "sampled": "d"],
        ["traceid": trace, "spanid": span, "sampled": "invalid"],
        ["traceid": trace, "spanid": span, "sampled": ""],
        ["traceid": "AB000000000000000000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "ab000000000000000000000000000000", "spanid": "CD00000000000000"],
        ["traceid": "00000000000000000000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "0000000000000000", "spanid": "cd00000000000000"],
        ["traceid": "ab000000000000000000000000000000", "spanid": "0000000000000000"],
        ["traceid": trace, "sampled": "1"], ["spanid": span, "sampled": "1"],
        ["traceid": trace], ["spanid": span, "flags": "1"],
        ["traceid": "invalid_data"], ["spanid": "invalid_data"], ["traceid": "1"],
        ["traceid": "1", "spanid": "2"], ["sampled": "2"], ["flags": "true"], ["flags": "3"],
        ["flags": "6"], ["flags": "7"], ["parentspanid": "00f067aa0ba90200"],
        ["traceid": badTrace, "spanid": span, "sampled": "1"],
        ["traceid": shortTrace, "spanid": span, "sampled": "1"],
        ["traceid": trace, "spanid": badSpan, "sampled": "1"],
        ["traceid": trace, "spanid": shortSpan, "sampled": "1"],
    ]

    @Test(
        "Malformed lines are as if absent, all of them",
        arguments: malformedLines)
    func malformed(lines: HeaderList) {
        #expect(Self.extract(lines) == nil)
    }

    @Test("Of lines with the same name the first counts (B3: \"the first value wins\")")
    func first() {
        #expect(
            Self.extract([
                "sampled": "0", "traceid": Self.trace, "spanid": Self.span, "sampled": "1",
                "spanid": "0000000000000001", "traceid": "bad", "flags": "0", "flags": "1",
            ]) == .carried(Self.trace, Self.span, []))
        #expect(Self.extract(["sampled": "bad", "sampled": "1"]) == nil)
    }

    /// Facts from opentelemetry-go-contrib, b3_data_test.go, and opentelemetry-java, B3PropagatorTest.
    @Test("One line counts before several; several where the one is malformed")
    func precedence() {
        func extract(_ single: String, _ lines: HeaderList) -> SpanContext? {
            let several = lines.lines.map { ("X-B3-" + $0.name, $0.value) }
            let found = B3Propagator.extract(from: HeaderBuffer([("b3", single)] + several))
            // Whatever the order of the lines.
            #expect(B3Propagator.extract(from: HeaderBuffer(several + [("b3", single)])) == found)
            return found
        }
        let ids = B3Tests.ids
        let several: HeaderList = ["TraceId": Self.trace, "SpanId": Self.span, "Sampled": "0"]
        #expect(extract(ids + "-1", several) == .carried(Self.trace, Self.span, .sampled))
        #expect(extract(ids + "-", several) == .carried(Self.trace, Self.span, []))
        #expect(
            extract(ids + "-1", ["TraceId": Self.trace, "SpanId": Self.span, "Sampled": "invalid"])
                == .carried(Self.trace, Self.span, .sampled))
        #expect(extract("1", several) == .decision(.sampled))
        #expect(
            extract(
                "ff000000000000000000000000000041-abcdefghijklmnop-1",
                [
                    "TraceId": "ff000000000000000000000000000045", "SpanId": "ff00000000000045",
                    "Sampled": "1",
                ])
                == .carried("ff000000000000000000000000000045", "ff00000000000045", .sampled))
        #expect(
            extract(
                Self.trace + "-abcdefghijklmnop-1",
                ["TraceId": Self.trace, "SpanId": Self.span + "00", "Sampled": "1"]) == nil)
    }

    // MARK: Injection

    /// Facts from opentelemetry-go-contrib, b3_data_test.go, and openzipkin/zipkin-go,
    /// propagation/b3/http_test.go. Java writes the decision beside debug, which the specification advises
    /// against.
    @Test(
        "What is written",
        arguments: [
            (
                SpanContext.carried(trace, span, .sampled),
                ["x-b3-traceid: " + trace, "x-b3-spanid: " + span, "x-b3-sampled: 1"]
            ),
            (
                .carried(trace, span, []),
                ["x-b3-traceid: " + trace, "x-b3-spanid: " + span, "x-b3-sampled: 0"]
            ),
            (
                .carried(trace, span, .deferred),
                ["x-b3-traceid: " + trace, "x-b3-spanid: " + span]
            ),
            (
                .carried(trace, span, .debug),
                ["x-b3-traceid: " + trace, "x-b3-spanid: " + span, "x-b3-flags: 1"]
            ),
            (
                .carried(trace, span, [.sampled, .debug]),
                ["x-b3-traceid: " + trace, "x-b3-spanid: " + span, "x-b3-flags: 1"]
            ),
            (.decision(.denied), ["x-b3-sampled: 0"]), (.decision(.sampled), ["x-b3-sampled: 1"]),
            (.decision([.sampled, .debug]), ["x-b3-flags: 1"]), (.invalid, []),
            (.carried("0", span, .sampled), []), (.carried(trace, "0", .sampled), []),
        ] as [(SpanContext, [String])])
    func writing(context: SpanContext, expected: [String]) {
        var headers = HeaderBuffer()
        B3Propagator.injectMultiple(context, into: &headers)
        #expect(headers.text == expected)
    }

    @Test("All lines of B3's several are replaced, the parent's, too; nothing else is")
    func replaces() {
        let old = [
            ("X-B3-TraceId", "old"), ("other", "stays"), ("X-B3-SpanId", "old"),
            ("X-B3-ParentSpanId", "old"), ("X-B3-Sampled", "0"), ("X-B3-Flags", "1"), ("b3", "1"),
        ]
        var headers = HeaderBuffer(old)
        B3Propagator.injectMultiple(.invalid, into: &headers)
        #expect(headers.count == old.count)
        B3Propagator.injectMultiple(.carried(Self.trace, Self.span, .deferred), into: &headers)
        #expect(
            headers.text == [
                "other: stays", "b3: 1", "x-b3-traceid: " + Self.trace, "x-b3-spanid: " + Self.span,
            ])
    }

    // MARK: Both ways

    @Test("What is written is read again, in both encodings", arguments: 0..<4 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let decided: [TraceFlags] = [[], .sampled, [.sampled, .debug], .deferred]
        for _ in 0..<300 {
            let context = SpanContext(
                traceID: TraceID(
                    high: generator.oneIn(4) ? 0 : generator.next(), low: generator.identifier()),
                spanID: SpanID(rawValue: generator.identifier()), flags: generator.pick(decided),
                isRemote: true)
            let decision = SpanContext.decision(
                generator.pick([.denied, .sampled, [.sampled, .debug]]))
            for context in [context, decision] {
                var single = HeaderBuffer()
                B3Propagator.inject(context, into: &single)
                #expect(B3Propagator.extract(from: single) == context)
                var several = HeaderBuffer()
                B3Propagator.injectMultiple(context, into: &several)
                #expect(B3Propagator.extract(from: several) == context)
            }
        }
    }
}
