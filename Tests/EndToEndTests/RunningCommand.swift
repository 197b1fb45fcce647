import Foundation
import Glibc
import Testing

/// A command while it runs: what it says is waited for, and whoever it started is found by a mark in the
/// environment that children inherit.
final class RunningCommand {
    private static let markName = "TRACEMILL_TEST_MARK"
    /// A wait that takes so long is a defect, not a slow machine.
    private static let patienceS = 60.0

    let process = Process()
    private let mark = UUID().uuidString
    private let scratch: Scratch
    private let errorFile: URL
    private let outputFile: URL

    /// - Parameter folder: where it runs; its temporary files go to `tmp` in it.
    init(
        _ arguments: [String], folder: Scratch, environment: [String: String] = [:]
    ) throws {
        scratch = folder
        let temporary = folder.url.appendingPathComponent("tmp")
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        errorFile = try folder.emptyFile("said-\(mark)")
        outputFile = try folder.emptyFile("out-\(mark)")
        process.executableURL = Command.executable
        process.arguments = arguments
        process.currentDirectoryURL = folder.url
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables[Self.markName] = mark
        variables["TMPDIR"] = temporary.path
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: errorFile)
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        try process.run()
    }

    /// Whatever a test leaves behind when it fails.
    deinit { for id in family { kill(id, SIGKILL) } }

    var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }
    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    /// Files that it left in its folder for temporary ones.
    var temporaryFiles: [String] {
        (try? FileManager.default.subpathsOfDirectory(
            atPath: scratch.url.appendingPathComponent("tmp").path)) ?? []
    }

    /// The processes that carry the mark, the command itself among them; those that have ended and are
    /// not waited for yet have no environment any more.
    var family: [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let entry = Data("\(Self.markName)=\(mark)".utf8)
        return names.compactMap { pid_t($0) }.filter { id in
            let file = URL(fileURLWithPath: "/proc/\(id)/environ")
            return (try? Data(contentsOf: file))?.range(of: entry) != nil
        }
    }

    /// The arguments of each of them.
    var argumentLists: [String] {
        family.compactMap { id in
            (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(id)/cmdline"))).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
    }

    /// Looks again and again until something is so.
    func wait(_ what: String, until isSo: () -> Bool) throws {
        let deadline = Date().addingTimeInterval(Self.patienceS)
        while !isSo() {
            try #require(
                Date() < deadline, "waiting for \(what); it said: \(errors) \(output)")
            usleep(5_000)
        }
    }

    /// Waits until it has said that on standard error.
    func wait(toSay text: String) throws {
        try wait("'\(text)'") { errors.contains(text) || !process.isRunning }
        try #require(errors.contains(text), "it ended without '\(text)': \(errors)")
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// The exit code a shell would see.
    func exitCode() throws -> Int32 {
        try wait("its end") { !process.isRunning }
        let isSignalled = process.terminationReason == .uncaughtSignal
        return (isSignalled ? 128 : 0) + process.terminationStatus
    }

    /// Nobody of it lives on, and no temporary file does.
    func expectNothingLeft() throws {
        // A sink notices that its parent has gone; that takes it a moment.
        try wait("its children to end: \(argumentLists)") { family.isEmpty }
        #expect(temporaryFiles.isEmpty)
    }
}
