import Foundation
import FoundationXML
import Testing
import TraceHistory
import TraceResults

/// The drawing: well-formed, whole, and inert whatever names are in it.
@Suite("History chart")
struct HistoryChartTests {
    private func drawing(_ results: [RunResult]) throws -> XMLDocument {
        let folder = try Folder()
        let history = try HistoryDatabase(writing: folder.path("h.sqlite"))
        for result in results { try history.add(SampleHistory.entry(result)) }
        let series = try history.series(HistoryQuery(metric: "cpuNsPerSpan"))
        return try XMLDocument(xmlString: CourseChart.file(series.map(\.chart)))
    }

    @Test("a dot for each file, a rule and its words for each change, a line for each level")
    func marks() throws {
        let drawing = try drawing(
            (0..<24).map { day in
                SampleHistory.result(
                    [day < 12 ? 100 + Double(day % 3) : 150 + Double(day % 3)],
                    at: SampleHistory.day(day))
            })
        func count(_ kind: String) throws -> Int {
            try drawing.nodes(forXPath: "//*[contains(@class,'\(kind)')]").count
        }
        #expect(try count("dot") == 24)
        #expect(try drawing.nodes(forXPath: "//*[@class='limit']").count == 1)
        #expect(try drawing.nodes(forXPath: "//*[local-name()='polyline']").count == 2)
        #expect(try count("band") == 1)
        #expect(drawing.xmlString.contains("+49.5% worse"), "\(drawing.xmlString.suffix(900))")
    }

    @Test("hostile names are text and nothing else")
    func hostile() throws {
        let name = "</title><script>alert(1)</script>\u{202E}<img onerror='x'>"
        let drawing = try drawing([
            SampleHistory.result([1], commit: name, scenario: name),
            SampleHistory.result([2], at: SampleHistory.day(3), commit: "]]>&", scenario: name),
        ])
        #expect(try drawing.nodes(forXPath: "//*[local-name()='script']").isEmpty)
        #expect(try drawing.nodes(forXPath: "//*[local-name()='img']").isEmpty)
        #expect(try drawing.nodes(forXPath: "//@*[starts-with(local-name(),'on')]").isEmpty)
        #expect(!drawing.xmlString.unicodeScalars.contains("\u{202E}"))
    }
}
