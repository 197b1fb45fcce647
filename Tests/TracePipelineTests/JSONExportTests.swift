// Requests in JSON on their way: what goes over the wire, what an answer in JSON means, and how large a
// request can become.

import CZlib
import Foundation
import TestSupport
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct JSONExportTests {
    @Test(
        "A request in JSON names its type, is the transcoded body, and compresses",
        arguments: [false, true])
    func request(isCompressed: Bool) throws {
        let server = ScriptedServer([.answer(status: 503)])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.encoding = .json
            if isCompressed { $0.compression = .gzip }
            $0.numbersBatches = true
        }
        var generator = SeededGenerator(seed: 1)
        let bodies = try [40, 3].map { try RandomSpans.request(count: $0, using: &generator) }
        for (index, body) in bodies.enumerated() {
            let finished = harness.send(body, number: UInt64(index) + 1)
            #expect(finished.outcome == .acknowledged)
            let request = try #require(server.requests.last)
            #expect(request.body.count == finished.wireByteCount)
            #expect(request.values("content-type") == ["application/json"])
            #expect(request.values("content-encoding") == (isCompressed ? ["gzip"] : []))
            #expect(request.values("tracemill-batch") == ["\(index + 1)"])
            let text = isCompressed ? Inflated.bytes(request.body) : request.body
            #expect(text == (try OTLPJSONTests.json(body)))
        }
        // The first came twice, the same each time.
        #expect(server.requests.map(\.body)[0] == server.requests.map(\.body)[1])
    }

    @Test("Requests in flight at once have memory of their own")
    func atOnce() throws {
        let server = ScriptedServer(then: .hold)
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint, connections: 2) {
            $0.encoding = .json
            $0.numbersBatches = true
        }
        var generator = SeededGenerator(seed: 2)
        let bodies = try (0..<3).map { _ in try RandomSpans.request(count: 20, using: &generator) }
        for (slot, body) in bodies.enumerated() {
            harness.submit(slot: slot, number: UInt64(slot), body: body)
        }
        server.release()
        #expect(harness.settle(3).map(\.outcome) == [.acknowledged, .acknowledged, .acknowledged])
        for request in server.requests {
            let number = try #require(request.values("tracemill-batch").first.flatMap { Int($0) })
            #expect(request.body == (try OTLPJSONTests.json(bodies[number])))
        }
    }

    struct AnswerCase: CustomTestStringConvertible {
        var type: String?
        var body: String
        var outcome: BatchOutcome
        var logged: String?
        var testDescription: String { "\(type ?? "no type"): \(body)" }
    }

    static let answers = [
        AnswerCase(type: "application/json", body: "{}", outcome: .acknowledged),
        AnswerCase(type: "application/json", body: "", outcome: .acknowledged),
        AnswerCase(type: nil, body: "{}", outcome: .acknowledged),
        AnswerCase(
            type: "application/json; charset=utf-8",
            body: #" {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}} "#,
            outcome: .rejected(spans: 3), logged: "too old"),
        AnswerCase(
            type: "APPLICATION/JSON", body: #"{"partialSuccess":{"rejectedSpans":3}}"#,
            outcome: .rejected(spans: 3)),
        AnswerCase(
            type: "application/json",
            body: #"{"other":[{"a":null},1.5e3,"\ud83d\ude00"],"partialSuccess":{"#
                + #""errorMessage":"slow \u0064own\n","rejectedSpans":null,"new":{}}}"#,
            outcome: .acknowledged, logged: "slow down?"),
        AnswerCase(
            type: "application/json", body: #"{"partialSuccess":null}"#, outcome: .acknowledged),
        AnswerCase(
            type: "application/json", body: #"{"partialSuccess":{"rejectedSpans":"-1"}}"#,
            outcome: .acknowledged),
        // It took the spans; what it says of them cannot be read.
        AnswerCase(
            type: "application/json", body: #"{"partialSuccess":{"rejectedSpans":"3""#,
            outcome: .acknowledged, logged: "no OTLP answer"),
        AnswerCase(
            type: "application/json", body: #"{"partialSuccess":{"rejectedSpans":"three"}}"#,
            outcome: .acknowledged, logged: "no OTLP answer"),
        AnswerCase(
            type: "application/json", body: "[]", outcome: .acknowledged, logged: "no OTLP answer"),
        AnswerCase(
            type: "application/json", body: "{} {}", outcome: .acknowledged,
            logged: "no OTLP answer"),
        AnswerCase(
            type: "application/json", body: String(repeating: "[", count: 100_000),
            outcome: .acknowledged, logged: "no OTLP answer"),
        AnswerCase(
            type: "application/json",
            body: #"{"a":"# + String(repeating: "[", count: 100_000), outcome: .acknowledged,
            logged: "no OTLP answer"),
        AnswerCase(
            type: "text/html", body: "<html>", outcome: .acknowledged, logged: "no OTLP answer"),
        // A server that answers in protobuf all the same.
        AnswerCase(
            type: "application/x-protobuf", body: "\u{0A}\u{2}\u{8}\u{5}",
            outcome: .rejected(spans: 5)),
    ]

    @Test("An answer is read as what it says that it is", arguments: answers)
    func answer(_ answer: AnswerCase) throws {
        let headers = answer.type.map { ["Content-Type: \($0)"] } ?? []
        let server = ScriptedServer([
            .answer(status: 200, headers: headers, body: Array(answer.body.utf8))
        ])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.encoding = .json }
        var generator = SeededGenerator(seed: 3)
        let finished = harness.send(try RandomSpans.request(count: 8, using: &generator))
        #expect(finished.outcome == answer.outcome)
        #expect(finished.attempts == 1)
        if let logged = answer.logged {
            #expect(harness.log.lines.contains { $0.contains(logged) })
        }
    }

    @Test("An answer in JSON to a request in protobuf is understood too")
    func answerToProtobuf() throws {
        let server = ScriptedServer([
            .answer(
                status: 200, headers: ["content-type: application/json"],
                body: Array(#"{"partialSuccess":{"rejectedSpans":"2"}}"#.utf8))
        ])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint)
        #expect(harness.send().outcome == .rejected(spans: 2))
    }

    @Test("An answer is not decompressed: a small one that would become large stays small")
    func bomb() throws {
        let server = ScriptedServer([
            .answer(
                status: 200,
                headers: ["Content-Type: application/json", "Content-Encoding: gzip"],
                body: Inflated.gzip([UInt8](repeating: 0x20, count: 32 << 20)))
        ])
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.encoding = .json }
        var generator = SeededGenerator(seed: 3)
        let finished = harness.send(try RandomSpans.request(count: 1, using: &generator))
        #expect(finished.outcome == .acknowledged)
        #expect(harness.log.lines.contains { $0.contains("no OTLP answer") })
        #expect(server.requests[0].values("accept-encoding").isEmpty)
    }

    @Test("A body that is no request is refused with a reason, and the next one is sent")
    func malformed() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) { $0.encoding = .json }
        let finished = harness.send(Array("no request".utf8))
        #expect(finished.outcome == .dropped(.refused))
        #expect(!finished.indeterminate)
        #expect(finished.attempts == 0)
        #expect(harness.log.lines.contains { $0.contains("cannot be written as JSON") })
        #expect(harness.send([]).outcome == .acknowledged)
        #expect(server.requests.map(\.body) == [Array("{}".utf8)])
    }

    @Test("Nothing that a tracer records grows more than sixfold", arguments: 0..<10)
    func growth(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let body = try RandomSpans.request(count: 50, using: &generator)
        #expect(try OTLPJSONTests.json(body).count <= body.count * OTLPJSONTranscoder.growthMax)
    }

    @Test(
        "What grows the most grows sixfold at most, so that no request is above 64 MiB",
        arguments: [
            .string(String(repeating: "\u{1}", count: 3_000)), .string("\u{1}"), .string(""),
            .strings([String](repeating: "", count: 300)), .bool(false), .double(-.ulpOfOne),
            .bools([Bool](repeating: false, count: 300)), .bools([]), .int(0),
            .ints([Int](repeating: 0, count: 300)), .bytes([]),
            .doubles([Double](repeating: -.leastNormalMagnitude, count: 300)),
        ] as [AttributeValue])
    func most(value: AttributeValue) throws {
        var settings = OTLPHTTPSettings()
        #expect(try RequestEncoder(settings).bodyBytesMax == 64 << 20)
        settings.encoding = .json
        let limit = try RequestEncoder(settings).bodyBytesMax
        #expect(limit * OTLPJSONTranscoder.growthMax <= 64 << 20)
        #expect(limit > 10 << 20)
        let body = try Self.full(of: value, bytes: 50_000)
        let json = try OTLPJSONTests.json(body)
        #expect(json.count <= body.count * OTLPJSONTranscoder.growthMax)
    }

    /// A body of spans with that attribute, as full as the queue makes it. The key grows most, too.
    private static func full(of value: AttributeValue, bytes: Int) throws -> [UInt8] {
        var options = RecorderOptions()
        options.queueSpans = 4_096
        let recorder = try SpanRecorder(options: options)
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(attributes: SpanAttributes()),
            sampler: .alwaysOn, limits: SpanLimits())
        let tracer = provider.tracer(name: "t")
        let (name, key) = (SpanName(""), AttributeKey("\u{1}"))
        for _ in 0..<100 {
            let span = tracer.startSpan(name)
            span.setAttribute(key, value)
            span.addEvent(name)
            span.end()
        }
        var body = ExportBody(capacityBytes: bytes)
        _ = recorder.queue.fill(&body, spans: 4_096)
        return unsafe Array(body.bytes)
    }

    @Test("A body whose JSON is too long all the same is dropped as oversize, not sent")
    func oversize() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let harness = try ExporterHarness(endpoint: server.endpoint) {
            $0.encoding = .json
            $0.requestBytesMax = 100_000
        }
        // A batch of the size that the queue is told never becomes that long.
        #expect(harness.exporter.bodyBytesMax == 16_666)
        let body = Wrap.request(Wrap.field(0x2A, [UInt8](repeating: 0x61, count: 100_000)))
        let finished = harness.send(body)
        #expect(finished.outcome == .dropped(.oversize))
        #expect(finished.attempts == 0)
        #expect(harness.log.lines.contains { $0.contains("64 MiB") })
        #expect(server.requests.isEmpty)
        // Its memory is good for the next.
        #expect(harness.send(Wrap.request([])).outcome == .acknowledged)
        #expect(server.requests.map(\.body) == [try OTLPJSONTests.json(Wrap.request([]))])
    }
}

/// gzip by zlib, both ways.
enum Inflated {
    static func bytes(_ compressed: [UInt8]) -> [UInt8]? { TransportTests.inflate(compressed) }

    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        guard let compressor = try? GzipCompressor() else { return [] }
        var buffer = CompressedBody(
            capacityBytes: GzipCompressor.bytesMax(of: bytes.count), pages: MappedPageSource())
        unsafe bytes.withUnsafeBytes { unsafe compressor.compress($0, into: &buffer) }
        return unsafe Array(buffer.bytes)
    }
}
