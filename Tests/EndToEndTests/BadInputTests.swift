import Foundation
import Testing

/// One message that says what is wrong, where, and what to write instead; exit 2; nothing written.
@Suite("Bad input", .serialized)
struct BadInputTests {
    /// What to replace in the shop, and what the message must contain.
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var from: String
        var to: String
        var expected: [String]
        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "unknown key", from: "instances: 2", to: "instance: 2",
            expected: ["shop.yaml:6:5", "instance", "instances"]),
        Case(
            name: "bad duration", from: "self: 2ms", to: "self: 2 bananas",
            expected: ["shop.yaml:10:", "2 bananas", "250us"]),
        Case(
            name: "missing operation", from: "call: orders/POST /orders",
            to: "call: orders/POST /order", expected: ["shop.yaml:13:", "orders/POST /orders"]),
        Case(
            name: "a cycle of calls", from: "- work: {lognormal: {p50: 1ms, p99: 9ms}}",
            to: "- call: gateway/POST /orders",
            expected: ["shop.yaml:", "circle", "gateway/POST /orders"]),
        Case(
            name: "a rate of 0", from: "rate: max", to: "rate: 0", expected: ["shop.yaml:", "rate"]),
        Case(
            name: "not YAML", from: "services:", to: "services: [", expected: ["shop.yaml:"]),
    ]

    @Test("says what is wrong in a scenario, and where", arguments: cases)
    func scenario(_ bad: Case) throws {
        let scratch = try Scratch()
        let text = Scenarios.shop()
        #expect(text.contains(bad.from))
        let file = try scratch.file(
            "shop.yaml", text.replacingOccurrences(of: bad.from, with: bad.to))
        for arguments in [["validate", file.path], ["run", file.path, "--quiet"]] {
            let command = try Command.run(arguments, folder: scratch.url)
            #expect(command.exitCode == 2)
            #expect(command.output.isEmpty)
            for part in bad.expected {
                #expect(command.errors.contains(part), "\(part) is not in: \(command.errors)")
            }
        }
        #expect(scratch.fileNames == ["shop.yaml"])
    }

    @Test("refuses arguments it cannot use")
    func arguments() throws {
        for arguments in [
            ["run"], ["run", "no-such-file.yaml"], ["run", "x.yaml", "--duration", "ten"],
            ["bench", "--repetitions", "0"], ["sink", "--port", "70000"],
            ["sink", "--fault", "nonsense=1"], ["frobnicate"],
        ] {
            let command = try Command.run(arguments)
            #expect(command.exitCode == 2, "\(arguments)")
            #expect(!command.errors.isEmpty)
            #expect(command.output.isEmpty)
        }
    }

    @Test("helps and tells its version with exit 0", arguments: ["--help", "--version", "help"])
    func help(argument: String) throws {
        let command = try Command.run([argument])
        #expect(command.exitCode == 0)
        #expect(command.output.contains("tracemill"))
    }

    #if DEBUG
        @Test("70: an error that nobody expected is a defect, and says so")
        func defect() throws {
            let scratch = try Scratch()
            let file = try scratch.file("shop.yaml", Scenarios.shop())
            let command = try Command.run(
                ["run", file.path, "--quiet"], environment: ["TRACEMILL_MUTANT": "throw"],
                folder: scratch.url)
            #expect(command.exitCode == 70)
            #expect(command.errors.contains("internal error: InjectedDefect"), "\(command.errors)")
            #expect(scratch.fileNames == ["shop.yaml"])
        }
    #endif

    @Test("refuses a results folder that cannot be written before it makes any load")
    func unwritableResults() throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let blocked = try scratch.file("blocked", "a file where a folder should be")
        let command = try Command.run(
            ["run", file.path, "--output", blocked.path + "/result.json"])
        #expect(command.exitCode == 2)
        #expect(command.errors.contains("--output"), "\(command.errors)")
        #expect(!command.errors.contains("acked"))
    }

    @Test("an endpoint without a scheme is an error that says what to write")
    func bareEndpoint() throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let command = try Command.run(
            ["run", file.path, "--endpoint", "localhost:4318"], folder: scratch.url)
        #expect(command.exitCode == 2)
        #expect(command.errors.contains("http://localhost:4318"), "\(command.errors)")
        #expect(!command.errors.contains("result:"))
    }

    @Test(
        "an endpoint that refuses or does not resolve makes the run invalid",
        arguments: ["http://127.0.0.1:9/v1/traces", "http://no-such-host.invalid/v1/traces"])
    func unreachable(endpoint: String) throws {
        let scratch = try Scratch()
        let file = try scratch.file(
            "shop.yaml",
            Scenarios.shop().replacingOccurrences(
                of: "delay: 20ms", with: "delay: 20ms, timeout: 300ms"))
        let command = try Command.run(
            ["run", file.path, "--endpoint", endpoint, "--quiet"], folder: scratch.url)
        #expect(command.exitCode == 4)
        #expect(command.errors.contains(endpoint), "\(command.errors)")
    }
}
