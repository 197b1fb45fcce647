import Testing

@testable import TracePipeline

/// What one batch comes to, by what the server does.
struct RetryCase: Sendable, CustomTestStringConvertible {
    var name: String
    var script: @Sendable () -> [ScriptedReply]
    var outcome: BatchOutcome
    var attempts: Int
    var indeterminate = false
    var body = 100

    var testDescription: String { name }
}

@Suite struct RetryTests {
    static let cases: [RetryCase] =
        [
            RetryCase(
                name: "200", script: { [.answer(status: 200)] }, outcome: .acknowledged, attempts: 1
            ),
            RetryCase(
                name: "202", script: { [.answer(status: 202)] }, outcome: .acknowledged, attempts: 1
            ),
            RetryCase(
                name: "429 then 200", script: { [.answer(status: 429)] }, outcome: .acknowledged,
                attempts: 2),
            RetryCase(
                name: "502 then 200", script: { [.answer(status: 502)] }, outcome: .acknowledged,
                attempts: 2, indeterminate: true),
            RetryCase(
                name: "503 three times",
                script: { Array(repeating: .answer(status: 503), count: 3) },
                outcome: .acknowledged, attempts: 4),
            RetryCase(
                name: "504 then 200", script: { [.answer(status: 504)] }, outcome: .acknowledged,
                attempts: 2, indeterminate: true),
            RetryCase(
                name: "reset before the body",
                script: { [.reset(afterBodyBytes: 0)] }, outcome: .acknowledged, attempts: 2,
                body: 32 << 20),
            RetryCase(
                name: "reset in the middle of the body",
                script: { [.reset(afterBodyBytes: 1 << 20)] }, outcome: .acknowledged, attempts: 2,
                body: 32 << 20),
            RetryCase(
                name: "reset after the body",
                script: { [.reset(afterBodyBytes: nil)] }, outcome: .acknowledged, attempts: 2,
                indeterminate: true),
            RetryCase(
                name: "reset after a large body",
                script: { [.reset(afterBodyBytes: nil)] }, outcome: .acknowledged, attempts: 2,
                indeterminate: true, body: 4 << 20),
            RetryCase(
                name: "closed without an answer", script: { [.close] }, outcome: .acknowledged,
                attempts: 2, indeterminate: true),
            RetryCase(
                name: "partial success",
                script: { [.answer(status: 200, body: [0x0A, 2, 0x08, 7])] },
                outcome: .rejected(spans: 7), attempts: 1),
            RetryCase(
                name: "partial success with a message only",
                script: { [.answer(status: 200, body: [0x0A, 3, 0x12, 1, 0x6D])] },
                outcome: .acknowledged, attempts: 1),
            RetryCase(
                name: "200 with a truncated protobuf",
                script: { [.answer(status: 200, body: [0x0A, 200])] },
                outcome: .acknowledged, attempts: 1),
            RetryCase(
                name: "200 with a web page",
                script: {
                    [
                        .answer(
                            status: 200, headers: ["Content-Type: text/html"],
                            body: Array("<html>".utf8))
                    ]
                },
                outcome: .acknowledged, attempts: 1),
            RetryCase(
                name: "not HTTP at all", script: { [.raw(Array("SSH-2.0-OpenSSH_9\r\n".utf8))] },
                outcome: .dropped(.refused), attempts: 1, indeterminate: true),
            RetryCase(
                name: "64 MiB of chunked answer", script: { [.flood(status: 200, chunks: 1024)] },
                outcome: .dropped(.refused), attempts: 1, indeterminate: true),
            RetryCase(
                name: "a flood after a 503", script: { [.flood(status: 503, chunks: 1024)] },
                outcome: .dropped(.refused), attempts: 1, indeterminate: true),
            RetryCase(
                name: "100,000 headers", script: { [.headerFlood(lines: 100_000)] },
                outcome: .dropped(.refused), attempts: 1, indeterminate: true),
        ]
        + [300, 301, 302, 307, 308, 400, 401, 403, 404, 413, 500, 501, 505].map { status in
            RetryCase(
                name: "\(status)",
                script: {
                    [.answer(status: status, headers: ["Location: /elsewhere", "Retry-After: 0"])]
                },
                outcome: .dropped(.refused), attempts: 1)
        }

    @Test("Each reply leads to its outcome in as many attempts as the rules say", arguments: cases)
    func outcome(_ row: RetryCase) throws {
        let server = ScriptedServer(row.script())
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        let finished = harness.send([UInt8](repeating: 0x2A, count: row.body))
        #expect(finished.outcome == row.outcome)
        #expect(finished.attempts == row.attempts)
        #expect(finished.indeterminate == row.indeterminate)
        #expect(finished.settledNs >= finished.lastSentNs)
        #expect(finished.lastSentNs >= finished.firstSentNs)
        // A failed batch leaves a transport that works.
        let next = harness.send()
        #expect(next.outcome == .acknowledged)
        #expect(server.requests.count == row.attempts + 1)
    }

