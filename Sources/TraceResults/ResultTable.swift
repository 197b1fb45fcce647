// One run on the terminal: what was asked for and done, what it cost, where every span went, and
// whether the books add up. Plain lines for 80 columns, nothing that needs a wider font.

/// Renders a run as text.
public struct ResultTable: Sendable {
    private static let columns = 80
    static let indent = "  "
    /// Columns of the first column of every block, indentation left out.
    private static let labelWidth = 26

    /// How the text is coloured.
    public var style: TerminalStyle

    /// A renderer.
    public init(style: TerminalStyle = .plain) {
        self.style = style
    }

    /// The run as a table, ended by a line feed.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - result: the result it belongs to.
    ///   - path: where the result was written; nil when it was not.
    public func text(of run: RunRecord, in result: RunResult, path: String?) -> String {
        var blocks = [[title(run, result)], load(run), latencies(run), costs(run)]
        blocks += run.ledger.deliveries.map { fates($0, of: run) }
        if let quality = run.traceQuality { blocks.append(traces(quality)) }
        if let figures = run.fidelity { blocks.append(fidelity(figures, of: run)) }
        blocks.append(verdict(run, path: path))
        return blocks.filter { !$0.isEmpty }
            .map { $0.joined(separator: "\n") }
            .joined(separator: "\n\n") + "\n"
    }

    // MARK: Blocks

    private func title(_ run: RunRecord, _ result: RunResult) -> String {
        var rest = "seed \(result.scenario.seed)"
        if run.variant != "default" {
            let variant = TerminalText.neutralised(run.variant)
            rest = "variant \(TerminalText.truncated(variant, columns: 20)), " + rest
        }
        if result.runs.count > 1 { rest += ", round \(run.round + 1)" }
        if run.load.durationNs > 0 {
            rest += ", \(NumberText.duration(ns: Double(run.load.durationNs)))"
        }
        if !run.startedAt.isEmpty { rest += ", " + TerminalText.neutralised(run.startedAt) }
        let room = Self.columns - 2 - TerminalText.width(rest)
        let name = TerminalText.truncated(
            TerminalText.neutralised(result.scenario.name), columns: max(12, room))
        return style.bold(name) + "  " + style.dim(rest)
    }

    private func load(_ run: RunRecord) -> [String] {
        let load = run.load
        var lines = [heading("load", ["offered", "achieved"], width: 14)]
        func rate(_ value: Double) -> String {
            NumberText.fixed(value, decimals: abs(value) < 99.95 ? 1 : 0)
        }
        // Without any intended rate the run went as fast as it could.
        let unknown = load.intendedTracesPerS == nil && load.intendedSpansPerS == nil ? "max" : "–"
        func offered(_ value: Double?) -> String { value.map(rate) ?? unknown }
        lines.append(
            row("traces/s", [offered(load.intendedTracesPerS), rate(load.achievedTracesPerS)]))
        lines.append(
            row("spans/s", [offered(load.intendedSpansPerS), rate(load.achievedSpansPerS)]))
        if let delivered = run.value(.deliveredSpansPerS) {
            lines.append(row("spans/s acknowledged", ["", rate(delivered)]))
        }
        if load.lateStarts > 0 {
            lines.append(
                style.warning(row("late starts", ["", NumberText.grouped(load.lateStarts)])))
        }
        if load.skippedTraces > 0 {
            let count = NumberText.grouped(load.skippedTraces)
            lines.append(
                style.warning(row("skipped", ["", count]) + "  traces: too many in flight"))
        }
        if let overhead = run.value(.replayOverheadNsPerSpan) {
            lines.append(
                row("replay, tracing disabled", ["", NumberText.duration(ns: overhead)])
                    + "  per span")
        }
        return lines
    }

    private static let latencyRows: [(name: LatencyName, label: String)] = [
        (.spanStart, "span start"), (.spanEnd, "span end"),
        (.samplerDecision, "sampler decision"), (.queueResidence, "queue residence"),
        (.exportRequest, "export request"), (.delivery, "end to acknowledged"),
        (.scheduleLag, "schedule lag"), (.sleepLateness, "  sleep lateness"),
        (.queueWait, "wait for a place"), (.traceLatency, "trace latency"),
        (.traceService, "  once begun"),
    ]

    private func latencies(_ run: RunRecord) -> [String] {
        var hasThin = false
        let rows = Self.latencyRows.compactMap { name, label -> String? in
            guard let median = run.metrics[name.metricName("P50")] else { return nil }
            var cells: [String] = []
            for (suffix, share) in [("P50", 0.5), ("P99", 0.01), ("P999", 0.001), ("Max", 1.0)] {
                let value = run.metrics[name.metricName(suffix)]?.value
                let isThin = Double(median.samples) * share < 100 && suffix != "Max"
                let text = value.map { NumberText.duration(ns: $0) } ?? "–"
                hasThin = hasThin || isThin
                cells.append(isThin ? "~" + text : text)
            }
            return row(label, cells + [Self.sampleCount(median.samples)], width: 10)
        }
        guard !rows.isEmpty else { return [] }
        var lines = [heading("time", ["p50", "p99", "p99.9", "max", "samples"], width: 10)] + rows
        if hasThin {
            lines.append(Self.indent + style.dim("~ fewer than 100 samples lie beyond it"))
        }
        if let floor = run.value(.timerFloorNs) {
            lines.append(
                Self.indent
                    + style.dim("the timer's own \(NumberText.duration(ns: floor)) included"))
        }
        return lines
    }

