import Foundation

/// The built command, run as a user runs it: arguments in, exit code and two texts out.
struct Command {
    var exitCode: Int32
    var output: String
    var errors: String

    /// Beside the test bundle.
    static let executable: URL = {
        let bundle = CommandLine.arguments.first.map { URL(fileURLWithPath: $0) }
        for folder in [
            Bundle.main.bundleURL, bundle?.deletingLastPathComponent(),
            Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
                .deletingLastPathComponent(),
            URL(fileURLWithPath: FileManager.default.currentDirectoryPath + "/.build/debug"),
        ] {
            if let file = folder?.appendingPathComponent("tracemill"),
                FileManager.default.isExecutableFile(atPath: file.path)
            {
                return file
            }
        }
        fatalError("the command tracemill is not beside the tests: build it with swift build")
    }()

    /// Runs to the end.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], folder: URL? = nil
    ) throws -> Command {
        try run(executable, arguments, environment, folder)
    }

    /// Runs a line of shell to the end; `$TRACEMILL` is the command.
    static func run(shell line: String, folder: URL) throws -> Command {
        try run(
            URL(fileURLWithPath: "/bin/sh"), ["-c", line], ["TRACEMILL": executable.path], folder)
    }

    private static func run(
        _ executable: URL, _ arguments: [String], _ environment: [String: String], _ folder: URL?
    ) throws -> Command {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = folder }
        // Files, not pipes: a full pipe that nobody reads would stop the command.
        let scratch = try Scratch()
        let output = try scratch.emptyFile("out")
        let errors = try scratch.emptyFile("err")
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Command(
            exitCode: process.terminationStatus,
            output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    /// The one run of the JSON document on standard output.
    func json() throws -> [String: Any] {
        let document = try JSONSerialization.jsonObject(with: Data(output.utf8))
        let runs = (document as? [String: Any])?["runs"] as? [[String: Any]]
        guard let run = runs?.first else { throw NoRun(output: output, errors: errors) }
        return run
    }

    struct NoRun: Error {
        var output: String
        var errors: String
    }
}

/// A folder of its own, gone with the value.
final class Scratch: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func emptyFile(_ name: String) throws -> URL { try file(name, "") }

    func file(_ name: String, _ text: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file
    }

    var fileNames: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
    }
}

/// Small scenarios for the tests.
enum Scenarios {
    /// Two services, a queue, errors, attributes; retries quick enough for a test.
    static func shop(
        rate: String = "max", sampler: String = "always_on", extra: String = "",
        exporter: String = "retry: {initial: 20ms, max: 50ms}"
    ) -> String {
        """
        version: 1
        name: shop
        seed: 7
        services:
          gateway:
            instances: 2
            operations:
              POST /orders:
                type: http
                self: 2ms
                attributes: {user.id: {zipf: {cardinality: 100, prefix: u}}}
                script:
                  - call: orders/POST /orders
          orders:
            operations:
              POST /orders:
                type: http
                error: {rate: 10%, exception: true, http_status: 402}
                script:
                  - work: {lognormal: {p50: 1ms, p99: 9ms}}
                  - publish: {to: orders/order.created, delay: 5ms}
              order.created:
                type: messaging
        traffic:
          - root: gateway/POST /orders
            stages: [{duration: 300ms, rate: \(rate)}]
        pipeline:
          sampler: \(sampler)
          processor: {queue: 4096, batch: 256, delay: 20ms}
          exporter: {\(exporter)}
        run: {warmup: 0s, drain: 20s, workers: 1}
        \(extra)
        """
    }
    /// One service in real time, with a small queue and a quick exporter.
    static func paced(_ name: String, stage: String, sink: String = "{}") -> String {
        """
        version: 1
        name: \(name)
        clock: realtime
        services:
          front:
            operations:
              GET /: {type: http, self: 100us}
        traffic:
          - root: front/GET /
            stages: [\(stage)]
        pipeline:
          processor: {type: batch, queue: 512, batch: 32, delay: 20ms, timeout: 2s, on_full: drop}
          exporter: {timeout: 500ms, retry: {initial: 10ms, max: 20ms, max_elapsed: 2s}}
        sink: \(sink)
        run: {warmup: 0s, drain: 20s, lag_max: 10s}
        """
    }
}
