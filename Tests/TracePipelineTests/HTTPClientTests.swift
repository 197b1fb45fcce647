import Testing

@testable import TracePipeline

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
