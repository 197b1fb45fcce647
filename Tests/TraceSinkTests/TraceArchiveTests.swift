import Foundation
import Testing
import TraceResults

@testable import TraceSink

@Suite("Keeping traces to be asked for")
struct TraceArchiveTests {
    /// A folder of its own, gone with the value.
    final class Folder {
        let path = NSTemporaryDirectory() + "tracemill-archive-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var segments: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
                .filter { $0.hasSuffix(".seg") }.sorted()
        }

        func mode(_ name: String) -> Int {
            let facts = try? FileManager.default.attributesOfItem(atPath: path + name)
            return facts?[.posixPermissions] as? Int ?? -1
        }
    }

    private func archive(
        _ folder: Folder? = nil, bytesMax: Int = 1 << 20, tracesMax: Int = 1_000
    ) throws -> TraceArchive {
        var settings = SinkConfiguration.StoreSettings()
        settings.folder = folder?.path
        settings.bytesMax = bytesMax
        settings.tracesMax = tracesMax
        return try TraceArchive(settings)
    }

    @discardableResult
    private func add(_ spans: [StudySpan], to archive: inout TraceArchive) throws -> String? {
        try add(StudySpan.request(spans), to: &archive)
    }

    @discardableResult
    private func add(_ request: [UInt8], to archive: inout TraceArchive) throws -> String? {
        try unsafe request.withUnsafeBytes {
            archive.add(unsafe try RequestVerifier.verify($0), cameUnixNs: 1, nowNs: 1)
        }
    }

    private func key(_ trace: UInt64) -> TraceKey { TraceKey(high: 0x1111, low: trace) }

    private func document(_ trace: UInt64, in archive: TraceArchive) throws -> OTLPTraces? {
        guard let kept = archive.document(key(trace)) else { return nil }
        return try unsafe kept.bytes.withUnsafeBytes { unsafe try OTLPTraces(protobuf: $0) }
    }

    private func names(_ document: OTLPTraces?) -> [String] {
        (document?.resourceSpans ?? []).flatMap(\.scopeSpans).flatMap(\.spans).map(\.name)
    }

    @Test("Pieces of a trace from several requests are one document", arguments: [false, true])
    func pieces(inFolder: Bool) throws {
        let folder = inFolder ? Folder() : nil
        var archive = try archive(folder)
        try add(
            [
                StudySpan(id: 1, service: "a", name: "one"),
                StudySpan(trace: 2, id: 9, service: "a", name: "other"),
                StudySpan(id: 2, parent: 1, service: "b", name: "two", start: 2_000),
            ], to: &archive)
        try add([StudySpan(id: 3, parent: 1, service: "a", name: "three")], to: &archive)
        let first = try #require(try document(1, in: archive))
        #expect(first.resourceSpans.map(\.resource.serviceName) == ["a", "b"])
        #expect(first.resourceSpans.map(\.scopeSpans.count) == [1, 1])
        #expect(first.resourceSpans[0].scopeSpans[0].scope?.name == "scope")
        #expect(names(first) == ["one", "three", "two"])
        #expect(names(try document(2, in: archive)) == ["other"])
        #expect(try document(3, in: archive) == nil)
        #expect(TraceShape(first).isConnected)
        #expect(archive.document(key(1))?.isCut == false)
    }

    @Test("A list tells the latest first, and keeps to what it is asked for")
    func list() throws {
        var archive = try archive()
        for trace in 1...30 as ClosedRange<UInt64> {
            try add(
                [
                    StudySpan(trace: trace, id: 2, parent: 1, service: "b", name: "child"),
                    StudySpan(
                        trace: trace, id: 1, service: "a", name: "root \(trace)",
                        duration: trace * 1_000, isError: trace % 10 == 0),
                ], to: &archive)
        }
        func list(_ change: (inout TraceFilter) -> Void) -> [String] {
            var filter = TraceFilter()
            change(&filter)
            return archive.list(filter).map(\.name)
        }
        #expect(list { $0.limit = 3 } == ["root 30", "root 29", "root 28"])
        #expect(list { $0.onlyErrors = true } == ["root 30", "root 20", "root 10"])
        #expect(list { $0.durationNsMin = 29_000 } == ["root 30", "root 29"])
        #expect(list { $0.service = "c" } == [])
        #expect(list { $0.service = "b" }.count == 20)
        let newest = try #require(archive.list(TraceFilter()).first)
        #expect(newest.serviceName == "a")
        #expect(newest.services == ["a", "b"])
        #expect(newest.spans == 2 && newest.errors == 1 && newest.hasRoot)
        #expect(newest.durationNs == 30_000)
    }

    @Test("Traces of one request are listed in its order, whatever their identifiers")
    func order() throws {
        var archive = try archive()
        try add([7, 3, 9, 1].map { StudySpan(trace: $0, id: 1, name: "t\($0)") }, to: &archive)
        #expect(archive.list(TraceFilter()).map(\.name) == ["t1", "t9", "t3", "t7"])
    }

    @Test("The oldest give way, whole, when there are too many bytes", arguments: [false, true])
    func bytesMax(inFolder: Bool) throws {
        let folder = inFolder ? Folder() : nil
        var archive = try archive(folder, bytesMax: 64 << 10)
        let name = String(repeating: "n", count: 500)
        for trace in 1...500 as ClosedRange<UInt64> {
            try add([StudySpan(trace: trace, id: 1, name: name)], to: &archive)
        }
        #expect(archive.count > 50 && archive.count < 64 << 10 / 500)
        #expect(try document(1, in: archive) == nil)
        #expect(names(try document(500, in: archive)) == [name])
        if let folder {
            let bytes = folder.segments.reduce(0) { sum, file in
                sum + (FileManager.default.contents(atPath: folder.path + "/" + file)?.count ?? 0)
            }
            #expect(bytes <= 64 << 10 && bytes > 40 << 10)
        }
    }

    @Test("The oldest give way when there are too many traces")
    func tracesMax() throws {
        var archive = try archive(bytesMax: 64 << 10, tracesMax: 20)
        for trace in 1...100 as ClosedRange<UInt64> {
            try add([StudySpan(trace: trace, id: 1)], to: &archive)
        }
        #expect(archive.count <= 20)
        #expect(try document(100, in: archive) != nil)
    }

    @Test("A giant trace is cut, and does not push the others out")
    func giantTrace() throws {
        var archive = try archive(bytesMax: 256 << 10)
        for trace in 2...20 as ClosedRange<UInt64> {
            try add([StudySpan(trace: trace, id: 1)], to: &archive)
        }
        for id in 1...10_000 as ClosedRange<UInt64> {
            try add([StudySpan(id: id, parent: id - 1)], to: &archive)
        }
        #expect(archive.count == 20)
        let kept = try #require(archive.document(key(1)))
        #expect(kept.isCut)
        #expect(kept.bytes.count <= 64 << 10)
    }

    @Test("What a folder keeps is there after a restart, for its owner only")
    func restart() throws {
        let folder = Folder()
        do {
            var archive = try archive(folder)
            try add([StudySpan(id: 1, name: "before")], to: &archive)
        }
        var again = try archive(folder)
        #expect(names(try document(1, in: again)) == ["before"])
        #expect(again.list(TraceFilter()).map(\.name) == ["before"])
        try add([StudySpan(id: 2, parent: 1, name: "after", start: 2_000)], to: &again)
        #expect(names(try document(1, in: again)) == ["before", "after"])
        // It goes on in the segment it had begun.
        #expect(folder.segments == ["traces-00000001.seg"])
        #expect(folder.mode("") == 0o700)
        #expect(folder.mode("/traces-00000001.seg") == 0o600)
        #expect(folder.mode("/lock") == 0o600)
    }

    @Test("A tail torn anywhere costs what is torn, and nothing else", arguments: 0..<12)
    func tornTail(place: Int) throws {
        let folder = Folder()
        var sizes: [Int] = []
        let file = folder.path + "/traces-00000001.seg"
        do {
            var archive = try archive(folder)
            for trace in 1...4 as ClosedRange<UInt64> {
                try add([StudySpan(trace: trace, id: 1)], to: &archive)
                sizes.append(try #require(FileManager.default.contents(atPath: file)).count)
            }
        }
        // Cut within the last record: in its length, its sum, its payload, one byte short.
        let last = sizes[3] - sizes[2]
        let cut = sizes[2] + [0, 1, 4, 7, 8, 9, 20, 31, 32, 40, last - 2, last - 1][place]
        let whole = try #require(FileManager.default.contents(atPath: file))
        try whole.prefix(cut).write(to: URL(fileURLWithPath: file))
        var archive = try archive(folder)
        #expect(archive.count == 3)
        #expect(FileManager.default.contents(atPath: file)?.count == sizes[2])
        try add([StudySpan(trace: 9, id: 1)], to: &archive)
        #expect(archive.count == 4)
        let next = try self.archive(nil)
        #expect(next.count == 0)
    }

    @Test("A byte that changed on the disk loses that record and those behind it, without harm")
    func changedByte() throws {
        let folder = Folder()
        do {
            var archive = try archive(folder)
            for trace in 1...4 as ClosedRange<UInt64> {
                try add([StudySpan(trace: trace, id: 1)], to: &archive)
            }
        }
        let file = URL(fileURLWithPath: folder.path + "/traces-00000001.seg")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 0x40
        try bytes.write(to: file)
        let archive = try archive(folder)
        #expect((1...3).contains(archive.count))
        #expect(try document(1, in: archive) != nil)
    }

    @Test("Files that are not the store's are left alone")
    func foreignFiles() throws {
        let folder = Folder()
        try FileManager.default.createDirectory(
            atPath: folder.path, withIntermediateDirectories: true)
        for name in ["notes.txt", "traces-1.seg", "traces-00000007.seg", "traces-abcdefgh.seg"] {
            try Data("not a segment, and longer than its mark".utf8).write(
                to: URL(fileURLWithPath: folder.path + "/" + name))
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/traces-00000003.seg", withDestinationPath: "/etc/hostname")
        var archive = try archive(folder)
        try add([StudySpan(id: 1)], to: &archive)
        #expect(archive.count == 1)
        let text = try String(contentsOfFile: folder.path + "/traces-00000007.seg", encoding: .utf8)
        #expect(text == "not a segment, and longer than its mark")
    }

    @Test("One process at a time; what is no folder is refused, and said")
    func refused() throws {
        let folder = Folder()
        let held = try archive(folder)
        #expect(held.count == 0)
        let error = #expect(throws: TraceStoreError.self) { _ = try archive(folder) }
        #expect(error?.description.contains("another sink") == true)
        let file = Folder()
        try Data("x".utf8).write(to: URL(fileURLWithPath: file.path))
        let refusal = #expect(throws: TraceStoreError.self) { _ = try archive(file) }
        #expect(refusal?.description.contains("--store takes a folder") == true)
    }

    @Test("A folder that takes no more is said once, and once more when it takes them again")
    func full() throws {
        let folder = Folder()
        // A segment that is there already, under the number the next one would have.
        var archive = try archive(folder, bytesMax: 64 << 10)
        let name = String(repeating: "n", count: 500)
        func fill(_ range: ClosedRange<UInt64>) throws -> [String] {
            try range.compactMap { trace in
                try add([StudySpan(trace: trace, id: 1, name: name)], to: &archive)
            }
        }
        #expect(try fill(1...5) == [])
        let blocker = folder.path + "/traces-00000002.seg"
        try Data().write(to: URL(fileURLWithPath: blocker))
        let said = try fill(6...40)
        #expect(said.count == 1)
        #expect(said.first?.hasPrefix("traces cannot be kept: ") == true)
        #expect(archive.failure != nil)
        #expect(names(try document(5, in: archive)) == [name])
        try FileManager.default.removeItem(atPath: blocker)
        let better = try fill(41...42)
        #expect(better.count == 1)
        #expect(better.first?.hasPrefix("traces are kept again") == true)
        #expect(archive.failure == nil)
        #expect(names(try document(42, in: archive)) == [name])
    }
}
