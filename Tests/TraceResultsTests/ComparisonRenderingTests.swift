import Foundation
import FoundationXML
import Testing

@testable import TraceResults

/// A comparison in every form, with names that would like to be more than names.
@Suite("Comparison rendering")
struct ComparisonRenderingTests {
    private static let hostile =
        "=cmd|'/c calc'!A0 <script>alert(\"1\")</script> &amp; | `x` **b** \u{1B}[31m\r\n]]> \u{202E}"

    private static func hostileComparison(sweep: Bool = false) throws -> Comparison {
        var variants = SampleComparison.shop
        variants[1].name = hostile
        var result = SampleComparison.result(variants, rounds: 6, noise: 0.1, name: hostile)
        for index in result.runs.indices where result.runs[index].variant == hostile {
            result.runs[index].metrics[hostile] = Metric(
                1e300, unit: hostile, better: .lower, kind: .mean)
        }
        let index = try #require(result.runs.firstIndex { $0.variant == "tail" })
        result.runs[index].invalidate(hostile)
        for index in result.design.variants?.indices ?? 0..<0 {
            result.design.variants?[index].unreachable = hostile
            result.design.variants?[index].budgetSpanShare = 0.1
            result.design.variants?[index].solvedSpanShare = 0.1
            result.design.variants?[index].residualShare = -0.2
            result.design.variants?[index].argumentName = hostile
            result.design.variants?[index].argument = 0.012345
            if sweep { result.design.variants?[index].family = hostile }
        }
        var comparison = try SampleComparison.comparison(result)
        comparison.notes = [hostile]
        comparison.servicePairs = [
            ServicePairTable(
                variant: hostile, services: [hostile, "b"], shares: [[1, 0.1], [nil, 1]])
        ]
        return comparison
    }

    @Test("the table marks the best, the front and the dominated, and fits the terminal")
    func table() throws {
        let comparison = try SampleComparison.comparison(SampleComparison.result())
        let text = ComparisonTable(width: 80).text(of: comparison, path: "results/x.json")
        #expect(text.contains("● ratio"))
        #expect(text.contains("○ limit"))
        #expect(text.contains("4.00 ms*"))
        #expect(text.contains("41.0%"))
        #expect(text.contains("result: results/x.json"))
        for line in text.split(separator: "\n") {
            #expect(TerminalText.width(line) <= 80, "\(line)")
        }
        let wide = ComparisonTable(width: 200).text(of: comparison, path: nil)
        #expect(wide.split(separator: "\n").count < text.split(separator: "\n").count)
        let coloured = ComparisonTable(style: TerminalStyle(isColoured: true)).text(
            of: comparison, path: nil)
        #expect(coloured.contains("\u{1B}[2m  ○ limit"))
    }

    @Test("names cannot steer a terminal")
    func hostileTable() throws {
        let comparison = try Self.hostileComparison()
        let text = ComparisonTable(width: 80).text(of: comparison, path: Self.hostile)
        #expect(!text.contains("\u{1B}") && !text.contains("\r") && !text.contains("\u{202E}"))
    }

    @Test("Markdown: bold for the best, names as they are and nothing else")
    func markdown() throws {
        let plain = ComparisonMarkdown.text(
            of: try SampleComparison.comparison(SampleComparison.result()))
        #expect(plain.contains("| ● | ratio |"))
        #expect(plain.contains("**4.00 ms**"))
        let text = ComparisonMarkdown.text(of: try Self.hostileComparison())
        #expect(!text.contains("<script") && !text.contains("\u{1B}") && !text.contains("`x`"))
        #expect(!text.contains("**b**"))
        let rows = text.split(separator: "\n").filter {
            $0.hasPrefix("| ● |") || $0.hasPrefix("| ○ |")
        }
        // A name with a bar in it makes no further column.
        #expect(Set(rows.map { $0.count { $0 == "|" } }).count == 1)
    }

    @Test("CSV: a line for each variant and figure, no formulas, every line with the same fields")
    func csv() throws {
        let plain = ComparisonCSV.text(
            of: try SampleComparison.comparison(SampleComparison.result()))
        let lines = plain.split(separator: "\r\n")
        #expect(lines[0].hasPrefix("scenario,variant,family,"))
        #expect(lines.contains { $0.contains("\"ratio\"") && $0.contains("\"errorTraceRecall\"") })
        #expect(Set(lines.map { $0.count { $0 == "," } }).count == 1)
        let text = ComparisonCSV.text(of: try Self.hostileComparison())
        #expect(text.contains("\"'=cmd"))
        #expect(!text.contains("\"=") && !text.contains("\u{1B}") && !text.contains(",="))
    }

