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
            $0.limits.headerDeadlineNs = 300_000_000
            $0.limits.bodyDeadlineNs = 300_000_000
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
}
