// The report as one HTML file: no script, no address, nothing loaded. Its content security policy allows its
// own style sheet by digest, and nothing else.

import FoundationEssentials

/// Renders result files as one page.
public enum ReportPage {
    /// The page. O(runs · figures); a few milliseconds a run.
    public static func html(of inputs: [ReportInput]) -> String {
        html(of: inputs, courses: [])
    }

    /// The page with figures over commits; of those alone where there are no inputs.
    package static func html(of inputs: [ReportInput], courses: [ReportCourse]) -> String {
        ReportPageWriter(ReportStudy(inputs, courses: courses)).page()
    }
}

/// Writes one page. Its parts are in ReportParts.swift.
struct ReportPageWriter {
    private let study: ReportStudy

    init(_ study: ReportStudy) {
        self.study = study
    }

    private struct Section {
        var id: String
        var title: String
        var body: Markup
    }

    func page() -> String {
        let sections = sections()
        var page = Markup()
        page.writeOwn("<!DOCTYPE html>\n")
        page.element("html", ["lang": "en"]) { html in
            html.element("head", [:], head)
            html.element("body") { body in
                body.element(
                    "a", ["class": "skip", "href": "#content"], text: "Skip to the results")
                header(&body)
                body.element("nav", ["aria-label": "Sections"]) { nav in
                    nav.element("ul") { list in
                        for section in sections {
                            list.element("li") {
                                $0.element("a", ["href": "#\(section.id)"], text: section.title)
                            }
                        }
                    }
                }
                body.element("main", ["id": "content", "tabindex": "-1"]) { main in
                    for section in sections {
                        main.element(
                            "section",
                            ["id": section.id, "aria-labelledby": "\(section.id)-heading"]
                        ) {
                            $0.element(
                                "h2", ["id": "\(section.id)-heading"], text: section.title)
                            $0.append(section.body)
                        }
                        main.writeOwn("\n")
                    }
                }
                body.element("footer") { footer in
                    footer.element(
                        "p",
                        text: "Made by tracemill from \(origin). "
                            + "How to read each chart: docs/report.md.")
                }
            }
        }
        page.writeOwn("\n")
        return page.text
    }

    // MARK: Head

