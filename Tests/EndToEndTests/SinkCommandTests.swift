import Foundation
import Testing

@Suite("The receiver as a process", .serialized)
struct SinkCommandTests {
    private func startSink(_ arguments: [String]) throws -> (Process, Pipe, String) {
        let process = Process()
        process.executableURL = Command.executable
        process.arguments = ["sink"] + arguments
        let output = Pipe()
        let input = Pipe()
        process.standardOutput = output
        process.standardInput = input
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line = Data()
        while true {
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            if byte.isEmpty || byte == Data("\n".utf8) { break }
            line.append(byte)
        }
        return (process, input, String(decoding: line, as: UTF8.self))
    }

    @Test("ends when the process that started it goes away")
    func endsWithParent() throws {
        let (process, input, line) = try startSink(["--embedded", "--port", "0"])
        #expect(line.hasPrefix("tracemill sink listening on http://127.0.0.1:"))
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test("takes a run's spans at an endpoint of its own")
    func standalone() throws {
        let (process, input, line) = try startSink(["--embedded", "--port", "0"])
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        let base = try #require(line.split(separator: " ").last.map(String.init))
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let command = try Command.run(
            ["run", file.path, "--json", "--quiet", "--endpoint", base + "/v1/traces"],
            folder: scratch.url)
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(command.output.contains("\"acknowledged\""))
        #expect(scratch.fileNames == ["results", "shop.yaml"])
    }

    @Test("shows who calls whom")
    func topology() throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let text = try Command.run(["topology", file.path])
        #expect(text.exitCode == 0)
        #expect(text.output.contains("expected spans per trace"))
        let mermaid = try Command.run(["topology", file.path, "--format", "mermaid"])
        #expect(mermaid.output.hasPrefix("graph LR"))
    }
}
