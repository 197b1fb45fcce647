// A list of traces for the terminal.

import TraceResults

extension TraceList {
    /// The list as a table, ended by a line feed.
    public func text(columns: Int, style: TerminalStyle = .plain) -> String {
        var lines: [String] = []
        if let failure {
            lines.append(style.bad("traces cannot be kept: \(TerminalText.neutralised(failure))"))
        }
        guard !traces.isEmpty else {
            return (lines + ["no such traces"]).joined(separator: "\n") + "\n"
        }
        let nameColumns = max(20, columns - 32 - 10 - 7 - 8 - 4)
        func line(_ cells: [String]) -> String {
            cells[0] + "  " + TerminalText.fitted(cells[1], columns: nameColumns)
                + TerminalText.rightAligned(cells[2], columns: 10)
                + TerminalText.rightAligned(cells[3], columns: 7)
                + TerminalText.rightAligned(cells[4], columns: 8)
        }
        lines.append(
            style.bold(
                line([
                    TerminalText.fitted("trace", columns: 32), "root", "duration", "spans",
                    "errors",
                ])))
        for trace in traces {
            let root = TerminalText.neutralised(
                trace.serviceName + " " + trace.name + (trace.hasRoot ? "" : " (no root)"))
            let text = line([
                TerminalText.neutralised(trace.traceId), root,
                NumberText.duration(ns: Double(trace.durationNs)),
                NumberText.grouped(trace.spans), trace.errors == 0 ? "" : "\(trace.errors)",
            ])
            lines.append(trace.errors == 0 ? text : style.warning(text))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
