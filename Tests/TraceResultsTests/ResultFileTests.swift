import FoundationEssentials
import Glibc
import Testing

@testable import TraceResults

@Suite("Result file")
struct ResultFileTests {
    @Test("what is written is read back whole")
    func roundTrip() throws {
        let result = SampleResult.make()
        let text = try ResultFile.text(of: result)
        #expect(try ResultFile.result(fromText: text.utf8) == result)
        #expect(try ResultFile.text(of: ResultFile.result(fromText: text.utf8)) == text)
    }

    @Test("64-bit seeds and sums are strings, lists of numbers take one line")
    func layout() throws {
        let text = try ResultFile.text(of: SampleResult.make())
        #expect(text.hasPrefix("{\n  \"schema\": \"tracemill.result/1\",\n  \"design\": {\n"))
        #expect(text.contains("\"seed\": \"18446744073709551615\""))
        #expect(text.contains("\"orderSeed\": \"9223372036854775808\""))
        #expect(text.contains("\"startedTraces\": [10000, 9998]\n"))
        #expect(text.contains("\"droppedSpans\": [0, 1000],\n"))
        #expect(text.contains("\"queuedSpans\": [12.5, 0],\n"))
        #expect(text.contains("\"identitySum\": \"5\""))
    }

    @Test("histograms come back as they were")
    func histograms() throws {
        let text = try ResultFile.text(of: SampleResult.make())
        let run = try #require(ResultFile.result(fromText: text.utf8).runs.first)
        let record = try #require(run.histograms["spanEndNs"])
        let histogram = try record.histogram()
        #expect(histogram.count == record.samples)
        let p99 = try #require(run.metrics["spanEndNsP99"])
        #expect(Double(histogram.valueNs(atPercentile: 99)) == p99.value)
        #expect(p99.unit == "ns")
        #expect(p99.better == .lower)
        #expect(p99.kind == .percentile)
    }

    @Test("fields of a later version are kept at every depth")
    func unknownFields() throws {
        let known = try JSONDecoder().decode(
            JSONValue.self, from: Data(ResultFile.text(of: SampleResult.make()).utf8))
        let extra: JSONValue = .object([
            "list": .array([.null, .bool(true), .integer(-3), .unsigned(.max), .number(1.5)]),
            "text": .string("\u{1B}[31m\"\\\n"),
        ])
        let extended = Self.adding(extra, to: known)
        let text = extended.prettyText()
        let result = try ResultFile.result(fromText: text.utf8)
        #expect(try ResultFile.text(of: result) == text)
        #expect(result.unknownFields == ["fromTheFuture": extra])
        #expect(result.runs[0].ledger.deliveries[0].acknowledged.unknownFields.count == 1)
    }

    /// Adds a field to every object except those whose keys are names (of metrics, columns…) and
    /// the sink's ledger, which is the sink's own.
    private static func adding(_ extra: JSONValue, to value: JSONValue) -> JSONValue {
        switch value {
        case .array(let values):
            return .array(values.map { adding(extra, to: $0) })
        case .object(let fields):
            var grown: [String: JSONValue] = [:]
            for (name, field) in fields {
                switch (name, field) {
                case ("sink", _), ("columns", _): grown[name] = field
                case ("metrics", .object(let named)), ("histograms", .object(let named)):
                    grown[name] = .object(named.mapValues { adding(extra, to: $0) })
                default: grown[name] = adding(extra, to: field)
                }
            }
            grown["fromTheFuture"] = extra
            return .object(grown)
        default:
            return value
        }
    }

