import FoundationEssentials
import Testing
import TraceResults

@testable import TraceSink

@Suite("The control endpoints")
struct ControlTests {
    private func ledger(_ client: RawClient) throws -> SinkLedger {
        let answer = try client.ask("GET", "/tracemill/v1/ledger")
        #expect(answer.status == 200)
        #expect(answer.header("content-type") == "application/json")
        return try JSONDecoder().decode(SinkLedger.self, from: Data(answer.body))
    }

    @Test("The ledger comes back as it was written, its sums as strings")
    func ledgerJSON() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(OTLPFixture.bytes, batch: 9)
            #expect(try client.answer().status == 200)
            let answer = try client.ask("GET", "/tracemill/v1/ledger")
            #expect(answer.text.contains("\"contentSum\":\"\(OTLPFixture.contentSum)\""))
            #expect(!answer.text.contains("semanticSum"))
            var expected = server.ledger()
            let received = try ledger(client)
            expected.cpuNs = received.cpuNs
            expected.peakResidentBytes = received.peakResidentBytes
            #expect(received == expected)
        }
    }

    @Test("A ledger of every field survives JSON")
    func ledgerRoundTrip() throws {
        var ledger = SinkLedger(mode: .verify)
        ledger.identitySum = .max
        ledger.contentSum = 1 << 63
        ledger.semanticSum = .max - 1
        ledger.services = ["a": 1, "": 2]
        ledger.tracesKeptOneIn = 4
        ledger.spansPerTraceP50 = 7
        let json = try JSONEncoder().encode(ledger)
        #expect(try JSONDecoder().decode(SinkLedger.self, from: json) == ledger)
        let text = String(decoding: json, as: UTF8.self)
        #expect(text.contains("\"identitySum\":\"18446744073709551615\""))
        #expect(text.contains("\"semanticSum\":\"18446744073709551614\""))
        #expect(throws: DecodingError.self) {
            let broken = text.replacing("18446744073709551614", with: "18446744073709551616")
            _ = try JSONDecoder().decode(SinkLedger.self, from: Data(broken.utf8))
        }
    }

    @Test("Duplicates count once in the sums, and open batches are listed until settled")
    func batches() throws {
        try withSink { server in
            let client = try RawClient(server)
            for (batch, count) in [(1, 2), (2, 3), (1, 2), (5, 4), (1, 2)] {
                client.export(spans(count, from: UInt64(batch) * 100), batch: UInt64(batch))
                #expect(try client.answer().status == 200)
            }
            var books = try ledger(client)
            #expect(books.spansTotal == 13)
            #expect(books.spansDistinct == 9)
            #expect(books.spansDuplicate == 4)
            #expect(books.batches == 3)
            #expect(books.openBatches == 3)

            let sums = try unsafe spans(3, from: 200).withUnsafeBytes {
                unsafe try CountScanner.scan($0)
            }
            let lines = try client.ask("GET", "/tracemill/v1/batches?through=4").text
                .split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines[0].hasPrefix("1 2 ") && lines[0].hasSuffix(" 3"))
            #expect(
                lines[1] == "2 3 \(Hex.text(sums.identitySum)) \(Hex.text(sums.contentSum)) 1")

            #expect(try client.ask("POST", "/tracemill/v1/settle?through=4").text == "2\n")
            #expect(try client.ask("GET", "/tracemill/v1/batches?through=4").body.isEmpty)
            client.export(spans(2, from: 100), batch: 1)
            #expect(try client.answer().status == 200)
            books = try ledger(client)
            #expect(books.spansDistinct == 9)
            #expect(books.spansDuplicate == 6)
            #expect(books.openBatches == 1)
            #expect(books.mismatchedDeliveries == 0)
            #expect(books.spansTotal == books.spansDistinct + books.spansDuplicate)
        }
    }

    @Test("A batch that comes again with other contents is told apart")
    func mismatch() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(spans(2), batch: 1)
            #expect(try client.answer().status == 200)
            client.export(spans(3), batch: 1)
            #expect(try client.answer().status == 200)
            let books = server.ledger()
            #expect(books.mismatchedDeliveries == 1)
            #expect(books.spansDistinct == 2)
            #expect(books.spansDuplicate == 3)
        }
    }

    @Test("Runs that number their batches alike are kept apart, and from requests that name none")
    func runs() throws {
        try withSink { server in
            let client = try RawClient(server)
            for (run, count) in [("one", 2), ("two", 3), (nil, 4), ("two", 3), ("one", 5)] {
                let lines = run.map { ["tracemill-run: \($0)"] } ?? []
                client.export(spans(count, from: UInt64(count) * 100), batch: 1, lines: lines)
                #expect(try client.answer().status == 200)
            }
            let books = try ledger(client)
            #expect(books.batches == 3 && books.openBatches == 3)
            #expect(books.spansDistinct == 9)
            // Run two's again, and another batch under a number of run one's.
            #expect(books.spansDuplicate == 8 && books.mismatchedDeliveries == 1)
            func lines(_ query: String) throws -> [String] {
                try client.ask("GET", "/tracemill/v1/batches?through=9" + query).text
                    .split(separator: "\n").map { String($0.prefix(4)) }
            }
            #expect(try lines("&run=one") == ["1 2 "])
            #expect(try lines("&run=two") == ["1 3 "])
            #expect(try lines("") == ["1 4 "])
            #expect(try lines("&run=three").isEmpty)
            #expect(
                try client.ask("POST", "/tracemill/v1/settle?run=two&through=9").text == "1\n")
            #expect(try lines("&run=two").isEmpty)
            #expect(try lines("&run=one").count == 1 && lines("").count == 1)
            #expect(try ledger(client).openBatches == 2)
        }
    }

    @Test(
        "Names of runs that are none are refused",
        arguments: [
            ["tracemill-run: "], ["tracemill-run: a b"], ["tracemill-run: a", "tracemill-run: b"],
            ["tracemill-run: " + String(repeating: "a", count: 65)], ["tracemill-run: ä"],
        ])
    func badRuns(lines: [String]) throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(spans(1), batch: 1, lines: lines)
            #expect(try client.answer().status == 400)
            #expect(server.ledger().spansTotal == 0)
        }
    }

    @Test(
        "Questions without a proper number are bad requests",
        arguments: ["", "?through=", "?through=x", "?through=-1", "?other=1"])
    func badNumbers(query: String) throws {
        try withSink { server in
            let client = try RawClient(server)
            #expect(try client.ask("GET", "/tracemill/v1/batches" + query).status == 400)
            #expect(try client.ask("POST", "/tracemill/v1/settle" + query).status == 400)
        }
    }

    @Test("Verify mode reports what the traces are like, and gives one back by its identifier")
    func verifyMode() throws {
        try withSink({ $0.mode = .verify }) { server in
            let client = try RawClient(server)
            client.export(OTLPFixture.bytes, batch: 1)
            #expect(try client.answer().status == 200)
            client.export(OTLPFixture.bytes, batch: 1)
            #expect(try client.answer().status == 200)
            let books = try ledger(client)
            #expect(books.mode == .verify)
            #expect(books.spansDistinct == OTLPFixture.spans)
            #expect(books.spansDuplicate == OTLPFixture.spans)
            #expect(books.contentSum == OTLPFixture.contentSum)
            #expect(books.semanticSum == OTLPFixture.semanticSum)
            #expect(books.traces == 1)
            #expect(books.tracesComplete == 1)
            #expect(books.orphanSpans == 0)
            #expect(books.repeatedSpanIDs == 0)
            #expect(books.spansPerTraceP50 == 3)
            #expect(books.spansPerTraceMax == 3)
            #expect(books.depthMax == 3)
            #expect(books.services == ["frontend": 2, "cart": 1])
            #expect(books.tracesKeptOneIn == 1)

            let answer = try client.ask(
                "GET", "/tracemill/v1/traces/\(OTLPFixture.traceHex.uppercased())")
            #expect(answer.status == 200)
            let trace = try JSONDecoder().decode(OTLPTraces.self, from: Data(answer.body))
            check(trace)
            #expect(
                try client.ask("GET", "/tracemill/v1/traces/" + String(repeating: "1", count: 32))
                    .status == 404)
            #expect(try client.ask("GET", "/tracemill/v1/traces/abc").status == 400)
            #expect(
                try client.ask("GET", "/tracemill/v1/traces/+" + String(repeating: "1", count: 31))
                    .status == 400)
        }
    }

    private func check(_ trace: OTLPTraces) {
        #expect(trace.resourceSpans.map(\.resource.serviceName) == ["frontend", "cart"])
        let spans = trace.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans)
        #expect(spans.map(\.name) == ["GET /cart/{id}", "SELECT", "cart"])
        #expect(spans.allSatisfy { $0.traceId == OTLPFixture.traceHex })
        guard let root = spans.first else { return }
        let scope = trace.resourceSpans[0].scopeSpans[0]
        #expect(scope.scope?.name == "tracemill")
        #expect(scope.schemaUrl == "https://example.org/s")
        #expect(root.spanId == "b7ad6b7169203331")
        #expect(root.parentSpanId == nil)
        #expect(spans[1].parentSpanId == "b7ad6b7169203331")
        #expect(root.traceState == "ot=th:8;rv:6e6d1a75832a2f")
        #expect(root.flags == 0x103)
        #expect(root.kind == 2)
        #expect(root.startTimeUnixNano == 1_700_000_000_000_000_001)
        #expect(root.endTimeUnixNano == 1_700_000_000_123_456_789)
        #expect(root.status == OTLPTraces.Status(code: 2, message: "broken pipe"))
        let values = Dictionary(uniqueKeysWithValues: root.attributes.map { ($0.key, $0.value) })
        #expect(values["http.request.method"]?.stringValue == "GET")
        #expect(values["cached"]?.boolValue == false)
        #expect(values["size"]?.intValue == "-42")
        #expect(values["big"]?.intValue == "4611686018427387904")
        #expect(values["ratio"]?.doubleValue?.value == 0.1)
        #expect(values["neg"]?.doubleValue?.value == -.infinity)
        #expect(values["greeting"]?.stringValue == "grüße, 世界 🌍")
        #expect(values["empty"]?.stringValue == "")
        #expect(values["list"]?.arrayValue?.values.map(\.stringValue) == ["a", nil])
        #expect(values["map"]?.kvlistValue?.values.first?.value.doubleValue?.value == 1.5)
        #expect(values["raw"]?.bytesValue == "AP8B")
        #expect(values["nothing"] == OTLPTraces.Value())
        #expect(root.droppedAttributesCount == 3)
        #expect(root.droppedEventsCount == 4)
        #expect(root.droppedLinksCount == 6)
        #expect(root.events.map(\.name) == ["exception", "retry"])
        #expect(root.events.first?.attributes.first?.value.stringValue == "IOError")
        #expect(root.links.first?.traceId == "0102030405060708090a0b0c0d0e0f10")
        #expect(root.links.first?.attributes.first?.key == "why")
    }

    @Test("A trace is not found in count mode")
    func countModeTrace() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(OTLPFixture.bytes)
            #expect(try client.answer().status == 200)
            #expect(
                try client.ask("GET", "/tracemill/v1/traces/\(OTLPFixture.traceHex)").status == 404)
        }
    }
}
