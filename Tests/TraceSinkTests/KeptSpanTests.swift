import Testing
import TraceResults

@testable import TraceSink

/// The list of spans that a run with fidelity asks for.
@Suite("The list of spans")
struct KeptSpanTests {
    /// Numbers of the answer, eight bytes each.
    private func numbers(_ client: RawClient, _ query: String = "") throws -> [UInt64] {
        let answer = try client.ask("GET", "/tracemill/v1/kept\(query)")
        #expect(answer.status == 200)
        #expect(answer.header("content-type") == "application/octet-stream")
        return stride(from: 0, to: answer.body.count, by: 8).map { place in
            answer.body[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private func span(_ id: UInt64, state: String?) -> [UInt8] {
        var span = WrittenSpan(traceLow: id, spanID: id)
        if let state { span.more = { $0.text(3, state) } }
        return span.message
    }

    @Test(
        "each span once, with its threshold, batch by batch",
        arguments: [SinkLedger.Mode.count, .verify])
    func list(mode: SinkLedger.Mode) throws {
        try withSink {
            $0.mode = mode
            $0.keptSpansMax = 100
        } _: { server in
            let client = try RawClient(server)
            for (batch, state) in [
                (1, nil), (2, "ot=th:8"), (2, "ot=th:8"), (3, "a=b, ot=rv:00000000000000;th:e666"),
            ] {
                client.export(
                    exportRequest([span(UInt64(batch), state: state)]), batch: UInt64(batch))
                #expect(try client.answer().status == 200)
            }
            let all = try numbers(client)
            #expect(all.prefix(2) == [3, 0])
            #expect(
                Array(all.dropFirst(3)) == [
                    1, .max, 2, 0x80_0000_0000_0000, 3, 0xE6_6600_0000_0000,
                ])
            #expect(
                Array(try numbers(client, "?from=1&count=1").dropFirst(3)) == [
                    2, 0x80_0000_0000_0000,
                ])
            #expect(try numbers(client, "?from=9").count == 3)
            #expect(server.ledger().spansDistinct == 3)
        }
    }

    @Test("thresholds as the specification writes them, and nothing else")
    func thresholds() {
        func threshold(_ state: String) -> UInt64? {
            let bytes = Array(state.utf8)
            let found = unsafe bytes.withUnsafeBytes { unsafe KeptSpan.threshold(ofState: $0) }
            return found == KeptSpan.noThreshold ? nil : found
        }
        #expect(threshold("ot=th:0") == 0)
        #expect(threshold("ot=th:fffffffffffffe") == 0xFF_FFFF_FFFF_FFFE)
        #expect(threshold("x=1,\tot=p:8;th:08 ,y=2") == 0x08_0000_0000_0000)
        #expect(threshold("ot=th:c;th:8") == 0xC0_0000_0000_0000)
        for state in [
            "", ",", "ot=", "ot=th:", "ot=th:G", "ot=th:A", "ot=th:123456789abcdef", "ot=rv:th:8",
            "at=th:8", "ot=thx:8", "xot=th:8", "ot =th:8",
        ] { #expect(threshold(state) == nil, "\(state)") }
    }

    @Test("what finds no room is counted, and rejected spans are not listed")
    func bounds() throws {
        try withSink {
            $0.keptSpansMax = 5
        } _: { server in
            let client = try RawClient(server)
            client.export(spans(4), batch: 1)
            #expect(try client.answer().status == 200)
            client.export(spans(4, from: 10), batch: 2)
            #expect(try client.answer().status == 200)
            let all = try numbers(client)
            #expect(all.prefix(2) == [5, 3] && all.count == 3 + 10)
        }
        let rule = try SinkFaultRule(parsing: "partial=1")
        try withSink {
            $0.keptSpansMax = 50
            $0.faults = SinkFaultSchedule([rule])
        } _: { server in
            let client = try RawClient(server)
            client.export(spans(4), batch: 1)
            #expect(try client.answer().status == 200)
            #expect(try numbers(client).prefix(2) == [3, 0])
            #expect(server.ledger().spansRejected == 1)
        }
    }

    @Test("nothing is listed unasked, and bad questions are refused")
    func refusals() throws {
        try withSink { server in
            let client = try RawClient(server)
            #expect(try client.ask("GET", "/tracemill/v1/kept").status == 404)
            #expect(try client.ask("POST", "/tracemill/v1/kept").status == 405)
            #expect(try client.ask("GET", "/tracemill/v1/kept?from=-1").status == 400)
            #expect(try client.ask("GET", "/tracemill/v1/kept?count=99999999").status == 400)
            #expect(try client.ask("GET", "/tracemill/v1/kept?to=1").status == 400)
        }
    }
}