    @Test("A refused connection is tried until the deadline, and is never indeterminate")
    func refusedConnection() throws {
        let port = ScriptedServer.closedPort()
        let harness = try ExporterHarness(endpoint: "http://127.0.0.1:\(port)/v1/traces")
        let finished = harness.send(deadlineMs: 1_000)
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts > 1)
        #expect(!finished.indeterminate)
    }

    @Test("The number of attempts can be limited")
    func attemptLimit() throws {
        let server = ScriptedServer(then: .answer(status: 503))
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.retry.maxAttempts = 3 }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts == 3)
        #expect(server.requests.count == 3)
    }

    @Test(
        "A server that does not answer is cut off by the attempt's timeout, and not asked again",
        arguments: [0, 1])
    func hangingServer(kind: Int) throws {
        let server = ScriptedServer(then: kind == 0 ? .hang : .neverRead)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.timeoutMs = 1_500 }
        let finished = harness.send([UInt8](repeating: 1, count: kind == 0 ? 100 : 64 << 20))
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts == 1)
        // A body that did not leave this machine cannot have arrived.
        #expect(finished.indeterminate == (kind == 0))
        #expect(harness.log.lines.count == 1)
    }

    @Test("An answer that comes in a byte at a time is cut off by the attempt's timeout")
    func tricklingServer() throws {
        let server = ScriptedServer(then: .trickle)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.timeoutMs = 1_500 }
        let finished = harness.send()
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts == 1)
        #expect(finished.indeterminate)
    }

    @Test("The batch's deadline cuts an attempt that has no timeout of its own")
    func deadlineCuts() throws {
        let server = ScriptedServer(then: .hang)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.timeoutMs = 0 }
        let finished = harness.send(deadlineMs: 1_500)
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.indeterminate)
    }

    @Test("Retry-After is never early, also of two headers")
    func retryAfterIsNotEarly() throws {
        let server = ScriptedServer([
            .answer(status: 429, headers: ["Retry-After: 0", "retry-after: 1"])
        ])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        #expect(harness.send().outcome == .acknowledged)
        let requests = server.requests
        #expect(requests.count == 2)
        #expect(requests[1].monotonicNs - requests[0].monotonicNs >= 1_000_000_000)
    }

    @Test(
        "A Retry-After beyond the deadline is clamped to it: no attempt is made early",
        arguments: ["60", "1000000000", "Fri, 31 Dec 9999 23:59:59 GMT"])
    func retryAfterBeyondDeadline(value: String) throws {
        let server = ScriptedServer([.answer(status: 503, headers: ["Retry-After: \(value)"])])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        let finished = harness.send(deadlineMs: 1_500)
        #expect(finished.outcome == .dropped(.retriesExhausted))
        #expect(finished.attempts == 1)
        #expect(server.requests.count == 1)
        // The hold ends with the deadline: the next batch goes out.
        #expect(harness.send().outcome == .acknowledged)
    }

    @Test(
        "A Retry-After that is garbage, past or 0 goes by the backoff",
        arguments: ["-1", "1e9", "soon", "", "0", "Sun, 06 Nov 1994 08:49:37 GMT"])
    func retryAfterGarbage(value: String) throws {
        let server = ScriptedServer([.answer(status: 429, headers: ["Retry-After: \(value)"])])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        let finished = harness.send()
        #expect(finished.outcome == .acknowledged)
        #expect(finished.attempts == 2)
    }

    @Test("A Retry-After holds back the other batches too")
    func retryAfterHoldsAll() throws {
        let server = ScriptedServer([.answer(status: 503, headers: ["Retry-After: 1"])])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        harness.submit(slot: 0, number: 1, body: [1])
        harness.submit(slot: 1, number: 2, body: [2])
        let finished = harness.settle(2)
        #expect(finished.allSatisfy { $0.outcome == .acknowledged })
        let requests = server.requests
        #expect(requests.count == 3)
        #expect(requests[1].monotonicNs - requests[0].monotonicNs >= 1_000_000_000)
    }

    @Test("A kept-alive connection that dies without an answer is counted as often as it was used")
    func reusedConnectionReset() throws {
        let server = ScriptedServer([.answer(status: 200), .reset(afterBodyBytes: nil)])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        #expect(harness.send().outcome == .acknowledged)
        let finished = harness.send()
        #expect(finished.outcome == .acknowledged)
        #expect(finished.indeterminate)
        #expect(finished.attempts == 2)
        #expect(server.requests.count == 3)
    }
}
