import Foundation
import Testing
import TraceCore

@testable import TracePipeline

/// A detector that answers what it is told to.
struct StaticDetector: ResourceDetector {
    var name = "static"
    var attributes: SpanAttributes = [:]
    var schemaURL = ""

    func detect() -> DetectedResource {
        DetectedResource(attributes: attributes, schemaURL: schemaURL)
    }
}

/// A detector that waits until it is let go.
struct HangingDetector: ResourceDetector {
    let name = "hanging"
    let release: DispatchSemaphore
    let finished: DispatchSemaphore

    func detect() -> DetectedResource {
        release.wait()
        defer { finished.signal() }
        return DetectedResource(attributes: ["late": true])
    }
}

/// Two of them answer only when both have been asked: detectors must run at the same time.
struct MeetingDetector: ResourceDetector {
    let name: String
    let arrived: DispatchSemaphore
    let other: DispatchSemaphore

    func detect() -> DetectedResource {
        arrived.signal()
        other.wait()
        return DetectedResource(attributes: ["\(name)": true])
    }
}

struct FailingDetector: ResourceDetector {
    struct Failure: Error, CustomStringConvertible {
        var description: String { "no \u{1B}[31mluck" }
    }
    let name = "failing"
    func detect() throws -> DetectedResource { throw Failure() }
}

@Suite("Resource")
struct ResourceDetectionTests {
    let log = LogCapture()

    func configuration(_ values: [String: String] = [:]) throws -> TracingConfiguration {
        try TracingConfiguration.fromEnvironment(values, logger: log.logger())
    }

    func text(_ configuration: TracingConfiguration) -> [String] {
        configuration.resource().attributes.pairs.map { "\($0.key)=\($0.value)" }
    }

    /// Without the first, the name of the service.
    func rest(_ configuration: TracingConfiguration) -> [String] {
        Array(text(configuration).dropFirst())
    }

    static let sdk = [
        "telemetry.sdk.name=tracemill", "telemetry.sdk.language=swift",
        "telemetry.sdk.version=\(TelemetrySDK.version)",
    ]

