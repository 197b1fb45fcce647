import FoundationEssentials
import Testing

@testable import TraceResults

/// What a gate shows, and that names from files do nothing in it.
@Suite("Gate rendering")
struct GateRenderingTests {
    private static let hostile =
        "=cmd|' /C calc'!A0 \u{1B}[31m<script>alert(1)</script> ::error::x | `a` [b](http://e.vil) \u{202E}\r\n"

    private static func report(effect: Double = 1.2) -> GateReport {
        GateJudge.report(
            on: SampleGate.result(
                effect: effect,
                budgets: [
                    GateBudget("cpuNsPerSpan", .regress, 0.05), GateBudget("keptSpans", .exact),
                    GateBudget("achievedSpansPerS", .min, 1000),
                ]))
    }

    private static func hostileReport() -> GateReport {
        var result = SampleGate.result(effect: 1.2)
        result.scenario = ScenarioFacts(name: hostile, seed: 1, resolved: "x")
        for index in result.runs.indices {
            result.runs[index].variant = result.runs[index].variant == "base" ? hostile : "head"
        }
        result.design.arms?[0].variant = hostile
        result.runs[4].invalidate(hostile)
        result.design.budgets?.append(GateBudget(hostile, .regress, 0.05))
        return GateJudge.report(on: result)
    }

    @Test("the table has every budget, its verdict and its reason, in 80 columns")
    func table() {
        let text = GateTable().text(of: Self.report(), path: "results/gate.json")
        let words = [
            "cpuNsPerSpan", "regress 5%", "REGRESSED: worse by +20", "keptSpans", "exact", "PASS",
            "15",
            "machine: calibration", "result: results/gate.json",
        ]
        for word in words { #expect(text.contains(word), "\(word) is not in \(text)") }
        for line in text.split(separator: "\n") {
            #expect(TerminalText.width(line) <= 80, "\(line)")
        }
        #expect(!text.contains("\u{1B}"))
        let coloured = GateTable(style: TerminalStyle(isColoured: true)).text(
            of: Self.report(), path: nil)
        #expect(coloured.contains("\u{1B}[1;31m"))
    }

    @Test("names do nothing on a terminal")
    func hostileTable() {
        let text = GateTable().text(of: Self.hostileReport(), path: Self.hostile)
        #expect(!text.contains("\u{1B}") && !text.contains("\u{202E}") && !text.contains("\r"))
    }

    @Test("Markdown says the verdict first, what failed, and folds the rest")
    func markdown() throws {
        let text = GateMarkdown.text(of: Self.report())
        #expect(text.hasPrefix("### ❌ tracemill gate: REGRESSED"))
        let failing = try #require(text.firstRange(of: "| cpuNsPerSpan |"))
        let folded = try #require(text.firstRange(of: "<details>"))
        let passing = try #require(text.firstRange(of: "| keptSpans |"))
        #expect(failing.lowerBound < folded.lowerBound && folded.lowerBound < passing.lowerBound)
        #expect(text.contains("</details>"))
    }

    @Test("Markdown stays below its limit with thousands of rows, and counts what it leaves out")
    func longMarkdown() throws {
        var report = Self.report()
        let row = try #require(report.rows.first)
        report.rows =
            Array(repeating: row, count: 3000) + Array(repeating: report.rows[1], count: 3000)
        report.errors = Array(repeating: String(repeating: "<", count: 5000), count: 3)
        let text = GateMarkdown.text(of: report)
        #expect(text.unicodeScalars.count < 60_000)
        #expect(text.contains("left out for length"))
        #expect(text.contains("</details>"))
        let long = String(repeating: "&", count: 100_000)
        report.scenario = long
        report.errors = Array(repeating: long, count: 100)
        report.notes = report.errors
        #expect(GateMarkdown.text(of: report).unicodeScalars.count < 60_000)
    }

    @Test("names do nothing in Markdown")
    func hostileMarkdown() {
        let text = GateMarkdown.text(of: Self.hostileReport())
        #expect(!text.contains("<script") && !text.contains("http://") && !text.contains("[b]"))
        #expect(!text.contains("`") && !text.contains("\u{1B}"))
        // Every row has the columns of its heading.
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            #expect(line.count(where: { $0 == "|" }) == 8, "\(line)")
        }
    }

