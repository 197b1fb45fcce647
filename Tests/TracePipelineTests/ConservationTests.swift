import Testing

@testable import TracePipeline

/// Every span is in the books once, whatever the server does.
@Suite struct ConservationTests {
    @Test("A server that rejects more spans than it got rejects those")
    func rejectsTooMany() throws {
        let server = ScriptedServer([.answer(status: 200, body: [0x0A, 3, 0x08, 0xE8, 0x07])])
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint)
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.rejected + pipeline.ledger.acknowledged.spans == 5)
        #expect(pipeline.ledger.rejected > 0)
        #expect(pipeline.ledger.partlyAcknowledged.spans == 0)
        #expect(pipeline.ledger.isBalanced)
    }

    @Test("Spans of all threads add up under load, with every sum equal at both ends")
    func conservationUnderLoad() throws {
        let server = ScriptedServer([
            .answer(status: 503), .reset(afterBodyBytes: nil), .answer(status: 200), .close,
            .answer(status: 200, body: [0x0A, 2, 0x08, 7]), .answer(status: 400),
        ])
        defer { server.stop() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records)
        let threads = (0..<4).map { _ in
            SystemThread { PipelineHarness.end(5_000, of: pipeline) }
        }
        for thread in threads { thread.join() }
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.shutdown() == .completed)
        let ledger = pipeline.ledger
        #expect(ledger.endedSampled == 20_000)
        #expect(ledger.isBalanced)
        #expect(ledger.queued == 0)
        #expect(ledger.inFlight == FateTotals())
        #expect(ledger.rejected == 7)
        #expect(ledger.refused.batches == 1)
        let all = records.all
        #expect(
            ledger.acknowledged.identitySum &+ ledger.partlyAcknowledged.identitySum
                &+ ledger.refused.identitySum == all.reduce(0) { $0 &+ $1.identitySum })
        #expect(Set(all.map(\.number)).count == all.count)
        #expect(all.allSatisfy { $0.identitySum != 0 && $0.contentSum != 0 })
        #expect(all.allSatisfy { $0.builtNs >= $0.buildStartedNs && $0.firstSentNs >= $0.builtNs })
        #expect(all.reduce(0) { $0 + $1.attempts } == server.requests.count)
        #expect(ledger.attempts == UInt64(server.requests.count))
    }

    @Test("A server that is restarted again and again has every batch that it acknowledged")
    func restarts() throws {
        var server = ScriptedServer()
        let port = server.port
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records) {
            $0.batch.batchSpans = 16
            $0.batch.whenFull = .block
        }
        let isDone = Monitor(false)
        let producer = SystemThread {
            repeat { PipelineHarness.end(50, of: pipeline) } while !isDone.withLock { $0 }
        }
        var received: [ReceivedRequest] = []
        for _ in 0..<8 {
            server.waitForRequests(20)
            server.stop()
            received += server.requests
            server = ScriptedServer(port: port)
        }
        isDone.withLock { $0 = true }
        producer.join()
        #expect(pipeline.shutdown() == .completed)
        received += server.requests
        server.stop()

        #expect(pipeline.ledger.isBalanced)
        #expect(pipeline.ledger.dropped == 0)
        let numbers = Set(received.map { UInt64($0.values("tracemill-batch")[0])! })
        let all = records.all
        #expect(all.allSatisfy { numbers.contains($0.number) })
        #expect(numbers == Set(all.map(\.number)))
        // What came twice had been sent again.
        #expect(received.count <= all.reduce(0) { $0 + $1.attempts })
        #expect(
            received.count - numbers.count <= all.reduce(0) { $0 + ($1.attempts - 1) })
    }
}
