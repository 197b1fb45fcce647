import Testing
import TraceCore

@testable import TracePipeline

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
        let configuration = try configuration([
            "OTEL_BSP_SCHEDULE_DELAY": "", "OTEL_TRACES_SAMPLER": "",
        ])
        #expect(configuration.batch == BatchSettings())
        #expect(configuration.batch.queueSpans == 2_048)
        #expect(configuration.batch.batchSpans == 512)
        #expect(configuration.batch.scheduleDelayMs == 5_000)
        #expect(configuration.batch.exportTimeoutMs == 30_000)
        #expect(configuration.sampler == .parentBased(root: .alwaysOn))
        #expect(configuration.limits == SpanLimits())
        #expect(!configuration.isDisabled)
        let settings = try otlp([:])
        #expect(settings.endpoint == "http://localhost:4318/v1/traces")
        #expect(settings.timeoutMs == 10_000)
        #expect(settings.compression == .none)
        #expect(log.lines.isEmpty)
    }

    @Test("Every variable that is understood takes effect")
    func everything() throws {
        let values = [
            "OTEL_SDK_DISABLED": "TRUE", "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=other, region = eu%20west ,k=a=b",
            "OTEL_TRACES_SAMPLER": "ParentBased_TraceIdRatio", "OTEL_TRACES_SAMPLER_ARG": "1e-3",
            "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_EXPORT_TIMEOUT": "200",
            "OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "32",
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9",
            "OTEL_SPAN_EVENT_COUNT_LIMIT": "6", "OTEL_SPAN_LINK_COUNT_LIMIT": "7",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "8", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s%3Dx=y,tenant=a%20b",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP", "OTEL_EXPORTER_OTLP_TIMEOUT": "0",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/key.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/cert.pem",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        ]
        let configuration = try configuration(values)
        #expect(configuration.isDisabled)
        #expect(configuration.serviceName == "shop")
        #expect(configuration.resourceAttributes.map(\.key) == ["service.name", "region", "k"])
        #expect(configuration.resourceAttributes.map(\.value) == ["other", "eu west", "a=b"])
        #expect(configuration.sampler == .parentBased(root: .traceIDRatio(0.001)))
        #expect(configuration.batch.scheduleDelayMs == 100)
        #expect(configuration.batch.exportTimeoutMs == 200)
        #expect(configuration.batch.queueSpans == 64)
        #expect(configuration.batch.batchSpans == 32)
        #expect(configuration.limits.attributeCount == 5)
        #expect(configuration.limits.attributeValueLength == 9)
        #expect(configuration.limits.eventCount == 6)
        #expect(configuration.limits.linkCount == 7)
        #expect(configuration.limits.attributeCountPerEvent == 8)
        #expect(configuration.limits.attributeCountPerLink == 0)
        let settings = try otlp(values)
        #expect(settings.endpoint == "http://collector:4318/v1/traces")
        #expect(
            settings.headers
                == [
                    try HTTPHeader(name: "api-key", value: "s=x=y"),
                    try HTTPHeader(name: "tenant", value: "a b"),
                ])
        #expect(settings.compression == .gzip)
        #expect(settings.timeoutMs == 0)
        #expect(settings.certificatePath == "/ca.pem")
        #expect(settings.clientKeyPath == "/key.pem")
        #expect(settings.clientCertificatePath == "/cert.pem")
        #expect(log.lines.isEmpty)
    }

    @Test("The signal's own variables go before the general ones; its endpoint is used as it is")
    func signalFirst() throws {
        let settings = try otlp([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://own:2/here",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2", "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
        ])
        #expect(settings.endpoint == "https://own:2/here")
        #expect(settings.timeoutMs == 2)
        #expect(settings.headers == [try HTTPHeader(name: "b", value: "2")])
        #expect(settings.compression == .none)
    }

    @Test(
        "What cannot be parsed is warned of and left at its default",
        arguments: [
            ("OTEL_BSP_SCHEDULE_DELAY", "5s"), ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_BSP_MAX_QUEUE_SIZE", "1e3"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "99999999999999999999"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_EXPORTER", "jaeger"), ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "just-a-name"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key=a%0d%0ab"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key=%zz"), ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many"),
        ])
    func unparsable(name: String, value: String) throws {
        let configuration = try configuration([name: value])
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains(name))
        #expect(configuration.batch == BatchSettings())
        #expect(configuration.sampler == .parentBased(root: .alwaysOn))
        #expect(configuration.limits == SpanLimits())
        #expect(!configuration.isDisabled)
        let settings = try otlp([name: value])
        #expect(settings.headers.isEmpty)
        #expect(settings.compression == .none)
        #expect(settings.timeoutMs == 10_000)
    }

    @Test("A bad sampler argument is warned of; the sampler stays, at its default of 1")
    func badSamplerArgument() throws {
        for argument in ["1.5", "-0.1", "half", "nan"] {
            let configuration = try configuration([
                "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument,
            ])
            #expect(configuration.sampler == .traceIDRatio(1))
        }
        #expect(log.lines.count == 4)
        // An argument without a sampler, or for one that takes none, says nothing.
        _ = try configuration(["OTEL_TRACES_SAMPLER_ARG": "half"])
        _ = try configuration([
            "OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "half",
        ])
        #expect(log.lines.count == 4)
    }

    @Test("A secret in a bad header does not show in the warning")
    func secretNotShown() throws {
        _ = try configuration(["OTEL_EXPORTER_OTLP_HEADERS": "key=s3cret%0d%0a,s3cret,a b=s3cret"])
        #expect(log.lines.count == 3)
        #expect(!log.lines.joined().contains("s3cret"))
    }

    @Test("A bare host and port is an error that says what to write")
    func bareEndpoint() {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            do {
                _ = try configuration([name: "collector:4318"])
                Issue.record("it was accepted")
            } catch {
                #expect("\(error)".contains("write http://collector:4318"))
            }
        }
    }

    @Test("The Erlang spellings are understood, the standard ones go before them")
    func erlangSpellings() throws {
        let first = try configuration([
            "OTEL_BSP_SCHEDULE_DELAY_MILLIS": "7", "OTEL_BSP_EXPORT_TIMEOUT_MILLIS": "8",
        ])
        #expect(first.batch.scheduleDelayMs == 7)
        #expect(first.batch.exportTimeoutMs == 8)
        let second = try configuration([
            "OTEL_BSP_SCHEDULE_DELAY_MILLIS": "7", "OTEL_BSP_SCHEDULE_DELAY": "9",
        ])
        #expect(second.batch.scheduleDelayMs == 9)
    }

    @Test("A queue smaller than the batch makes the batch as small")
    func smallQueue() throws {
        let configuration = try configuration(["OTEL_BSP_MAX_QUEUE_SIZE": "100"])
        #expect(configuration.batch.batchSpans == 100)
        #expect(log.lines.isEmpty)
    }

    @Test("The exporter is chosen by its name, in any case")
    func exporterNames() throws {
        guard case .none = try configuration(["OTEL_TRACES_EXPORTER": "None"]).exporter,
            case .console = try configuration(["OTEL_TRACES_EXPORTER": "console"]).exporter,
            case .otlp = try configuration(["OTEL_TRACES_EXPORTER": "OTLP"]).exporter
        else {
            Issue.record("another exporter was chosen")
            return
        }
    }
}
