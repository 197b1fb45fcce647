import Foundation
import Glibc
import Testing

@testable import TracePipeline

/// A certificate and key of its own in a temporary folder, and `openssl s_server` with them.
private final class TLSServer {
    static let openssl = "/usr/bin/openssl"
    static var isAvailable: Bool { FileManager.default.isExecutableFile(atPath: openssl) }

    let folder: URL
    let port: UInt16
    private let process = Process()
    private let input = Pipe()

    var certificate: String { folder.appendingPathComponent("cert.pem").path }
    var endpoint: String { "https://127.0.0.1:\(port)/v1/traces" }

    /// - Parameter alternativeName: who the certificate is for.
    init(alternativeName: String) throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let key = folder.appendingPathComponent("key.pem").path
        let maker = Process()
        maker.executableURL = URL(fileURLWithPath: Self.openssl)
        maker.arguments = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
            "-addext", "subjectAltName=\(alternativeName)", "-keyout", key,
            "-out", folder.appendingPathComponent("cert.pem").path,
        ]
        maker.standardError = FileHandle.nullDevice
        try maker.run()
        maker.waitUntilExit()
        port = ScriptedServer.closedPort()
        process.executableURL = URL(fileURLWithPath: Self.openssl)
        process.arguments = [
            "s_server", "-accept", "127.0.0.1:\(port)", "-cert",
            folder.appendingPathComponent("cert.pem").path, "-key", key, "-quiet",
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // s_server passes its input on to whoever has connected: the answer to the first request.
        input.fileHandleForWriting.write(
            Data("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
    }

    func stop() {
        // Threads of the test library block signals, and a child inherits that: SIGTERM would not do.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

@Suite(.enabled(if: TLSServer.isAvailable, "needs /usr/bin/openssl"))
struct TLSTests {
    @Test("A certificate that the settings trust is accepted")
    func trusted() throws {
        let server = try TLSServer(alternativeName: "IP:127.0.0.1")
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
        }
        // Until the server listens, connects fail and are tried again.
        #expect(harness.send().outcome == .acknowledged)
    }

    @Test("A certificate that nobody vouches for is refused, with a clear reason")
    func selfSigned() throws {
        let server = try TLSServer(alternativeName: "IP:127.0.0.1")
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.refused))
        #expect(!finished.indeterminate)
        #expect(harness.log.lines.last?.contains("certificate") == true)
    }

    @Test("A certificate for another host is refused")
    func otherHost() throws {
        let server = try TLSServer(alternativeName: "DNS:elsewhere.invalid")
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
        }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.refused))
        #expect(!finished.indeterminate)
    }

    @Test("A server without TLS gets nothing in plain text")
    func neverPlain() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let harness = try ExporterHarness(
            endpoint: "https://127.0.0.1:\(server.port)/v1/traces"
        ) {
            $0.headers = [try HTTPHeader(name: "x-api-key", value: "s3cret")]
            $0.retry.maxAttempts = 2
        }
        // The server waits for the end of a request head in what is a TLS handshake; the attempt's
        // timeout ends that.
        let finished = harness.send(deadlineMs: 300)
        guard case .dropped = finished.outcome else {
            Issue.record("\(finished.outcome)")
            return
        }
        #expect(!finished.indeterminate)
        #expect(server.requests.isEmpty)
    }
}
