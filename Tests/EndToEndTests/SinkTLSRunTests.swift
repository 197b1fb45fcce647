import Foundation
import Testing

/// `tracemill run` with a receiver that serves https.
@Suite("Run over TLS")
struct SinkTLSRunTests {
    private func run(_ sink: String) throws -> (command: Command, sink: [String: Any]) {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop(extra: "sink: {\(sink)}"))
        let command = try Command.run(
            ["run", file.path, "--json", "--quiet"], folder: scratch.url)
        let ledger = try command.json()["ledger"] as? [String: Any]
        return (command, try #require(ledger?["sink"] as? [String: Any]))
    }

    @Test("the exporter trusts the sink that the run has started, and the books hold")
    func trusted() throws {
        let (command, sink) = try run("tls: true")
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(try #require(sink["spansDistinct"] as? Int) > 0)
        #expect(sink["plainRequests"] == nil)
    }

    @Test("a receiver that loses its TLS for a while gets nothing in plain text")
    func plain() throws {
        let (command, sink) = try run("tls: true, faults: ['tls=plain,after=3,count=2']")
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(try #require(sink["faultsInjected"] as? Int) == 3)
        #expect(sink["plainRequests"] == nil)
    }
}
