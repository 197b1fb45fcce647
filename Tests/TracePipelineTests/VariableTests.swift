import Testing
import TraceCore

@testable import TracePipeline

/// One row a variable: what it does when it is good, and what is said when it is not.
@Suite("Variables")
struct VariableTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var variable: String
        var setting: String
        var good: String
        /// The setting's text then.
        var expected: String
        /// Values that cannot be used, and a part of the warning.
        var bad: [(value: String, warning: String)] = []
        /// Further variables that must be set for this one to matter.
        var with: [String: String] = [:]
        var testDescription: String { variable }
    }

    /// A row for each spelling of a whole number.
    static func numbers(
        _ variables: [String], _ setting: String, range: String, tooSmall: String,
        orInfinity: Bool = false
    ) -> [Row] {
        variables.map {
            Row(
                variable: $0, setting: setting, good: " 77 ", expected: "77",
                bad: [
                    ("5s", "\"5s\" is n"), ("1e3", range), (tooSmall, range),
                    ("99999999999999999999", range), ("0x10", range),
                ])
        }
            + (orInfinity
                ? variables.map {
                    Row(
                        variable: $0, setting: setting, good: "Infinity", expected: "infinity",
                        bad: [("infinite", "neither infinity nor a whole number")])
                } : [])
    }

    static func signal(
        _ name: String, _ setting: String, good: String, expected: String,
        bad: [(value: String, warning: String)] = []
    ) -> [Row] {
        ["OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name].map {
            Row(variable: $0, setting: setting, good: good, expected: expected, bad: bad)
        }
    }

    static let rows: [Row] =
        [
            Row(
                variable: "OTEL_SDK_DISABLED", setting: "isDisabled", good: "TRUE",
                expected: "true", bad: [("yes", "neither true nor false; false"), ("1", "\"1\"")]),
            Row(
                variable: "OTEL_SERVICE_NAME", setting: "serviceName", good: "shop",
                expected: "shop"),
            Row(
                variable: "OTEL_RESOURCE_ATTRIBUTES", setting: "environmentAttributes",
                good: "service.name=other, region = eu%20west ,k=a=b,",
                expected: "service.name=other, region=eu west, k=a=b",
                bad: [
                    ("a=1,b", "entry 2 has no \"=\"; the whole variable is not used"),
                    ("a=%zz", "entry 1 is not percent-encoded"), ("a=%ff", "entry 1 is not"),
                    ("=1", "entry 1 has no name"),
                ]),
            Row(
                variable: "OTEL_RESOURCE_DETECTORS", setting: "resourceDetectors",
                good: "Host, k8s,,os,HOST,env,otel_resource_app_env",
                expected: "host, kubernetes, os, environment, application",
                bad: [("gcp", "\"gcp\" is not one of environment, application, host")]),
            Row(
                variable: "OTEL_RESOURCE_DETECTORS", setting: "resourceDetectors", good: "none",
                expected: "(none)"),
            Row(
                variable: "OTEL_RESOURCE_DETECTORS", setting: "resourceDetectors", good: "all",
                expected: "host, os, process, container, kubernetes, environment, application"),
            Row(
                variable: "OTEL_RESOURCE_DETECTOR_TIMEOUT", setting: "resourceDetectorTimeoutMs",
                good: "0", expected: "0 (no limit)", bad: [("soon", "5000 is used")]),
            Row(
                variable: "OTEL_CREATE_APPLICATION_TRACERS", setting: "createsApplicationTracers",
                good: "False", expected: "false", bad: [("no", "true is used")]),
            Row(
                variable: "OTEL_PROPAGATORS", setting: "propagator",
                good: "B3, tracecontext,b3,,baggage", expected: "b3,tracecontext,baggage",
                bad: [("xray", "\"xray\" is not one of tracecontext, baggage, b3, b3multi, none")]),
            Row(
                variable: "OTEL_PROPAGATORS", setting: "propagator", good: "none",
                expected: "none"),
            Row(
                variable: "OTEL_TRACES_SAMPLER", setting: "sampler", good: "Always_OFF",
                expected: "AlwaysOffSampler",
                bad: [("sometimes", "always_on, always_off, traceidratio")]),
            Row(
                variable: "OTEL_SPAN_SWEEPER_STRATEGY", setting: "sweeper.strategy",
                good: "Failed_Attribute_And_End_Span", expected: "failed_attribute_and_end_span",
                bad: [("fun/1", "drop, end_span, failed_attribute_and_end_span; drop is used")]),
            Row(
                variable: "OTEL_SPAN_SWEEPER_STRATEGY", setting: "sweeper.strategy",
                good: "end_span", expected: "end_span"),
            Row(
                variable: "OTEL_TRACES_EXPORTER", setting: "exporter", good: "None",
                expected: "none",
                bad: [("jaeger", "\"jaeger\" is not one of otlp, console, none; otlp is used")]),
            Row(
                variable: "OTEL_TRACES_EXPORTER", setting: "exporter", good: "console",
                expected: "console"),
            Row(
                variable: "OTEL_TRACES_EXPORTER", setting: "additionalProcessors",
                good: "otlp,console", expected: "batch to console"),
            Row(
                variable: "OTEL_EXPORTER_OTLP_ENDPOINT", setting: "exporter.endpoint",
                good: "http://user:pw@collector:4318/",
                expected: "http://collector:4318/v1/traces"),
            Row(
                variable: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", setting: "exporter.endpoint",
                good: "https://own:2/here", expected: "https://own:2/here"),
        ]
        + numbers(
            ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
            "limits.attributeCount", range: "0 to 4294967294; 128 is used", tooSmall: "-1")
        + numbers(
            ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
            "limits.attributeValueLength", range: "0 to 4294967294; infinity is used",
            tooSmall: "-1", orInfinity: true)
        + numbers(
            ["OTEL_SPAN_EVENT_COUNT_LIMIT"], "limits.eventCount", range: "; 128 is used",
            tooSmall: "-1")
        + numbers(
            ["OTEL_SPAN_LINK_COUNT_LIMIT"], "limits.linkCount", range: "; 128 is used",
            tooSmall: "-1")
        + numbers(
            ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"], "limits.attributeCountPerEvent",
            range: "; 128 is used", tooSmall: "-1")
        + numbers(
            ["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"], "limits.attributeCountPerLink",
            range: "; 128 is used", tooSmall: "-1")
        + numbers(
            ["OTEL_SPAN_SWEEPER_INTERVAL"], "sweeper.intervalMs",
            range: "1 to 2147483647; 600000 is used", tooSmall: "0", orInfinity: true)
        + numbers(
            ["OTEL_SPAN_SWEEPER_SPAN_TTL"], "sweeper.spanTTLMs",
            range: "1 to 2147483647; 1800000 is used", tooSmall: "0", orInfinity: true)
        + numbers(
            ["OTEL_SPAN_SWEEPER_STORAGE_SIZE"], "sweeper.storageBytes",
            range: "1 to 9223372036854775807; infinity is used", tooSmall: "0", orInfinity: true)
        + numbers(
            ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY_MILLIS"], "batch.scheduleDelayMs",
            range: "0 to 2147483647; 5000 is used", tooSmall: "-1")
        + numbers(
            ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT_MILLIS"], "batch.exportTimeoutMs",
            range: "0 to 2147483647; 30000 is used", tooSmall: "-1")
        + numbers(
            ["OTEL_BSP_MAX_QUEUE_SIZE"], "batch.queueSpans",
            range: "1 to 1073741824; 2048 is used", tooSmall: "0")
        + numbers(
            ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], "batch.batchSpans",
            range: "1 to 1073741824; 512 is used", tooSmall: "0")
        + signal(
            "HEADERS", "exporter.headers", good: "api-key=s%3Dx=y,tenant=a%20b,",
            expected: "api-key: (hidden), tenant: (hidden)",
            bad: [
                ("s3cret", "entry 1 has no \"=\""), ("key=s3cret%0d%0ab", "line end"),
                ("key=s3cret%zz", "entry 1 is not percent-encoded"),
                ("a b=s3cret", "letters, digits"), ("content-type=s3cret", "sets this header"),
            ])
        + signal(
            "PROTOCOL", "exporter.encoding", good: "HTTP/JSON", expected: "http/json",
            bad: [
                (
                    "grpc",
                    "\"grpc\" is not spoken here, only http/protobuf and http/json; "
                        + "http/protobuf is used"
                )
            ])
        + signal(
            "COMPRESSION", "exporter.compression", good: "GZIP", expected: "gzip",
            bad: [("zstd", "\"zstd\" is not one of none, gzip; none is used")])
        + signal(
            "TIMEOUT", "exporter.timeoutMs", good: "0", expected: "0 (no limit)",
            bad: [("ten", "0 to 2147483647; 10000 is used"), ("-1", "10000 is used")])
        + signal(
            "CERTIFICATE", "exporter.certificatePath", good: " /ca.pem", expected: "/ca.pem")
        + signal(
            "CLIENT_KEY", "exporter.clientKeyPath", good: "/key.pem", expected: "/key.pem")
        + signal(
            "CLIENT_CERTIFICATE", "exporter.clientCertificatePath", good: "/cert.pem",
            expected: "/cert.pem")

    @Test("takes effect, and is named as the origin", arguments: rows)
    func good(_ row: Row) throws {
        let log = LogCapture()
        let configuration = try TracingConfiguration.fromEnvironment(
            row.with.merging([row.variable: row.good]) { $1 }, logger: log.logger())
        let effective = configuration.effective
        #expect(effective[row.setting]?.value == row.expected)
        #expect(effective[row.setting]?.origin == .environment(variable: row.variable))
        #expect(log.lines.isEmpty)
        #expect(effective.warnings.isEmpty)
        let others = effective.rows.filter {
            $0.origin != .default && !$0.variables.contains(row.variable)
        }
        #expect(others.isEmpty, "\(others)")
    }

    static let badRows = rows.flatMap { row in
        row.bad.map { Bad(row: row, value: $0.value, warning: $0.warning) }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var row: Row
        var value: String
        var warning: String
        var testDescription: String { "\(row.variable)=\(value)" }
    }

    @Test("that cannot be used is warned of once, and left at its default", arguments: badRows)
    func bad(_ bad: Bad) throws {
        let log = LogCapture()
        let configuration = try TracingConfiguration.fromEnvironment(
            bad.row.with.merging([bad.row.variable: bad.value]) { $1 }, logger: log.logger())
        let effective = configuration.effective
        let defaults = EffectiveConfiguration(TracingConfiguration())
        #expect(effective[bad.row.setting]?.value == defaults[bad.row.setting]?.value)
        #expect(effective[bad.row.setting]?.origin == .default)
        #expect(log.lines.count == 1)
        #expect(effective.warnings.map(\.variable) == [bad.row.variable])
        #expect(effective.warnings.first?.text.contains(bad.warning) == true, "\(log.lines)")
        #expect(!log.lines.joined().contains("s3cret"))
        #expect(!effective.table.contains("s3cret"))
    }

    @Test("that is empty is unset", arguments: Set(rows.map(\.variable)).sorted())
    func empty(variable: String) throws {
        let log = LogCapture()
        let configuration = try TracingConfiguration.fromEnvironment(
            [variable: ""], logger: log.logger())
        #expect(log.lines.isEmpty)
        let changed = configuration.effective.rows.filter { $0.origin != .default }
        #expect(changed.isEmpty, "\(changed)")
    }

    @Test("Every variable of the list of settings has its row here")
    func complete() {
        let listed = Set(ConfigurationSetting.all.flatMap(\.variables))
        // Its rows are in EnvironmentTests: it means something only beside the sampler.
        let tested = Set(Self.rows.map(\.variable)).union(["OTEL_TRACES_SAMPLER_ARG"])
        #expect(listed.subtracting(tested).sorted() == [])
        #expect(tested.subtracting(listed).sorted() == [])
    }
}
