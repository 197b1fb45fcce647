// Who is dominated: a variant that another equals or beats in every figure that counts, and beats in one.

/// Dominance among points. Coordinates are turned so that lower is better.
public enum Dominance {
    /// Whether `left` is at least as good in everything and better in something. Equal points do not dominate
    /// each other. Points of equal length.
    public static func dominates(_ left: [Double], _ right: [Double]) -> Bool {
        precondition(left.count == right.count, "points of one space")
        var isBetter = false
        for (mine, other) in zip(left, right) {
            guard mine <= other else { return false }
            if mine < other { isBetter = true }
        }
        return isBetter
    }

    /// For each point the points on the front that dominate it, in order; empty for those on the front. O(n²).
    public static func dominators(of points: [[Double]]) -> [[Int]] {
        let all = points.map { point in
            points.indices.filter { dominates(points[$0], point) }
        }
        return all.map { dominators in dominators.filter { all[$0].isEmpty } }
    }
}
