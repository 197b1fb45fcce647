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
        // The compressor starts afresh for the next body.
        let next = Array("another body".utf8)
        #expect(harness.send(next).outcome == .acknowledged)
        #expect(Self.inflate(server.requests[2].body) == next)
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

    @Test(
        "A secret is hidden in every writing of it, and in the words of a header",
        arguments: [
            "t0ken/\"1", "t0ken%2F%221", "dDBrZW4vIjE=", "dDBrZW4vIjE", "74306B656E2F2231",
            "t0ken/\\\"1",
            "alad:din0", "din0", "YWxhZDpkaW4w", "c00kie", "pa ss", "pa%20ss", "qu3ry&",
        ])
    func writings(writing: String) throws {
        var settings = OTLPHTTPSettings(endpoint: "http://me:pa%20ss@host/v1/traces?a=qu3ry%26")
        settings.headers = [
            try HTTPHeader(name: "authorization", value: "Bearer t0ken/\"1"),
            try HTTPHeader(name: "x-basic", value: "Basic YWxhZDpkaW4w"),
            try HTTPHeader(name: "cookie", value: "sid=c00kie; a=b"),
        ]
        let log = LogCapture()
        var diagnostics = ExportDiagnostics(
            logger: log.logger(), endpoint: settings.printableEndpoint, secrets: settings.secrets)
        diagnostics.warn(.refused("no such key as \(writing): Bearer is missing"), nowNs: 1)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("no such key as (hidden): Bearer is missing"), "\(log.lines)")
    }

    @Test("Base64 is read as it is written, and nothing else is")
    func base64() {
        for text in ["", "a", "ab", "abc", "abcd", "\u{20AC}uro"] {
            #expect(Base64.decode(Base64.encode(text)) == text)
        }
        for digits in ["a", "ab=c", "a b", "\u{20AC}", "/w=="] {
            #expect(Base64.decode(digits) == nil, "\(digits)")
        }
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
