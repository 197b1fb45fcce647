import Foundation
import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing
import TraceResults

@testable import TraceSink

@Suite("OTLP/JSON") struct JSONTests {
    static func translate(_ text: String) throws -> [UInt8] {
        try translate(Array(text.utf8))
    }

    static func translate(_ text: [UInt8]) throws -> [UInt8] {
        let buffer = BodyBuffer(budget: BodyBudget(heldMax: 64 << 20))
        try unsafe text.withUnsafeBytes {
            unsafe try OTLPJSONTranslator.translate($0, into: buffer)
        }
        return unsafe Array(buffer.bytes)
    }

    /// The request as swift-protobuf writes it in JSON, with OTLP's identifiers.
    static func official(_ message: OTLPExportTraceServiceRequest) throws -> String {
        var options = JSONEncodingOptions()
        options.alwaysPrintEnumsAsInts = true
        return OTLPJSONText.withHexadecimalIdentifiers(try message.jsonString(options: options))
    }

    @Test("What swift-protobuf writes in JSON is the same request", arguments: 0..<60)
    func official(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let message = OTLPExportTraceServiceRequest.random(using: &generator)
        let text = try Self.official(message)
        let bytes = try Self.translate(text)
        #expect(bytes.count <= text.utf8.count)
        // Compared by bytes, since a NaN is equal to nothing.
        let decoded = try OTLPExportTraceServiceRequest(serializedBytes: bytes)
        let (mine, theirs): ([UInt8], [UInt8]) = (
            try decoded.serializedBytes(), try message.serializedBytes()
        )
        #expect(mine == theirs)
        // And it is what verify mode takes.
        _ = try unsafe bytes.withUnsafeBytes { unsafe try RequestVerifier.verify($0) }
    }

