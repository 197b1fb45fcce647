import Foundation
import Testing

/// The built command against a sink of its own.
@Suite("Traces, from the command line", .serialized)
struct TraceCommandTests {
    /// A sink that ends with the value.
    final class Sink {
        let process = Process()
        let url: String
        /// What an https sink is trusted by.
        let authority: String?
        let scratch: Scratch
        private let input = Pipe()
        private let errorsFile: URL

        /// - Parameter shell: what the shell is told before it becomes the sink.
        init(_ arguments: [String], shell: String = "") throws {
            scratch = try Scratch()
            errorsFile = try scratch.emptyFile("sink.err")
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                [
                    "-c", "\(shell) exec \"$0\" \"$@\"", Command.executable.path, "sink",
                    "--embedded",
                ]
                + ["--port", "0"] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardInput = input
            process.standardError = try FileHandle(forWritingTo: errorsFile)
            process.currentDirectoryURL = scratch.url
            try process.run()
            var line = Data()
            while true {
                let byte = output.fileHandleForReading.readData(ofLength: 1)
                if byte.isEmpty || byte == Data("\n".utf8) { break }
                line.append(byte)
            }
            let text = String(decoding: line, as: UTF8.self)
            let words = try #require(text.split(separator: " on ").last).split(separator: " ")
            url = try #require(words.first.map(String.init))
            authority =
                words.last?.hasSuffix(")") == true ? words.last.map { String($0.dropLast()) } : nil
        }

        var errors: String { (try? String(contentsOf: errorsFile, encoding: .utf8)) ?? "" }

        func stop() {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }

        deinit { if process.isRunning { stop() } }

        /// A short run of the shop into it.
        func feed() throws {
            let file = try scratch.file("shop.yaml", Scenarios.shop())
            let run = try Command.run(
                [
                    "run", file.path, "--quiet", "--traces", "2000", "--endpoint",
                    url + "/v1/traces",
                ], folder: scratch.url)
            #expect(run.exitCode == 0, "\(run.errors)")
        }

        /// The command `trace`, asking it.
        func trace(_ arguments: [String]) throws -> Command {
            try Command.run(["trace", "--sink", url] + arguments)
        }

        func latest(_ arguments: [String] = []) throws -> [String: Any] {
            let list = try trace(["--json", "--limit", "1"] + arguments)
            #expect(list.exitCode == 0, "\(list.errors)")
            let document = try JSONSerialization.jsonObject(with: Data(list.output.utf8))
            let traces = (document as? [String: Any])?["traces"] as? [[String: Any]]
            return try #require(traces?.first)
        }
    }

    @Test("a trace that a run sent is listed, drawn, and printed as OTLP JSON")
    func trace() throws {
        let sink = try Sink(["--store", "memory"])
        try sink.feed()
        let latest = try sink.latest(["--service", "orders"])
        let id = try #require(latest["traceId"] as? String)
        #expect(latest["serviceName"] as? String == "gateway")
        let drawn = try sink.trace([id, "--wait", "20s", "--quiet", "10ms", "--width", "90"])
        #expect(drawn.exitCode == 0, "\(drawn.errors)")
        #expect(drawn.output.hasPrefix("trace \(id)\n"))
        #expect(drawn.output.contains("gateway POST /orders"))
        #expect(drawn.output.contains("orders POST /orders"))
        #expect(drawn.output.contains("█"))
        #expect(!drawn.output.contains("\u{1B}"))
        let json = try sink.trace([id, "--json"])
        let document = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
        #expect(((document as? [String: Any])?["resourceSpans"] as? [Any])?.count ?? 0 >= 2)
    }

    @Test("exit codes tell found, not found, and not as waited for apart")
    func exitCodes() throws {
        let sink = try Sink(["--store", "memory"])
        try sink.feed()
        let id = try #require(try sink.latest()["traceId"] as? String)
        let other = String(repeating: "1", count: 32)
        #expect(try sink.trace([id]).exitCode == 0)
        #expect(try sink.trace([id.uppercased(), "--services", "gateway,orders"]).exitCode == 0)
        let absent = try sink.trace([other, "--wait", "50ms"])
        #expect(absent.exitCode == 1)
        #expect(absent.errors.contains("is not there in 50.0 ms"))
        let few = try sink.trace([id, "--wait", "50ms", "--spans", "1000"])
        #expect(few.exitCode == 3)
        #expect(few.errors.contains("of 1000 spans"))
        let service = try sink.trace([id, "--wait", "50ms", "--services", "gateway,nobody"])
        #expect(service.exitCode == 3)
        #expect(service.errors.contains("nothing of nobody"))
        for bad in [
            ["xyz"], ["--wait", "5s"], [id, "--errors"], [id, "--spans", "0"], ["0" + id],
        ] {
            #expect(try sink.trace(bad).exitCode == 2, "\(bad)")
        }
        let nobody = try Command.run(["trace", id, "--sink", "http://127.0.0.1:1"])
        #expect(nobody.exitCode == 2)
        #expect(nobody.errors.contains("is a sink listening at http://127.0.0.1:1?"))
        #expect(try Command.run(["trace", "--sink", "ftp://x"]).exitCode == 2)
    }