    @Test("a file of another version is refused by its schema alone")
    func schema() throws {
        for (text, schema) in [
            ("{\"schema\": \"tracemill.result/2\"}", "\"tracemill.result/2\""), ("{}", "none"),
        ] {
            let error = #expect(throws: ResultFileError.self) {
                try ResultFile.result(fromText: text.utf8, path: "a.json")
            }
            #expect(
                error?.description == "'a.json' has the schema \(schema); this version reads "
                    + "\"tracemill.result/1\"")
        }
    }

    @Test("a missing or mistyped field is named with its place")
    func malformed() throws {
        let text = try ResultFile.text(of: SampleResult.make())
        func message(_ text: String) -> String {
            let error = #expect(throws: ResultFileError.self) {
                try ResultFile.result(fromText: text.utf8, path: "a.json")
            }
            return error?.description ?? ""
        }
        #expect(
            message(text.replacing("\"lateStarts\": 12", with: "\"late\": 12"))
                == "'a.json' is not a whole result file at runs[0].load: "
                + "the field 'lateStarts' is missing")
        #expect(
            message(text.replacing("\"round\": 0", with: "\"round\": \"0\""))
                .hasPrefix("'a.json' is not a whole result file at runs[0].round: "))
        #expect(
            message(text.replacing("\"18446744073709551615\"", with: "\"-1\""))
                .hasPrefix("'a.json' is not a whole result file at scenario.seed: "))
        #expect(message(String(text.dropLast(4))).hasPrefix("'a.json' is not a whole result file"))
        #expect(message("").hasPrefix("'a.json' is not a whole result file"))
    }

    @Test("a figure that is not finite is refused with its place")
    func notFinite() throws {
        var result = SampleResult.make()
        result.runs[0].metrics["spanEndNsP99"]?.value = .infinity
        let error = #expect(throws: ResultFileError.self) { try ResultFile.text(of: result) }
        #expect(
            error?.description == "the result cannot be written: "
                + "runs[0].metrics.spanEndNsP99.value is not a finite number")
    }

    @Test("text survives, whatever is in it")
    func text() throws {
        var result = SampleResult.make()
        let name = "\u{0}\u{1F}\u{7F}\u{9B}\"\\/\n\r\t\u{2028}é😀</script>"
        result.scenario.name = name
        let text = try ResultFile.text(of: result)
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(!text.contains("\u{9B}"))
        #expect(try ResultFile.result(fromText: text.utf8).scenario.name == name)
    }
}

@Suite("Atomic file")
struct AtomicFileTests {
    /// A folder of its own, removed at the end of the test.
    final class Folder {
        let path: String

        init() throws {
            var template = Array("/tmp/tracemill-results-XXXXXX".utf8CString)
            path = try #require(
                unsafe template.withUnsafeMutableBufferPointer { buffer -> String? in
                    guard let start = buffer.baseAddress, let made = unsafe mkdtemp(start) else {
                        return nil
                    }
                    return unsafe String(cString: made)
                })
        }

