import Foundation
import OTLPDefinition
import SwiftProtobuf
import Testing
import TraceResults

@testable import TraceSink

@Suite("Asking a sink for traces")
struct TraceAPITests {
    private func withStore(_ body: (SinkServer) throws -> Void) throws {
        try withSink(
            {
                $0.mode = .verify
                $0.threads = 2
            }, body)
    }

    private func export(_ spans: [StudySpan], to client: RawClient) throws {
        client.export(StudySpan.request(spans))
        #expect(try client.answer().status == 200)
    }

    private func path(_ trace: UInt64, _ query: String = "") -> String {
        "/api/traces/" + TraceKey(high: 0x1111, low: trace).hex + query
    }

    private func document(_ answer: RawClient.Answer) throws -> OTLPTraces {
        #expect(answer.status == 200)
        #expect(answer.header("content-type") == "application/json")
        return try JSONDecoder().decode(OTLPTraces.self, from: Data(answer.body))
    }

    /// OTLP writes identifiers in hexadecimal where protobuf's JSON has base64; nothing else differs.
    private func protobufJSON(_ value: Any) -> Any {
        if let list = value as? [Any] { return list.map(protobufJSON) }
        guard let object = value as? [String: Any] else { return value }
        return Dictionary(
            uniqueKeysWithValues: object.map { key, value in
                guard ["traceId", "spanId", "parentSpanId"].contains(key),
                    let hex = value as? String
                else { return (key, protobufJSON(value)) }
                let digits = Array(hex.utf8)
                let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                    UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
                }
                #expect(bytes.count * 2 == digits.count)
                return (key, Data(bytes).base64EncodedString())
            })
    }

    @Test("A trace comes back as OTLP JSON that swift-protobuf reads to what was sent")
    func oracle() throws {
        try withStore { server in
            let client = try RawClient(server)
            client.export(OTLPFixture.bytes)
            #expect(try client.answer().status == 200)
            let answer = try client.ask("GET", "/api/traces/" + OTLPFixture.traceHex)
            let json = try JSONSerialization.jsonObject(with: Data(answer.body))
            let text = try JSONSerialization.data(withJSONObject: protobufJSON(json))
            // Nothing in it may be unknown to the definitions.
            let read = try OTLPExportTraceServiceRequest(jsonUTF8Data: text)
            var sent = try OTLPExportTraceServiceRequest(serializedBytes: OTLPFixture.bytes)
            for index in sent.resourceSpans.indices {
                for scope in sent.resourceSpans[index].scopeSpans.indices {
                    sent.resourceSpans[index].scopeSpans[scope].spans.sort {
                        $0.startTimeUnixNano < $1.startTimeUnixNano
                    }
                }
            }
            #expect(read.resourceSpans.count == sent.resourceSpans.count)
            for (left, right) in zip(read.resourceSpans, sent.resourceSpans) {
                #expect(left == right, "\(left.textFormatString()) \(right.textFormatString())")
            }
        }
    }

    @Test(
        "An identifier that is none is refused; none of it reaches a file",
        arguments: [
            "abc", String(repeating: "g", count: 32), "+" + String(repeating: "1", count: 31),
            "../../../../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd00000",
            String(repeating: "1", count: 33), "%31" + String(repeating: "1", count: 29), "",
            String(repeating: "1", count: 31) + "\u{00}",
        ])
    func hostileIdentifiers(id: String) throws {
        try withStore { server in
            let status = try RawClient(server).ask("GET", "/api/traces/" + id).status
            #expect(status == 400 || status == 404)
        }
    }

    @Test(
        "A query that says nothing it knows is refused with what it knows",
        arguments: [
            ("/api/traces?limit=0", "limit must be a number from 1 to 1000"),
            ("/api/traces?limit=1e3", "limit must be a number"),
            ("/api/traces?min-duration=5", "min-duration must be a time"),
            ("/api/traces?min-duration=-5s", "min-duration must be a time"),
            ("/api/traces?errors=maybe", "errors must be true or false"),
            ("/api/traces?nothing=1", "knows limit, service, min-duration, errors"),
            ("/api/traces?limit=1&limit=2", "limit is given twice"),
            ("/api/traces?service=%ff", "percent-encoded"),
            ("/api/traces?service=%4", "percent-encoded"),
            ("/api/graph?format=gif", "format must be one of text, mermaid, dot, json"),
            ("/api/traces/11112222333344445555666677778888?wait=9m", "wait must be a time"),
            ("/api/traces/11112222333344445555666677778888?spans=-1", "spans must be a number"),
        ])
    func hostileQueries(path: String, message: String) throws {
        try withStore { server in
            let answer = try RawClient(server).ask("GET", path)
            #expect(answer.status == 400)
            #expect(answer.text.contains(message), "\(answer.text)")
        }
    }

    @Test("Other methods are refused, and count mode says how to keep traces")
    func refusals() throws {
        try withStore { server in
            let client = try RawClient(server)
            #expect(try client.ask("DELETE", "/api/traces").status == 405)
            #expect(try client.ask("GET", path(77)).status == 404)
        }
        try withSink { server in
            let client = try RawClient(server)
            let answer = try client.ask("GET", "/api/traces")
            #expect(answer.status == 404)
            #expect(answer.text.contains("--store memory"))
            #expect(try client.ask("GET", path(1)).text.contains("--store memory"))
        }
    }

    @Test("The list and its filters, percent-encoded")
    func list() throws {
        try withStore { server in
            let client = try RawClient(server)
            try export([StudySpan(trace: 1, id: 1, service: "a b", name: "first")], to: client)
            try export([StudySpan(trace: 2, id: 1, name: "second", isError: true)], to: client)
            func names(_ query: String) throws -> [String] {
                let answer = try client.ask("GET", "/api/traces" + query)
                return try JSONDecoder().decode(TraceList.self, from: Data(answer.body))
                    .traces.map(\.name)
            }
            #expect(try names("") == ["second", "first"])
            #expect(try names("?service=a%20b") == ["first"])
            #expect(try names("?service=a+b&errors=true") == [])
            #expect(try names("?errors") == ["second"])
            #expect(try names("?min-duration=1s") == [])
        }
    }

    @Test("A question that waits is answered when the last expected span comes, not before")
    func waitForSpans() throws {
        try withStore { server in
            let sender = try RawClient(server)
            let asker = try RawClient(server)
            asker.send("GET \(path(1, "?wait=60s&spans=3")) HTTP/1.1\r\nhost: test\r\n\r\n")
            let spans = TraceQualityTests.call()
            for span in spans { try export([span], to: sender) }
            let trace = try document(try asker.answer())
            #expect(TraceShape(trace).spans == 3)
            #expect(TraceShape(trace).isConnected)
        }
    }

    @Test("A question that waits for services is answered when all of them are in the tree")
    func waitForServices() throws {
        try withStore { server in
            let sender = try RawClient(server)
            let asker = try RawClient(server)
            asker.send("GET \(path(1, "?wait=60s&services=a,b")) HTTP/1.1\r\nhost: test\r\n\r\n")
            // The leaf first: there is a span of b, but no tree.
            for span in TraceQualityTests.call().reversed() { try export([span], to: sender) }
            #expect(TraceShape(try document(try asker.answer())).services == ["a", "b"])
        }
    }

    @Test("Without expectations a question waits until the tree is whole and quiet")
    func waitForQuiet() throws {
        try withStore { server in
            let client = try RawClient(server)
            try export(TraceQualityTests.call(), to: client)
            let trace = try document(try client.ask("GET", path(1, "?wait=60s&quiet=1ms")))
            #expect(TraceShape(trace).isConnected)
        }
    }

    @Test(
        "When the time is over the trace is answered as it stands, and one that is not there is not"
    )
    func waitInVain() throws {
        try withStore { server in
            let client = try RawClient(server)
            try export([StudySpan(id: 2, parent: 1)], to: client)
            let trace = try document(try client.ask("GET", path(1, "?wait=50ms")))
            #expect(TraceShape(trace).flaws == "no root, 1 span whose parent is not there")
            #expect(try client.ask("GET", path(9, "?wait=50ms")).status == 404)
            // The connection is as good as before.
            #expect(try client.ask("GET", path(1)).status == 200)
        }
    }

    @Test("A client that goes away while it waits leaves nothing behind, and the sink goes on")
    func waitAndLeave() throws {
        try withStore { server in
            for _ in 0..<20 {
                let asker = try RawClient(server)
                asker.send("GET \(path(5, "?wait=60s")) HTTP/1.1\r\nhost: test\r\n\r\n")
            }
            let client = try RawClient(server)
            try export([StudySpan(trace: 5, id: 1)], to: client)
            #expect(try client.ask("GET", path(5)).status == 200)
        }
    }

    @Test("The graph and the quality are there in either mode, in every format")
    func graph() throws {
        for mode in SinkLedger.Mode.allCases {
            try withSink({ $0.mode = mode }) { server in
                let client = try RawClient(server)
                try export(TraceQualityTests.call(), to: client)
                let json = try client.ask("GET", "/api/graph")
                let graph = try JSONDecoder().decode(ServiceGraph.self, from: Data(json.body))
                #expect(graph.nodes.map(\.label) == ["(outside)", "a", "b"])
                #expect(
                    try client.ask("GET", "/api/graph?format=mermaid").text.hasPrefix("graph LR\n"))
                #expect(try client.ask("GET", "/api/graph?format=dot").text.hasPrefix("digraph"))
                #expect(try client.ask("GET", "/api/graph?format=text").text.contains("caller"))
                let quality = try JSONDecoder().decode(
                    TraceQualityFigures.self,
                    from: Data(try client.ask("GET", "/api/quality").body))
                #expect(quality.completeShare == 1)
                #expect(quality.services == ["a", "b"])
            }
        }
    }
}
