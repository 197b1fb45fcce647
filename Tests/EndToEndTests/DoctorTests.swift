import Foundation
import Testing

/// What the machine is like, and what the environment configures.
@Suite("Doctor")
struct DoctorTests {
    private func document(_ command: Command) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any],
            "\(command.errors)")
    }

    @Test("tells what the machine is fit for, and how to see the configuration")
    func machine() throws {
        let command = try Command.run(["doctor"])
        #expect(command.exitCode == 0)
        #expect(command.errors.isEmpty)
        for fact in [
            "processors", "cycle counter", "clock_gettime", "memory", "frequency governor",
            "virtualisation", "load", "pace", "steal", "open files", "allocator", "jemalloc 5",
            "tracemill doctor --config",
        ] {
            #expect(command.output.contains(fact), "\(fact) is not in: \(command.output)")
        }
        #expect(command.output.split(separator: "\n").allSatisfy { $0.count < 200 })
    }

    @Test("tells the same as JSON")
    func machineJSON() throws {
        let command = try Command.run(["doctor", "--json"])
        #expect(command.exitCode == 0)
        let document = try document(command)
        #expect(document["schema"] as? String == "tracemill.doctor/1")
        let clocks = document["clocks"] as? [String: Any]
        #expect((clocks?["clockGettimeNs"] as? Double ?? 0) > 0)
        #expect(document["environment"] is [String: Any])
        #expect(document["fitness"] is [String: Any])
        let steadiness = document["steadiness"] as? [String: Any]
        #expect(steadiness?["calibrationSpread"] as? Double ?? 0 >= 1)
        #expect(steadiness?["openFilesMax"] as? Int ?? 0 > 0)
    }

    static let environment = [
        "OTEL_SERVICE_NAME": "shop", "OTEL_BSP_SCHEDULE_DELAY": "5s",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:hunter2@collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2",
        "OTEL_RESOURCE_ATTRIBUTES": "region=west", "OTEL_BSP_QUEUE": "1",
    ]

    @Test("shows each setting, where it comes from, and no secret")
    func configuration() throws {
        let command = try Command.run(["doctor", "--config"], environment: Self.environment)
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(command.errors.isEmpty)
        let lines = command.output.split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        for line in [
            "* serviceName OTEL_SERVICE_NAME shop",
            "* exporter.endpoint OTEL_EXPORTER_OTLP_ENDPOINT https://collector:4318/v1/traces",
            "* exporter.headers OTEL_EXPORTER_OTLP_HEADERS authorization: (hidden)",
            "batch.scheduleDelayMs default 5000", "batch.queueSpans default 2048",
            "service.name shop", "region west", "OTEL_BSP_QUEUE",
        ] {
            #expect(lines.contains(line), "\(line) is not in: \(command.output)")
        }
        #expect(command.output.contains("OTEL_BSP_SCHEDULE_DELAY: \"5s\" is no whole number"))
        #expect(!command.output.contains("hunter2"))
    }

    @Test("shows the same as JSON")
    func configurationJSON() throws {
        let command = try Command.run(
            ["doctor", "--config", "--json"], environment: Self.environment)
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(!command.output.contains("hunter2"))
        let document = try document(command)
        #expect(document["schema"] as? String == "tracemill.configuration/1")
        let configuration = document["configuration"] as? [String: Any]
        let rows = configuration?["rows"] as? [[String: Any]] ?? []
        let name = rows.first { $0["name"] as? String == "serviceName" }
        #expect(name?["value"] as? String == "shop")
        #expect(name?["variable"] as? String == "OTEL_SERVICE_NAME")
        let warnings = configuration?["warnings"] as? [[String: Any]] ?? []
        #expect(warnings.map { $0["variable"] as? String } == ["OTEL_BSP_SCHEDULE_DELAY"])
        let resource = document["resource"] as? [[String: Any]] ?? []
        #expect(resource.first?["value"] as? String == "shop")
    }

    @Test("an endpoint that cannot be used is an error that says what to write")
    func badEndpoint() throws {
        let command = try Command.run(
            ["doctor", "--config"],
            environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"])
        #expect(command.exitCode == 2)
        #expect(command.output.isEmpty)
        #expect(command.errors.contains("write http://collector:4318"), "\(command.errors)")
    }
}
