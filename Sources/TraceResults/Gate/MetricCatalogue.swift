// The names a budget may say: those that runs enter (Metric.swift), however they are spelt. A budget on
// a name that no run ever has would be a budget that never breaks, so unknown names are refused.

/// The figures that runs have, by name.
public enum MetricCatalogue {
    /// Every name, as in result files.
    public static let names: [String] = {
        let suffixes = LatencyName.percentiles.map(\.suffix) + ["Max", "Mean"]
        return LatencyName.allCases.flatMap { name in suffixes.map { name.metricName($0) } }
            + MetricName.allCases.map(\.rawValue)
    }()

    private static let byKey: [String: String] = Dictionary(
        names.map { (key(of: $0), $0) }, uniquingKeysWith: { first, _ in first })

    /// The name that a spelling means: `spanEndNsP99`, `span.end.p99` and `span_end_p99` are one. Nil for
    /// what no run has.
    public static func name(_ spelling: String) -> String? {
        names.contains(spelling) ? spelling : byKey[key(of: spelling)]
    }

    /// The names nearest to a spelling that means none, the nearest first.
    public static func suggestions(for spelling: String, count: Int = 3) -> [String] {
        nearest(to: spelling, among: names, count: count)
    }

    /// Whether a spelling means a name.
    static func isSpelling(_ spelling: String, of name: String) -> Bool {
        key(of: spelling) == key(of: name)
    }

    /// Likewise among some names.
    static func nearest(to spelling: String, among names: [String], count: Int) -> [String] {
        let wanted = Array(key(of: String(spelling.prefix(80))))
        return names.map { (name: $0, distance: distance(Array(key(of: $0)), wanted)) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(count).map(\.name)
    }

    /// The percentile a metric is, such as 99.9; nil for another statistic.
    public static func percentile(of metric: String) -> Double? {
        LatencyName.percentiles
            .filter { metric.hasSuffix($0.suffix) }
            .max { $0.suffix.count < $1.suffix.count }
            .map(\.percentile)
    }

    /// The distribution a percentile was read from.
    static func histogramName(of metric: String) -> String? {
        LatencyName.allCases.map(\.rawValue).first { stem in
            metric.hasPrefix(stem)
                && LatencyName.percentiles.contains { metric == stem + $0.suffix }
        }
    }

    /// Letters and digits in lower case, the unit `Ns` left out: what spellings have in common.
    private static func key(of name: String) -> String {
        var text = ""
        var rest = Substring(name)
        while let character = rest.first {
            let next = rest.dropFirst(2).first
            let isUnit = rest.hasPrefix("Ns") && next.map { !$0.isLowercase } ?? true
            if isUnit, !text.isEmpty {
                rest = rest.dropFirst(2)
                continue
            }
            if character.isLetter || character.isNumber { text += character.lowercased() }
            rest = rest.dropFirst()
        }
        return text
    }

    /// Levenshtein's distance.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in 0..<right.count {
                let above = row[column + 1]
                let change = diagonal + (character == right[column] ? 0 : 1)
                row[column + 1] = min(above + 1, row[column] + 1, change)
                diagonal = above
            }
        }
        return row[right.count]
    }
}
