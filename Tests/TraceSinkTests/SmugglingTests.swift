// Requests that two readers might end in different places: what follows the end that the one sees is to
// the other a request of its own, smuggled in. Each is refused, and what follows is never looked at.

import Testing
import TraceResults

@testable import TraceSink

@Suite("Requests that end in more than one place")
struct SmugglingTests {
    private static let start =
        "POST /v1/traces HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\n"

    /// An export behind the first request, which would be counted if anybody took it for one.
    private static let canary: [UInt8] = {
        let body = spans(1)
        return Array("\(start)tracemill-batch: 99\r\ncontent-length: \(body.count)\r\n\r\n".utf8)
            + body
    }()

    private func refuses(_ request: String) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.send(Array(request.utf8) + Self.canary)
            #expect(try client.answer().status == 400)
            #expect(client.ending() == .closed)
            // Not even later: the connection is of no use any more.
            let books = server.ledger()
            #expect(books.batches == 0 && books.spansTotal == 0)
            #expect(books.badRequests == 1)
            let honest = try RawClient(server)
            honest.export(spans(2))
            #expect(try honest.answer().status == 200)
            #expect(server.ledger().spansTotal == 2)
        }
    }

    @Test(
        "A head whose body has two ends is refused",
        arguments: [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            "content-length: 0\r\ncontent-length: 0\r\n\r\n",
            "content-length: 0\r\ncontent-length: 9\r\n\r\n",
            "content-length: 0, 0\r\n\r\n", "content-length: +0\r\n\r\n",
            "content-length: -1\r\n\r\n", "content-length: 0x0\r\n\r\n",
            "content-length: 0 0\r\n\r\n", "content-length: zero\r\n\r\n",
            "content-length: 18446744073709551616\r\n\r\n",
            "content-length: 99999999999999999999999999\r\n\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
            "transfer-encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding:\r\n\r\n",
        ])
    func twoEnds(lines: String) throws {
        try refuses(Self.start + lines)
    }

    @Test(
        "A head whose lines have two ends is refused",
        arguments: [
            "content-length: 0\nx-after: 1\r\n\r\n", "content-length: 0\n\n",
            "x-bare: a\rcontent-length: 9\r\ncontent-length: 0\r\n\r\n",
            "x-folded: a\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
            "x-folded: a\r\n\tb\r\ncontent-length: 0\r\n\r\n",
            " content-length: 0\r\n\r\n", "content-length : 0\r\n\r\n",
            "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
            "content-length\t: 0\r\n\r\n", "x-nul: a\0b\r\ncontent-length: 0\r\n\r\n",
            "x-nul\0: a\r\ncontent-length: 0\r\n\r\n", ": no name\r\ncontent-length: 0\r\n\r\n",
            "no colon\r\ncontent-length: 0\r\n\r\n",
        ])
    func badLines(lines: String) throws {
        try refuses(Self.start + lines)
    }

    @Test(
        "Chunks whose sizes can be read in two ways are refused",
        arguments: [
            "10000000000000000\r\n", "fffffffffffffffff\r\n", "+0\r\n\r\n", "-1\r\n\r\n",
            "0x0\r\n\r\n", " 0\r\n\r\n", "\r\n\r\n", ";a=b\r\n\r\n", "g\r\n\r\n", "0\n\n",
            "1\nz\n0\n\n", "1\r\nzz\r\n0\r\n\r\n", "2\r\nz\r\n0\r\n\r\n", "0\r\nno trailer\r\n\r\n",
            "0;a\0b\r\n\r\n", "0;a\nb\r\n\r\n",
        ])
    func badChunks(chunks: String) throws {
        try refuses(Self.start + "transfer-encoding: chunked\r\n\r\n" + chunks)
    }

    @Test("Chunks in HTTP/1.0, which has none, are refused")
    func oldVersion() throws {
        let start = Self.start.replacing("HTTP/1.1", with: "HTTP/1.0")
        try refuses(start + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    }

    @Test(
        "Extensions and trailers that do not end are cut off as a head would be",
        arguments: ["1;", "0\r\nx-trailer: "])
    func endlessFraming(start: String) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.send(Self.start + "transfer-encoding: chunked\r\n\r\n" + start)
            let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 16)
            // More than a read of the sink takes at once.
            for _ in 0..<48 { client.send(piece) }
            #expect([400, 431].contains(try client.answer().status))
            #expect(client.ending() != .timeout)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test("What is only unusual is read as ever, and so is the request behind it")
    func unusual() throws {
        try withSink { server in
            let client = try RawClient(server)
            for lines in [
                "transfer-encoding:  \tchunked \r\n\r\n0\r\n\r\n",
                "Transfer-Encoding: Chunked\r\n\r\n0;name=value\r\nx-trailer: 1\r\n\r\n",
                "content-length: 00\r\n\r\n", "content-length:0\r\n\r\n",
            ] {
                client.send(Self.start + lines)
                #expect(try client.answer().status == 200, "\(lines)")
            }
            client.send(Self.canary)
            #expect(try client.answer().status == 200)
            #expect(server.ledger().batches == 1 && server.ledger().requests == 5)
        }
    }
}