    @Test("JUnit counts what failed, what is in error and what was skipped")
    func junit() throws {
        let text = GateJUnit.text(of: Self.report())
        #expect(text.contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\""))
        #expect(text.contains("<failure type=\"REGRESSED\""))
        let noisy = GateJUnit.text(
            of: GateJudge.report(on: SampleGate.result(effect: 1.04, noise: 0.2)))
        #expect(noisy.contains("failures=\"0\" errors=\"0\" skipped=\"1\""))
        let hostile = GateJUnit.text(of: Self.hostileReport())
        #expect(!hostile.contains("<script") && !hostile.contains("\u{1B}"))
        #expect(hostile.contains("<error type=\"INVALID\""))
        // Every opening has its end, and quotes stand around attributes only.
        #expect(hostile.count(where: { $0 == "<" }) == hostile.count(where: { $0 == ">" }))
        #expect(hostile.count(where: { $0 == "\"" }).isMultiple(of: 2))
    }

    @Test("CSV has a line a budget, numbers as numbers, and no formula")
    func csv() throws {
        let lines = GateCSV.text(of: Self.report()).split(separator: "\r\n")
        #expect(lines.count == 4)
        #expect(lines[1].hasPrefix("\"shop\",\"cpuNsPerSpan\",\"ns\","))
        #expect(lines[1].contains(",REGRESSED,false,"))
        #expect(GateCSV.field("=1+1") == "\"'=1+1\"")
        #expect(GateCSV.field("-2+3") == "\"'-2+3\"")
        #expect(GateCSV.field("a\"b") == "\"a\"\"b\"")
        let hostile = GateCSV.text(of: Self.hostileReport())
        #expect(hostile.contains("\"'=cmd"))
        #expect(!hostile.contains("\"=") && !hostile.contains("\u{1B}"))
    }

    @Test("annotations are one line each, at most nine, and hold no command of their own")
    func annotations() throws {
        let lines = GateAnnotations.lines(of: Self.report())
        #expect(lines.first?.hasPrefix("::error title=REGRESSED%3A cpuNsPerSpan::+20") == true)
        #expect(lines.count == 1)
        for line in GateAnnotations.lines(of: Self.hostileReport()) {
            #expect(!line.contains("\n") && !line.contains("\r") && !line.contains("\u{1B}"))
            let level = line.dropFirst(2).prefix { $0 != " " }
            #expect(["error", "warning"].contains(level))
        }
        var report = Self.report()
        report.rows = Array(repeating: try #require(report.rows.first), count: 50)
        #expect(GateAnnotations.lines(of: report).count == 9)
        let inconclusive = GateJudge.report(on: SampleGate.result(effect: 1.04, noise: 0.2))
        #expect(GateAnnotations.lines(of: inconclusive).allSatisfy { $0.hasPrefix("::warning ") })
    }

    @Test("JSON holds the verdict, the exit code and finite numbers")
    func document() throws {
        let text = GateDocument.text(of: Self.report())
        guard
            case .object(let fields) = try JSONDecoder().decode(
                JSONValue.self, from: Data(text.utf8))
        else { throw GateMetricFlaw.missing }
        #expect(fields["schema"] == .string("tracemill.gate/1"))
        #expect(fields["exitCode"] == .integer(1))
        guard case .array(let rows) = fields["rows"], case .object(let row) = rows[0] else {
            throw GateMetricFlaw.missing
        }
        #expect(row["verdict"] == .string("REGRESSED"))
        #expect(row["pairs"] == .integer(15))
        #expect(rows.count == 3)
    }

    @Test("changes are shown with their sign, and the unbounded as such")
    func texts() {
        #expect(GateText.change(1.05) == "+5.0%")
        #expect(GateText.change(0.9) == "-10.0%")
        #expect(GateText.change(1) == "+0.0%")
        #expect(GateText.change(25) == "× 25.0")
        #expect(
            GateText.change(IntervalEstimate(estimate: 1.1, lower: 0, upper: .infinity))
                == "+10.0% [–]")
        #expect(GateText.value(1200, unit: "ns") == "1.20 µs")
        #expect(GateText.value(2048, unit: "B") == "2.00 KiB")
        #expect(GateText.value(5e6, unit: "1/s") == "5.00M/s")
        #expect(GateText.exactValue(1_234_567) == "1,234,567")
    }
}
