// From figures to places of a picture, and labels that do not cover each other.

/// An axis from a value to a place.
struct PlotScale {
    let axis: ChartAxis
    private let start: Double
    /// Where it ends, in units of the picture.
    let end: Double

    /// An axis that holds all of `figures`. Shares reach from 0 to 1; other figures from 0, unless they are so
    /// far apart, and above 0, that a logarithm shows more.
    init(
        _ figures: [Double], of column: ComparedColumn, from start: Double, to end: Double,
        isLogarithmic: Bool? = nil
    ) {
        self.start = start
        self.end = end
        let title = ComparisonColumns.axisTitle(column)
        let isShare = ComparisonColumns.isShare(column)
        let finite = figures.filter(\.isFinite)
        let (least, most) = (finite.min() ?? 0, finite.max() ?? 1)
        let isWide = least > 0 && most / least > 30 && !isShare
        let label = { (value: Double) in ComparisonColumns.text(value, column) }
        if least > 0, isLogarithmic ?? isWide {
            axis = .logarithmic(title + ", logarithmic", covering: finite, label: label)
        } else if isShare, least >= 0, most <= 1 {
            axis = .linear(title, covering: [0, 1], includesZero: true, label: label)
        } else {
            axis = .linear(title, covering: finite, includesZero: true, label: label)
        }
    }

    /// Where a value lies.
    func place(_ value: Double) -> Double { start + axis.share(of: value) * (end - start) }
}

/// Places for labels: beside their points, not over each other and not outside.
struct PlotLabels {
    private struct Box {
        var x: Double
        var y: Double
        var width: Double
        var height: Double

        func overlap(_ other: Box) -> Double {
            let across = min(x + width, other.x + other.width) - max(x, other.x)
            let down = min(y + height, other.y + other.height) - max(y, other.y)
            return across > 0 && down > 0 ? across * down : 0
        }
    }

    private static let height = 15.0
    private let bounds: (left: Double, top: Double, right: Double, bottom: Double)
    private var taken: [Box] = []

    init(within bounds: (Double, Double, Double, Double)) {
        self.bounds = (bounds.0, bounds.1, bounds.2, bounds.3)
    }

    /// Keeps labels off a box.
    mutating func avoid(x: Double, y: Double, _ width: Double, _ height: Double) {
        taken.append(Box(x: x, y: y, width: width, height: height))
    }

    /// The place for a label of a width beside a point: the first that is free, else where it covers least.
    mutating func place(
        _ width: Double, besideX x: Double, y: Double
    ) -> (x: Double, y: Double, anchor: String) {
        var best: (cost: Double, box: Box, x: Double, y: Double, anchor: String)?
        for shift in [0.0, -17, 17, -34, 34, -51, 51] {
            for (anchor, offset) in [("start", 10.0), ("end", -10.0), ("middle", 0.0)] {
                if anchor == "middle", shift == 0 { continue }
                let labelX = x + offset
                let left = anchor == "start" ? labelX : labelX - width / (anchor == "end" ? 1 : 2)
                let box = Box(
                    x: left, y: y + shift - Self.height / 2, width: width, height: Self.height)
                var cost = taken.reduce(0) { $0 + box.overlap($1) } + abs(shift) / 10
                cost += 50 * max(0, bounds.left - left, left + width - bounds.right)
                cost += 50 * max(0, bounds.top - box.y, box.y + box.height - bounds.bottom)
                if cost < best?.cost ?? .infinity {
                    best = (cost, box, labelX, y + shift + 4, anchor)
                }
            }
        }
        guard let best else { return (x + 10, y + 4, "start") }
        taken.append(best.box)
        return (best.x, best.y, best.anchor)
    }
}
