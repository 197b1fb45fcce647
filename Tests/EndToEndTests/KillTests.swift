import Foundation
import Testing

/// kill −9 at any moment of a run: what is left passes for nothing that it is not.
@Suite("Killed runs")
struct KillTests {
    /// More with TRACEMILL_KILLS=200, as `make kill` does.
    private static let points =
        ProcessInfo.processInfo.environment["TRACEMILL_KILLS"].flatMap { Int($0) } ?? 16

    /// splitmix64, so that a moment that fails can be had again.
    private static func shares(_ count: Int) -> [Double] {
        var state: UInt64 = 20_261_122
        return (0..<count).map { _ in
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return Double((value ^ value >> 31) >> 11) * 0x1p-53
        }
    }

    @Test("leaves the old result or a whole new one, and nothing else that reads as a result")
    func killed() throws {
        let scratch = try Scratch()
        let scenario = try scratch.file("shop.yaml", Scenarios.shop())
        let old = "{\"schema\": \"the old file\"}\n"
        let arguments = [
            "run", scenario.path, "--duration", "100ms", "--quiet", "--output", "r.json",
        ]
        let begun = Date()
        let whole = try Command.run(arguments, folder: scratch.url)
        let length = Date().timeIntervalSince(begun)
        #expect(whole.exitCode == 0, "\(whole.errors)")
        var ended = 0
        for share in Self.shares(Self.points) {
            let file = try scratch.file("r.json", old)
            let process = Process()
            process.executableURL = Command.executable
            process.arguments = arguments
            process.currentDirectoryURL = scratch.url
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            // Up to somewhat beyond its usual end: the writing of the file is at the end.
            Thread.sleep(forTimeInterval: share * length * 1.1)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let text = try String(contentsOf: file, encoding: .utf8)
            guard text != old else { continue }
            ended += 1
            let added = try Command.run(
                ["history", "add", "r.json", "--database", "h-\(ended).sqlite"],
                folder: scratch.url)
            // Whole, with its books closed: the run had come to its end.
            #expect(added.exitCode == 0, "at \(share): \(added.errors)")
        }
        if Self.points > 16 {
            print(
                "\(Self.points) runs killed: \(ended) had written a whole result, the others left the old file"
            )
        }
        // Beside it at most hidden files that no command reads by itself.
        let others = scratch.fileNames.filter { $0.hasSuffix(".json") && $0 != "r.json" }
        #expect(others.allSatisfy { $0.hasPrefix(".") }, "\(others)")
    }
}