    /// A count that fits its column: from ten million on in millions.
    private static func sampleCount(_ count: UInt64) -> String {
        count < 10_000_000
            ? NumberText.grouped(count) : "\(NumberText.grouped(count / 1_000_000)) M"
    }

    private func costs(_ run: RunRecord) -> [String] {
        var lines: [String] = []
        func add(
            _ name: MetricName, _ label: String, _ text: (Double) -> String, _ remark: String = ""
        ) {
            guard let value = run.value(name) else { return }
            lines.append(row(label, [text(value)]) + (remark.isEmpty ? "" : "  " + remark))
        }
        let time: (Double) -> String = { NumberText.duration(ns: $0) }
        let size: (Double) -> String = { NumberText.size(bytes: $0) }
        var compression = ""
        if let body = run.value(.bodyBytesPerSpan), body != run.value(.wireBytesPerSpan) {
            compression = "\(NumberText.size(bytes: body)) of protobuf"
        }
        add(.encodeNsPerSpan, "encode", time)
        add(.cpuNsPerSpan, "CPU, all threads", time)
        add(.sinkCpuNsPerSpan, "CPU of the sink", time)
        add(.wireBytesPerSpan, "on the wire", size, compression)
        add(.allocatedBytesPerSpan, "allocated", size)
        if let memory = run.memory, let heldBytes = memory.heldBytes {
            let stated = "of at most \(size(Double(memory.statedBytes))), as stated"
            lines.append(row("held for spans", [size(Double(heldBytes))]) + "  " + stated)
        }
        add(.peakResidentBytes, "peak memory", size, "in all")
        add(.sinkPeakResidentBytes, "peak memory of the sink", size, "in all")
        return lines.isEmpty ? [] : [heading("cost", ["per span"], width: 14)] + lines
    }

    private static let fateLabels: [String: String] = [
        "acknowledged": "acknowledged", "rejected": "rejected by the receiver",
        "discardedByTail": "discarded by tail sampler", "droppedQueueFull": "dropped: queue full",
        "droppedRefused": "dropped: refused",
        "droppedRetriesExhausted": "dropped: gave up retrying",
        "droppedOversize": "dropped: too large", "droppedShutdown": "dropped: shutdown",
        "inFlight": "still in flight", "queued": "still queued",
        "waiting": "waiting for their trace",
    ]

    private func fates(_ delivery: DeliveryCounts, of run: RunRecord) -> [String] {
        let sampled = run.ledger.tracer.sampledEnded
        let several = run.ledger.deliveries.count > 1
        let title =
            several ? "spans, \(TerminalText.neutralised(delivery.processor))" : "spans by fate"
        var lines = [heading(title, [NumberText.grouped(sampled), "ended"], width: 14)]
        for (name, path) in DeliveryCounts.fates {
            let count = delivery[keyPath: path].count
            guard count > 0 || name == "acknowledged" else { continue }
            let share =
                sampled == 0 ? "" : NumberText.percent(share: Double(count) / Double(sampled))
            let line = row(
                Self.fateLabels[name] ?? name, [NumberText.grouped(count), share])
            let isLoss = name.hasPrefix("dropped") || name == "rejected"
            lines.append(isLoss ? style.warning(line) : line)
        }
        // Starts with tracing disabled are the overhead measurement's own, not the scenario's.
        let tracer = run.ledger.tracer
        for (label, count) in [
            ("not sampled", tracer.notRecordedSampler),
            ("not recorded, store full", tracer.notRecordedStoreFull),
            ("not recorded, shut down", tracer.notRecordedAfterShutdown),
        ] where count > 0 && !several {
            lines.append(row(label, [NumberText.grouped(count), ""]))
        }
        return lines
    }

    private func verdict(_ run: RunRecord, path: String?) -> [String] {
        let ledger = run.ledger
        var lines = paragraph(ledger.verdictText).map {
            ledger.holds ? style.good($0) : style.bad($0)
        }
        for violation in ledger.violations.dropFirst().prefix(4) {
            lines += paragraph("- " + violation.message).map(style.bad)
        }
        if !run.valid {
            lines += paragraph("run INVALID: \(run.reason ?? "no reason given")").map(style.bad)
        }
        if let path {
            lines.append(Self.indent + "result: " + TerminalText.neutralised(path))
        }
        return lines
    }

    // MARK: Lines

    func heading(_ label: String, _ cells: [String], width: Int) -> String {
        style.bold(line(label, cells, width: width))
    }

    func row(_ label: String, _ cells: [String], width: Int = 14) -> String {
        line(label, cells, width: width)
    }

    /// Text in as many lines as it takes, the later ones indented.
    func paragraph(_ text: String) -> [String] {
        TerminalText.wrapped(
            TerminalText.neutralised(text), columns: Self.columns - Self.indent.count,
            indent: "    "
        ).map { Self.indent + $0 }
    }

    private func line(_ label: String, _ cells: [String], width: Int) -> String {
        // Narrow columns make room for five of them beside a shorter label.
        let labelWidth = width == 10 ? Self.labelWidth - 4 : Self.labelWidth
        let text =
            Self.indent + TerminalText.fitted(label, columns: labelWidth)
            + cells.map { TerminalText.rightAligned($0, columns: width) }.joined()
        guard !cells.isEmpty else { return text }
        return String(text.reversed().drop(while: { $0 == " " }).reversed())
    }
}
