import TestSupport
import Testing

@testable import TraceCore

/// Zipkin's header in one line.
@Suite struct B3Tests {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    static let span = "00f067aa0ba902b7"
    static let ids = trace + "-" + span

    static func extract(_ value: String) -> SpanContext? {
        B3Propagator.extract(from: HeaderBuffer([("b3", value)]))
    }

    static func inject(_ context: SpanContext) -> [String] {
        var headers = HeaderBuffer()
        B3Propagator.inject(context, into: &headers)
        return headers.text
    }

    // MARK: Extraction

    /// Facts from openzipkin/b3-propagation, README.
    @Test(
        "The B3 specification's examples",
        arguments: [
            (
                "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-e457b5a2e4d86bd1",
                SpanContext.carried(
                    "80f198ee56343ba864fe8b2a57d3eff7", "05e3ac9a4f6e3b90", .sampled)
            ),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1",
                .carried("80f198ee56343ba864fe8b2a57d3eff7", "05e3ac9a4f6e3b90", .sampled)
            ),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-d",
                .carried(
                    "80f198ee56343ba864fe8b2a57d3eff7", "05e3ac9a4f6e3b90", [.sampled, .debug])
            ),
            ("0", .decision(.denied)), ("1", .decision(.sampled)),
            ("d", .decision([.sampled, .debug])),
        ])
    func specification(value: String, expected: SpanContext) {
        #expect(Self.extract(value) == expected)
    }

    /// Facts from openzipkin/brave, B3SingleFormatTest: what parses.
    @Test(
        "Brave's vectors: well-formed",
        arguments: [
            ("0000000000000001-0000000000000003", "1", TraceFlags.deferred),
            ("00000000000000010000000000000001-0000000000000003", "10000000000000001", .deferred),
            ("0000000000000001-0000000000000003-0", "1", []),
            ("0000000000000001-0000000000000003-0-0000000000000002", "1", []),
            ("0000000000000001-0000000000000003-d-0000000000000002", "1", [.sampled, .debug]),
            ("0000000000000001-0000000000000003-d", "1", [.sampled, .debug]),
            ("0000000000000001-0000000000000003-0000000000000002", "1", .deferred),
            (
                "00000000000000090000000000000001-0000000000000003-1-0000000000000002",
                "90000000000000001", .sampled
            ),
        ] as [(String, String, TraceFlags)])
    func brave(value: String, trace: String, flags: TraceFlags) {
        #expect(Self.extract(value) == .carried(trace, "0000000000000003", flags))
    }

    /// Facts from openzipkin/brave, B3SingleFormatTest: what does not parse.
    @Test(
        "Brave's vectors: malformed",
        arguments: [
            "000000000000000?-0000000000000003", "0000000000000001-000000000000000?",
            "0000000000000001-0000000000000003-1-000000000000000?",
            "0000000000000001-0000000000000003-1!0000000000000002",
            "0000000000000001-0000000000000003-000000000000000?", "not-a-tumor",
            "b970dafd-0d95-40aa-95d8-1d8725aebe40", "", "-", "-1", "1-", "000000000000000",
            "0000000000000001", "0000000000000001-", "000000000000000-0000000000000003",
            "0000000000000001-000000000000000", "0000000000000001-0000000000000003-",
            "0000000000000001-0000000000000003-1-",
            "0000000000000001-0000000000000003-1-000000000000000",
            "00000000000000010000000000000001a-0000000000000003",
            "0000000000000001-0000000000000003a",
            "0000000000000001-0000000000000003-0000000000000002a",
        ])
    func braveMalformed(value: String) {
        #expect(Self.extract(value) == nil)
    }

    /// Facts from opentelemetry-go-contrib, propagators/b3/b3_data_test.go; nil where nothing is extracted.
    @Test(
        "OpenTelemetry Go's vectors: single",
        arguments: [
            (ids, SpanContext.carried(trace, span, .deferred)),
            (ids + "-0", .carried(trace, span, [])), (ids + "-1", .carried(trace, span, .sampled)),
            (ids + "-d", .carried(trace, span, [.sampled, .debug])),
            (ids + "-1-00000000000000cd", .carried(trace, span, .sampled)),
            ("0", .decision(.denied)),
            ("a3ce929d0e0e4736-" + span, .carried("a3ce929d0e0e4736", span, .deferred)),
            ("ab00000000000000000000000000000000-cd00000000000000-1", nil),
            ("ab000000000000000000000000000000-cd0000000000000000-1", nil),
            ("00-ab000000000000000000000000000000-cd00000000000000-01", nil),
            ("ab000000000000000000000000000000-cd00000000000000-1-cd0000000000000000", nil),
            ("qw000000000000000000000000000000-cd00000000000000-1", nil),
            ("ab000000000000000000000000000000-qw00000000000000-1", nil),
            ("ab000000000000000000000000000000-cd00000000000000-q", nil),
            ("ab000000000000000000000000000000-cd00000000000000-1-qw00000000000000", nil),
            ("AB000000000000000000000000000000-cd00000000000000-1", nil),
            ("ab000000000000000000000000000000-CD00000000000000-1", nil),
            ("ab000000000000000000000000000000-cd00000000000000-1-EF00000000000000", nil),
            ("00000000000000000000000000000000-0000000000000000-1", nil),
            ("ab000000000000000000000000000000-cd00000000000000-true", nil),
        ] as [(String, SpanContext?)])
    func go(value: String, expected: SpanContext?) {
        #expect(Self.extract(value) == expected)
    }

    /// Facts from opentelemetry-java, B3PropagatorTest, and opentelemetry-python, test_b3_format.py. Java
    /// reads `true` and a `0` after the state, which the grammar does not have; not here.
    @Test(
        "OpenTelemetry Java's and Python's vectors: single",
        arguments: [
            (
                "ff000000000000000000000000000041-ff00000000000041-1",
                SpanContext.carried(
                    "ff000000000000000000000000000041", "ff00000000000041", .sampled)
            ),
            (
                "ff000000000000000000000000000041-ff00000000000041-0",
                .carried("ff000000000000000000000000000041", "ff00000000000041", [])
            ),
            (
                "ff00000000000000-ff00000000000041-1",
                .carried("ff00000000000000", "ff00000000000041", .sampled)
            ),
            ("abcdefghijklmnopabcdefghijklmnop-ff00000000000041-1", nil),
            ("abcdefghijklmnopabcdefghijklmnop00-ff00000000000041-1", nil),
            ("ff000000000000000000000000000041-abcdefghijklmnop-1", nil),
            ("ff000000000000000000000000000041-abcdefghijklmnop00-1", nil),
            ("ff000000000000000000000000000041", nil),
            ("ff000000000000000000000000000041-ff00000000000041-1-extra-extra", nil),
            ("0-1-2-3-4-5-6-7", nil),
        ] as [(String, SpanContext?)])
    func javaAndPython(value: String, expected: SpanContext?) {
        #expect(Self.extract(value) == expected)
    }

    @Test(
        "Zero ids are none, of the parent neither; blanks around the line do not count",
        arguments: [
            ("0000000000000000-" + span, nil), (trace + "-0000000000000000", nil),
            (ids + "-1-0000000000000000", nil),
            (" \t" + ids + "-1\t", SpanContext.carried(trace, span, .sampled)),
            (" 0 ", .decision(.denied)), (ids + " -1", nil), (ids + "- 1", nil), ("2", nil),
            ("D", nil), (ids + "-D", nil),
        ] as [(String, SpanContext?)])
    func edges(value: String, expected: SpanContext?) {
        #expect(Self.extract(value) == expected)
    }

    @Test("The first of several lines counts; the name is compared without case")
    func lines() {
        let second = SpanContext.carried("1", "0000000000000002", .sampled)
        let line = "0000000000000001-0000000000000002-1"
        func extract(_ lines: [(String, String)]) -> SpanContext? {
            B3Propagator.extract(from: HeaderBuffer(lines))
        }
        #expect(extract([("b4", Self.ids), ("B3", line), ("b3", Self.ids)]) == second)
        #expect(extract([("b3", "malformed"), ("b3", line)]) == nil)
        #expect(extract([("b33", line), ("b", line), ("", line)]) == nil)
        #expect(extract([]) == nil)
    }

    // MARK: Injection

    /// Facts from opentelemetry-go-contrib, b3_data_test.go, openzipkin/brave, B3SingleFormatTest, and
    /// openzipkin/zipkin-go, propagation/b3/http_test.go.
    @Test(
        "What is written",
        arguments: [
            (SpanContext.carried(trace, span, .sampled), "b3: " + ids + "-1"),
            (.carried(trace, span, []), "b3: " + ids + "-0"),
            (.carried(trace, span, .deferred), "b3: " + ids),
            (.carried(trace, span, .debug), "b3: " + ids + "-d"),
            (.carried(trace, span, [.sampled, .debug]), "b3: " + ids + "-d"),
            (.carried(trace, span, [.sampled, .random]), "b3: " + ids + "-1"),
            (.decision(.denied), "b3: 0"), (.decision(.sampled), "b3: 1"),
            (.decision([.sampled, .debug]), "b3: d"),
            // Short trace ids go on with 32 digits.
            (
                .carried("1", "0000000000000003", []),
                "b3: " + String(repeating: "0", count: 31)
                    + "1-0000000000000003-0"
            ),
            (.invalid, nil), (.decision(.random), nil),
            // One id alone is neither a context nor a decision.
            (.carried("0", span, .sampled), nil), (.carried(trace, "0", .sampled), nil),
            (.carried("0", span, .denied), nil),
        ] as [(SpanContext, String?)])
    func writing(context: SpanContext, expected: String?) {
        #expect(Self.inject(context) == (expected.map { [$0] } ?? []))
    }

    @Test("Lines of that name are replaced; without ids or decision they stay")
    func replaces() {
        var headers = HeaderBuffer([("B3", "old"), ("other", "stays"), ("b3", "old")])
        B3Propagator.inject(.invalid, into: &headers)
        #expect(headers.text == ["B3: old", "other: stays", "b3: old"])
        B3Propagator.inject(.decision(.denied), into: &headers)
        #expect(headers.text == ["other: stays", "b3: 0"])
    }
}
