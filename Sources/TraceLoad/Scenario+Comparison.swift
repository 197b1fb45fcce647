import TraceCore
import TraceResults
import Yams

/// What a scenario says for those who compare and judge its results. Value types; any thread.

/// A pipeline to compare with the others, under a name.
public struct VariantDeclaration: Sendable {
    public var name: String
    /// Whole: what the patch does not name is as in `pipeline`.
    public var pipeline: PipelineDeclaration
    /// Services that decide by another sampler than their own.
    public var serviceSamplers: [ServiceSamplerDeclaration] = []
    public var position: SourcePosition
}

extension VariantDeclaration {
    /// Its samplers in words.
    public var samplerText: String {
        var parts = ["\(pipeline.sampler.sampler)"]
        parts += serviceSamplers.map { "\($0.service): \($0.sampler.sampler)" }
        if let tail = pipeline.tail {
            parts.append(tail.line ?? "tail: \(tail.policies.map(\.name).joined(separator: ", "))")
        }
        return parts.joined(separator: "; ")
    }
}

/// A sampler for one service, instead of its own or the pipeline's.
public struct ServiceSamplerDeclaration: Sendable {
    /// The service's name.
    public var service: String
    public var sampler: SamplerDeclaration
    public var position: SourcePosition
}

extension Scenario {
    /// The scenario with a variant's pipeline, and its services' samplers, in place of its own.
    public func applying(_ variant: VariantDeclaration) -> Scenario {
        var scenario = self
        scenario.pipeline = variant.pipeline
        scenario.set(variant.serviceSamplers)
        return scenario
    }

    /// The scenario in which every span is kept.
    public var unsampled: Scenario {
        var scenario = self
        scenario.pipeline.sampler = SamplerDeclaration(sampler: .alwaysOn)
        scenario.pipeline.tail = nil
        for index in scenario.services.indices { scenario.services[index].sampler = nil }
        return scenario
    }

    mutating func set(_ samplers: [ServiceSamplerDeclaration]) {
        for declared in samplers {
            for index in services.indices where services[index].name == declared.service {
                services[index].sampler = declared.sampler
            }
        }
    }
}

/// What a figure may be at most or at least, or by how much it may get worse.
public struct BudgetDeclaration: Hashable, Sendable {
    public enum Bound: Hashable, Sendable {
        /// In the metric's unit.
        case max(Double)
        case min(Double)
        /// Share by which it may be worse than in the base, whichever way worse is.
        case regress(Double)
    }

    /// As results spell it, such as `spanEndNsP99`, whatever the file's spelling.
    public var metric: String
    public var bound: Bound
    public var confidence: Double = 0.95
    public var position: SourcePosition
}

extension ScenarioReader {
    /// Each patch laid over `pipeline` as written and read as a whole.
    func variants(
        _ node: Node, of pipeline: Node?, services: [ServiceDeclaration],
        clock: Scenario.ClockMode
    ) -> [VariantDeclaration] {
        entries(node, "variants").compactMap { entry in
            guard mayPatch(pipeline, at: entry.position) else { return nil }
            // `plain:` with nothing behind it is the pipeline itself.
            if case .scalar(let scalar) = entry.value, scalar.string.isEmpty {
                return VariantDeclaration(
                    name: entry.name, pipeline: self.pipeline(pipeline, clock: clock),
                    position: entry.position)
            }
            let whole = merged(pipeline, entry.value, .pipeline)
            return VariantDeclaration(
                name: entry.name, pipeline: self.pipeline(whole, clock: clock),
                serviceSamplers: serviceSamplers(whole, of: services), position: entry.position)
        }
    }

    /// `service_samplers` of a pipeline.
    func serviceSamplers(
        _ pipeline: Node?, of services: [ServiceDeclaration]
    ) -> [ServiceSamplerDeclaration] {
        guard case .mapping(let mapping) = pipeline, let node = mapping["service_samplers"] else {
            return []
        }
        return entries(node, "`service_samplers`").compactMap { entry in
            let names = services.map(\.name)
            guard names.contains(entry.name) else {
                let hint =
                    nearest(to: entry.name, among: names).map { "did you mean `\($0)`?" }
                    ?? "there are \(Self.listed(names))"
                report(
                    .badValue, at: entry.position,
                    "there is no service `\(entry.name.prefix(60))`; \(hint)")
                return nil
            }
            return sampler(entry.value).map {
                ServiceSamplerDeclaration(
                    service: entry.name, sampler: $0, position: entry.position)
            }
        }
    }

