// A gate for other programs: JUnit XML for test reports, CSV for spreadsheets, GitHub's annotations.
// Names come from files and may hold anything.

/// JUnit XML: a test case for each budget; what is inconclusive is skipped, not passed.
public enum GateJUnit {
    /// The gate as one test suite.
    public static func text(of report: GateReport) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
        \(suite(of: report))
        </testsuites>

        """
    }

    /// The suite alone.
    static func suite(of report: GateReport) -> String {
        var cases = report.rows.map { testCase($0, in: report) }
        cases += report.errors.map {
            testCase("comparison", element("error", "ERROR", $0), in: report.scenario)
        }
        cases += report.invalidRuns.map { run in
            testCase(
                "round \(run.round + 1), \(run.variant)",
                element("error", "INVALID", run.reason), in: report.scenario)
        }
        let unfit =
            report.fitness.isFit
            ? "" : element("skipped", "UNFIT", report.fitness.reasons.joined(separator: "; "))
        cases.append(testCase("machine", unfit, in: report.scenario))
        func count(_ name: String) -> Int { cases.count { $0.contains("<\(name) ") } }
        let name = EscapedText.markup("tracemill gate \(report.scenario)")
        return """
            <testsuite name="\(name)" tests="\(cases.count)" failures="\(count("failure"))" \
            errors="\(count("error"))" skipped="\(count("skipped"))">
            \(cases.joined(separator: "\n"))
            </testsuite>
            """
    }

    private static func testCase(_ row: GateRow, in report: GateReport) -> String {
        let name = "\(row.budget.metric) \(row.budget.text(unit: row.unit))"
        let change = row.ratio.map { " \(GateText.change($0))" } ?? ""
        let message = "\(row.label)\(change)\(row.reason.isEmpty ? "" : ": \(row.reason)")"
        let inner =
            switch (row.verdict, row.isAdvisory) {
            case (.pass, _): ""
            case (.error, _): element("error", row.label, message)
            case (.regressed, false): element("failure", row.label, message)
            case (.inconclusive, _), (.regressed, true): element("skipped", row.label, message)
            }
        return testCase(name, inner, in: report.scenario)
    }

    /// - Parameters:
    ///   - inner: markup.
    ///   - suite: the class that the case is shown under.
    static func testCase(_ name: String, _ inner: String, in suite: String) -> String {
        let opening =
            "<testcase classname=\"\(EscapedText.markup(suite))\" name=\"\(EscapedText.markup(name))\""
        return inner.isEmpty ? opening + "/>" : opening + ">" + inner + "</testcase>"
    }

    static func element(_ name: String, _ type: String, _ message: String) -> String {
        let type = name == "skipped" ? "" : " type=\"\(EscapedText.markup(type))\""
        return "<\(name)\(type) message=\"\(EscapedText.markup(message))\"/>"
    }
}

/// CSV (RFC 4180), a line for each budget.
public enum GateCSV {
    private static let heading = [
        "scenario", "metric", "unit", "base", "head", "ratio", "lower", "upper", "confidence",
        "pairs",
        "rule", "limit", "verdict", "advisory", "reason", "mannWhitneyP", "bootstrapLower",
        "bootstrapUpper",
    ]

    /// The gate's rows.
    public static func text(of report: GateReport) -> String {
        let lines = report.rows.map { row in
            [
                field(report.scenario), field(row.budget.metric), field(row.unit), number(row.base),
                number(row.head), number(row.ratio?.estimate), number(row.ratio?.lower),
                number(row.ratio?.upper), number(row.confidence), String(row.pairs),
                row.budget.rule.rawValue, number(row.budget.limit), row.label,
                row.isAdvisory ? "true" : "false", field(row.reason), number(row.mannWhitneyP),
                number(row.bootstrap?.lower), number(row.bootstrap?.upper),
            ].joined(separator: ",")
        }
        return ([heading.joined(separator: ",")] + lines).map { $0 + "\r\n" }.joined()
    }

    private static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        return value.description
    }

    /// A quoted text in which no spreadsheet sees a formula.
    static func field(_ text: String) -> String {
        var safe = TerminalText.neutralised(text)
        if let first = safe.first, "=+-@\t\r".contains(first) { safe = "'" + safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}

/// GitHub's workflow commands: a line a finding, shown at the top of the run.
public enum GateAnnotations {
    /// The annotations of what did not pass; at most nine, since GitHub shows ten a step.
    public static func lines(of report: GateReport) -> [String] {
        var lines: [String] = []
        for row in report.rows where row.verdict != .pass {
            let isFailure = row.exitCode == .regression || row.exitCode == .usage
            let change = row.ratio.map { GateText.change($0) + ", " } ?? ""
            lines.append(
                command(
                    isFailure ? "error" : "warning", "\(row.label): \(row.budget.metric)",
                    change + row.reason))
        }
        for finding in report.findings {
            let isFailure = ![.pass, .inconclusive].contains(report.exitCode)
            lines.append(
                command(isFailure ? "error" : "warning", "tracemill gate", finding))
        }
        guard lines.count > 9 else { return lines }
        let rest = lines.count - 8
        return lines.prefix(8) + [
            command("warning", "tracemill gate", "\(rest) more findings are in the summary")
        ]
    }

    private static func command(_ level: String, _ title: String, _ message: String) -> String {
        "::\(level) title=\(property(title))::\(data(message))"
    }

    static func data(_ text: String) -> String {
        TerminalText.neutralised(text).replacing("%", with: "%25").replacing("\r", with: "%0D")
            .replacing("\n", with: "%0A")
    }

    static func property(_ text: String) -> String {
        data(text).replacing(":", with: "%3A").replacing(",", with: "%2C")
    }
}
