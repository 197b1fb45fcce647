import CZlib
import Foundation
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct TransportTests {
    @Test("A request is a plain OTLP POST, with the user's headers in their order")
    func request() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.headers = [
                try HTTPHeader(name: "x-api-key", value: "s3cret"),
                try HTTPHeader(name: "X-Empty", value: ""),
                try HTTPHeader(name: "x-api-key", value: "again"),
            ]
            $0.numbersBatches = true
        }
        let body = [UInt8](repeating: 7, count: 2 << 20)
        #expect(harness.send(body, number: .max).outcome == .acknowledged)
        #expect(harness.send(body, number: 3).outcome == .acknowledged)
        let requests = server.requests
        #expect(requests[0].line == "POST /v1/traces HTTP/1.1")
        #expect(requests[0].body == body)
        #expect(requests[0].values("content-type") == ["application/x-protobuf"])
        #expect(requests[0].values("content-encoding").isEmpty)
        #expect(requests[0].values("x-api-key") == ["s3cret", "again"])
        #expect(requests[0].values("x-empty") == [""])
        // A large body must not wait for a 100-continue.
        #expect(requests[0].values("expect").isEmpty)
        #expect(requests[0].values("content-length") == ["\(body.count)"])
        #expect(requests.map { $0.values("tracemill-batch") } == [["\(UInt64.max)"], ["3"]])
        // Kept alive.
        #expect(requests.map(\.connection) == [0, 0])
    }

    @Test("Without a ledger no batch number is sent")
    func noNumber() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        _ = harness.send()
        #expect(server.requests[0].values("tracemill-batch").isEmpty)
    }

    @Test("A gzip body inflates to the original", arguments: [0, 1, 100, 70_000, 5 << 20])
    func gzip(size: Int) throws {
        let server = ScriptedServer([.answer(status: 503)])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.compression = .gzip }
        var random = JitterSource(seed: 1)
        let body = (0..<size).map { _ in UInt8(random.nextUnit() * 16) }
        let finished = harness.send(body)
        #expect(finished.outcome == .acknowledged)
        let requests = server.requests
        #expect(requests.count == 2)
        for request in requests {
            #expect(request.values("content-encoding") == ["gzip"])
            #expect(Self.inflate(request.body) == body)
            #expect(request.body.count == finished.wireByteCount)
        }
        if size > 1_000 { #expect(finished.wireByteCount < size * 3 / 4) }
    }

    @Test("A redirect is not followed: no header reaches another server")
    func redirect() throws {
        let other = ScriptedServer()
        defer { other.stop() }
        let server = ScriptedServer(
            then: .answer(status: 307, headers: ["Location: \(other.endpoint)"]))
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.headers = [try HTTPHeader(name: "x-api-key", value: "s3cret")]
        }
        #expect(harness.send().outcome == .dropped(.refused))
        #expect(other.connectionsAccepted == 0)
        #expect(harness.log.lines.count == 1)
        #expect(harness.log.lines[0].contains("redirects are not followed"))
    }

    @Test("Proxies of the environment are ignored")
    func environmentProxy() async {
        await #expect(processExitsWith: .success) {
            let proxy = ScriptedServer()
            let server = ScriptedServer()
            for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
                unsafe setenv(name, "http://127.0.0.1:\(proxy.port)", 1)
            }
            let harness = try ExporterHarness(endpoint: server.endpoint)
            #expect(harness.send().outcome == .acknowledged)
            let answer = try httpRequest(method: "GET", url: server.endpoint, timeoutMs: 10_000)
            #expect(answer.status == 200)
            #expect(server.requests.count == 2)
            #expect(proxy.connectionsAccepted == 0)
        }
    }

    @Test("A proxy that the settings name is used")
    func configuredProxy() throws {
        let proxy = ScriptedServer()
        defer { proxy.stop() }
        let harness = try ExporterHarness(endpoint: "http://collector.invalid/v1/traces") {
            $0.proxy = "http://127.0.0.1:\(proxy.port)"
        }
        #expect(harness.send().outcome == .acknowledged)
        #expect(proxy.requests[0].line == "POST http://collector.invalid/v1/traces HTTP/1.1")
    }

    @Test("A name that cannot be found is tried until the deadline")
    func unknownName() throws {
        let harness = try ExporterHarness(endpoint: "http://collector.invalid/v1/traces")
        let finished = harness.send(deadlineMs: 300)
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(!finished.indeterminate)
    }

    @Test("Connections in flight are bounded, and their batches go out in order")
    func order() throws {
        let server = ScriptedServer(then: .hold)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint, connections: 2) {
            $0.numbersBatches = true
        }
        for slot in 0..<3 { harness.submit(slot: slot, number: UInt64(slot + 1), body: [1]) }
        harness.exporter.step(nowNs: TraceClock.monotonicNs)
        let releaser = SystemThread {
            server.waitForRequests(2)
            #expect(server.requests.count == 2)
            server.release()
        }
        let finished = harness.settle(3)
        releaser.join()
        #expect(finished.count == 3)
        #expect(server.requests.last?.values("tracemill-batch") == ["3"])
        #expect(server.connectionsAccepted == 2)
    }

    @Test("Secrets do not show in the log, also when a server echoes them")
    func secretsHidden() throws {
        let message = Array(
            "bad key s3cret-key of user:passw0rd dXNlcjpwYXNzdzByZA==\u{1B}[31m".utf8)
        let inner = [0x08, 1, 0x12, UInt8(message.count)] + message
        let server = ScriptedServer([
            .answer(status: 200, body: [0x0A, UInt8(inner.count)] + inner), .answer(status: 401),
            .answer(status: 503), .close,
        ])
        defer { server.stop() }
        let endpoint = "http://user:passw0rd@127.0.0.1:\(server.port)/v1/traces?token=t0ken"
        let harness = try ExporterHarness(endpoint: endpoint) {
            $0.headers = [try HTTPHeader(name: "x-api-key", value: "s3cret-key")]
        }
        #expect(harness.send().outcome == .rejected(spans: 1))
        #expect(harness.send().outcome == .dropped(.refused))
        #expect(harness.send().outcome == .acknowledged)
        let log = harness.log.lines.joined(separator: "\n")
        #expect(harness.log.lines.count >= 3)
        #expect(log.contains("(hidden)"))
        for secret in ["s3cret-key", "passw0rd", "t0ken", "dXNlcjpwYXNzdzByZA==", "\u{1B}"] {
            #expect(!log.contains(secret))
        }
        var settings = OTLPHTTPSettings(endpoint: endpoint)
        settings.headers = [try HTTPHeader(name: "x-api-key", value: "s3cret-key")]
        #expect(!String(describing: settings.headers).contains("s3cret"))
        #expect(!String(reflecting: settings.headers).contains("s3cret"))
        var dumped = String(describing: settings) + String(reflecting: settings)
        dump(settings, to: &dumped)
        for secret in ["s3cret-key", "passw0rd", "t0ken"] { #expect(!dumped.contains(secret)) }
    }

    @Test("Warnings of one kind are logged once in a while, not once a batch")
    func warningsLimited() throws {
        let server = ScriptedServer(then: .answer(status: 400))
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        for _ in 0..<20 { #expect(harness.send().outcome == .dropped(.refused)) }
        #expect(harness.log.lines.count == 1)
    }

    static func inflate(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = unsafe z_stream()
        guard unsafe tracemill_gunzip_init(&stream) == Z_OK else { return nil }
        defer { unsafe inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var status = Z_OK
        unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe stream.next_in = source.baseAddress
            unsafe stream.avail_in = UInt32(source.count)
            repeat {
                unsafe chunk.withUnsafeMutableBufferPointer { target in
                    unsafe stream.next_out = target.baseAddress
                    unsafe stream.avail_out = UInt32(target.count)
                    status = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
                    unsafe output += target[..<(target.count - Int(stream.avail_out))]
                }
            } while status == Z_OK
        }
        return status == Z_STREAM_END ? output : nil
    }
}

@Suite struct SettingsTests {
    @Test(
        "Header names and values that would break a request are refused",
        arguments: [
            ("x-key", "a\r\nx-evil: 1"), ("x-key", "a\nb"), ("x-key", "a\u{0}b"),
            ("x-key", "a\rb"), ("x key", "a"), ("", "a"), ("x:key", "a"), ("x-key\r\ny", "a"),
            ("x-clé", "a"), ("Content-Length", "1"), ("transfer-encoding", "chunked"),
            ("Expect", "100-continue"), ("content-type", "text/plain"),
        ])
    func badHeader(name: String, value: String) {
        #expect(throws: ConfigurationError.self) { try HTTPHeader(name: name, value: value) }
    }

    @Test("A refused header's error does not show its value")
    func errorHidesValue() {
        do {
            _ = try HTTPHeader(name: "authorization: Bearer s3cret", value: "s3cret\r\n")
            Issue.record("the header was accepted")
        } catch {
            #expect(!error.description.contains("s3cret"))
        }
    }

    @Test(
        "An endpoint that cannot be used is an error that says what to write",
        arguments: [
            ("localhost:4318", "write http://localhost:4318"),
            ("127.0.0.1:4318/v1/traces", "write http://127.0.0.1:4318/v1/traces"),
            ("", "no scheme"), ("grpc://localhost:4317", "only http:// and https://"),
            ("file:///etc/passwd", "only http:// and https://"),
            ("http://", "host"), ("http://host:99999/", "65535"), ("http://a b/", "space"),
            ("http://host/\r\nx: y", "control character"),
        ])
    func badEndpoint(endpoint: String, hint: String) {
        do {
            try OTLPHTTPSettings(endpoint: endpoint).validate()
            Issue.record("\(endpoint) was accepted")
        } catch {
            guard case .invalidEndpoint = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description.contains(hint))
        }
    }

    @Test(
        "An endpoint is shown without user-info and query",
        arguments: [
            ("https://user:pw@host:4318/v1/traces?key=1#x", "https://host:4318/v1/traces"),
            ("http://a@b@host/", "http://host/"), ("http://host/p@th", "http://host/p@th"),
            ("HTTP://host", "HTTP://host"),
        ])
    func printable(endpoint: String, shown: String) {
        #expect(OTLPHTTPSettings(endpoint: endpoint).printableEndpoint == shown)
    }

    @Test("Settings out of range are refused")
    func ranges() {
        func refused(_ change: (inout OTLPHTTPSettings) -> Void) -> Bool {
            var settings = OTLPHTTPSettings()
            change(&settings)
            do { try settings.validate() } catch { return true }
            return false
        }
        #expect(!refused { _ in })
        #expect(refused { $0.timeoutMs = -1 })
        #expect(refused { $0.connections = 0 })
        #expect(refused { $0.connections = 65 })
        #expect(refused { $0.retry.jitter = 1.5 })
        #expect(refused { $0.retry.initialBackoffMs = 0 })
        #expect(refused { $0.retry.maxBackoffMs = 1 })
        #expect(refused { $0.retry.multiplier = 0.5 })
        #expect(refused { $0.certificatePath = "/nonexistent/ca.pem" })
        var batch = BatchSettings()
        batch.batchSpans = 4_096
        #expect(throws: ConfigurationError.self) { try batch.validate() }
    }
}

