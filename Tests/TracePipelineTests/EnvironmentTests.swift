import Testing
import TraceCore

@testable import TracePipeline

/// What variables mean together. One by one they are in VariableTests.
@Suite struct EnvironmentTests {
    let log = LogCapture()

    func configuration(_ values: [String: String]) throws -> TracingConfiguration {
        try TracingConfiguration.fromEnvironment(values, logger: log.logger())
    }

    func otlp(_ values: [String: String]) throws -> OTLPHTTPSettings {
        guard case .otlp(let settings) = try configuration(values).exporter else {
            Issue.record("not an OTLP exporter")
            return OTLPHTTPSettings()
        }
        return settings
    }

    @Test("An empty environment gives the specification's defaults")
    func defaults() throws {
        let configuration = try configuration([:])
        #expect(configuration.batch == BatchSettings())
        #expect(configuration.batch.queueSpans == 2_048)
        #expect(configuration.batch.batchSpans == 512)
        #expect(configuration.batch.scheduleDelayMs == 5_000)
        #expect(configuration.batch.exportTimeoutMs == 30_000)
        #expect(configuration.sampler == .parentBased(root: .alwaysOn))
        #expect(configuration.limits == SpanLimits())
        #expect(configuration.limits.attributeValueLength == nil)
        #expect(configuration.sweeper.intervalMs == 600_000)
        #expect(configuration.sweeper.spanTTLMs == 1_800_000)
        #expect(configuration.sweeper.storageBytes == nil)
        #expect(configuration.sweeper.strategy.name == "drop")
        #expect(configuration.resourceDetectors.map(\.name) == ["environment", "application"])
        #expect(configuration.resourceDetectorTimeoutMs == 5_000)
        #expect(configuration.createsApplicationTracers)
        #expect("\(configuration.propagator)" == "tracecontext,baggage")
        #expect(!configuration.isDisabled)
        let settings = try otlp([:])
        #expect(settings.endpoint == "http://localhost:4318/v1/traces")
        #expect(settings.timeoutMs == 10_000)
        #expect(settings.compression == .none)
        #expect(log.lines.isEmpty)
    }

