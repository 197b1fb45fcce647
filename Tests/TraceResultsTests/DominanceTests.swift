import Testing

@testable import TraceResults

/// Dominance as an order: what must hold for any points.
@Suite("Dominance")
struct DominanceTests {
    private static func points(_ seed: UInt64, _ count: Int, _ dimensions: Int) -> [[Double]] {
        var random = SeededRandom(seed: seed)
        // Few different values, so that ties come up.
        return (0..<count).map { _ in
            (0..<dimensions).map { _ in Double(random.next(below: 6)) }
        }
    }

    @Test("a hand-made case: cheap, dear and better, dear and worse, equal to the first")
    func handMade() {
        // Cost, and gain turned around.
        let points = [[1.0, -0.4], [2.0, -1.0], [2.5, -0.9], [1.0, -0.4], [3.0, -0.3]]
        #expect(Dominance.dominators(of: points) == [[], [], [1], [], [0, 1, 3]])
    }

    @Test("no point dominates itself, none of two dominates the other back, and chains hold")
    func order() {
        for seed in 0..<60 as Range<UInt64> {
            let points = Self.points(seed, 12, 2 + Int(seed % 3))
            for first in points {
                #expect(!Dominance.dominates(first, first))
                for second in points where Dominance.dominates(first, second) {
                    #expect(!Dominance.dominates(second, first))
                    for third in points where Dominance.dominates(second, third) {
                        #expect(Dominance.dominates(first, third))
                    }
                }
            }
        }
    }

    @Test("there is a front, and whoever is not on it is dominated by somebody who is")
    func front() {
        for seed in 100..<200 as Range<UInt64> {
            let points = Self.points(seed, 15, 2)
            let dominators = Dominance.dominators(of: points)
            let front = points.indices.filter { dominators[$0].isEmpty }
            #expect(!front.isEmpty)
            for index in points.indices {
                #expect(Set(dominators[index]).isSubset(of: front))
                #expect(
                    dominators[index].allSatisfy {
                        Dominance.dominates(points[$0], points[index])
                    })
                let isDominated = points.contains { Dominance.dominates($0, points[index]) }
                #expect(isDominated == !dominators[index].isEmpty)
            }
        }
    }

    @Test("the order of the points changes nothing")
    func shuffled() {
        var random = SeededRandom(seed: 5)
        for seed in 0..<30 as Range<UInt64> {
            let points = Self.points(seed, 10, 2)
            let order = Array(points.indices).shuffled(using: &random)
            let dominators = Dominance.dominators(of: points)
            let others = Dominance.dominators(of: order.map { points[$0] })
            for (place, index) in order.enumerated() {
                #expect(Set(others[place].map { order[$0] }) == Set(dominators[index]))
            }
        }
    }
}