@Suite struct PartialSuccessTests {
    @Test("The answer's partial success is read")
    func reads() throws {
        #expect(try PartialSuccess.parse([]) == nil)
        #expect(try PartialSuccess.parse([0x0A, 0]) == PartialSuccess())
        #expect(
            try PartialSuccess.parse([0x0A, 6, 0x08, 0xAC, 0x02, 0x12, 1, 0x6D])
                == PartialSuccess(rejectedSpans: 300, errorMessage: "m"))
        // Unknown fields of every wire type are passed over.
        let unknown: [UInt8] =
            [0x18, 1, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2A, 1, 9, 0x35, 1, 2, 3, 4]
        #expect(try PartialSuccess.parse(unknown + [0x0A, 2, 0x08, 5])?.rejectedSpans == 5)
        // A negative count is no count.
        let negative: [UInt8] =
            [0x0A, 11, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]
        #expect(try PartialSuccess.parse(negative)?.rejectedSpans == 0)
    }

    @Test(
        "Bytes that are no answer are an error",
        arguments: [
            [0x0A], [0x0A, 5, 1], [0x08, 1], [0x0A, 2, 0x0A, 0], [0x0B], [0x00, 1], [0x0F],
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        #expect(throws: ProtobufError.self) { try PartialSuccess.parse(bytes) }
    }

    @Test("No bytes whatever make the reader read past its end", arguments: 0..<8)
    func anyBytes(seed: Int) {
        var random = JitterSource(seed: UInt64(seed))
        for _ in 0..<5_000 {
            let bytes = (0..<Int(random.nextUnit() * 40)).map { _ in UInt8(random.nextUnit() * 256)
            }
            _ = try? PartialSuccess.parse(bytes)
            _ = try? OTLPTree(request: bytes)
        }
    }
}

