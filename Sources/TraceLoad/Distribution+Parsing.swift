import Yams

/// Distributions and attribute generators as scenario files write them.
extension ScenarioReader {
    /// Whether the numbers of a distribution are durations or plain.
    enum Unit {
        case duration
        /// Durations that may be below 0.
        case signedDuration
        case number
    }

    /// A scalar, or a mapping with one form and an optional `clamp`. Nil, with issues, when wrong.
    func distribution(_ node: Node, _ unit: Unit) -> Distribution? {
        if case .scalar = node { return amount(node, unit).map { .constant($0) } }
        guard let fields = fields(of: node, .distribution) else { return nil }
        let forms = fields.presentKeys.filter { $0 != "clamp" }
        guard forms.count == 1, let form = forms.first else {
            if fields.hasUnknownKeys, forms.isEmpty { return nil }
            report(
                .badDistribution, at: node.position,
                "a distribution has exactly one form, found \(forms.isEmpty ? "none" : forms.joined(separator: ", ")); "
                    + "write for example `{lognormal: {p50: 3ms, p99: 20ms}}`")
            return nil
        }
        guard let value = fields[form],
            let base = distributionForm(form, value, fields.keyPosition(form), unit)
        else { return nil }
        guard let clampNode = fields["clamp"] else { return base }
        return bounds(clampNode, unit, "clamp").map { .clamped(base, min: $0.min, max: $0.max) }
    }

    private func amount(_ node: Node, _ unit: Unit) -> Double? {
        unit == .number
            ? number(node, "a number") : duration(node, isSigned: unit == .signedDuration)
    }

    private func bounds(_ node: Node, _ unit: Unit, _ name: String) -> (min: Double, max: Double)? {
        guard let elements = list(node, "`[min, max]`") else { return nil }
        guard elements.count == 2 else {
            report(
                .badDistribution, at: node.position,
                "`\(name)` takes two values, `[min, max]`, found \(elements.count)")
            return nil
        }
        guard let min = amount(elements[0], unit), let max = amount(elements[1], unit) else {
            return nil
        }
        guard min <= max else {
            report(
                .badDistribution, at: elements[1].position,
                "`\(name)` ends below where it begins; write the smaller value first")
            return nil
        }
        return (min, max)
    }

    private func distributionForm(
        _ form: String, _ node: Node, _ position: SourcePosition, _ unit: Unit
    ) -> Distribution? {
        switch form {
        case "uniform":
            return bounds(node, unit, form).map { .uniform(min: $0.min, max: $0.max) }
        case "normal":
            guard let fields = fields(of: node, .normal), let mean = amount(fields, "mean", unit),
                let deviation = amount(fields, "stddev", unit)
            else { return nil }
            guard deviation >= 0 else {
                report(
                    .badDistribution, at: fields["stddev"]?.position ?? fields.position,
                    "a standard deviation is at least 0")
                return nil
            }
            return unit == .signedDuration
                ? .uncutNormal(mean: mean, standardDeviation: deviation)
                : .normal(mean: mean, standardDeviation: deviation)
        case "lognormal":
            guard let fields = fields(of: node, .lognormal), let p50 = amount(fields, "p50", unit),
                let p99 = amount(fields, "p99", unit)
            else { return nil }
            guard p50 > 0, p99 >= p50 else {
                report(
                    .badDistribution, at: fields.keyPosition("p99"),
                    "a lognormal needs 0 < p50 ≤ p99; exchange the two or raise p99")
                return nil
            }
            return .lognormal(p50: p50, p99: p99)
        case "exponential":
            guard let fields = fields(of: node, .exponential) else { return nil }
            guard let mean = amount(fields, "mean", unit) else { return nil }
            guard mean >= 0 else {
                report(
                    .badDistribution, at: fields["mean"]?.position ?? fields.position,
                    "the mean of an exponential is at least 0")
                return nil
            }
            return .exponential(mean: mean)
        case "pareto":
            guard let fields = fields(of: node, .pareto), let min = amount(fields, "min", unit),
                let shape = fields.number("shape")
            else { return nil }
            guard min > 0, shape > 0 else {
                report(
                    .badDistribution, at: fields.position,
                    "a Pareto needs min > 0 and shape > 0; add `clamp` when the shape is below 2")
                return nil
            }
            return .pareto(min: min, shape: shape)
        case "percentiles": return percentiles(node, unit)
        default: return mixture(node, unit)
        }
    }

    private func amount(_ fields: ScenarioFields, _ key: String, _ unit: Unit) -> Double? {
        fields[key].flatMap { amount($0, unit) }
    }

    private func percentiles(_ node: Node, _ unit: Unit) -> Distribution? {
        var points: [Distribution.Point] = []
        let issueCount = issues.count
        for entry in entries(node, "percentiles such as `{p0: 1ms, p50: 2ms, p100: 9ms}`") {
            guard entry.name.hasPrefix("p"),
                let percent = ScenarioUnits.plainNumber(entry.name.dropFirst()),
                (0...100).contains(percent)
            else {
                report(
                    .badDistribution, at: entry.position,
                    "`\(entry.name)` is no percentile; write p0 to p100, such as `p99.9`")
                continue
            }
            guard let value = amount(entry.value, unit) else { continue }
            if let last = points.last {
                if percent / 100 <= last.rank {
                    report(
                        .badDistribution, at: entry.position,
                        "`\(entry.name)` does not follow in ascending order; sort the percentiles")
                } else if value < last.value {
                    report(
                        .badDistribution, at: entry.value.position,
                        "the value of `\(entry.name)` is below that of the percentile before it; "
                            + "values must not descend")
                }
            }
            points.append(.init(rank: percent / 100, value: value))
        }
        guard issues.count == issueCount else { return nil }
        guard points.first?.rank == 0, points.last?.rank == 1 else {
            report(
                .badDistribution, at: node.position,
                "percentiles begin with `p0` and end with `p100`; add the missing end")
            return nil
        }
        return .percentiles(points)
    }

    private func mixture(_ node: Node, _ unit: Unit) -> Distribution? {
        guard let elements = list(node, "a mixture") else { return nil }
        let components = elements.compactMap { element -> Distribution.Component? in
            guard let fields = fields(of: element, .mixture), let weightNode = fields["weight"],
                let weight = weight(weightNode), let node = fields["dist"],
                let part = distribution(node, unit)
            else { return nil }
            return .init(weight: weight, distribution: part)
        }
        guard components.count == elements.count else { return nil }
        guard components.contains(where: { $0.weight > 0 }) else {
            report(
                .badDistribution, at: node.position,
                "a mixture needs a component with a weight above 0")
            return nil
        }
        return .mix(components)
    }

    /// A relative frequency, at least 0.
    func weight(_ node: Node) -> Double? {
        guard let weight = number(node, "a weight") else { return nil }
        guard weight >= 0 else {
            report(.badValue, at: node.position, "a weight is at least 0, found `\(weight)`")
            return nil
        }
        return weight
    }
}
