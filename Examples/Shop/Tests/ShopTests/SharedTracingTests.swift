// The set-up from environment variables: what it takes, what it warns of, what it keeps to itself.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

@Suite("Shared set-up")
struct SharedTracingTests {
    private static func ratio(_ sampler: Sampler) -> Sampler {
        .parentBased(
            root: sampler, remoteParentSampled: .alwaysOn, remoteParentNotSampled: .alwaysOff,
            localParentSampled: .alwaysOn, localParentNotSampled: .alwaysOff)
    }

    private static func otlp(_ tracing: SharedTracing) throws -> OTLPHTTPSettings {
        guard case .otlp(let settings) = tracing.configuration.exporter else {
            throw Missing.otlpExporter
        }
        return settings
    }

    private enum Missing: Error { case otlpExporter }

    @Test("Without any variable everything is kept and sent to this machine's collector")
    func defaults() throws {
        let tracing = try SharedTracing(environment: [:])
        #expect(tracing.configuration.sampler == Self.ratio(.traceIDRatio(1)))
        #expect(try Self.otlp(tracing).endpoint == "http://localhost:4318/v1/traces")
        #expect(try Self.otlp(tracing).headers.isEmpty)
        #expect(tracing.warnings.isEmpty)
    }

    @Test("Endpoint, key and ratio are taken")
    func everything() throws {
        let tracing = try SharedTracing(environment: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4318",
            "OTEL_API_KEY": "s3cret", "OTEL_SAMPLE_RATIO": "0.25",
        ])
        let settings = try Self.otlp(tracing)
        #expect(settings.endpoint == "https://collector.example:4318/v1/traces")
        #expect(settings.headers == [try HTTPHeader(name: "x-api-key", value: "s3cret")])
        #expect(tracing.configuration.sampler == Self.ratio(.traceIDRatio(0.25)))
        #expect(tracing.warnings.isEmpty)
    }

    @Test("The key joins the headers that the environment asks for")
    func keyAndHeaders() throws {
        let tracing = try SharedTracing(environment: [
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=blue", "OTEL_API_KEY": "s3cret",
        ])
        #expect(try Self.otlp(tracing).headers.map(\.name) == ["x-tenant", "x-api-key"])
    }

    @Test(
        "Whole numbers and exponents are ratios",
        arguments: [
            ("0", 0.0), ("1", 1), ("1.0", 1), ("1e-3", 0.001), (".5", 0.5),
        ])
    func goodRatio(text: String, ratio: Double) throws {
        let tracing = try SharedTracing(environment: ["OTEL_SAMPLE_RATIO": text])
        #expect(tracing.configuration.sampler == Self.ratio(.traceIDRatio(ratio)))
        #expect(tracing.warnings.isEmpty)
    }

    @Test(
        "What is no ratio is warned of, and everything is kept",
        arguments: [
            "half", "1.5", "-0.1", "nan", "inf", "0,5", "10%",
        ])
    func badRatio(text: String) throws {
        let tracing = try SharedTracing(environment: ["OTEL_SAMPLE_RATIO": text])
        #expect(tracing.configuration.sampler == Self.ratio(.traceIDRatio(1)))
        #expect(tracing.warnings.count == 1)
        #expect(tracing.warnings.first?.contains("OTEL_SAMPLE_RATIO: \"\(text)\"") == true)
    }

    @Test("An empty variable is unset")
    func emptyVariables() throws {
        let tracing = try SharedTracing(environment: [
            "OTEL_SAMPLE_RATIO": "", "OTEL_API_KEY": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        ])
        #expect(tracing.configuration.sampler == Self.ratio(.traceIDRatio(1)))
        #expect(try Self.otlp(tracing).headers.isEmpty)
        #expect(tracing.warnings.isEmpty)
    }

    @Test("An endpoint that cannot be used is an error, not a guess")
    func badEndpoint() {
        #expect(throws: ConfigurationError.self) {
            try SharedTracing(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"])
        }
    }

    @Test(
        "The key is printed nowhere, also where it cannot be used",
        arguments: [
            "s3cret", "s3cret\nx-evil: 1",
        ])
    func hiddenKey(key: String) throws {
        let tracing = try SharedTracing(environment: ["OTEL_API_KEY": key])
        var dumped = ""
        dump(tracing, to: &dumped)
        let said = "\(tracing) \(String(reflecting: tracing)) \(tracing.warnings) \(dumped)"
        #expect(said.contains("x-api-key"))
        #expect(!said.contains("s3cret"))
        #expect(tracing.warnings.count == (key.contains("\n") ? 1 : 0))
    }
}