    @Test("a test may ask before the spans are sent")
    func waits() throws {
        let sink = try Sink(["--store", "memory"])
        let id = "0af7651916cd43dd8448eb211c80319c"
        let asker = Process()
        asker.executableURL = Command.executable
        asker.arguments = ["trace", id, "--sink", sink.url, "--wait", "60s", "--spans", "2"]
        asker.standardOutput = Pipe()
        try asker.run()
        for (span, parent) in [("00000000000000a2", "00000000000000a1"), ("00000000000000a1", "")] {
            let body = """
                {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":
                {"stringValue":"curl"}}]},"scopeSpans":[{"spans":[{"traceId":"\(id)","spanId":
                "\(span)","parentSpanId":"\(parent)","name":"n","kind":2}]}]}]}
                """
            let curl = Process()
            curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            curl.arguments = [
                "curl", "-sf", "-H", "content-type: application/json", "-d", body,
                sink.url + "/v1/traces",
            ]
            curl.standardOutput = FileHandle.nullDevice
            try curl.run()
            curl.waitUntilExit()
            #expect(curl.terminationStatus == 0)
        }
        asker.waitUntilExit()
        #expect(asker.terminationStatus == 0)
    }

    @Test("a store in a folder survives the sink")
    func folder() throws {
        let scratch = try Scratch()
        let store = scratch.url.appendingPathComponent("traces").path
        let first = try Sink(["--store", store])
        try first.feed()
        let id = try #require(try first.latest()["traceId"] as? String)
        let before = try first.trace([id]).output
        let held = try Command.run(["sink", "--port", "0", "--store", store])
        #expect(held.exitCode == 2)
        #expect(held.errors.contains("another sink keeps its traces"))
        first.stop()
        let second = try Sink(["--store", store])
        #expect(try second.trace([id]).output == before)
    }

    @Test("a full disk is said, and the sink goes on receiving")
    func fullDisk() throws {
        // No file may grow beyond 64 KiB.
        let sink = try Sink(
            ["--store", "traces"], shell: "ulimit -f 64 2>/dev/null || ulimit -f 128;")
        try sink.feed()
        #expect(sink.errors.contains("traces cannot be kept: File too large"), "\(sink.errors)")
        let list = try sink.trace(["--limit", "1000"])
        #expect(list.exitCode == 0)
        #expect(list.output.contains("traces cannot be kept"))
        #expect(list.output.contains("gateway"))
    }

    @Test("settings of the store that cannot be are refused")
    func settings() throws {
        for bad in [
            ["--store", "memory", "--mode", "count"], ["--store", "/proc/none/traces"],
            ["--store", "memory", "--store-size", "5"], ["--store", "/dev/null"],
            ["--quiet", "0s"],
        ] {
            let command = try Command.run(["sink", "--port", "0"] + bad)
            #expect(command.exitCode == 2, "\(bad) \(command.errors)")
        }
    }

    @Test("the graph that a run saw is in its result, and beside what was declared")
    func graphs() throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let result = scratch.url.appendingPathComponent("r.json").path
        let run = try Command.run(
            ["run", file.path, "--quiet", "--traces", "2000", "--output", result])
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(run.output.contains("complete end to end              100.00%"))
        #expect(run.output.contains("of 2 declared"))
        let seen = try Command.run(["topology", result])
        #expect(seen.exitCode == 0)
        #expect(seen.output.contains("order.created (queue)"))
        for (format, start) in [("dot", "digraph"), ("mermaid", "graph LR"), ("json", "{")] {
            let text = try Command.run(["topology", result, "--format", format])
            #expect(text.output.hasPrefix(start))
        }
        for arguments in [[file.path, result], [file.path, "--result", result]] {
            let both = try Command.run(["topology"] + arguments)
            #expect(both.exitCode == 0, "\(both.output)")
            #expect(both.output.hasSuffix("seen as declared\n"))
        }
        // A scenario that declares something else.
        let other = try scratch.file(
            "other.yaml",
            Scenarios.shop().replacingOccurrences(of: "order.created", with: "order.placed"))
        let differs = try Command.run(["topology", other.path, result])
        #expect(differs.exitCode == 1)
        #expect(differs.output.contains("2 missing, 2 not declared"))
        for bad in [[], [file.path, file.path], [result, result], [file.path, result, result]] {
            #expect(try Command.run(["topology"] + bad).exitCode == 2, "\(bad)")
        }
        #expect(
            try Command.run(["topology", file.path, result, "--format", "dot"]).exitCode == 2)
        #expect(try Command.run(["topology", scratch.url.path + "/none"]).exitCode == 2)
    }

    @Test("the graph of a living sink is shown")
    func sinkGraph() throws {
        let sink = try Sink([])
        try sink.feed()
        let graph = try Command.run(["topology", "--sink", sink.url])
        #expect(graph.exitCode == 0, "\(graph.errors)")
        #expect(graph.output.contains("gateway"))
        #expect(try Command.run(["topology", "--sink", "http://127.0.0.1:1"]).exitCode == 2)
    }

    @Test("an https sink is asked where its authority is named, and not trusted otherwise")
    func certificate() throws {
        let sink = try Sink(["--tls", "--store", "memory"])
        let authority = try #require(sink.authority)
        for command in ["topology", "trace"] {
            let trusted = try Command.run(
                [command, "--sink", sink.url, "--certificate", authority])
            #expect(trusted.exitCode == 0, "\(trusted.errors)")
            let untrusted = try Command.run([command, "--sink", sink.url])
            #expect(untrusted.exitCode == 2, "\(untrusted.output)")
            #expect(untrusted.errors.contains("--certificate"), "\(untrusted.errors)")
            let absent = try Command.run([command, "--sink", sink.url, "--certificate", "none.pem"])
            #expect(absent.exitCode == 2)
            #expect(absent.errors.contains("'none.pem': No such file"), "\(absent.errors)")
            let plain = try Command.run(
                [command, "--sink", "http://127.0.0.1:1", "--certificate", authority])
            #expect(plain.exitCode == 2)
            #expect(plain.errors.contains("is for an https sink"), "\(plain.errors)")
        }
    }
}
