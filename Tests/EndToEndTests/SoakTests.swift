import Foundation
import Testing

/// `tracemill soak`: short ones, whose slope cannot be told; everything else can.
@Suite("Soak", .serialized)
struct SoakTests {
    private static let scenario = Scenarios.paced("soak", stage: "{duration: 1h, rate: 500}")

    @Test("a receiver that was away is told from the result file, with the memory of each second")
    func outage() throws {
        let scratch = try Scratch()
        let file = try scratch.file("soak.yaml", Self.scenario)
        let soak = try Command.run(
            [
                "soak", file.path, "--duration", "9s", "--settle", "1s", "--outage", "4s",
                "--slope-max", "8GiB", "--quiet", "--output", "soak.json",
            ], folder: scratch.url)
        // Five rows are too few for a slope; and on a busy machine a span may be late.
        #expect([1, 3].contains(soak.exitCode), "\(soak.errors) \(soak.output)")
        #expect(soak.output.contains("hold, "), "\(soak.output)")
        #expect(soak.output.contains("without an acknowledgement"), "\(soak.output)")
        #expect(!soak.output.contains("EXCEEDED"))
        let data = try Data(contentsOf: scratch.url.appendingPathComponent("soak.json"))
        let document = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        let run = try #require((document["runs"] as? [[String: Any]])?.first)
        let columns = try #require(
            (run["series"] as? [String: Any])?["columns"] as? [String: [Double]])
        for name in ["residentBytes", "allocatedBytes", "heldBytes", "elapsedS"] {
            let column = try #require(columns[name])
            #expect(column.count >= 3 && column.allSatisfy { $0 > 0 }, "\(name): \(column)")
        }
        // The same from the file, and with less to settle it is told that nothing can be.
        let again = try Command.run(
            ["soak", "--results", "soak.json", "--settle", "1s", "--slope-max", "8GiB"],
            folder: scratch.url)
        #expect(again.exitCode == soak.exitCode)
    }

    @Test("what cannot be run says what to write")
    func usage() throws {
        for (arguments, says) in [
            (["--duration", "10s", "--settle", "10s"], "--settle"),
            (["--duration", "10s", "--outage", "5s"], "--outage"),
            (["--outage", "1s", "--endpoint", "http://127.0.0.1:1/v1/traces"], "--endpoint"),
            (["--slope-max", "much"], "--slope-max"), (["--results", "nowhere.json"], "nowhere"),
            (["nowhere.yaml"], "nowhere"),
        ] {
            let command = try Command.run(["soak"] + arguments)
            #expect(command.exitCode == 2, "\(arguments): \(command.output)")
            #expect(command.errors.contains(says), "\(arguments): \(command.errors)")
        }
    }
}