@Suite struct HTTPClientTests {
    @Test("A request brings back status and body, whatever the status")
    func answers() throws {
        let server = ScriptedServer([
            .answer(status: 200, body: Array("ledger".utf8)), .answer(status: 404),
        ])
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)/tracemill/v1/ledger?through=3"
        let first = try httpRequest(method: "GET", url: url, timeoutMs: 10_000)
        #expect(first.status == 200)
        #expect(first.body == Array("ledger".utf8))
        let second = try httpRequest(
            method: "POST", url: url, body: Array("x".utf8), timeoutMs: 10_000)
        #expect(second.status == 404)
        let third = try httpRequest(method: "POST", url: url, body: [], timeoutMs: 10_000)
        #expect(third.status == 200)
        let lines = server.requests.map(\.line)
        #expect(
            lines == [
                "GET /tracemill/v1/ledger?through=3 HTTP/1.1",
                "POST /tracemill/v1/ledger?through=3 HTTP/1.1",
                "POST /tracemill/v1/ledger?through=3 HTTP/1.1",
            ])
        #expect(server.requests.map { $0.body.count } == [0, 1, 0])
    }

    @Test("No answer, a late one and one that is too long are errors that name the request")
    func errors() {
        let server = ScriptedServer([.hang, .flood(status: 200, chunks: 64)])
        defer { server.stop() }
        let closed = ScriptedServer.closedPort()
        for (url, limit) in [
            ("http://127.0.0.1:\(closed)/a?secret=1", 1 << 20), (server.endpoint, 1 << 20),
            (server.endpoint, 1 << 20), ("file:///etc/passwd", 1 << 20),
        ] {
            do {
                _ = try httpRequest(
                    method: "GET", url: url, timeoutMs: 200, responseBytesMax: limit)
                Issue.record("\(url) was answered")
            } catch {
                #expect(error.request.hasPrefix("GET "))
                #expect(!error.description.contains("secret"))
                #expect(!error.reason.isEmpty)
            }
        }
    }
}
