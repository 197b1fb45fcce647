import Foundation
import Testing
import TraceHistory
import TraceResults

/// A figure's course: which results stand in one row, and where it changed.
@Suite("History series")
struct HistorySeriesTests {
    private func history(_ folder: Folder, _ results: [RunResult]) throws -> HistoryDatabase {
        let history = try HistoryDatabase(writing: folder.path("h.sqlite"))
        for result in results { try history.add(SampleHistory.entry(result)) }
        return history
    }

    @Test("a new level is marked where it begins, with what it was and what it is")
    func change() throws {
        let folder = try Folder()
        let results = (0..<24).map { day in
            SampleHistory.result(
                [(day < 14 ? 100 : 120) + Double(day * 7 % 5)], at: SampleHistory.day(day),
                commit: "c\(day)")
        }
        let history = try history(folder, results)
        let series = try #require(try history.series(HistoryQuery(metric: "cpuNsPerSpan")).first)
        #expect(series.changes.map(\.index) == [14])
        #expect(series.points[14].commit == "c14")
        #expect(series.changes.first?.before == 102)
        #expect(series.changes.first?.after == 122)
        #expect(series.changes.first?.isWorse == true)
    }

    @Test("the order is that of the measurements, not of adding")
    func order() throws {
        let folder = try Folder()
        let days = [5, 1, 9, 0, 3]
        let history = try history(
            folder, days.map { SampleHistory.result([Double($0)], at: SampleHistory.day($0)) })
        let series = try #require(try history.series(HistoryQuery(metric: "cpuNsPerSpan")).first)
        #expect(series.points.map(\.figure.median) == [0, 1, 3, 5, 9])
    }

    @Test("another machine, scenario, seed or variant is another series; edits join on request")
    func keys() throws {
        let folder = try Folder()
        var variant = SampleHistory.result([4])
        variant.runs[0].variant = "tail"
        let history = try history(
            folder,
            [
                SampleHistory.result([1]), SampleHistory.result([2], cpu: "Another CPU"),
                SampleHistory.result([3], resolved: "version: 1\nseed: 7\n"), variant,
                SampleHistory.result([5], scenario: "other"),
            ])
        var query = HistoryQuery(metric: "cpuNsPerSpan")
        #expect(try history.series(query).count == 5)
        query.joinsScenarioEdits = true
        #expect(try history.series(query).count == 4)
        query.scenario = "other"
        #expect(try history.series(query).map(\.points.count) == [1])
        query.scenario = nil
        query.variant = "tail"
        #expect(try history.series(query).first?.points.first?.figure.median == 4)
        query.variant = nil
        query.machine = "no such"
        #expect(try history.series(query).isEmpty)
    }

    @Test("since and last cut the course")
    func cut() throws {
        let folder = try Folder()
        let history = try history(
            folder,
            (0..<10).map { SampleHistory.result([Double($0)], at: SampleHistory.day($0)) })
        var query = HistoryQuery(metric: "cpuNsPerSpan")
        query.since = "2026-01-05"
        #expect(try history.series(query).first?.points.count == 6)
        query.last = 2
        #expect(try history.series(query).first?.points.map(\.figure.median) == [8, 9])
    }

    @Test("what follows from the seed changes with every difference, however short the series")
    func exact() throws {
        let folder = try Folder()
        let kept = [7.0, 7, 8, 8, 7]
        let history = try history(
            folder,
            kept.enumerated().map { day, value in
                SampleHistory.result([100], at: SampleHistory.day(day), kept: value)
            })
        let series = try #require(try history.series(HistoryQuery(metric: "keptSpans")).first)
        #expect(series.changes.map(\.index) == [2, 4])
        #expect(series.changes.map(\.isWorse) == [nil, nil])
        let text = HistoryTable(style: .plain).text(of: series)
        #expect(text.contains("2 changes of a figure that follows from the seed"))
    }

    @Test("the table shows the course, the change and what cannot be told")
    func table() throws {
        let folder = try Folder()
        let history = try history(
            folder,
            (0..<20).map { day in
                SampleHistory.result(
                    [(day < 10 ? 200 : 100) + Double(day % 3)], at: SampleHistory.day(day),
                    commit: "c\(day)\u{1B}[31m")
            })
        var query = HistoryQuery(metric: "cpuNsPerSpan")
        let table = HistoryTable(style: .plain)
        let text = table.text(of: try history.series(query))
        #expect(text.contains("│"))
        #expect(text.contains("▁"))
        #expect(text.contains("◆ -49.8% better from c10"), "\(text)")
        #expect(!text.contains("\u{1B}"))
        #expect(text.split(separator: "\n").allSatisfy { TerminalText.width($0) <= 140 })
        query.last = 5
        #expect(
            table.text(of: try history.series(query)).contains(
                "5 files: a change shows in 8 or more"))
    }

    @Test("CSV holds every point and no formula")
    func csv() throws {
        let folder = try Folder()
        let history = try history(
            folder, [SampleHistory.result([1.5], commit: "=cmd", scenario: "a,\"b\"")])
        let lines = HistoryCSV.text(
            of: try history.series(HistoryQuery(metric: "cpuNsPerSpan"))
        ).split(separator: "\r\n")
        #expect(lines.count == 2)
        #expect(lines[1].hasPrefix("\"a,\"\"b\"\"\","))
        #expect(lines[1].contains(",\"'=cmd\","))
        #expect(lines[1].contains(",1.5,1.5,1.5,1,"))
    }
}