    @Test("Service name first, then the environment's attributes and the code's, then the SDK's")
    func order() throws {
        var configuration = try configuration([
            "OTEL_RESOURCE_ATTRIBUTES": "region=west,service.name=other,zone=a",
            "OTEL_SERVICE_NAME": "shop",
        ])
        configuration.resourceAttributes = [("zone", "b"), ("shards", 3)]
        #expect(
            text(configuration)
                == ["service.name=shop", "region=west", "zone=b", "shards=3"] + Self.sdk)
        #expect(log.lines.isEmpty)
    }

    /// Where the name of the service is said: in OTEL_SERVICE_NAME, in OTEL_RESOURCE_ATTRIBUTES, in the
    /// code's attributes, in the code's serviceName; and which one counts.
    @Test(
        "The name is the code's, then OTEL_SERVICE_NAME's, then the attributes'",
        arguments: [
            ("variable", "attribute", "own", "code", "code"),
            ("variable", "attribute", "own", nil, "own"),
            ("variable", "attribute", nil, nil, "variable"),
            ("variable", "attribute", nil, "code", "code"),
            (nil, "attribute", "own", nil, "own"), (nil, "attribute", nil, nil, "attribute"),
            (nil, nil, "own", "code", "code"), ("variable", nil, "", nil, "variable"),
            (nil, "attribute", nil, "", "attribute"),
        ] as [(String?, String?, String?, String?, String)])
    func serviceName(
        variable: String?, attribute: String?, own: String?, code: String?, expected: String
    ) throws {
        var values: [String: String] = [:]
        values["OTEL_SERVICE_NAME"] = variable
        values["OTEL_RESOURCE_ATTRIBUTES"] = attribute.map { "service.name=\($0)" }
        var configuration = try configuration(values)
        if let own { configuration.resourceAttributes = [("service.name", .string(own))] }
        if let code { configuration.serviceName = code }
        #expect(text(configuration) == ["service.name=\(expected)"] + Self.sdk)
    }

    @Test("A service without a name is unknown_service and the executable")
    func unknownService() throws {
        let name = text(try configuration())[0]
        let executable = CommandLine.arguments[0].split(separator: "/").last ?? ""
        #expect(name == "service.name=unknown_service:\(executable)")
    }

    @Test(
        "Detectors that are not listed are not asked; the name of the service is known without any")
    func noDetectors() throws {
        var configuration = try configuration([
            "OTEL_RESOURCE_DETECTORS": "none", "OTEL_RESOURCE_ATTRIBUTES": "a=1",
            "OTEL_SERVICE_NAME": "shop",
        ])
        configuration.resourceAttributes = [("b", "2"), ("service.name", "own")]
        #expect(text(configuration) == ["service.name=shop"] + Self.sdk)
    }

    @Test("Of two detectors that find the same attribute the later in the list counts")
    func listOrder() throws {
        let machine = try FakeMachine(
            ["/proc/sys/kernel/hostname": "mill"], variables: [:])
        var configuration = try configuration([
            "OTEL_RESOURCE_DETECTORS": "env,host",
            "OTEL_RESOURCE_ATTRIBUTES": "host.name=said,host.arch=said",
        ])
        configuration.detection.root = machine.root.path
        #expect(text(configuration)[1] == "host.name=mill")
        configuration.resourceDetectors.reverse()
        #expect(text(configuration).contains("host.name=said"))
    }

    @Test("What names the SDK can be said otherwise")
    func otherSDKName() throws {
        var configuration = try configuration()
        configuration.resourceAttributes = [("telemetry.sdk.name", "mine")]
        #expect(
            text(configuration).filter { $0.hasPrefix("telemetry.sdk.name") } == [
                "telemetry.sdk.name=mine"
            ])
    }

    @Test("Every built-in detector can be asked on this machine, whatever it finds")
    func thisMachine() throws {
        var configuration = try configuration(["OTEL_RESOURCE_DETECTORS": "all"])
        configuration.resourceDetectorTimeoutMs = 0
        let keys = configuration.resource().attributes.pairs.map(\.key)
        #expect(keys.contains("process.pid"))
        #expect(Set(keys).count == keys.count)
        #expect(log.lines.isEmpty)
    }

    @Test("A detector that hangs does not hold up the start beyond the timeout, and is named")
    func hanging() throws {
        let release = DispatchSemaphore(value: 0)
        let finished = DispatchSemaphore(value: 0)
        var configuration = try configuration()
        configuration.resourceDetectors = [
            .custom(StaticDetector(attributes: ["a": 1])),
            .custom(HangingDetector(release: release, finished: finished)),
            .custom(StaticDetector(attributes: ["b": 2])),
        ]
        configuration.resourceDetectorTimeoutMs = 1_000
        #expect(rest(configuration) == ["a=1", "b=2"] + Self.sdk)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("\"hanging\" took longer than 1000 ms"))
        // Its thread is still there, and may go on without harm.
        release.signal()
        finished.wait()
    }

    @Test("Detectors are asked at the same time", .timeLimit(.minutes(1)))
    func sideBySide() throws {
        let first = DispatchSemaphore(value: 0)
        let second = DispatchSemaphore(value: 0)
        var configuration = try configuration()
        configuration.resourceDetectors = [
            .custom(MeetingDetector(name: "one", arrived: first, other: second)),
            .custom(MeetingDetector(name: "two", arrived: second, other: first)),
        ]
        configuration.resourceDetectorTimeoutMs = 0
        #expect(rest(configuration) == ["one=true", "two=true"] + Self.sdk)
    }

    @Test("A detector that fails costs its own part only")
    func failing() throws {
        var configuration = try configuration()
        configuration.resourceDetectors = [
            .custom(FailingDetector()), .custom(StaticDetector(attributes: ["a": 1])),
        ]
        #expect(rest(configuration) == ["a=1"] + Self.sdk)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("\"failing\" failed: no ?[31mluck"))
    }

    /// Schema URL of the older, of the newer, of both merged: the rule of "Merge" in "Resource SDK".
    @Test(
        "Merged, the newer attributes count; schemas that differ give none",
        arguments: [
            ("", "", "", true), ("one", "", "one", true), ("", "two", "two", true),
            ("one", "one", "one", true), ("one", "two", "", false),
        ])
    func merge(older: String, newer: String, merged: String, isClean: Bool) {
        var resource = DetectedResource(attributes: ["a": 1, "b": "x"], schemaURL: older)
        let agreed = resource.merge(
            DetectedResource(attributes: ["b": true, "c": 2], schemaURL: newer))
        #expect(agreed == isClean)
        #expect(resource.pairs == ["a=1", "b=true", "c=2"])
        #expect(resource.schemaURL == merged)
    }

    @Test("Schemas that differ are warned of")
    func schemaConflict() throws {
        var configuration = try configuration()
        configuration.resourceDetectors = [
            .custom(StaticDetector(attributes: ["a": 1], schemaURL: "https://x/1")),
            .custom(StaticDetector(name: "newer", attributes: ["b": 1], schemaURL: "https://x/2")),
        ]
        #expect(configuration.detectedResource().schemaURL == "")
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("\"newer\": its schema https://x/2 is not https://x/1"))
    }

    @Test("What was detected goes out with the spans, and its schema URL too")
    func delivered() throws {
        let exporter = InMemoryExporter()
        var configuration = try configuration(["OTEL_SERVICE_NAME": "shop"])
        configuration.resourceDetectors = [
            .custom(
                StaticDetector(
                    attributes: ["a": 1, "list": .strings(["x", "y"])], schemaURL: "https://x/1"))
        ]
        configuration.exporter = .custom(exporter)
        let pipeline = try TracingPipeline(configuration)
        pipeline.provider.tracer(name: "test").startSpan("one").end()
        #expect(pipeline.shutdown(timeoutMs: 30_000) == .completed)
        let span = try #require(exporter.finishedSpans.first)
        #expect(
            span.resource.map { "\($0.key)=\($0.value)" }
                == ["service.name=shop", "a=1", "list=[\"x\", \"y\"]"] + Self.sdk)
        #expect(span.resourceSchemaURL == "https://x/1")
    }
}
