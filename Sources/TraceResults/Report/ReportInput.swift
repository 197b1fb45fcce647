// What a report is made of: result files, whatever wrote them, sorted into the groups that its charts
// compare. A report reads files and nothing else, so that it can be made again from disk.

/// A result file to report on.
public struct ReportInput: Sendable {
    /// Where it was read from; only its last part is shown.
    public var path: String
    public var result: RunResult
    /// How a gate judged it; nil to judge a gate's file by its own plan.
    public var gate: GateReport?

    public init(path: String, result: RunResult) {
        self.path = path
        self.result = result
    }
}

/// Runs that are one line of a chart: those of a variant, or of an arm, in a file or in several.
struct ReportGroup: Sendable {
    var name: String
    var scenario: String
    /// Its colour, stroke and shape.
    var series: Int
    /// Runs whose figures may be used, in the order of their execution.
    var runs: [RunRecord] = []

    /// The median of a figure over its runs; nil where no run has it.
    func median(_ metric: String) -> Double? {
        let values = self.values(metric)
        return values.isEmpty ? nil : OrderStatistics.median(values)
    }

    func values(_ metric: String) -> [Double] {
        runs.compactMap { $0.metrics[metric]?.value }.filter(\.isFinite)
    }
}

/// One run with its place.
struct ReportRun: Sendable {
    /// Place in the report's inputs.
    var file: Int
    /// Place in its groups.
    var group: Int
    var run: RunRecord
    /// Why it does not count; nil when it does.
    var flaw: String?
}

/// The inputs, sorted.
struct ReportStudy: Sendable {
    /// Groups that charts show; the rest is in tables.
    static let chartGroupsMax = ChartPalette.seriesCount
    /// Beyond so many groups, files of the same scenario and variant are one.
    private static let fileGroupsMax = 12

    let inputs: [ReportInput]
    /// Short names of the files, no two the same.
    let fileNames: [String]
    private(set) var groups: [ReportGroup] = []
    /// All runs, in the order of their execution.
    private(set) var runs: [ReportRun] = []
    /// The gates among the files, judged by their own plans.
    let gates: [(file: Int, report: GateReport)]
    /// Figures over commits, from a history.
    let courses: [ReportCourse]

    init(_ inputs: [ReportInput], courses: [ReportCourse] = []) {
        self.inputs = inputs
        self.courses = courses
        fileNames = Self.shortNames(inputs.map(\.path))
        gates = inputs.enumerated().compactMap { file, input in
            let roles = Set((input.result.design.arms ?? []).map(\.role))
            if let gate = input.gate { return (file, gate) }
            guard roles.count == 2 else { return nil }
            return (file, GateJudge.report(on: input.result))
        }
        // The base of a gate comes first, whichever happened to run first.
        let variants = inputs.map { input in
            let present = Set(input.result.runs.map(\.variant))
            let arms = (input.result.design.arms ?? []).map(\.variant).filter(present.contains)
            return Self.distinct(arms + input.result.runs.map(\.variant))
        }
        let keepsFiles = variants.reduce(0) { $0 + $1.count } <= Self.fileGroupsMax
        var places: [[String]: Int] = [:]
        for (file, input) in inputs.enumerated() {
            let scenario = input.result.scenario
            func key(_ variant: String) -> [String] {
                [keepsFiles ? "\(file)" : scenario.sha256, variant]
            }
            for variant in variants[file] where places[key(variant)] == nil {
                places[key(variant)] = groups.count
                let name = groupName(
                    file, variant, isAlone: variants[file].count == 1, keepsFiles: keepsFiles)
                groups.append(
                    ReportGroup(name: name, scenario: scenario.name, series: groups.count))
            }
            for run in input.result.runs {
                let place = places[key(run.variant)] ?? 0
                let flaw = GateSamples.flaw(of: run)
                runs.append(ReportRun(file: file, group: place, run: run, flaw: flaw))
            }
        }
        let order = runs.indices.sorted { left, right in
            (runs[left].run.startedAt, left) < (runs[right].run.startedAt, right)
        }
        runs = order.map { runs[$0] }
        for run in runs where run.flaw == nil { groups[run.group].runs.append(run.run) }
    }

    /// The groups that have a run to show, as many as charts show.
    var shownGroups: [ReportGroup] {
        Array(groups.filter { !$0.runs.isEmpty }.prefix(Self.chartGroupsMax))
    }

    /// What charts say of groups that they leave out; empty where there are none.
    var omission: String {
        let count = groups.count { !$0.runs.isEmpty }
        guard count > Self.chartGroupsMax else { return "" }
        return " The first \(Self.chartGroupsMax) of \(count) are drawn."
    }

    /// Names of the figures that some run has, sorted.
    var metricNames: [String] {
        Set(groups.flatMap(\.runs).flatMap(\.metrics.keys)).sorted()
    }

    /// A figure of any run, for its unit and direction.
    func metric(_ name: String) -> Metric? {
        for group in groups {
            for run in group.runs {
                if let metric = run.metrics[name] { return metric }
            }
        }
        return nil
    }

    private func groupName(
        _ file: Int, _ variant: String, isAlone: Bool, keepsFiles: Bool
    ) -> String {
        let scenario = inputs[file].result.scenario.name
        let hasVariant = !isAlone || variant != "default"
        guard inputs.count > 1 else { return hasVariant ? variant : scenario }
        let place = keepsFiles ? fileNames[file] : scenario
        return hasVariant ? "\(place) · \(variant)" : place
    }

    static func distinct(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// The last parts of paths without `.json`, numbered where two are the same.
    static func shortNames(_ paths: [String]) -> [String] {
        var counts: [String: Int] = [:]
        let names = paths.map { path -> String in
            let last = path.split(separator: "/").last.map(String.init) ?? path
            return last.hasSuffix(".json") ? String(last.dropLast(5)) : last
        }
        for name in names { counts[name, default: 0] += 1 }
        var used: [String: Int] = [:]
        return names.map { name in
            guard counts[name, default: 1] > 1 else { return name }
            used[name, default: 0] += 1
            return "\(name) (\(used[name, default: 1]))"
        }
    }
}
