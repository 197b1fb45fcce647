// How well traces arrived, on the terminal.

extension ResultTable {
    /// The block of a run's table; empty when no trace came.
    func traces(_ quality: TraceQualityFigures) -> [String] {
        guard quality.traces > 0 else { return [] }
        func count(_ number: UInt64) -> String { NumberText.grouped(number) }
        let chosen = quality.oneIn > 1 ? "1 in \(count(quality.oneIn))" : ""
        var lines = [heading("traces at the sink", [count(quality.traces), chosen], width: 14)]
        let complete = row(
            "complete end to end", [NumberText.percent(share: quality.completeShare)])
        lines.append(quality.completeShare < 1 ? style.warning(complete) : complete)
        lines.append(
            row("spans a trace, p50", [count(quality.spansPerTraceP50)])
                + "  at most \(count(quality.spansPerTraceMax)), "
                + "\(count(quality.depthMax)) deep")
        for (label, number, remark) in [
            ("orphan spans", quality.orphanSpans, "their parents did not come"),
            ("wrong parents", quality.wrongParents, Self.wrongParents(quality)),
            ("disconnected calls", quality.disconnectedCalls, "no span continues them"),
            ("late spans", quality.lateSpans, Self.lateness(quality)),
            ("repeated span ids", quality.repeatedSpanIDs, ""),
            ("undecodable spans", quality.undecodableSpans, ""),
        ] where number > 0 {
            let line = row(label, [count(number)]) + (remark.isEmpty ? "" : "  " + remark)
            lines.append(style.warning(line))
        }
        lines.append(services(quality))
        if !quality.servicesMissing.isEmpty {
            let names = quality.servicesMissing.joined(separator: ", ")
            lines += paragraph("nothing came from \(names)").map(style.warning)
        }
        return lines
    }

    private func services(_ quality: TraceQualityFigures) -> String {
        guard let declared = quality.servicesDeclared else {
            return row("services", ["\(quality.services.count)"])
        }
        let seen = declared.count - quality.servicesMissing.count
        let line = row("services", ["\(seen)"]) + "  of \(declared.count) declared"
        return seen < declared.count ? style.warning(line) : line
    }

    private static func wrongParents(_ quality: TraceQualityFigures) -> String {
        var parts: [String] = []
        if quality.extraRoots > 0 {
            parts.append(
                "\(quality.extraRoots) further root\(quality.extraRoots == 1 ? "" : "s")")
        }
        if quality.strayChildren > 0 { parts.append("\(quality.strayChildren) across services") }
        if quality.cyclicSpans > 0 { parts.append("\(quality.cyclicSpans) in circles") }
        return parts.joined(separator: ", ")
    }

    private static func lateness(_ quality: TraceQualityFigures) -> String {
        "more than \(NumberText.duration(ns: Double(quality.quietNs))) after the others"
    }
}