    private func head(_ head: inout Markup) {
        let digest = SHA256Digest.bytes(of: ReportStyle.sheet)
        let hash = Data(digest).base64EncodedString()
        head.element("meta", ["charset": "utf-8"])
        head.element(
            "meta",
            [
                "http-equiv": "Content-Security-Policy",
                "content": "default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; "
                    + "form-action 'none'",
            ])
        head.element(
            "meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
        head.element("meta", ["name": "color-scheme", "content": "light dark"])
        head.element("meta", ["name": "referrer", "content": "no-referrer"])
        head.element("title", text: title)
        head.element("style") { $0.writeOwn(ReportStyle.sheet) }
    }

    private var scenarios: [String] {
        var seen: Set<String> = []
        return study.inputs.map(\.result.scenario.name).filter { seen.insert($0).inserted }
    }

    /// Whether there is nothing but figures over commits.
    private var isHistory: Bool { study.inputs.isEmpty && !study.courses.isEmpty }

    private var heading: String {
        guard isHistory else { return ReportText.list(scenarios) }
        let metrics = ReportStudy.distinct(study.courses.map(\.metric))
        return "\(ReportText.list(metrics)) over commits"
    }

    private var origin: String {
        let courses = GateText.count(study.courses.count, "course") + " of a history"
        guard !isHistory else { return courses }
        return GateText.count(study.inputs.count, "result file")
            + (study.courses.isEmpty ? "" : " and \(courses)")
    }

    private var title: String { "tracemill: \(heading)" }

    private func header(_ body: inout Markup) {
        body.element("header") { header in
            header.element(
                "p", ["class": "muted"], text: isHistory ? "tracemill history" : "tracemill report")
            header.element("h1", text: heading)
            let began = study.runs.first?.run.startedAt ?? ""
            let ended = study.runs.last?.run.startedAt ?? ""
            var facts =
                "\(GateText.count(study.runs.count, "run")) in "
                + GateText.count(study.inputs.count, "file")
            if !began.isEmpty { facts += ", started \(began)" }
            if ended != began { facts += " to \(ended)" }
            if !isHistory { header.element("p", ["class": "muted"], text: facts) }
            header.element("ul", ["class": "verdicts"]) { list in
                for (tone, word, text) in verdicts() {
                    list.element("li") { item in
                        item.element("span", ["class": "verdict \(tone.rawValue)"], text: word)
                        item.write(" \(text)")
                    }
                }
            }
        }
    }

    private func verdicts() -> [(ReportTone, String, String)] {
        (isHistory ? [] : runVerdicts()) + [study.courseVerdict()].compactMap(\.self)
    }

    private func runVerdicts() -> [(ReportTone, String, String)] {
        var lines = study.gates.map { file, report -> (ReportTone, String, String) in
            let place = study.inputs.count > 1 ? "\(study.fileNames[file]): " : ""
            let passed = report.rows.count { $0.verdict == .pass }
            var text =
                "\(place)\(report.headName) against \(report.baseName), "
                + "\(passed) of \(GateText.count(report.rows.count, "budget")) within bounds, "
                + GateText.count(report.rounds, "round")
            if !report.fitness.isFit { text += "; the machine was unfit" }
            return (report.exitCode.tone, report.verdictText, text)
        }
        let flawed = study.runs.count { $0.flaw != nil }
        if study.runs.isEmpty {
            lines.append((.unsure, "EMPTY", "no file holds a run"))
        } else if flawed > 0 {
            lines.append(
                (
                    .bad, "INVALID",
                    "\(flawed) of \(GateText.count(study.runs.count, "run")) do not count: see Runs"
                ))
        } else if lines.isEmpty {
            lines.append(
                (
                    .good, "VALID",
                    "every run's books balance; nothing was judged, since no file is a gate's"
                ))
        }
        return lines
    }

    // MARK: Sections

    private func sections() -> [Section] {
        var sections: [Section] = []
        func add(_ id: String, _ title: String, _ write: (inout Markup) -> Void) {
            var body = Markup()
            write(&body)
            guard !body.text.isEmpty else { return }
            sections.append(Section(id: id, title: title, body: body))
        }
        if !isHistory { add("summary", "Summary", summary) }
        add("change", "Change against the budget") { body in
            figures(study.forests(), &body)
            for (file, report) in study.gates {
                card(&body) { gate(file, report, &$0) }
            }
        }
        add("course", "Course over commits") { figures(study.courseFigures(), &$0) }
        guard !isHistory else { return sections }
        add("latency", "Latency") { figures(study.latencies(), &$0) }
        add("throughput", "Throughput") { figures([study.throughput()].compactMap(\.self), &$0) }
        add("memory", "Memory") { figures([study.memory()].compactMap(\.self), &$0) }
        add("drift", "Order and drift") { figures([study.drift()].compactMap(\.self), &$0) }
        add("fidelity", "Cost against fidelity") { figures(study.fidelities(), &$0) }
        add("services", "Services") { figures(study.graphs(), &$0) }
        add("traces", "Traces") { figures(study.waterfalls(), &$0) }
        add("books", "Books") { body in
            card(&body) { card in
                card.element(
                    "p",
                    text:
                        "Every span is counted on every side; L0 to L3 say that none vanished and none "
                        + "appeared.")
                table(study.ledgerTable(), &card)
            }
        }
        add("figures", "All figures") { body in
            card(&body) { table(study.metricTable(), &$0) }
        }
        add("runs", "Runs") { body in
            if let flaws = study.flawTable() { card(&body) { table(flaws, &$0) } }
            card(&body) { table(study.runTable(), &$0) }
        }
        add("conditions", "Conditions", conditions)
        return sections
    }

    private func summary(_ body: inout Markup) {
        let tiles = study.tiles()
        if !tiles.isEmpty {
            body.element("dl", ["class": "tiles"]) { list in
                for (label, value) in tiles {
                    list.element("div", ["class": "tile"]) {
                        $0.element("dt", text: label)
                        $0.element("dd", text: value)
                    }
                }
            }
        }
        if let main = study.mainTable() { card(&body) { table(main, &$0) } }
        let missing = missing()
        if !missing.isEmpty {
            body.element(
                "p", ["class": "muted"],
                text: "Not in these files: \(missing.joined(separator: "; ")).")
        }
    }

    /// What a reader may look for and does not find, with what would bring it.
    private func missing() -> [String] {
        var missing: [String] = []
        let counted = study.groups.flatMap(\.runs)
        if study.gates.isEmpty { missing.append("a verdict (tracemill gate)") }
        if study.courses.isEmpty { missing.append("figures over commits (report --history)") }
        if !counted.contains(where: { $0.metrics["errorTraceRecall"] != nil }) {
            missing.append("cost against fidelity (tracemill compare, or run --fidelity)")
        }
        if !counted.contains(where: { $0.graph != nil }) {
            missing.append("the service graph (a run with a receiver of ours)")
        }
        if !counted.contains(where: { $0.exampleTraces != nil }) {
            missing.append("traces to look at (a run of this version or later)")
        }
        return missing
    }

    private func gate(_ file: Int, _ report: GateReport, _ body: inout Markup) {
        table(study.budgetTable(file, report), &body)
        let lines = report.findings + report.notes + [report.fitness.text].compactMap(\.self)
        guard !lines.isEmpty else { return }
        body.element("ul") { list in
            for line in lines.prefix(24) { list.element("li", text: line) }
        }
    }

    private func conditions(_ body: inout Markup) {
        for (title, facts) in study.designs() {
            card(&body) { card in
                card.element("h3", text: title)
                card.element("dl", ["class": "facts"]) { list in
                    for (name, fact) in facts {
                        list.element("dt", text: name)
                        list.element("dd", text: fact)
                    }
                }
            }
        }
        var seen: Set<String> = []
        for input in study.inputs where seen.insert(input.result.scenario.sha256).inserted {
            guard !input.result.scenario.resolved.isEmpty, seen.count <= 4 else { continue }
            card(&body) { card in
                card.element("details") { details in
                    details.element(
                        "summary", text: "The scenario \(input.result.scenario.name), resolved")
                    details.element("pre", ["tabindex": "0"]) { pre in
                        // Its lines are the only ones that may break.
                        let lines = input.result.scenario.resolved.prefix(40_000)
                            .split(separator: "\n", omittingEmptySubsequences: false)
                        for line in lines {
                            pre.write(String(line))
                            pre.writeOwn("\n")
                        }
                    }
                }
            }
        }
    }
}

extension SHA256Digest {
    fileprivate static func bytes(of text: String) -> [UInt8] {
        var digest = SHA256Digest()
        digest.update(text.utf8)
        return digest.finished()
    }
}