    @Test("the JSON document has every figure, with null for what there is not")
    func document() throws {
        let comparison = try SampleComparison.comparison(SampleComparison.result())
        let value = try #require(try document(ComparisonDocument.text(of: comparison)))
        #expect(value["schema"] as? String == "tracemill.compare/1")
        let variants = try #require(value["variants"] as? [[String: Any]])
        #expect(variants.count == 4)
        let tail = try #require(variants.first { $0["name"] as? String == "tail" })
        let figures = try #require(tail["metrics"] as? [String: [String: Any]])
        #expect(figures["errorTraceRecall"]?["median"] as? Double == 1)
        #expect(figures["errorTraceRecall"]?["interval"] is NSNull)
        #expect(figures["cpuNsPerSpan"] != nil)
        let hostile = ComparisonDocument.text(of: try Self.hostileComparison())
        #expect(try document(hostile) != nil)
    }

    private func document(_ text: String) throws -> [String: Any]? {
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    }

    @Test("the plot is XML for any name, has a title, a description and both colour schemes")
    func plot() throws {
        let plain = ComparisonPlot.svg(
            of: try SampleComparison.comparison(SampleComparison.result()))
        #expect(plain.contains("prefers-color-scheme: dark"))
        #expect(
            plain.contains("<title id=\"title\">shop: error recall against CPU/1000 traces</title>")
        )
        #expect(plain.contains("tail: CPU/1000 traces 8.00 ms, error recall 100%"))
        #expect(plain.contains("class=\"front\""))
        #expect(try elements(plain)["circle"] == 4)
        let hostile = ComparisonPlot.svg(of: try Self.hostileComparison())
        #expect(!hostile.contains("<script") && !hostile.contains("\u{1B}"))
        #expect(try elements(hostile)["script"] == nil)
        #expect(try elements(hostile)["circle"] == 4)
    }

    @Test("a sweep is drawn as a curve for each sampler")
    func curves() throws {
        var variants: [SampleComparison.Variant] = []
        for (index, share) in [0.001, 0.01, 0.1, 0.5].enumerated() {
            for name in ["ratio", "tail"] {
                variants.append(
                    .init(
                        name: "\(name) @ \(share)", cost: 4, recall: name == "tail" ? 1 : share,
                        kept: share * (1 + Double(index) / 100)))
            }
        }
        var result = SampleComparison.result(variants, rounds: 2)
        for index in result.design.variants?.indices ?? 0..<0 {
            result.design.variants?[index].family = index.isMultiple(of: 2) ? "ratio" : "tail"
        }
        let svg = ComparisonPlot.svg(of: try SampleComparison.comparison(result))
        let found = try elements(svg)
        #expect(found["polyline"] == 2)
        #expect(found["circle"] == 8)
        let hostile = ComparisonPlot.svg(of: try Self.hostileComparison(sweep: true))
        #expect(try elements(hostile)["polyline"] == 1)
    }

    @Test("figures beyond all bounds still make a picture")
    func extremes() throws {
        for cost in [0, Double.leastNonzeroMagnitude, 1e300, Double.greatestFiniteMagnitude, -5] {
            let result = SampleComparison.result([
                .init(name: "a", cost: cost, recall: 0), .init(name: "b", cost: 1, recall: 1),
            ])
            let comparison = try SampleComparison.comparison(result)
            let svg = ComparisonPlot.svg(of: comparison)
            #expect(try elements(svg)["circle"] == 2)
            #expect(!svg.contains("nan") && !svg.contains("inf\""))
            _ = ComparisonTable().text(of: comparison, path: nil)
        }
    }

    /// How many elements of each name the text has, by Foundation's own XML parser; throws where it is none.
    private func elements(_ text: String) throws -> [String: Int] {
        final class Counter: NSObject, XMLParserDelegate {
            var counts: [String: Int] = [:]
            func parser(
                _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
                qualifiedName: String?, attributes: [String: String] = [:]
            ) {
                counts[name, default: 0] += 1
            }
        }
        let parser = XMLParser(data: Data(text.utf8))
        let counter = Counter()
        parser.delegate = counter
        let isWhole = parser.parse()
        #expect(isWhole, "\(String(describing: parser.parserError))")
        return counter.counts
    }
}
