// What a report says in tables: the main figures, all figures, the books, runs, machines and designs.

extension ReportStudy {
    /// Columns of groups that a table takes.
    private static let columnsMax = 16

    private var tableGroups: [ReportGroup] {
        Array(groups.filter { !$0.runs.isEmpty }.prefix(Self.columnsMax))
    }

    private static let mainNames: [(name: String, label: String)] = [
        ("achievedSpansPerS", "spans started"), ("cpuNsPerSpan", "CPU a span"),
        ("spanEndNsP50", "span end, p50"), ("spanEndNsP99", "span end, p99"),
        ("wireBytesPerSpan", "on the wire, a span"), ("droppedSpanShare", "dropped"),
        ("completeTraceShare", "traces complete"), ("peakResidentBytes", "peak memory"),
    ]

    /// The figures that people ask for first, for a single group.
    func tiles() -> [(label: String, value: String)] {
        guard let group = shownGroups.first, shownGroups.count == 1 else { return [] }
        return Self.mainNames.compactMap { name, label in
            guard let value = group.median(name), let metric = metric(name) else { return nil }
            return (label, ReportText.value(value, of: name, unit: metric.unit))
        }
    }

    /// Likewise for several, a row each.
    func mainTable() -> ReportTable? {
        let groups = tableGroups
        guard groups.count > 1 else { return nil }
        let names = Self.mainNames.filter { name, _ in groups.contains { $0.median(name) != nil } }
        var table = ReportTable(
            caption: "Main figures, medians of the runs",
            columns: [.text(""), .number("runs")] + names.map { .number($0.label) })
        for group in groups {
            let cells = names.map { name, _ -> ReportTable.Cell in
                guard let value = group.median(name), let metric = metric(name) else { return "–" }
                return .init(ReportText.value(value, of: name, unit: metric.unit))
            }
            table.rows.append([.init(group.name), .init("\(group.runs.count)")] + cells)
        }
        return table
    }

    /// Every figure: the median, and where there are several runs how far they reach.
    func metricTable() -> ReportTable {
        let groups = tableGroups
        var table = ReportTable(
            caption: "Medians of the runs (least – most)",
            columns: [.text("figure"), .text("better")] + groups.map { .number($0.name) })
        for name in metricNames {
            guard let metric = metric(name) else { continue }
            func text(_ value: Double) -> String {
                metric.kind == .exact
                    ? GateText.exactValue(value)
                    : ReportText.value(value, of: name, unit: metric.unit)
            }
            let cells = groups.map { group -> ReportTable.Cell in
                let values = group.values(name)
                guard let least = values.min(), let most = values.max() else { return "–" }
                let middle = text(OrderStatistics.median(values))
                guard least != most else { return .init(middle) }
                return .init("\(middle) (\(text(least)) – \(text(most)))")
            }
            let better = metric.better == .neither ? "–" : metric.better.rawValue
            table.rows.append([.init(name), .init(better)] + cells)
        }
        return table
    }

    /// Where every span went, and which laws hold, all runs of a group together.
    func ledgerTable() -> ReportTable {
        var table = ReportTable(
            caption: "Books: where every span went",
            columns: [
                .text(""), .text("laws"), .number("started"), .number("not recorded"),
                .number("ended, sampled"), .number("acknowledged"), .number("rejected"),
                .number("dropped"), .number("discarded by tail"), .number("batches matched"),
            ])
        for group in tableGroups {
            let ledgers = group.runs.map(\.ledger)
            func sum(_ count: (ConservationLedger) -> UInt64) -> ReportTable.Cell {
                .init(NumberText.grouped(ledgers.reduce(0) { $0 &+ count($1) }))
            }
            func fates(_ names: [String]) -> ReportTable.Cell {
                sum { ledger in
                    ledger.deliveries.reduce(0) { total, delivery in
                        DeliveryCounts.fates.filter { names.contains($0.0) }.reduce(total) {
                            $0 &+ delivery[keyPath: $1.1].count
                        }
                    }
                }
            }
            let dropped = DeliveryCounts.fates.map(\.0).filter { $0.hasPrefix("dropped") }
            let laws = ledgers.map { Set($0.checked.map(\.rawValue)) }
            let common = laws.dropFirst().reduce(laws.first ?? []) { $0.intersection($1) }
            let holds = ledgers.allSatisfy(\.holds)
            table.rows.append([
                .init(group.name),
                .init(
                    holds ? common.sorted().joined(separator: " ") + " hold" : "not all checked",
                    holds ? .good : .unsure),
                sum(\.tracer.startCalls), sum(\.tracer.notRecorded), sum(\.tracer.sampledEnded),
                fates(["acknowledged"]), fates(["rejected"]), fates(dropped),
                fates(["discardedByTail"]), sum { $0.batches?.matchedBatches ?? 0 },
            ])
        }
        return table
    }

