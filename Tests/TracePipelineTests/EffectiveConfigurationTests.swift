import Foundation
import Testing
import TraceCore

@testable import TracePipeline

@Suite("Effective configuration")
struct EffectiveConfigurationTests {
    let log = LogCapture()

    @Test("Code goes before the environment, the environment before the default")
    func precedence() throws {
        var configuration = try TracingConfiguration.fromEnvironment(
            ["OTEL_BSP_SCHEDULE_DELAY": "7", "OTEL_BSP_MAX_QUEUE_SIZE": "4096"],
            logger: log.logger())
        configuration.batch.scheduleDelayMs = 9
        configuration.limits.eventCount = 3
        let effective = configuration.effective
        #expect(effective["batch.scheduleDelayMs"]?.value == "9")
        #expect(effective["batch.scheduleDelayMs"]?.origin == .code)
        #expect(
            effective["batch.queueSpans"]?.origin
                == .environment(variable: "OTEL_BSP_MAX_QUEUE_SIZE"))
        #expect(effective["batch.batchSpans"]?.origin == .default)
        #expect(effective["limits.eventCount"]?.origin == .code)
        #expect(effective.rows.filter { $0.origin == .code }.count == 2)
    }

    @Test("Code that goes back to the default is code, where the environment said otherwise")
    func backToDefault() throws {
        var configuration = try TracingConfiguration.fromEnvironment(
            ["OTEL_BSP_SCHEDULE_DELAY": "7"], logger: log.logger())
        configuration.batch.scheduleDelayMs = 5_000
        #expect(configuration.effective["batch.scheduleDelayMs"]?.origin == .code)
    }

    @Test("A variable set to the default's value is still where it comes from")
    func sameAsDefault() throws {
        let configuration = try TracingConfiguration.fromEnvironment(
            ["OTEL_BSP_SCHEDULE_DELAY": "5000"], logger: log.logger())
        #expect(
            configuration.effective["batch.scheduleDelayMs"]?.origin
                == .environment(variable: "OTEL_BSP_SCHEDULE_DELAY"))
    }

    @Test("A configuration made in code alone is compared with the defaults")
    func codeAlone() {
        var configuration = TracingConfiguration()
        configuration.serviceName = "shop"
        configuration.exporter = .console(.json)
        let effective = configuration.effective
        #expect(effective["serviceName"]?.origin == .code)
        #expect(effective["exporter"]?.value == "console (json)")
        #expect(effective["batch.queueSpans"]?.origin == .default)
        #expect(effective.unreadVariables.isEmpty)
        // The OTLP exporter's settings do not apply to another.
        let endpoint = effective["exporter.endpoint"]
        #expect(endpoint != nil)
        #expect(endpoint?.value == nil)
    }

    @Test("Secrets are in neither the table nor the rows nor the JSON")
    func secrets() throws {
        var configuration = try TracingConfiguration.fromEnvironment(
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:hunter2@collector:4318?key=hunter2",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2,hunter2",
                "OTEL_HUNTER": "hunter2",
            ], logger: log.logger())
        guard case .otlp(var settings) = configuration.exporter else {
            Issue.record("\(configuration.exporter)")
            return
        }
        settings.proxy = "http://user:hunter2@proxy:3128"
        configuration.exporter = .otlp(settings)
        let effective = configuration.effective
        let json = String(decoding: try JSONEncoder().encode(effective), as: UTF8.self)
        for text in [effective.table, json, "\(effective)", log.lines.joined()] {
            #expect(!text.contains("hunter2"), "\(text)")
        }
        #expect(effective["exporter.headers"]?.value == "authorization: (hidden)")
        #expect(effective["exporter.endpoint"]?.value == "https://collector:4318/v1/traces")
        #expect(effective["exporter.proxy"]?.value == "http://proxy:3128")
    }

    @Test("Variables that begin with OTEL_ and are not known are named")
    func unread() throws {
        let configuration = try TracingConfiguration.fromEnvironment(
            [
                "OTEL_BSP_MAX_QUEUE": "1", "OTEL_METRICS_EXPORTER": "none", "HOME": "/",
                "OTEL_TRACES_SAMPLER_ARG": "1",
            ], logger: log.logger())
        #expect(
            configuration.effective.unreadVariables
                == ["OTEL_BSP_MAX_QUEUE", "OTEL_METRICS_EXPORTER"])
    }

    @Test("Variables that detectors read are not called unread, whichever detectors run")
    func detectorVariables() throws {
        let names = [
            "OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_UID",
            "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME",
        ]
        let read = Set(KubernetesDetector.attributes.flatMap(\.variables))
        #expect(read.isSuperset(of: names) && DetectionVariable.all.isSuperset(of: read))
        for detectors in ["all", "none"] {
            var variables = ["OTEL_RESOURCE_DETECTORS": detectors, "OTEL_TYPO": "1"]
            for name in DetectionVariable.all { variables[name] = "x" }
            let configuration = try TracingConfiguration.fromEnvironment(
                variables, logger: log.logger())
            #expect(configuration.effective.unreadVariables == ["OTEL_TYPO"])
        }
    }

    @Test(
        "The table has a line a setting, marks what is not the default, and ends with the warnings")
    func table() throws {
        let configuration = try TracingConfiguration.fromEnvironment(
            [
                "OTEL_SERVICE_NAME": "shop\u{1B}[31m", "OTEL_TRACES_SAMPLER": "sometimes",
                "OTEL_TYPO": "1",
            ], logger: log.logger())
        let effective = configuration.effective
        let lines = effective.table.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 1 + effective.rows.count + 3 + 3 + 1)
        #expect(!effective.table.contains("\u{1B}"))
        let name = lines.first { $0.contains("serviceName") }
        #expect(name?.hasPrefix("* serviceName ") == true)
        #expect(name?.hasSuffix("OTEL_SERVICE_NAME") == false)
        #expect(name?.contains(" OTEL_SERVICE_NAME ") == true)
        #expect(name?.hasSuffix(" shop?[31m") == true)
        #expect(lines.contains { $0.hasPrefix("  batch.queueSpans ") && $0.hasSuffix(" 2048") })
        #expect(lines.contains { $0.hasPrefix("  OTEL_TRACES_SAMPLER: \"sometimes\" is not one") })
        #expect(lines.contains("  OTEL_TYPO"))
        #expect(Set(effective.rows.map(\.name)).count == effective.rows.count)
    }

    @Test("As JSON a row says name, value, origin and variables")
    func json() throws {
        let configuration = try TracingConfiguration.fromEnvironment(
            ["OTEL_BSP_SCHEDULE_DELAY_MILLIS": "7", "OTEL_TRACES_EXPORTER": "none"],
            logger: log.logger())
        let data = try JSONEncoder().encode(configuration.effective)
        let document = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        let rows = document?["rows"] as? [[String: Any]] ?? []
        let row = rows.first { $0["name"] as? String == "batch.scheduleDelayMs" }
        #expect(row?["value"] as? String == "7")
        #expect(row?["from"] as? String == "environment")
        #expect(row?["variable"] as? String == "OTEL_BSP_SCHEDULE_DELAY_MILLIS")
        #expect(
            row?["variables"] as? [String]
                == ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY_MILLIS"])
        let endpoint = rows.first { $0["name"] as? String == "exporter.endpoint" }
        #expect(endpoint?["value"] is NSNull)
        #expect(document?["warnings"] as? [[String: Any]] != nil)
    }

    @Test(
        "A report has the settings, the resource and what detectors complained of, and logs nothing"
    )
    func report() throws {
        let machine = try FakeMachine(["/proc/sys/kernel/hostname": "mill\u{1B}[31m"])
        let report = try ConfigurationReport(
            environment: [
                "OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_SAMPLER": "sometimes",
                "OTEL_RESOURCE_DETECTORS": "host",
            ]
        ) {
            $0.detection.root = machine.root.path
            $0.resourceDetectors.append(.custom(FailingDetector()))
        }
        #expect(report.configuration["serviceName"]?.value == "shop")
        #expect(report.configuration.warnings.map(\.variable) == ["OTEL_TRACES_SAMPLER"])
        #expect(report.resource.prefix(2).map(\.key) == ["service.name", "host.name"])
        #expect(report.resourceSchemaURL == SemanticConventions.schemaURL)
        #expect(report.detectorWarnings.count == 1)
        #expect(report.detectorWarnings[0].contains("\"failing\" failed"))
        #expect(report.text.hasPrefix(report.configuration.table))
        #expect(report.text.contains("\n  service.name "))
        #expect(report.text.contains("mill?[31m"))
        #expect(!report.text.contains("\u{1B}"))
    }

    @Test("A report on an endpoint that cannot be used says so instead")
    func badReport() {
        #expect(throws: ConfigurationError.self) {
            try ConfigurationReport(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"])
        }
    }
}
