import Foundation
import Testing
import TraceHistory
import TraceResults

/// The file: what is kept, who may add, what is refused.
@Suite("History database")
struct HistoryDatabaseTests {
    @Test("a file is kept with its median, range and count, and comes back as it was")
    func roundTrip() throws {
        let folder = try Folder()
        let history = try HistoryDatabase(writing: folder.path("h.sqlite"))
        let result = SampleHistory.result([310, 300, 350], commit: "abc1234")
        #expect(try history.add(SampleHistory.entry(result)))
        let read = try HistoryDatabase(reading: folder.path("h.sqlite"))
        let series = try read.series(HistoryQuery(metric: "cpuNsPerSpan"))
        let point = try #require(series.first?.points.first)
        #expect(series.count == 1)
        #expect(point.figure.median == 310)
        #expect(point.figure.lowest == 300)
        #expect(point.figure.highest == 350)
        #expect(point.figure.runs == 3)
        #expect(point.commit == "abc1234")
        let row = try #require(try read.list().first)
        #expect(row.seed == "42")
        #expect(row.origin.scenarioSHA256 == result.scenario.sha256)
        #expect(try read.metrics() == ["cpuNsPerSpan"])
    }

    @Test("the same file twice is one, the same figures in another file are two")
    func sameTwice() throws {
        let folder = try Folder()
        let history = try HistoryDatabase(writing: folder.path("h.sqlite"))
        let result = SampleHistory.result([1])
        #expect(try history.add(SampleHistory.entry(result, digest: "a")))
        #expect(try !history.add(SampleHistory.entry(result, digest: "a")))
        #expect(try history.add(SampleHistory.entry(result, digest: "b")))
        #expect(try history.list().count == 2)
    }

    @Test("runs that are not valid are left out and named; a file of them alone is refused")
    func invalidRuns() throws {
        var result = SampleHistory.result([100, 900])
        result.runs[1].invalidate("the sink went away")
        let entry = try SampleHistory.entry(result)
        #expect(entry.variants.first?.figures["cpuNsPerSpan"]?.highest == 100)
        #expect(entry.leftOut == ["default, round 2: the sink went away"])
        result.runs[0].interrupted = true
        #expect(throws: HistoryError.self) { try SampleHistory.entry(result) }
        result.runs = []
        #expect(throws: HistoryError.self) { try SampleHistory.entry(result) }
        // A run that says it is valid and whose books do not add up is not.
        var forged = SampleHistory.result([100])
        forged.runs[0].ledger.tracer.startCalls = 5
        #expect(throws: HistoryError.self) { try SampleHistory.entry(forged) }
    }

    @Test("the arms of a gate keep their own commits")
    func arms() throws {
        var result = SampleHistory.result([100, 110])
        result.runs[0].variant = "base"
        result.runs[1].variant = "head "
        var base = ArmFacts()
        base.variant = "base"
        base.tool = ToolFacts.current(version: "0.0.9", commit: "")
        base.programCRC32 = "1"
        base.scenarioSHA256 = "old"
        var head = base
        head.role = .head
        head.variant = "head "
        head.programCRC32 = "2"
        head.scenarioSHA256 = "new"
        result.design.arms = [base, head]
        let entry = try HistoryEntry(
            result, path: "g.json", fileSHA256: "g", commit: "1a2b3c")
        #expect(entry.variants.map(\.origin.variant) == ["base", "head"])
        #expect(entry.variants.map(\.origin.commit) == ["", "1a2b3c"])
        #expect(entry.variants.map(\.origin.scenarioSHA256) == ["old", "new"])
        #expect(entry.variants[0].origin.version == "0.0.9")
        // What the files say holds where nothing is given, and for a base whatever is given.
        result.design.arms?[0].tool?.commit = "0a0a0a"
        result.design.arms?[1].tool?.commit = "0b0b0b"
        let named = try HistoryEntry(result, path: "g.json", fileSHA256: "g")
        #expect(named.variants.map(\.origin.commit) == ["0a0a0a", "0b0b0b"])
        let given = try HistoryEntry(result, path: "g.json", fileSHA256: "g", commit: "1a2b3c")
        #expect(given.variants.map(\.origin.commit) == ["0a0a0a", "1a2b3c"])
    }

    @Test("only its owner may read it, and what SQLite puts beside it")
    func rights() throws {
        let folder = try Folder()
        let history = try HistoryDatabase(writing: folder.path("h.sqlite"))
        try history.add(SampleHistory.entry(SampleHistory.result([1])))
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) {
            let facts = try FileManager.default.attributesOfItem(atPath: folder.path(name))
            #expect(facts[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test("twelve writers at once lose nothing", .timeLimit(.minutes(5)))
    func concurrentWriters() async throws {
        let folder = try Folder()
        let path = folder.path("h.sqlite")
        let result = SampleHistory.result([1, 2, 3])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<12 {
                group.addTask {
                    let history = try HistoryDatabase(writing: path)
                    for number in 0..<5 {
                        try history.add(
                            SampleHistory.entry(result, digest: "\(writer)-\(number)"))
                        // And one that everybody brings.
                        try history.add(SampleHistory.entry(result, digest: "shared-\(number)"))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try HistoryDatabase(reading: path).list().count == 12 * 5 + 5)
    }

    @Test("what is no history is refused and stays as it was", arguments: Foreign.allCases)
    func foreign(_ kind: Foreign) throws {
        let folder = try Folder()
        let path = folder.path("h.sqlite")
        try kind.make(at: path)
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        for isWriting in [true, false] {
            do {
                let history =
                    isWriting
                    ? try HistoryDatabase(writing: path) : try HistoryDatabase(reading: path)
                _ = try history.list()
                Issue.record("\(kind) was taken for a history")
            } catch {
                #expect("\(error)".contains(kind.hint), "\(error)")
            }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test("a history that is not there is an error for a reader, and not made by it")
    func missing() throws {
        let folder = try Folder()
        #expect(throws: HistoryError.missing(path: folder.path("h.sqlite"))) {
            try HistoryDatabase(reading: folder.path("h.sqlite"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
        #expect(throws: HistoryError.self) { try HistoryDatabase(writing: folder.url.path) }
        #expect(throws: HistoryError.self) {
            try HistoryDatabase(writing: folder.path("no/such/folder/h.sqlite"))
        }
    }
}
