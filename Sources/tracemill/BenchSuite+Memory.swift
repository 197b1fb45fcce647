// What a pipeline states that it will hold, and what it holds when everything in it is full.
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

extension BenchSuite {
    private static var memorySizes: [MemoryTrial.Size] {
        [
            .init(
                "Small", liveSpans: 4_096, blocks: 2_048, queueBytes: 8 << 20, bodyBytes: 4 << 20,
                connections: 2),
            .init(
                "Default", liveSpans: 65_536, blocks: 16_384, queueBytes: 64 << 20,
                bodyBytes: 64 << 20, connections: 1),
            .init(
                "Live", liveSpans: 200_000, blocks: 20_000, queueBytes: 16 << 20,
                bodyBytes: 8 << 20, connections: 2),
            .init(
                "Gzip", liveSpans: 8_192, blocks: 2_048, queueBytes: 24 << 20, bodyBytes: 8 << 20,
                connections: 3, compression: .gzip),
        ]
    }

    mutating func memory() throws {
        for size in Self.memorySizes { try memory(size) }
    }

    private mutating func memory(_ size: MemoryTrial.Size) throws {
        let what = "at full use, \(size.name.lowercased())"
        let rows = [
            BenchRow(
                "memory\(size.name)GrowthMiB", "growth of VmHWM, \(what)", unit: "MiB",
                beside: "the statement"),
            BenchRow(
                "memory\(size.name)ArenaMiB", "jemalloc's arena, \(what)", unit: "MiB",
                beside: "the statement"),
        ]
        guard isAnyWanted(rows) else { return }
        var stated = MemoryTrial(size)
        if let pages = ArenaPageSource() { stated.pages = pages }
        let statement = stated.memoryStatement
        settings.memoryStatedBytes[rows[0].name] = statement.totalBytes
        onRemark?(
            "\(size.liveSpans) live spans, \(size.blocks) blocks, \(size.queueBytes >> 20) MiB queue, "
                + "\(size.connections + 1) bodies of \(size.bodyBytes >> 20) MiB"
                + (size.compression == .gzip ? ", gzip" : "") + "\n  \(statement)")
        let tolerated = 0.9...1.1
        try measure(rows) { _ in
            var trial = MemoryTrial(size)
            guard let pages = ArenaPageSource() else {
                throw BenchBroken(description: "jemalloc makes no further arena")
            }
            trial.pages = pages
            trial.heldBytes = { pages.heldBytes }
            let outcome = try trial.run()
            guard outcome.ledger.holds else {
                throw BenchBroken(description: outcome.ledger.verdictText)
            }
            let stated = Double(outcome.statement.totalBytes)
            // libcurl's buffers are not of the arena.
            let statedOfArena = Double(outcome.statement.pagesBytes)
            let grown = Double(outcome.residentGrowthBytes)
            let held = Double(outcome.heldBytes ?? 0)
            guard tolerated.contains(grown / stated), tolerated.contains(held / statedOfArena)
            else {
                throw BenchBroken(
                    description: "\(outcome.statement), and it held "
                        + "\(NumberText.size(bytes: held)) of its arena and the process grew by "
                        + NumberText.size(bytes: grown))
            }
            let mebibyte = Double(1 << 20)
            return [
                BenchSample(grown / mebibyte, beside: stated / mebibyte),
                BenchSample(held / mebibyte, beside: statedOfArena / mebibyte),
            ]
        }
    }
}
