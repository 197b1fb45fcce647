import FoundationEssentials
import Testing
import TraceResults

@testable import TraceSink

@Suite("Receiving over HTTP")
struct ReceiverTests {
    @Test("An export is answered 200 with an empty protobuf body and counted")
    func export() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(OTLPFixture.bytes, batch: 1)
            let answer = try client.answer()
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == "application/x-protobuf")
            #expect(answer.body.isEmpty)
            let ledger = server.ledger()
            #expect(ledger.mode == .count)
            #expect(ledger.requests == 1)
            #expect(ledger.badRequests == 0)
            #expect(ledger.spansTotal == OTLPFixture.spans)
            #expect(ledger.spansDistinct == OTLPFixture.spans)
            #expect(ledger.identitySum == OTLPFixture.identitySum)
            #expect(ledger.contentSum == OTLPFixture.contentSum)
            #expect(ledger.bytesReceived == OTLPFixture.bytes.count)
            #expect(ledger.bytesInflated == OTLPFixture.bytes.count)
            #expect(ledger.openBatches == 1)
            #expect(ledger.unnumberedSpans == 0)
            #expect(ledger.semanticSum == nil)
            #expect(ledger.cpuNs > 0)
            #expect(ledger.peakResidentBytes > 0)
        }
    }

    @Test("A connection takes one export after another, of any size")
    func keepAlive() throws {
        try withSink { server in
            let client = try RawClient(server)
            var spansSent = 0
            for (batch, count) in [1, 0, 700, 3, 5_000, 1, 20_000].enumerated() {
                client.export(spans(count), batch: UInt64(batch))
                #expect(try client.answer().status == 200)
                spansSent += count
            }
            #expect(server.ledger().spansDistinct == spansSent)
            #expect(server.ledger().connections == 1)
        }
    }

    @Test("Several connections at once, on several threads, lose nothing", arguments: [1, 3])
    func connections(threads: Int) throws {
        try withSink({ $0.threads = threads }) { server in
            let clients = try (0..<20).map { _ in try RawClient(server) }
            for round in 0..<10 as Range<UInt64> {
                for (index, client) in clients.enumerated() {
                    client.export(spans(50), batch: round * 20 + UInt64(index))
                }
                for client in clients { #expect(try client.answer().status == 200) }
            }
            #expect(server.ledger().spansDistinct == 10_000)
            #expect(server.ledger().batches == 200)
        }
    }

    @Test("Requests sent ahead are answered in order")
    func pipelining() throws {
        try withSink({ $0.faults = try! SinkFaultSchedule(parsing: "latency=20ms,every=2") }) {
            let client = try RawClient($0)
            var sent: [UInt8] = []
            let body = spans(3)
            for index in 0..<8 {
                let type = index == 3 ? "text/plain" : "application/x-protobuf"
                let head = [
                    "POST /v1/traces HTTP/1.1", "host: t", "content-type: \(type)",
                    "tracemill-batch: \(index)", "content-length: \(body.count)", "", "",
                ]
                sent += Array(head.joined(separator: "\r\n").utf8) + body
            }
            client.send(sent)
            for index in 0..<8 {
                #expect(try client.answer().status == (index == 3 ? 415 : 200))
            }
            #expect($0.ledger().spansDistinct == 21)
        }
    }

    @Test("A body in chunks is put together", arguments: [1, 7, 1000])
    func chunked(size: Int) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.sendHead([
                "content-type: application/x-protobuf", "transfer-encoding: chunked",
                "tracemill-batch: 5",
            ])
            let body = OTLPFixture.bytes
            for start in stride(from: 0, to: body.count, by: size) {
                let piece = Array(body[start..<min(start + size, body.count)])
                client.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece)
                client.send("\r\n")
            }
            client.send("0\r\n\r\n")
            #expect(try client.answer().status == 200)
            #expect(server.ledger().contentSum == OTLPFixture.contentSum)
        }
    }

    @Test("A body that comes byte by byte is put together")
    func slowBody() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.sendHead([
                "content-type: application/x-protobuf",
                "content-length: \(OTLPFixture.bytes.count)",
            ])
            for byte in OTLPFixture.bytes { client.send([byte]) }
            #expect(try client.answer().status == 200)
            #expect(server.ledger().contentSum == OTLPFixture.contentSum)
            #expect(server.ledger().unnumberedSpans == OTLPFixture.spans)
        }
    }

    @Test("A gzip body is inflated, and both its sizes are counted")
    func gzipBody() throws {
        try withSink { server in
            let client = try RawClient(server)
            let body = spans(2_000)
            let packed = gzip(body)
            for batch in 0..<3 as Range<UInt64> {
                client.export(packed, batch: batch, lines: ["content-encoding: gzip"])
                #expect(try client.answer().status == 200)
            }
            let ledger = server.ledger()
            #expect(ledger.spansDistinct == 6_000)
            #expect(ledger.bytesReceived == 3 * packed.count)
            #expect(ledger.bytesInflated == 3 * body.count)
        }
    }

    @Test("What is not gzip, or not all of it, is a bad request")
    func badGzip() throws {
        try withSink { server in
            let client = try RawClient(server)
            let packed = gzip(spans(5))
            for body in [Array("garbage".utf8), Array(packed.dropLast()), [], packed + [1]] {
                client.export(body, lines: ["content-encoding: gzip"])
                #expect(try client.answer().status == 400)
            }
            client.export(packed, lines: ["content-encoding: gzip"])
            #expect(try client.answer().status == 200)
            #expect(server.ledger().badRequests == 4)
            #expect(server.ledger().spansTotal == 5)
        }
    }

    @Test("A gzip bomb is cut off at the cap")
    func bomb() throws {
        try withSink({ $0.limits.inflatedBytesMax = 1 << 20 }) { server in
            let client = try RawClient(server)
            client.export(
                GzipBomb.bytes(head: [], zeros: 32 << 20), lines: ["content-encoding: gzip"])
            #expect(try client.answer().status == 413)
            #expect(client.ending() == .closed)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test("A request truncated anywhere is answered 400, and the connection goes on")
    func truncated() throws {
        try withSink { server in
            let client = try RawClient(server)
            let body = exportRequest([WrittenSpan().message])
            for count in 1..<body.count {
                client.export(Array(body[..<count]))
                let answer = try client.answer()
                #expect(answer.status == 400)
                // A google.rpc.Status: a code, then a message.
                #expect(answer.body.first == 0x08)
            }
            #expect(server.ledger().badRequests == body.count - 1)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test(
        "Other types and encodings are answered 415",
        arguments: [
            ["content-type: application/x-ndjson"], ["content-type: text/plain"], [],
            ["content-type: application/x-protobuf", "content-encoding: br"],
            [
                "content-type: application/x-protobuf", "content-encoding: gzip",
                "content-encoding: gzip",
            ],
        ])
    func unsupported(lines: [String]) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.sendHead(lines + ["content-length: 3"])
            client.send("abc")
            #expect(try client.answer().status == 415)
            client.export(spans(1))
            #expect(try client.answer().status == 200)
            #expect(server.ledger().badRequests == 1)
        }
    }

    @Test("A content type in other case, with parameters, is understood")
    func contentType() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.sendHead([
                "Content-Type: Application/X-Protobuf ; charset=utf-8", "content-length: 0",
            ])
            #expect(try client.answer().status == 200)
        }
    }

    @Test("Batch numbers that are not one decimal number are refused")
    func badBatch() throws {
        try withSink { server in
            let client = try RawClient(server)
            for lines in [
                ["tracemill-batch: x"], ["tracemill-batch: -1"],
                ["tracemill-batch: 18446744073709551616"],
                ["tracemill-batch: 1", "tracemill-batch: 2"],
            ] {
                client.export(spans(1), lines: lines)
                #expect(try client.answer().status == 400)
            }
            client.export(spans(1), batch: .max)
            #expect(try client.answer().status == 200)
        }
    }

    @Test("Other paths are 404, other methods 405 with the right one named")
    func paths() throws {
        try withSink { server in
            let client = try RawClient(server)
            #expect(try client.ask("GET", "/").status == 404)
            #expect(try client.ask("POST", "/v1/metrics").status == 404)
            #expect(try client.ask("GET", "/v1/traces/").status == 404)
            for (method, path, allowed) in [
                ("GET", "/v1/traces", "POST"), ("POST", "/tracemill/v1/ledger", "GET"),
                ("GET", "/tracemill/v1/settle?through=1", "POST"),
                ("DELETE", "/tracemill/v1/batches?through=1", "GET"),
            ] {
                let answer = try client.ask(method, path)
                #expect(answer.status == 405)
                #expect(answer.header("allow") == allowed)
            }
            #expect(server.ledger().requests == 0)
        }
    }

    @Test("A client that asks to close is answered and closed")
    func connectionClose() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(spans(1), lines: ["connection: close"])
            let answer = try client.answer()
            #expect(answer.status == 200)
            #expect(answer.header("connection") == "close")
            #expect(client.ending() == .closed)
        }
    }

    @Test("A client that waits for 100-continue gets it, or the refusal instead")
    func expectContinue() throws {
        try withSink { server in
            let client = try RawClient(server)
            let body = spans(3)
            client.sendHead([
                "content-type: application/x-protobuf", "expect: 100-continue",
                "content-length: \(body.count)",
            ])
            #expect(try client.head().status == 100)
            client.send(body)
            #expect(try client.answer().status == 200)
            client.sendHead([
                "content-type: text/plain", "expect: 100-continue", "content-length: 3",
            ])
            #expect(try client.answer().status == 415)
        }
    }
}
