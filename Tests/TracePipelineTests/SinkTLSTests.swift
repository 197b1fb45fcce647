// The sink's own https and its bad handshakes, as an exporter meets them. That a certificate is bad is said by
// libcurl, not by who made it.

import Testing
import TraceCore
import TraceResults
import TraceSink

@testable import TracePipeline

@Suite("An https sink")
struct SinkTLSTests {
    private func withSink(
        _ faults: String = "", _ body: (SinkServer) throws -> Void
    ) throws {
        var configuration = SinkConfiguration()
        configuration.isTLS = true
        configuration.faults = try SinkFaultSchedule(parsing: faults)
        let server = try SinkServer.start(configuration)
        defer { server.shutdown() }
        try body(server)
    }

    private func harness(_ server: SinkServer, scheme: String = "https") throws -> ExporterHarness {
        try ExporterHarness(endpoint: "\(scheme)://127.0.0.1:\(server.port)/v1/traces") {
            $0.certificatePath = server.authorityPath
            $0.retry.maxAttempts = 4
        }
    }

    /// A request of one unknown field of so many bytes, below 2^21.
    private func body(_ count: Int) -> [UInt8] {
        [
            0x7A, UInt8(count & 0x7F) | 0x80, UInt8(count >> 7 & 0x7F) | 0x80, UInt8(count >> 14),
        ] + [UInt8](repeating: 0x20, count: count)
    }

    @Test("Bodies of any size arrive whole", arguments: [0, 1, 16_384, 16_385, 1_500_000])
    func sizes(count: Int) throws {
        try withSink { server in
            #expect(server.listeningLine.contains("listening on https://127.0.0.1:"))
            let harness = try harness(server)
            for number in 0..<3 as Range<UInt64> {
                #expect(harness.send(body(count), number: number).outcome == .acknowledged)
            }
            let books = server.ledger()
            #expect(books.requests == 3)
            #expect(books.bytesReceived == 3 * (count + 4))
            // One handshake was enough.
            #expect(books.connections == 1)
            #expect(books.plainRequests == nil)
        }
    }

    @Test("Who does not trust the sink's authority sends nothing")
    func untrusted() throws {
        try withSink { server in
            let harness = try ExporterHarness(
                endpoint: "https://127.0.0.1:\(server.port)/v1/traces")
            #expect(harness.send([]).outcome == .dropped(.refused))
            #expect(server.ledger().requests == 0)
        }
    }

    @Test(
        "A bad certificate is refused at the first attempt, says why, and the next one is good",
        arguments: [
            ("expired", "expired"), ("wrong-host", "127.0.0.1"), ("self-signed", "self-signed"),
        ])
    func badCertificate(kind: String, word: String) throws {
        try withSink("tls=\(kind),count=1") { server in
            let harness = try harness(server)
            let refused = harness.send([])
            #expect(refused.outcome == .dropped(.refused))
            #expect(refused.attempts == 1 && !refused.indeterminate)
            let line = try #require(harness.log.lines.last)
            #expect(line.contains("certificate") && line.contains(word), "\(line)")
            #expect(server.ledger().requests == 0)
            #expect(harness.send([]).outcome == .acknowledged)
            let books = server.ledger()
            #expect(books.requests == 1 && books.faultsInjected == 1)
            #expect(books.lastFaultNs != nil && books.plainRequests == nil)
        }
    }

    @Test(
        "A receiver that speaks another protocol is tried again, and gets nothing until it is well",
        arguments: [("1.0", "protocol"), ("plain", "wrong version number")])
    func otherProtocol(kind: String, word: String) throws {
        try withSink("tls=\(kind),count=2") { server in
            let harness = try harness(server)
            let finished = harness.send([])
            #expect(finished.outcome == .acknowledged)
            #expect(finished.attempts == 3 && !finished.indeterminate)
            #expect(
                harness.log.lines.contains { $0.contains(word) }, "\(harness.log.lines)")
            let books = server.ledger()
            #expect(books.requests == 1 && books.faultsInjected == 2)
            #expect(books.plainRequests == nil)
        }
    }

    @Test("A fault that begins later strikes whoever has a connection already, too")
    func openConnections() throws {
        try withSink("tls=expired,after=1,count=1") { server in
            let harness = try harness(server)
            #expect(harness.send([], number: 1).outcome == .acknowledged)
            #expect(harness.send([], number: 2).outcome == .dropped(.refused))
            #expect(harness.send([], number: 3).outcome == .acknowledged)
            // The second had begun to arrive when it was struck.
            #expect(server.ledger().requests == 3)
        }
    }

    @Test("A request in plain text, where an exporter falls back to it, is found out")
    func fallenBack() throws {
        try withSink("tls=plain,count=1") { server in
            let harness = try harness(server, scheme: "http")
            #expect(harness.send([]).outcome == .acknowledged)
            #expect(server.ledger().plainRequests == 1)
        }
    }

    @Test("A request in plain text to a sink that is well gets nowhere")
    func plain() throws {
        try withSink { server in
            let harness = try harness(server, scheme: "http")
            #expect(harness.send([]).outcome != .acknowledged)
            #expect(server.ledger().requests == 0)
        }
    }

    @Test("A fault of TLS needs TLS")
    func withoutTLS() throws {
        var configuration = SinkConfiguration()
        configuration.faults = try SinkFaultSchedule(parsing: "latency=1ms,count=1;tls=1.0")
        let error = #expect(throws: SinkStartError.self) {
            _ = try SinkServer.start(configuration)
        }
        #expect(error?.description.contains("tls=1.0 needs a sink with TLS: add --tls") == true)
    }
}
