import Foundation
import Glibc
import Testing

@testable import TracePipeline

/// Certificates and keys in a temporary folder, made by openssl.
private final class CertificateFolder {
    static let openssl = "/usr/bin/openssl"
    static var isAvailable: Bool { FileManager.default.isExecutableFile(atPath: openssl) }

    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Makes `<name>.pem` and `<name>-key.pem`.
    ///
    /// - Parameter alternativeName: who the certificate is for.
    func make(_ name: String, alternativeName: String, isExpired: Bool = false) throws {
        let common = [
            "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=\(name)", "-addext",
            "subjectAltName=\(alternativeName)", "-keyout", path("\(name)-key.pem"),
        ]
        guard isExpired else {
            try run(["req", "-x509", "-days", "2"] + common + ["-out", path("\(name).pem")])
            return
        }
        try run(["req", "-new"] + common + ["-out", path("request.pem")])
        let configuration = """
            [ca]
            default_ca = own
            [own]
            database = \(path("index.txt"))
            new_certs_dir = \(folder.path)
            rand_serial = yes
            default_md = sha256
            policy = any
            copy_extensions = copy
            [any]
            commonName = supplied
            """
        try Data(configuration.utf8).write(to: folder.appendingPathComponent("ca.cnf"))
        try Data().write(to: folder.appendingPathComponent("index.txt"))
        try run([
            "ca", "-batch", "-notext", "-selfsign", "-config", path("ca.cnf"),
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z",
            "-keyfile", path("\(name)-key.pem"), "-in", path("request.pem"),
            "-out", path("\(name).pem"),
        ])
    }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.openssl)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "openssl \(arguments[0])")
    }
}

/// `openssl s_server` with a certificate of its own.
private final class TLSServer {
    static var isAvailable: Bool { CertificateFolder.isAvailable }

    let certificates: CertificateFolder
    let port: UInt16
    private let process = Process()
    private let input = Pipe()

    var certificate: String { certificates.path("server.pem") }
    var endpoint: String { "https://127.0.0.1:\(port)/v1/traces" }

    /// - Parameters:
    ///   - alternativeName: who the certificate is for.
    ///   - asksForClients: takes only clients that have the certificate `client`, which is made, too.
    ///   - options: more of s_server's.
    init(
        alternativeName: String = "IP:127.0.0.1", isExpired: Bool = false,
        asksForClients: Bool = false, options: [String] = []
    ) throws {
        certificates = try CertificateFolder()
        try certificates.make("server", alternativeName: alternativeName, isExpired: isExpired)
        var arguments = options
        if asksForClients {
            try certificates.make("client", alternativeName: "DNS:client.invalid")
            arguments += [
                "-Verify", "1", "-verify_return_error", "-CAfile", certificates.path("client.pem"),
            ]
        }
        port = ScriptedServer.closedPort()
        process.executableURL = URL(fileURLWithPath: CertificateFolder.openssl)
        process.arguments =
            [
                "s_server", "-accept", "127.0.0.1:\(port)", "-cert",
                certificates.path("server.pem"),
                "-key", certificates.path("server-key.pem"), "-quiet",
            ] + arguments
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        while !ScriptedServer.isListening(port: port), process.isRunning { usleep(1_000) }
        // s_server passes its input on to whoever has connected: the answer to the first request.
        input.fileHandleForWriting.write(
            Data("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
    }

    func stop() {
        // Threads of the test library block signals, and a child inherits that: SIGTERM would not do.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

@Suite(.enabled(if: TLSServer.isAvailable, "needs /usr/bin/openssl"))
struct TLSTests {
    @Test("A certificate that the settings trust is accepted")
    func trusted() throws {
        let server = try TLSServer()
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
        }
        #expect(harness.send().outcome == .acknowledged)
    }

    @Test("A certificate that nobody vouches for is refused, with a clear reason")
    func selfSigned() throws {
        let server = try TLSServer()
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

    @Test("A certificate that has expired is refused, though it is trusted")
    func expired() throws {
        let server = try TLSServer(isExpired: true)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
        }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.refused))
        #expect(!finished.indeterminate)
        #expect(harness.log.lines.last?.contains("expired") == true)
    }

    @Test("A server that asks for it gets the client's certificate", arguments: ["1_2", "1_3"])
    func mutual(version: String) throws {
        let server = try TLSServer(asksForClients: true, options: ["-tls\(version)"])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
            $0.clientCertificatePath = server.certificates.path("client.pem")
            $0.clientKeyPath = server.certificates.path("client-key.pem")
        }
        #expect(harness.send().outcome == .acknowledged)
    }

    @Test(
        "A client without the certificate that is asked for is not served",
        arguments: ["1_2", "1_3"])
    func withoutClientCertificate(version: String) throws {
        let server = try TLSServer(asksForClients: true, options: ["-tls\(version)"])
        defer { server.stop() }
        // Known to be listening, and to serve who has the certificate, once that one was served. Its
        // connection has to end first: s_server has one at a time.
        func send() throws -> BatchOutcome {
            try ExporterHarness(endpoint: server.endpoint) {
                $0.certificatePath = server.certificate
                $0.clientCertificatePath = server.certificates.path("client.pem")
                $0.clientKeyPath = server.certificates.path("client-key.pem")
            }.send().outcome
        }
        #expect(try send() == .acknowledged)
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
            $0.retry.maxAttempts = 2
        }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts == 2)
    }

    @Test("A key that is not the certificate's is refused before anything is sent")
    func otherKey() throws {
        let server = try TLSServer(asksForClients: true)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
            $0.clientCertificatePath = server.certificates.path("client.pem")
            $0.clientKeyPath = server.certificates.path("server-key.pem")
        }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.refused))
        #expect(!finished.indeterminate)
    }

    @Test(
        "A server that knows only TLS 1.0 or 1.1 is refused, though its certificate is trusted",
        arguments: ["1", "1_1"])
    func oldVersion(version: String) throws {
        let server = try TLSServer(
            options: ["-tls\(version)", "-cipher", "ALL:@SECLEVEL=0", "-ign_eof"])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.certificatePath = server.certificate
            $0.retry.maxAttempts = 1
        }
        let finished = harness.send()
        guard case .dropped = finished.outcome else {
            Issue.record("\(finished.outcome)")
            return
        }
        #expect(!finished.indeterminate)
        // Not for want of a server.
        #expect(
            harness.log.lines.contains { $0.contains("protocol") }, "\(harness.log.lines)")
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
