import Testing
import TraceResults

@testable import TraceSink

@Suite("Clients that take their time")
struct SlowClientTests {
    @Test(
        "Heads and bodies that trickle in are given up at their deadlines, and nobody else is held up"
    )
    func trickling() throws {
        try withSink({
            $0.limits.headerDeadlineNs = 2_000_000_000
            $0.limits.bodyDeadlineNs = 2_000_000_000
            $0.limits.connectionsMax = 48
        }) { server in
            let heads = try (0..<20).map { _ in
                let client = try RawClient(server)
                client.send("POST /v1/traces HTTP/1.1\r\nx-slow: ")
                return client
            }
            let bodies = try (0..<20).map { _ in
                let client = try RawClient(server)
                client.sendHead(["content-type: application/x-protobuf", "content-length: 1000000"])
                return client
            }
            let honest = try RawClient(server)
            var exports: UInt64 = 0
            // Each byte is in time for itself; what counts is when the whole began.
            while (heads + bodies).contains(where: { !$0.hasWord }) {
                for client in heads + bodies where !client.hasWord { client.send("a") }
                honest.export(spans(1), batch: 2 * exports)
                #expect(try honest.answer().status == 200)
                let guest = try RawClient(server)
                guest.export(spans(1), batch: 2 * exports + 1, lines: ["connection: close"])
                #expect(try guest.answer().status == 200)
                guest.finishSending()
                #expect(guest.ending() == .closed)
                exports += 1
            }
            for client in heads { #expect(client.ending() != .timeout) }
            for client in bodies { #expect(try client.answer().status == 408) }
            #expect(server.ledger().spansDistinct == 2 * Int(exports))
            #expect(server.ledger().connectionsRefused == 0)
        }
    }

    /// Asks for far more than the system holds for a connection, 100 KiB an answer, an export behind each.
    private static func sendAhead(_ client: RawClient, rounds: UInt64) {
        for round in 0..<rounds {
            client.send("GET /api/traces?limit=1000 HTTP/1.1\r\nhost: test\r\n\r\n")
            client.export(spans(1, from: 10_000 + round))
        }
    }

    @Test("Who sends ahead and does not read is answered no further than the system takes it")
    func unread() throws {
        try withSink({ $0.mode = .verify }) { server in
            let other = try RawClient(server)
            other.export(spans(1_000))
            #expect(try other.answer().status == 200)
            let rounds: UInt64 = 100
            let ahead = try RawClient(server, receiveBytes: 4_096)
            Self.sendAhead(ahead, rounds: rounds)
            // Each question passes the loop on which all that was sent ahead would be answered.
            for _ in 0..<300 { #expect(try other.ask("GET", "/api/quality").status == 200) }
            #expect(server.ledger().spansDistinct < 1_000 + Int(rounds))
            for _ in 0..<rounds {
                let list = try ahead.answer()
                #expect(list.status == 200)
                #expect(list.body.count > 100 << 10)
                #expect(try ahead.answer().status == 200)
            }
            #expect(server.ledger().spansDistinct == 1_000 + Int(rounds))
        }
    }

    @Test("and is given up when that takes longer than a body may")
    func neverRead() throws {
        try withSink({
            $0.mode = .verify
            $0.limits.bodyDeadlineNs = 300_000_000
            $0.limits.connectionsMax = 2
        }) { server in
            let other = try RawClient(server)
            other.export(spans(1_000))
            #expect(try other.answer().status == 200)
            let ahead = try RawClient(server, receiveBytes: 4_096)
            Self.sendAhead(ahead, rounds: 100)
            // Its place is free again.
            let hangsNs = ProcessUsage.monotonicNs() + 60_000_000_000
            var status: Int?
            while status == nil, ProcessUsage.monotonicNs() < hangsNs {
                status = try? RawClient(server).ask("GET", "/api/quality").status
            }
            #expect(status == 200)
            #expect(ahead.ending() != .timeout)
        }
    }
}
