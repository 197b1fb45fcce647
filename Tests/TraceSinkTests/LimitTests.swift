import Testing
import TraceResults

@testable import TraceSink

@Suite("What the receiver refuses")
struct LimitTests {
    @Test("A length with chunks, and two lengths, are refused")
    func ambiguousLength() throws {
        try withSink { server in
            for lines in [
                ["content-length: 3", "transfer-encoding: chunked"],
                ["transfer-encoding: chunked", "content-length: 3"],
                ["content-length: 3", "content-length: 3"],
                ["content-length: 3", "content-length: 4"],
                ["content-length: 3, 3"], ["content-length: -1"], ["content-length: 0x3"],
                ["content-length: 99999999999999999999"],
                ["transfer-encoding: gzip, identity"],
            ] {
                let client = try RawClient(server)
                client.sendHead(["content-type: application/x-protobuf"] + lines)
                #expect(try client.answer().status == 400, "\(lines)")
                #expect(client.ending() == .closed)
            }
            #expect(server.ledger().badRequests == 9)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test("A body announced larger than the cap is refused at once")
    func announcedTooLarge() throws {
        try withSink({ $0.limits.bodyBytesMax = 1000 }) { server in
            let client = try RawClient(server)
            client.sendHead(["content-type: application/x-protobuf", "content-length: 1001"])
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer.header("connection") == "close")
            #expect(client.ending() == .closed)
        }
    }

    @Test("A body in chunks is cut off at the cap, though it is still being sent")
    func chunkedTooLarge() throws {
        try withSink({ $0.limits.bodyBytesMax = 1 << 20 }) { server in
            let client = try RawClient(server)
            client.sendHead([
                "content-type: application/x-protobuf", "transfer-encoding: chunked",
            ])
            let piece = [UInt8](repeating: 0x7A, count: 0x8000)
            for _ in 0..<40 { client.send(Array("8000\r\n".utf8) + piece + Array("\r\n".utf8)) }
            #expect(try client.answer().status == 413)
            #expect(server.ledger().bytesReceived <= 2 << 20)
        }
    }

    @Test("A head larger than the cap is refused")
    func headTooLarge() throws {
        try withSink { server in
            let long = try RawClient(server)
            long.sendHead(["x-long: " + String(repeating: "a", count: 17 << 10)])
            #expect(try long.answer().status == 431)
            let many = try RawClient(server)
            many.sendHead((0..<2_000).map { "x-\($0): 12345678" })
            #expect(try many.answer().status == 431)
            let path = try RawClient(server)
            path.send("GET /" + String(repeating: "a", count: 17 << 10) + " HTTP/1.1\r\n\r\n")
            #expect(try path.answer().status == 431)
            let fits = try RawClient(server)
            fits.export([], lines: ["x-long: " + String(repeating: "a", count: 15 << 10)])
            #expect(try fits.answer().status == 200)
        }
    }

    @Test(
        "What is no HTTP/1 is refused",
        arguments: [
            "hello\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
            "GET / HTTP/9.9\r\n\r\n", "POST /v1/traces HTTP/1.1\r\nbad header\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ])
    func notHTTP(text: String) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.send(text)
            #expect(try client.answer().status == 400)
            #expect(client.ending() == .closed)
            let other = try RawClient(server)
            other.export(spans(1))
            #expect(try other.answer().status == 200)
        }
    }

    @Test("Connections beyond the cap are closed, and there is room again when one ends")
    func connectionsMax() throws {
        try withSink({ $0.limits.connectionsMax = 2 }) { server in
            let first = try RawClient(server)
            let second = try RawClient(server)
            for client in [first, second] {
                client.export(spans(1))
                #expect(try client.answer().status == 200)
            }
            let third = try RawClient(server)
            #expect(third.ending() != .timeout)
            #expect(server.ledger().connectionsRefused == 1)
            second.export(spans(1), lines: ["connection: close"])
            #expect(try second.answer().status == 200)
            #expect(second.ending() == .closed)
            second.finishSending()
            // The sink notices the end of the second in its own time.
            var answer: Int?
            while answer == nil {
                let next = try RawClient(server)
                next.export(spans(1))
                answer = try? next.answer().status
            }
            #expect(answer == 200)
        }
    }

    @Test("A head that does not come, or does not end, is not waited for")
    func headerDeadline() throws {
        try withSink({ $0.limits.headerDeadlineNs = 1_500_000_000 }) { server in
            let silent = try RawClient(server)
            #expect(silent.ending() == .closed)
            let partial = try RawClient(server)
            partial.send("POST /v1/traces HTTP/1.1\r\nhost")
            #expect(partial.ending() != .timeout)
            let later = try RawClient(server)
            later.export(spans(1))
            #expect(try later.answer().status == 200)
            later.send("POST /v1")
            #expect(later.ending() == .closed)
        }
    }

    @Test(
        "A TLS handshake that does not come, does not end, or is none is given up",
        arguments: ["", "\u{16}\u{3}\u{1}\u{0}", "GET / HTTP/1.1\r\nhost: test\r\n\r\n"])
    func handshake(text: String) throws {
        try withSink({
            $0.isTLS = true
            $0.limits.headerDeadlineNs = 200_000_000
        }) { server in
            let client = try RawClient(server)
            client.send(text)
            #expect(client.ending() != .timeout)
            #expect(server.ledger().requests == 0)
        }
    }

    @Test("A body that does not end is answered 408")
    func bodyDeadline() throws {
        try withSink({ $0.limits.bodyDeadlineNs = 50_000_000 }) { server in
            let client = try RawClient(server)
            client.sendHead(["content-type: application/x-protobuf", "content-length: 100"])
            client.send("some of it")
            #expect(try client.answer().status == 408)
            #expect(client.ending() == .closed)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test("An idle connection is closed after its time")
    func idleDeadline() throws {
        try withSink({ $0.limits.idleDeadlineNs = 50_000_000 }) { server in
            let client = try RawClient(server)
            client.export(spans(1))
            #expect(try client.answer().status == 200)
            #expect(client.ending() == .closed)
        }
    }

    @Test("A body that leaves no memory is answered 503")
    func heldBytes() throws {
        // Made first: a connection has seconds for its first head.
        let large = spans(30_000)
        try withSink({ $0.limits.heldBodyBytesMax = 1 << 20 }) { server in
            let client = try RawClient(server)
            client.export(large)
            #expect(try client.answer().status == 503)
            let other = try RawClient(server)
            other.export(spans(100))
            #expect(try other.answer().status == 200)
        }
    }

    @Test("A connection that breaks off in its body counts no spans")
    func brokenOff() throws {
        try withSink { server in
            let body = spans(100)
            do {
                let client = try RawClient(server)
                client.sendHead([
                    "content-type: application/x-protobuf", "content-length: \(body.count)",
                ])
                client.send(Array(body.dropLast()))
                client.finishSending()
                #expect(client.ending() != .timeout)
            }
            // The client may see the end before the sink has entered it.
            server.shutdown()
            #expect(server.ledger().spansTotal == 0)
            #expect(server.ledger().bytesReceived == body.count - 1)
        }
    }

    @Test("A sink stops while connections are open, and says why when it cannot start")
    func lifecycle() throws {
        var configuration = SinkConfiguration()
        let server = try SinkServer.start(configuration)
        #expect(
            server.listeningLine
                == "tracemill sink listening on http://127.0.0.1:\(server.port)")
        let client = try RawClient(server)
        client.export(spans(1))
        #expect(try client.answer().status == 200)
        configuration.port = server.port
        #expect(throws: SinkStartError.self) { _ = try SinkServer.start(configuration) }
        server.shutdown()
        server.shutdown()
        server.waitUntilStopped()
        #expect(client.ending() != .timeout)
        #expect(server.ledger().spansTotal == 1)
    }
}