    func budgets(_ node: Node) -> [BudgetDeclaration] {
        (list(node, "budgets") ?? []).compactMap { element in
            guard let fields = fields(of: element, .budget), let metricNode = fields["metric"],
                let name = text(metricNode, "the name of a metric")
            else { return nil }
            guard let metric = KnownMetric(named: name) else {
                let hint =
                    nearest(to: name, among: KnownMetric.all.flatMap { [$0.name, $0.words] })
                    .map { "did you mean `\($0)`?" }
                    ?? "known: " + KnownMetric.all.map(\.name).joined(separator: ", ")
                report(
                    .badValue, at: metricNode.position, "there is no metric `\(name)`; \(hint)")
                return nil
            }
            guard let bound = bound(fields, metric) else { return nil }
            let confidence = fields.probability("confidence") ?? 0.95
            if !(0.5..<1).contains(confidence), let node = fields["confidence"] {
                report(
                    .badValue, at: node.position,
                    "a confidence is at least 0.5 and below 1, found \(confidence)")
            }
            return BudgetDeclaration(
                metric: metric.name, bound: bound, confidence: confidence,
                position: fields.position)
        }
    }

    private func bound(
        _ fields: ScenarioFields, _ metric: KnownMetric
    ) -> BudgetDeclaration.Bound? {
        let forms = fields.presentKeys.filter { ["max", "min", "regress"].contains($0) }
        guard forms.count == 1, let form = forms.first, let node = fields[form] else {
            if fields.hasUnknownKeys, forms.isEmpty { return nil }
            report(
                .badCombination, at: fields.position,
                "a budget has one of `max`, `min` and `regress`, found "
                    + "\(forms.isEmpty ? "none" : forms.joined(separator: ", "))")
            return nil
        }
        guard form == "regress" else {
            return value(node, metric).map { form == "max" ? .max($0) : .min($0) }
        }
        if metric.better == .neither {
            report(
                .badCombination, at: fields.keyPosition("regress"),
                "`\(metric.name)` has no better and worse, so it cannot regress; write `max` or `min`"
            )
        }
        return fields.probability("regress").map { .regress($0) }
    }

    /// In the metric's unit.
    private func value(_ node: Node, _ metric: KnownMetric) -> Double? {
        if case .scalar(let scalar) = node,
            let number = ScenarioUnits.plainNumber(scalar.string[...]), number >= 0
        {
            return number
        }
        switch metric.unit {
        case "ns": return duration(node)
        case "B": return size(node).map(Double.init)
        case "1": return probability(node)
        default:
            guard let number = number(node, "a number") else { return nil }
            report(.badValue, at: node.position, "a figure is at least 0, found \(number)")
            return nil
        }
    }
}

/// A figure that results may have.
struct KnownMetric {
    var name: String
    var unit: String
    var better: Metric.Direction

    /// Every figure a run can have, by the names of results.
    static let all: [KnownMetric] = {
        let named = MetricName.allCases.map { name in
            let metric = name.metric(0)
            return KnownMetric(name: name.rawValue, unit: metric.unit, better: metric.better)
        }
        let latencies = LatencyName.allCases.flatMap { name in
            LatencyName.percentiles.map {
                KnownMetric(name: name.metricName($0.suffix), unit: "ns", better: .lower)
            } + [
                KnownMetric(name: name.metricName("Max"), unit: "ns", better: .neither),
                KnownMetric(name: name.metricName("Mean"), unit: "ns", better: .lower),
            ]
        }
        let fidelity = FidelityMetric.allCases.map {
            KnownMetric(name: $0.rawValue, unit: $0.unit, better: $0.better)
        }
        return named + latencies + fidelity
    }()

    /// The name in words with dots and without the nanoseconds: `span.end.p99`.
    var words: String { Self.words(of: name).joined(separator: ".") }

    /// By its name, or its words with dots or underscores.
    init?(named text: String) {
        guard
            let found = Self.all.first(where: { $0.name == text })
                ?? Self.all.first(where: { Self.words(of: $0.name) == Self.words(of: text) })
        else { return nil }
        self = found
    }

    private init(name: String, unit: String, better: Metric.Direction) {
        self.name = name
        self.unit = unit
        self.better = better
    }

    private static func words(of text: String) -> [String] {
        var words: [String] = [""]
        for character in text {
            if character == "." || character == "_" {
                words.append("")
            } else if character.isUppercase {
                words.append(character.lowercased())
            } else {
                words[words.count - 1].append(character)
            }
        }
        return words.filter { !$0.isEmpty && $0 != "ns" }
    }
}
