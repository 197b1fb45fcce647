import Foundation
import Testing

@testable import TracePipeline

/// Files named by variables that are not what they should be: an error when the pipeline is made.
@Suite struct TLSFileTests {
    static let variables = ["", "TRACES_"].flatMap { signal in
        ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"].map {
            "OTEL_EXPORTER_OTLP_\(signal)\($0)"
        }
    }

    @Test(
        "A file that is not there, or is a folder, is an error that names it and its variable",
        arguments: variables, ["/nonexistent/file.pem", NSTemporaryDirectory()])
    func unreadable(variable: String, path: String) throws {
        let log = LogCapture()
        var configuration = try TracingConfiguration.fromEnvironment(
            [variable: path], logger: log.logger())
        configuration.logger = log.logger()
        let general = variable.replacingOccurrences(of: "OTLP_TRACES_", with: "OTLP_")
        let settings = [
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "certificatePath",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": "clientKeyPath",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "clientCertificatePath",
        ]
        let written = general.replacingOccurrences(of: "OTLP_", with: "OTLP_[TRACES_]")
        let option = try #require(settings[general]) + " (\(written))"
        do {
            _ = try TracingPipeline(configuration)
            Issue.record("a pipeline was made")
        } catch {
            #expect(error == .unreadableFile(path: path, option: option))
            #expect(error.description.contains(path) && error.description.contains(written))
        }
    }

    @Test("The traces' own variable goes before the general one, and its file alone is looked at")
    func ownFirst() throws {
        let file = NSTemporaryDirectory() + "tracemill-\(UUID().uuidString).pem"
        try Data("a file".utf8).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        for name in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
            let configuration = try TracingConfiguration.fromEnvironment([
                "OTEL_EXPORTER_OTLP_TRACES_\(name)": file,
                "OTEL_EXPORTER_OTLP_\(name)": "/nonexistent/file.pem",
            ])
            guard case .otlp(let settings) = configuration.exporter else {
                Issue.record("\(configuration.exporter)")
                continue
            }
            try settings.validate()
        }
    }
}