    /// A span around members of its own, as protobuf.
    static func span(_ members: String) throws -> OTLPSpan {
        let bytes = try translate(
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(members)}]}]}]}"#)
        let request = try OTLPExportTraceServiceRequest(serializedBytes: bytes)
        return request.resourceSpans[0].scopeSpans[0].spans[0]
    }

    @Test("What protobuf's JSON lets a sender choose is understood either way")
    func choices() throws {
        let span = try Self.span(
            #"""
            "traceId": "00112233445566778899AABBCCDDEEFF", "spanId":"0011223344556677",
            "parentSpanId": "", "name": "\ud83d\ude00\u00e9\/\n", "kind": 2,
            "startTimeUnixNano": 18446744073709551615, "endTimeUnixNano": "1e3",
            "flags": "257", "droppedAttributesCount": "4294967295", "traceState": null,
            "status": {"code": 2.0, "unknown": [{"a": [1, -2.5e+3, true, null, "\u0000"]}]},
            "dropped_events_count": 7,
            "attributes": [
              {"key": "a", "value": {"bytesValue": "-_-_"}},
              {"key": "b", "value": {"bytesValue": "AQ"}},
              {"key": "c", "value": {"doubleValue": "-Infinity"}},
              {"key": "d", "value": {"doubleValue": "1.5"}},
              {"key": "e", "value": {"doubleValue": 3}},
              {"key": "f", "value": {"intValue": -5}},
              {"key": "g", "value": {}}, {"key": "h", "value": null}, {"key": "i"}
            ], "events": null, "links": []
            """#)
        #expect(span.traceID == Data((0..<16).map { $0 * 17 }))
        #expect(span.parentSpanID.isEmpty)
        #expect(span.name == "😀é/\n")
        #expect(span.kind == .server)
        #expect(span.startTimeUnixNano == .max)
        #expect(span.endTimeUnixNano == 1_000)
        #expect(span.flags == 257)
        #expect(span.droppedAttributesCount == .max)
        #expect(span.status.code == .error)
        // "Original field names are not valid to use as keys": unknown, and so left out.
        #expect(span.droppedEventsCount == 0)
        #expect(span.attributes[0].value.bytesValue == Data([0xFB, 0xFF, 0xBF]))
        #expect(span.attributes[1].value.bytesValue == Data([1]))
        #expect(span.attributes[2].value.doubleValue == -.infinity)
        #expect(span.attributes[3].value.doubleValue == 1.5)
        #expect(span.attributes[4].value.doubleValue == 3)
        #expect(span.attributes[5].value.intValue == -5)
        #expect(span.attributes.dropFirst(6).allSatisfy { $0.value.value == nil })
    }

    @Test(
        "What is no request in JSON is refused, and the place is named",
        arguments: [
            ("", .truncated), ("[]", .unexpected), ("{", .truncated), ("{} {}", .trailing),
            ("{\"resourceSpans\":{}}", .unexpected), ("{\"resourceSpans\":[{}", .truncated),
            ("{\"resourceSpans\":[null]}", .unexpected), ("{\"a\":01}", .unexpected),
            ("{\"a\":\"\\x\"}", .escape), ("{\"a\":\"\n\"}", .control), ("{\"a\":}", .unexpected),
            ("{\"a\":1,}", .unexpected), ("\u{FEFF}{}", .unexpected), ("{'a':1}", .unexpected),
            ("{\"a\":NaN}", .unexpected), ("{\"a\":nul}", .unexpected), ("{\"a\":-}", .unexpected),
        ] as [(String, JSONBodyError.Problem)])
    func refused(text: String, problem: JSONBodyError.Problem) {
        #expect { try Self.translate(text) } throws: { error in
            (error as? JSONBodyError)?.problem == problem
        }
    }

    @Test(
        "A value that does not fit its field is refused",
        arguments: [
            (#""traceId":"0011""#, .identifier), (#""spanId":"001122334455667g""#, .identifier),
            (#""traceId":"0af7651916cd43dd8448eb211c80319\u0063""#, .identifier),
            (#""kind":"SPAN_KIND_SERVER""#, .number), (#""kind":1.5"#, .number),
            (#""kind":2147483648"#, .number), (#""flags":-1"#, .number),
            (#""startTimeUnixNano":"-1""#, .number), (#""startTimeUnixNano":"+1""#, .number),
            (#""startTimeUnixNano":"""#, .number), (#""startTimeUnixNano":"0x10""#, .number),
            (#""startTimeUnixNano":18446744073709551616"#, .number),
            (#""droppedLinksCount":4294967296"#, .number), (#""name":5"#, .unexpected),
            (#""attributes":[{"value":{"boolValue":"true"}}]"#, .unexpected),
            (#""attributes":[{"value":{"doubleValue":NaN}}]"#, .unexpected),
            (#""attributes":[{"value":{"doubleValue":"nan"}}]"#, .number),
            (#""attributes":[{"value":{"doubleValue":"0x1p3"}}]"#, .number),
            (#""attributes":[{"value":{"doubleValue":1e999}}]"#, .number),
            (#""attributes":[{"value":{"bytesValue":"A"}}]"#, .base64),
            (#""attributes":[{"value":{"bytesValue":"A*=="}}]"#, .base64),
        ] as [(String, JSONBodyError.Problem)])
    func unfit(members: String, problem: JSONBodyError.Problem) {
        #expect { try Self.span(members) } throws: { error in
            (error as? JSONBodyError)?.problem == problem
        }
    }

    @Test("Text that is not UTF-8 is refused")
    func notUTF8() {
        #expect(throws: JSONBodyError(problem: .notUTF8, offset: 0)) {
            try Self.translate(Array(#"{"a":"0"#.utf8) + [0xFF] + Array(#""}"#.utf8))
        }
    }

    @Test("Depth is bounded, in what is known and in what is passed over")
    func depth() {
        let lists = #"{"a":"# + String(repeating: "[", count: 1_000_000)
        let objects = String(repeating: #"{"a":"#, count: 1_000_000)
        let value = String(repeating: #"{"arrayValue":{"values":["#, count: 1_000_000)
        let known =
            #"{"resourceSpans":[{"resource":{"attributes":[{"value":"# + value
        for text in [lists, objects, known] {
            #expect { try Self.translate(text) } throws: { error in
                (error as? JSONBodyError)?.problem == .tooDeep
            }
        }
    }

    @Test("No bytes whatever make it read past their end", arguments: 0..<8)
    func hostile(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = Array(try Self.official(.random(using: &generator)).utf8.prefix(20_000))
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<1 + generator.next() % 4 where !bytes.isEmpty {
                let index = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 4 {
                case 0: bytes.removeSubrange(index...)
                case 1: bytes.remove(at: index)
                case 2: bytes[index] = generator.pick(Array(#"{}[]",:\0e-"#.utf8))
                default: bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                }
            }
            _ = try? Self.translate(bytes)
        }
    }

    // MARK: Over HTTP

    /// The fixture's spans, in JSON.
    static func fixture() throws -> [UInt8] {
        let message = try OTLPExportTraceServiceRequest(serializedBytes: OTLPFixture.bytes)
        return Array(try official(message).utf8)
    }

    @Test("An export in JSON is counted like one in protobuf, but for its contents")
    func export() throws {
        try withSink { server in
            let client = try RawClient(server)
            client.export(try Self.fixture(), batch: 1, type: "application/json; charset=utf-8")
            let answer = try client.answer()
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == "application/json")
            #expect(answer.text == "{}")
            #expect(server.ledger().spansDistinct == OTLPFixture.spans)
            #expect(server.ledger().identitySum == OTLPFixture.identitySum)
            #expect(server.ledger().jsonSpans == OTLPFixture.spans)
            // Sent again it is the same batch, contents included.
            client.export(try Self.fixture(), batch: 1, type: "application/json")
            #expect(try client.answer().status == 200)
            #expect(server.ledger().spansDuplicate == OTLPFixture.spans)
            #expect(server.ledger().mismatchedDeliveries == 0)
            // The connection goes on in protobuf.
            client.export(OTLPFixture.bytes, batch: 2)
            let next = try client.answer()
            #expect(next.header("content-type") == "application/x-protobuf")
            #expect(next.body.isEmpty)
            #expect(server.ledger().jsonSpans == OTLPFixture.spans)
            #expect(server.ledger().spansDistinct == 2 * OTLPFixture.spans)
        }
    }

    @Test("In verify mode a span means the same in JSON as in protobuf")
    func meaning() throws {
        try withSink({ $0.mode = .verify }) { server in
            let client = try RawClient(server)
            client.export(try Self.fixture(), batch: 1, type: "application/json")
            #expect(try client.answer().status == 200)
            #expect(server.ledger().semanticSum == OTLPFixture.semanticSum)
            let trace = try client.ask("GET", "/tracemill/v1/traces/\(OTLPFixture.traceHex)")
            #expect(trace.status == 200)
        }
    }

    @Test("Refusals and partial successes are in JSON too")
    func answers() throws {
        let faults = try SinkFaultSchedule(parsing: "partial=5,message=too old,after=1")
        try withSink({ $0.faults = faults }) { server in
            let client = try RawClient(server)
            client.export(Array("{".utf8), batch: nil, type: "application/json")
            let refused = try client.answer()
            #expect(refused.status == 400)
            #expect(refused.header("content-type") == "application/json")
            #expect(refused.text.hasPrefix(#"{"code":3,"message":"not an Export"#))
            client.export(try Self.fixture(), batch: 1, type: "application/json")
            #expect(
                try client.answer().text
                    == #"{"partialSuccess":{"errorMessage":"too old","rejectedSpans":"5"}}"#)
            #expect(server.ledger().badRequests == 1)
        }
    }
}
