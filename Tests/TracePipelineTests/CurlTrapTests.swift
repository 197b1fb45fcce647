import Foundation
import Glibc
import Testing
import TraceCore

@testable import TracePipeline
@testable import TraceSink

/// What libcurl does when nobody tells it otherwise. Redirects, proxies of the environment, the wait for
/// 100-continue and names that are not found are in TransportTests, TLS in TLSTests, the name server in
/// EndToEndTests, long answers in RetryTests.
@Suite struct CurlTrapTests {
    @Test("A server that goes away while it is written to does not end the process")
    func brokenPipe() async {
        await #expect(processExitsWith: .success) {
            // As a program has it that never thought of it.
            signal(SIGPIPE, SIG_DFL)
            let server = ScriptedServer(then: .reset(afterBodyBytes: 1))
            let harness = try ExporterHarness(endpoint: server.endpoint)
            let body = [UInt8](repeating: 1, count: 32 << 20)
            for _ in 0..<4 {
                #expect(harness.send(body, deadlineMs: 200).outcome == .dropped(.retriesExhausted))
            }
            var current = sigaction()
            unsafe sigaction(SIGPIPE, nil, &current)
            #expect(unsafe current.__sigaction_handler.sa_handler != nil)
        }
    }

    @Test("A handler for SIGPIPE that the program has stays")
    func handlerStays() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE) { _ in }
            _ = try ExporterHarness(endpoint: "http://127.0.0.1:9/v1/traces")
            var current = sigaction()
            unsafe sigaction(SIGPIPE, nil, &current)
            let handler = unsafe current.__sigaction_handler.sa_handler
            #expect(unsafe unsafeBitCast(handler, to: Int.self) > 1)
        }
    }

    @Test(
        "A header that would become two is refused before libcurl sees it",
        arguments: ["v\r\nx-evil: 1", "v\nx-evil: 1", "v\rx-evil: 1", "v\0w"])
    func smuggledHeader(value: String) {
        #expect(throws: ConfigurationError.self) { try HTTPHeader(name: "x-api-key", value: value) }
    }

    @Test("Answers of 64 MiB cost no more memory than an answer may have")
    func longAnswers() async {
        await #expect(processExitsWith: .success) {
            let server = ScriptedServer(
                [.answer(status: 200)], then: .flood(status: 200, chunks: 1024))
            let harness = try ExporterHarness(endpoint: server.endpoint)
            #expect(harness.send().outcome == .acknowledged)
            // The kernel's mark of the largest resident set starts anew.
            try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
            let before = try #require(CurlTrapTests.peakResidentBytes())
            for _ in 0..<4 { #expect(harness.send().outcome == .dropped(.refused)) }
            let after = try #require(CurlTrapTests.peakResidentBytes())
            // Twice an answer's 4 MiB, which an array that grows by doubling may touch, and the server's.
            #expect(after - before <= 16 << 20, "grew by \((after - before) >> 20) MiB")
        }
    }

    @Test(
        "Nothing is inflated: no encoding is asked for, and one that comes all the same stays as it is"
    )
    func noInflating() async {
        await #expect(processExitsWith: .success) {
            // 200 KiB that inflate to 200 MiB; as a protobuf it is no answer.
            let bomb = GzipBomb.bytes(head: [], zeros: 200 << 20)
            let bombs = ScriptedReply.answer(
                status: 200,
                headers: ["Content-Encoding: gzip", "Content-Type: application/x-protobuf"],
                body: bomb)
            let server = ScriptedServer([.answer(status: 200), bombs], then: bombs)
            let harness = try ExporterHarness(endpoint: server.endpoint)
            #expect(harness.send().outcome == .acknowledged)
            try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
            let before = try #require(CurlTrapTests.peakResidentBytes())
            for _ in 0..<4 { #expect(harness.send().outcome == .acknowledged) }
            let after = try #require(CurlTrapTests.peakResidentBytes())
            #expect(after - before <= 8 << 20, "grew by \((after - before) >> 20) MiB")
            #expect(server.requests[0].values("accept-encoding").isEmpty)
        }
    }

    /// VmHWM of this process.
    static func peakResidentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let number = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
                ?? line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
        else { return nil }
        return number << 10
    }
}