        deinit {
            unsafe chmod(path, 0o700)
            try? FileManager.default.removeItem(atPath: path)
        }

        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        }
    }

    private static func contents(_ path: String) throws -> String {
        String(decoding: try FileBytes.read(path, atMost: 1 << 20), as: UTF8.self)
    }

    @Test("a new file appears whole, for its owner only, with nothing beside it")
    func newFile() throws {
        let folder = try Folder()
        let path = folder.path + "/result.json"
        try AtomicFile.write(Array("first".utf8), to: path)
        #expect(try Self.contents(path) == "first")
        var status = stat()
        #expect(unsafe lstat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        try AtomicFile.write(Array("second, longer".utf8), to: path)
        try AtomicFile.write([], to: folder.path + "/empty.json")
        #expect(try Self.contents(path) == "second, longer")
        #expect(try folder.names() == ["empty.json", "result.json"])
    }

    @Test("probing says beforehand what writing would, and leaves nothing behind")
    func probing() throws {
        let folder = try Folder()
        let path = folder.path + "/result.json"
        try AtomicFile.probe(path)
        #expect(try folder.names() == [])
        try AtomicFile.write(Array("old".utf8), to: path)
        try AtomicFile.probe(path)
        #expect(try Self.contents(path) == "old")
        #expect(try folder.names() == ["result.json"])
        for bad in [folder.path, folder.path + "/none/result.json", "/dev/null"] {
            #expect(throws: FileWriteError.self) { try AtomicFile.probe(bad) }
        }
    }

    @Test("a symbolic link is refused, its target untouched")
    func symbolicLink() throws {
        let folder = try Folder()
        let target = folder.path + "/target"
        try AtomicFile.write(Array("precious".utf8), to: target)
        let link = folder.path + "/link.json"
        #expect(unsafe symlink(target, link) == 0)
        let error = #expect(throws: FileWriteError.self) {
            try AtomicFile.write(Array("new".utf8), to: link)
        }
        #expect(
            error?.description == "cannot look at '\(link)': it is a symbolic link. "
                + "Name a plain file, or one that does not exist yet.")
        #expect(try Self.contents(target) == "precious")
        #expect(try folder.names() == ["link.json", "target"])
    }

    @Test("folders, devices and impossible paths are refused")
    func notPlain() throws {
        let folder = try Folder()
        for (path, step) in [
            (folder.path, FileWriteError.Step.examine), ("/dev/null", .examine), ("", .examine),
            ("a\u{0}b", .examine), (folder.path + "/none/result.json", .create),
            (folder.path + "/", .examine),
        ] {
            let error = #expect(throws: FileWriteError.self) {
                try AtomicFile.write([1], to: path)
            }
            #expect(error?.step == step, "\(path)")
        }
        #expect(try folder.names() == [])
    }

    @Test("a folder that may not be written to is an error that says so, the old file intact")
    func unwritableFolder() async throws {
        // Root may write anywhere, so a child gives its rights up first.
        await #expect(processExitsWith: .success) {
            let folder = try Folder()
            let path = folder.path + "/result.json"
            try AtomicFile.write(Array("old".utf8), to: path)
            try #require(unsafe chmod(path, 0o644) == 0)
            try #require(unsafe chmod(folder.path, 0o555) == 0)
            if geteuid() == 0 { try #require(seteuid(65_534) == 0) }
            var message = ""
            do throws(FileWriteError) {
                try AtomicFile.write(Array("new".utf8), to: path)
            } catch {
                message = error.description
            }
            try #require(
                message == "cannot create a new file beside '\(path)': Permission denied. "
                    + "Name a folder you may write to. What was there before is untouched.")
            try #require(try Self.contents(path) == "old")
            if getuid() == 0 { try #require(seteuid(0) == 0) }
            try #require(try folder.names() == ["result.json"])
        }
    }

    @Test("running out of room in the middle leaves the old file and nothing else")
    func noRoom() async throws {
        await #expect(processExitsWith: .success) {
            let folder = try Folder()
            let path = folder.path + "/result.json"
            try AtomicFile.write(Array("old".utf8), to: path)
            // Whatever started the tests may ignore the signal, and this thread may block it.
            _ = signal(SIGXFSZ, SIG_DFL)
            var strikes = sigset_t()
            unsafe sigemptyset(&strikes)
            unsafe sigaddset(&strikes, SIGXFSZ)
            unsafe pthread_sigmask(SIG_UNBLOCK, &strikes, nil)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            var found: FileWriteError?
            do throws(FileWriteError) {
                try AtomicFile.write([UInt8](repeating: 7, count: 50_000), to: path)
            } catch {
                found = error
            }
            try #require(found?.step == .write)
            try #require(found?.errorNumber == EFBIG)
            try #require(found?.description.contains("ulimit -f") == true)
            try #require(try Self.contents(path) == "old")
            try #require(try folder.names() == ["result.json"])
            // The signal that goes with it was taken away, not kept for later.
            try AtomicFile.write([UInt8](repeating: 7, count: 9000), to: path)
        }
    }

    @Test("a result file is written and read by path, errors carry the path")
    func resultFile() throws {
        let folder = try Folder()
        let path = folder.path + "/result.json"
        let result = SampleResult.make()
        try ResultFile.write(result, to: path)
        #expect(try ResultFile.read(path) == result)
        let error = #expect(throws: ResultFileError.self) {
            try ResultFile.read(folder.path + "/none.json")
        }
        #expect(
            error?.description == "cannot read '\(folder.path)/none.json': "
                + "No such file or directory")
    }
}