    /// The runs that do not count, with their reasons; nil where all do.
    func flawTable() -> ReportTable? {
        let flawed = runs.filter { $0.flaw != nil }
        guard !flawed.isEmpty else { return nil }
        var table = ReportTable(
            caption: "Runs that do not count",
            columns: [.text("run"), .text("reason"), .text("started")])
        for run in flawed {
            table.rows.append([
                .init("\(groups[run.group].name), round \(run.run.round &+ 1)"),
                .init(run.flaw ?? "", .bad), .init(run.run.startedAt),
            ])
        }
        return table
    }

    /// Every run, in the order of execution.
    func runTable() -> ReportTable {
        var table = ReportTable(
            caption: "Runs in the order of execution",
            columns: [
                .text("started"), .text("group"), .number("round"), .text("counts"),
                .number("length"), .number("spans/s"), .number("CPU a span"),
                .number("span end p99"), .number("steal"), .number("CPU pressure"),
                .number("calibration"),
            ])
        for run in runs {
            func value(_ name: String) -> ReportTable.Cell {
                guard let metric = run.run.metrics[name] else { return "–" }
                return .init(ReportText.value(metric.value, of: name, unit: metric.unit))
            }
            func share(_ share: Double?) -> ReportTable.Cell {
                .init(share.map { NumberText.percent(share: $0) } ?? "–")
            }
            let record = run.run
            let calibration = record.host.calibrationBeforeNs.map {
                NumberText.duration(ns: Double($0))
            }
            table.rows.append([
                .init(record.startedAt), .init(groups[run.group].name),
                .init("\(record.round &+ 1)"),
                run.flaw == nil ? .init("yes", .good) : .init("no", .bad),
                .init(NumberText.duration(ns: Double(record.load.durationNs))),
                .init(NumberText.compact(record.load.achievedSpansPerS)), value("cpuNsPerSpan"),
                value("spanEndNsP99"), share(record.host.stealShare),
                share(record.host.cpuPressureShare), .init(calibration ?? "–"),
            ])
        }
        return table
    }

    /// What measured what, where, in which order: a list of facts for each file, equal ones once.
    func designs() -> [(title: String, facts: [(String, String)])] {
        var found: [(title: String, facts: [(String, String)])] = []
        var known: [String: Int] = [:]
        for (file, input) in inputs.enumerated() {
            let facts = Self.facts(input.result)
            let key = facts.map { "\($0.0)\u{1}\($0.1)" }.joined(separator: "\u{2}")
            if let place = known[key] {
                found[place].title += ", \(fileNames[file])"
            } else {
                known[key] = found.count
                found.append((fileNames[file], facts))
            }
        }
        return found.map { title, facts in
            let names = title.components(separatedBy: ", ")
            return (names.count > 6 ? ReportText.list(names, max: 6) : title, facts)
        }
    }

    private static func commit(_ tool: ToolFacts) -> String {
        tool.commit.isEmpty ? "" : " of \(tool.commit.prefix(12))"
    }

    private static func facts(_ result: RunResult) -> [(String, String)] {
        let (hard, soft, design) = (
            result.environment.hard, result.environment.soft, result.design
        )
        let quota = hard.cpuQuota.map { ", limited to \(NumberText.short($0))" } ?? ""
        var facts = [
            ("scenario", "\(result.scenario.name), seed \(result.scenario.seed)"),
            ("its digest", String(result.scenario.sha256.prefix(16))),
            (
                "tracemill",
                "\(result.tool.version)\(commit(result.tool)), \(result.tool.buildMode) build, Swift "
                    + result.tool.swiftVersion
            ),
            (
                "processor",
                "\(hard.cpuModel) (\(hard.architecture)), "
                    + GateText.count(hard.cpuCount, "processor") + quota
            ),
            ("system", "Linux \(soft.kernel), \(soft.libc), \(soft.virtualisation)"),
            ("host", String(soft.hostHash.prefix(12))),
            (
                "design",
                "\(design.kind.rawValue), \(GateText.count(design.rounds, "round")), order seed "
                    + "\(design.orderSeed)"
            ),
        ]
        for arm in design.arms ?? [] {
            let program = arm.programCRC32.map { ", program \($0)" } ?? ""
            let version =
                arm.tool.map { ", \($0.version)\(commit($0)) \($0.buildMode)" } ?? ""
            facts.append((arm.role.rawValue, "\(arm.variant)\(version)\(program)"))
        }
        return facts
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