    @Test("Header values are split at the first = and percent-decoded; a plus stays one")
    func headers() throws {
        let settings = try otlp([
            "OTEL_EXPORTER_OTLP_HEADERS": " api-key = s%3Dx=y+z , tenant=a%20b,,"
        ])
        #expect(
            settings.headers
                == [
                    try HTTPHeader(name: "api-key", value: "s=x=y+z"),
                    try HTTPHeader(name: "tenant", value: "a b"),
                ])
    }

    @Test("One bad header does not cost the others; a bad attribute costs the whole variable")
    func oneBadEntry() throws {
        let values = [
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1,just-a-name,b=2",
            "OTEL_RESOURCE_ATTRIBUTES": "a=1,just-a-name,b=2",
        ]
        let configuration = try configuration(values)
        #expect(configuration.environmentAttributes.isEmpty)
        #expect(log.lines.count == 2)
        #expect(try otlp(values).headers.map(\.name) == ["a", "b"])
    }

    @Test("The signal's own variables go before the general ones; its endpoint is used as it is")
    func signalFirst() throws {
        let values = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://own:2/here",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2", "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
        ]
        let settings = try otlp(values)
        #expect(settings.endpoint == "https://own:2/here")
        #expect(settings.timeoutMs == 2)
        #expect(settings.headers == [try HTTPHeader(name: "b", value: "2")])
        #expect(settings.compression == .none)
        let effective = try configuration(values).effective
        for (setting, suffix) in [
            ("endpoint", "ENDPOINT"), ("timeoutMs", "TIMEOUT"), ("headers", "HEADERS"),
            ("compression", "COMPRESSION"),
        ] {
            #expect(
                effective["exporter." + setting]?.origin
                    == .environment(variable: "OTEL_EXPORTER_OTLP_TRACES_" + suffix))
        }
    }

    @Test(
        "The path /v1/traces is appended to the base endpoint's own path",
        arguments: [
            ("http://h:4318", "http://h:4318/v1/traces"),
            ("http://h:4318/", "http://h:4318/v1/traces"),
            ("http://h/otlp", "http://h/otlp/v1/traces"),
            ("http://h/otlp?key=1", "http://h/otlp/v1/traces?key=1"),
        ])
    func basePath(base: String, whole: String) throws {
        #expect(try otlp(["OTEL_EXPORTER_OTLP_ENDPOINT": base]).endpoint == whole)
    }

    @Test("A bare host and port is an error that says what to write, and which variable it is")
    func bareEndpoint() {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            do {
                _ = try configuration([name: "collector:4318"])
                Issue.record("it was accepted")
            } catch {
                #expect("\(error)".contains("write http://collector:4318"))
                #expect("\(error)".contains(name))
            }
        }
    }

    @Test(
        "A sampler's argument is any number from 0 to 1",
        arguments: [(".5", 0.5), ("1e-3", 0.001), ("0", 0), ("1", 1), (" 0.25 ", 0.25)])
    func samplerArgument(text: String, ratio: Double) throws {
        let configuration = try configuration([
            "OTEL_TRACES_SAMPLER": "TraceIdRatio", "OTEL_TRACES_SAMPLER_ARG": text,
        ])
        #expect(configuration.sampler == .traceIDRatio(ratio))
        #expect(log.lines.isEmpty)
    }

    @Test("A bad sampler argument is warned of; the sampler stays, at its default of 1")
    func badSamplerArgument() throws {
        let arguments = ["1.5", "-0.1", "half", "nan", "1,5"]
        for argument in arguments {
            let configuration = try configuration([
                "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": argument,
            ])
            #expect(configuration.sampler == .parentBased(root: .traceIDRatio(1)))
            #expect(log.lines.last?.contains("OTEL_TRACES_SAMPLER_ARG: \"\(argument)\"") == true)
        }
        #expect(log.lines.count == arguments.count)
    }

    @Test("An argument without a sampler, or for one that takes none, says nothing")
    func needlessSamplerArgument() throws {
        let alone = try configuration(["OTEL_TRACES_SAMPLER_ARG": "half"])
        #expect(alone.sampler == TracingConfiguration().sampler)
        _ = try configuration([
            "OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "half",
        ])
        #expect(log.lines.isEmpty)
    }

    @Test("The standard spellings go before the Erlang ones")
    func erlangSpellings() throws {
        let configuration = try configuration([
            "OTEL_BSP_SCHEDULE_DELAY_MILLIS": "7", "OTEL_BSP_SCHEDULE_DELAY": "9",
        ])
        #expect(configuration.batch.scheduleDelayMs == 9)
    }

    @Test("A span's own limit goes before the general one")
    func spanLimitFirst() throws {
        let configuration = try configuration([
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_ATTRIBUTE_COUNT_LIMIT": "6",
        ])
        #expect(configuration.limits.attributeCount == 5)
    }

    @Test("A queue smaller than the batch makes the batch as small; silently when only it was set")
    func smallQueue() throws {
        let queueAlone = try configuration(["OTEL_BSP_MAX_QUEUE_SIZE": "100"])
        #expect(queueAlone.batch.batchSpans == 100)
        #expect(log.lines.isEmpty)
        let both = try configuration([
            "OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200",
        ])
        #expect(both.batch.batchSpans == 100)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"))
    }

    @Test("Of several exporters each has a processor; none stands alone")
    func severalExporters() throws {
        let both = try configuration([
            "OTEL_TRACES_EXPORTER": "console,otlp,console", "OTEL_BSP_MAX_QUEUE_SIZE": "64",
        ])
        guard case .console = both.exporter, both.additionalProcessors.count == 1,
            case .batch(let settings, .otlp) = both.additionalProcessors[0]
        else {
            Issue.record("\(both.exporter) \(both.additionalProcessors)")
            return
        }
        #expect(settings.queueSpans == 64)
        #expect(log.lines.isEmpty)
        let none = try configuration(["OTEL_TRACES_EXPORTER": "otlp,none"])
        guard case .none = none.exporter else {
            Issue.record("\(none.exporter)")
            return
        }
        #expect(none.additionalProcessors.isEmpty)
        #expect(log.lines.count == 1)
    }

    @Test("An unknown detector, propagator or exporter among known ones is left out")
    func unknownAmongKnown() throws {
        let configuration = try configuration([
            "OTEL_RESOURCE_DETECTORS": "host,gcp", "OTEL_TRACES_EXPORTER": "zipkin,console",
            "OTEL_PROPAGATORS": "xray,baggage",
        ])
        #expect("\(configuration.propagator)" == "baggage")
        #expect(configuration.resourceDetectors.map(\.name) == ["host"])
        guard case .console = configuration.exporter else {
            Issue.record("\(configuration.exporter)")
            return
        }
        #expect(log.lines.count == 3)
        #expect(log.lines.allSatisfy { $0.contains("it is left out") })
    }

    @Test("none among detectors or propagators goes before the others, and says so")
    func noneAmongOthers() throws {
        let configuration = try configuration([
            "OTEL_RESOURCE_DETECTORS": "host,none", "OTEL_PROPAGATORS": "none,b3",
        ])
        #expect(configuration.resourceDetectors.isEmpty)
        #expect(configuration.propagator.fields.isEmpty)
        #expect(log.lines.count == 2)
        #expect(log.lines.allSatisfy { $0.contains("none stands alone") })
    }

    @Test("A disabled SDK keeps its propagators")
    func disabled() throws {
        let configuration = try configuration([
            "OTEL_SDK_DISABLED": "true", "OTEL_PROPAGATORS": "b3",
        ])
        #expect(configuration.isDisabled)
        #expect("\(configuration.propagator)" == "b3")
    }

    @Test("What a warning shows of a value is short, and harmless to a terminal")
    func shownValues() throws {
        _ = try configuration([
            "OTEL_TRACES_SAMPLER": "\u{1B}[31m" + String(repeating: "x", count: 500)
        ])
        #expect(log.lines.count == 1)
        #expect(!log.lines[0].contains("\u{1B}"))
        #expect(log.lines[0].count < 300)
    }

    @Test("A table in place of the environment hides the process's variables")
    func table() {
        #expect(Environment(nil, logger: log.logger()).string("PATH") != nil)
        #expect(Environment([:], logger: log.logger()).string("PATH") == nil)
        #expect(DetectionSource(listed: ["PATH"]).variable("PATH") != nil)
        #expect(DetectionSource(variables: [:], listed: ["PATH"]).variable("PATH") == nil)
        #expect(ProcessEnvironment.names.contains("PATH"))
    }
}
