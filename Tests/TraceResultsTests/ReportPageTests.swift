import Foundation
import FoundationXML
import Testing

@testable import TraceResults

/// The page as text: well-formed, strict, and deaf to what files say.
@Suite("The report's page")
struct ReportPageTests {
    private func page(_ results: RunResult...) -> String {
        ReportPage.html(
            of: results.enumerated().map { ReportInput(path: "run-\($0).json", result: $1) })
    }

    /// Names of elements and attributes of a document; nil when it is not well-formed.
    private func shape(_ text: String) throws -> Elements {
        let parser = XMLParser(data: Data(text.replacing("<!DOCTYPE html>", with: "").utf8))
        let elements = Elements()
        parser.delegate = elements
        let isWhole = parser.parse()
        #expect(isWhole, "\(parser.parserError.map { "\($0)" } ?? "") line \(parser.lineNumber)")
        return elements
    }

    private final class Elements: NSObject, XMLParserDelegate {
        var names: [String] = []
        var attributes: Set<String> = []
        var identifiers: [String] = []
        var headings: [Int] = []
        var labelled: [String] = []
        var withoutName = 0

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes found: [String: String]
        ) {
            names.append(name)
            attributes.formUnion(found.keys)
            if let id = found["id"] { identifiers.append(id) }
            if let level = ["h1", "h2", "h3"].firstIndex(of: name) { headings.append(level + 1) }
            if let target = found["aria-labelledby"] {
                labelled += target.split(separator: " ").map(String.init)
            }
            if name == "svg", found["aria-hidden"] == nil {
                let isNamed =
                    found["role"] == "img" && found["aria-labelledby"] != nil
                    && found["tabindex"] == "0"
                withoutName += isNamed ? 0 : 1
            }
        }
    }

    @Test("it is well-formed, has no script and no address, and allows its own style alone")
    func strict() throws {
        let text = page(SampleReport.gate(), SampleReport.comparison())
        let shape = try shape(text)
        #expect(!shape.names.contains("script") && !shape.names.contains("link"))
        #expect(!shape.names.contains("img") && !shape.names.contains("iframe"))
        #expect(
            shape.attributes.isDisjoint(with: ["style", "src", "srcset", "xlink:href", "action"]))
        #expect(!shape.attributes.contains { $0.hasPrefix("on") })
        #expect(!text.contains("http:") && !text.contains("https:") && !text.contains("url("))
        let style = try #require(text.firstRange(of: "<style>"))
        let end = try #require(text.firstRange(of: "</style>"))
        var digest = SHA256Digest()
        digest.update(text[style.upperBound..<end.lowerBound].utf8)
        let hash = Data(digest.finished()).base64EncodedString()
        #expect(
            text.contains(
                "default-src &#39;none&#39;; style-src &#39;sha256-\(hash)&#39;; base-uri"))
    }

    @Test("landmarks, headings in their order, names of images and tables for who cannot see them")
    func accessible() throws {
        let text = page(SampleReport.gate())
        let shape = try shape(text)
        for name in ["header", "nav", "main", "footer", "h1", "section", "figure", "figcaption"] {
            #expect(shape.names.contains(name), "\(name)")
        }
        #expect(Set(shape.identifiers).count == shape.identifiers.count)
        #expect(Set(shape.labelled).isSubset(of: Set(shape.identifiers)))
        #expect(shape.withoutName == 0)
        #expect(shape.headings.first == 1)
        for (before, after) in zip(shape.headings, shape.headings.dropFirst()) {
            #expect(after <= before + 1)
        }
        func count(_ name: String) -> Int { shape.names.count { $0 == name } }
        #expect(count("caption") == count("table"))
        // Each chart at two widths, with the numbers behind it.
        let figures = count("figure")
        #expect(figures >= 7)
        #expect(text.components(separatedBy: "class=\"chart wide\"").count - 1 == figures)
        #expect(text.components(separatedBy: "class=\"chart narrow\"").count - 1 == figures)
        #expect(text.components(separatedBy: "The numbers behind it").count - 1 == figures)
        for id in [
            "forest-0", "chart-throughput", "chart-drift", "graph-0", "trace-typical-0",
            "trace-slowest-0",
        ] {
            #expect(shape.identifiers.contains(id), "\(id)")
        }
    }

    @Test("names from files make no element and no attribute, wherever they stand")
    func hostile() throws {
        let plain = page(SampleReport.gate(name: "plain"), SampleReport.comparison(name: "plain"))
        let name = SampleReport.hostile
        var gate = SampleReport.gate(name: name)
        gate.runs[0].invalidate(name)
        gate.tool.version = name
        var expected = SampleReport.gate(name: "plain")
        expected.runs[0].invalidate("plain")
        let text = page(gate, SampleReport.comparison(name: name))
        let (found, whole) = (
            try shape(text), try shape(page(expected, SampleReport.comparison(name: "plain")))
        )
        // Labels may find another place, or none, when they are longer.
        func shapes(_ names: [String]) -> [String] { names.filter { $0 != "text" } }
        #expect(shapes(found.names) == shapes(whole.names))
        #expect(found.attributes == whole.attributes)
        #expect(try shape(plain).attributes == whole.attributes)
        #expect(
            !text.unicodeScalars.contains { ($0.value < 32 && $0 != "\n") || $0.value == 0x202E })
        #expect(text.contains("&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;"))
    }

    @Test("figures over commits stand among the charts, and alone on a page of their own")
    func courses() throws {
        let courses = SampleReport.courses()
        let input = ReportInput(path: "gate.json", result: SampleReport.gate())
        let both = ReportPage.html(of: [input], courses: courses)
        let shape = try shape(both)
        #expect(shape.identifiers.contains("course-0") && shape.identifiers.contains("course-1"))
        #expect(shape.identifiers.contains("forest-0"))
        #expect(shape.withoutName == 0)
        #expect(Set(shape.identifiers).count == shape.identifiers.count)
        #expect(
            both.contains("the newest change was for the worse in 1 of 2 courses (cpuNsPerSpan)"))
        #expect(ReportFormat.markdown.text(of: [input], courses: courses).contains("Worse since"))
        let alone = ReportPage.html(of: [], courses: courses)
        #expect(try self.shape(alone).names.count { $0 == "figure" } == 2)
        #expect(alone.contains("<h1>cpuNsPerSpan over commits</h1>"))
        #expect(!alone.contains("Books") && !alone.contains("EMPTY") && !alone.contains(" run in "))
        let steady = ReportPage.html(of: [], courses: [courses[1]])
        #expect(steady.contains("STEADY") && !steady.contains("WORSE"))
        // Without a history there is no such section, and the summary says what would bring it.
        let without = page(SampleReport.gate())
        #expect(!without.contains("course-0") && without.contains("report --history"))
    }

    @Test("names in a course make no element either")
    func hostileCourse() throws {
        let plain = try shape(ReportPage.html(of: [], courses: SampleReport.courses()))
        let hostile = try shape(
            ReportPage.html(of: [], courses: SampleReport.courses(name: SampleReport.hostile)))
        func shapes(_ names: [String]) -> [String] { names.filter { $0 != "text" } }
        #expect(shapes(plain.names) == shapes(hostile.names))
        #expect(plain.attributes == hostile.attributes)
    }

    @Test("two hundred runs, in one file or in as many, make a page of at most 5 MiB")
    func size() throws {
        let result = SampleReport.gate(rounds: 100)
        #expect(result.runs.count == 200)
        #expect(page(result).utf8.count <= 5 << 20)
        let inputs = result.runs.enumerated().map { place, run in
            var single = result
            single.design.arms = nil
            single.design.kind = .single
            single.runs = [run]
            return ReportInput(path: "run-\(place).json", result: single)
        }
        let many = ReportPage.html(of: inputs)
        #expect(many.utf8.count <= 5 << 20)
        _ = try shape(many)
    }

    @Test("Markdown, JUnit and CSV are whole, bounded, and neutral towards names")
    func otherForms() throws {
        let inputs = [SampleReport.gate(name: SampleReport.hostile), SampleReport.comparison()]
            .enumerated().map { ReportInput(path: "\($0).json", result: $1) }
        let markdown = ReportFormat.markdown.text(of: inputs)
        #expect(markdown.unicodeScalars.count < 60_000)
        #expect(markdown.contains("REGRESSED") && !markdown.contains("<img"))
        let junit = ReportFormat.junit.text(of: inputs)
        let suites = try shape(junit)
        #expect(suites.names.count { $0 == "testsuite" } == 2)
        #expect(suites.names.count { $0 == "testcase" } == 4 + 1 + 16 + 10)
        let csv = ReportFormat.csv.text(of: inputs)
        let lines = csv.split(separator: "\r\n")
        let figures = inputs.flatMap(\.result.runs).reduce(0) { $0 + $1.metrics.count }
        #expect(lines.count == 1 + figures)
        #expect(!csv.contains("\u{1b}"))
        let alone = ReportFormat.csv.text(of: [inputs[0], inputs[0]])
        #expect(alone.split(separator: "\r\n").count == 1 + 2 * 4)
        #expect(alone.hasPrefix("scenario,metric,"))
    }

    @Test("a file's ending says the form")
    func endings() {
        #expect(ReportFormat(path: "a/b.HTML") == .html)
        #expect(ReportFormat(path: "b.md") == .markdown)
        #expect(ReportFormat(path: "b.xml") == .junit)
        #expect(ReportFormat(path: "b.csv") == .csv)
        for path in ["b", "b.json", "a.html/b", "", "."] {
            #expect(ReportFormat(path: path) == nil)
        }
    }
}
