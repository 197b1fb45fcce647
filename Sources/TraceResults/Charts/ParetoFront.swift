// What is worth its cost: the points that no other beats on both axes.

/// The Pareto front of costs and gains.
public enum ParetoFront {
    /// Places of the points that no other one beats: none costs as little or less and gains more, nor costs
    /// less and gains as much. Cheapest first. O(n log n).
    ///
    /// - Parameter points: `cost` better when lower, `gain` when higher; what is not finite is on no front.
    public static func places(_ points: [(cost: Double, gain: Double)]) -> [Int] {
        let order = points.indices
            .filter { points[$0].cost.isFinite && points[$0].gain.isFinite }
            .sorted {
                (points[$0].cost, points[$1].gain, $0) < (points[$1].cost, points[$0].gain, $1)
            }
        var front: [Int] = []
        for place in order {
            guard let last = front.last else {
                front.append(place)
                continue
            }
            let isTwin =
                points[place].cost == points[last].cost && points[place].gain == points[last].gain
            if points[place].gain > points[last].gain || isTwin { front.append(place) }
        }
        return front
    }
}
