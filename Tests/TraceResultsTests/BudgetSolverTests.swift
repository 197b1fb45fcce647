import Glibc
import Testing

@testable import TraceResults

/// The solver on volumes whose inverse is known.
@Suite("Budget solver")
struct BudgetSolverTests {
    private static let targets = [0.001, 0.005, 0.02, 0.1, 0.35, 0.8]

    private func solve(
        _ target: Double, _ range: ClosedRange<Double> = 0...1, isLogarithmic: Bool = false,
        tolerance: Double = 0.005, known: [Double: Double] = [:],
        volume: (Double) -> Double
    ) -> (solution: BudgetSolver.Solution, trials: Int) {
        var known = known
        var trials = 0
        let solution = BudgetSolver(tolerance: tolerance).solve(
            target, in: range, isLogarithmic: isLogarithmic, known: &known
        ) {
            trials += 1
            return volume($0)
        }
        return (solution, trials)
    }

    @Test("a ratio keeps its share: four trials at most", arguments: targets)
    func ratio(target: Double) {
        let (found, trials) = solve(target) { $0 }
        #expect(found.limit == nil)
        #expect(abs(found.argument - target) <= 0.005 * target)
        #expect(abs(found.residual) <= 0.005)
        #expect(trials <= 4)
    }

    @Test(
        "shares of traces that keep whole families: a curve, solved to its inverse",
        arguments: targets)
    func curve(target: Double) {
        // 1 − (1 − p)^5 keeps what any of five services keeps.
        let (found, trials) = solve(target, tolerance: 1e-6) { 1 - pow(1 - $0, 5) }
        #expect(abs(found.argument - (1 - pow(1 - target, 1.0 / 5))) <= 2e-6)
        #expect(trials <= 25)
    }

    @Test("a rate that saturates: found among twelve decades", arguments: targets)
    func rate(target: Double) {
        let (found, trials) = solve(target, 1e-3...1e9, isLogarithmic: true, tolerance: 0.001) {
            min($0 / 5000, 1)
        }
        #expect(found.limit == nil)
        #expect(abs(found.argument / (5000 * target) - 1) <= 0.001)
        #expect(trials <= 40)
    }

    @Test("what is always kept is a floor, and what is never kept a ceiling")
    func limits() {
        let tail = { (ratio: Double) in 0.03 + 0.97 * ratio }
        let (floor, _) = solve(0.01, volume: tail)
        #expect(floor.limit == .floor)
        #expect(floor.argument == 0)
        #expect(abs(floor.residual - 2) < 1e-9)
        let half = { (ratio: Double) in 0.5 * ratio }
        let (ceiling, _) = solve(0.8, volume: half)
        #expect(ceiling.limit == .ceiling)
        #expect(ceiling.argument == 1)
        let (reached, _) = solve(0.2, volume: tail)
        #expect(reached.limit == nil)
        #expect(abs(reached.argument - 0.17 / 0.97) < 0.002)
    }

    @Test("a volume of few steps: the nearest of them, and that it jumps")
    func steps() {
        let (found, trials) = solve(0.32) { ($0 * 4).rounded(.down) / 4 }
        #expect(found.limit == .step)
        #expect(found.volume == 0.25)
        #expect(trials <= 60)
        let (near, _) = solve(0.25) { ($0 * 4).rounded(.down) / 4 }
        #expect(near.limit == nil)
        #expect(near.volume == 0.25)
    }

    @Test("what one target found out serves the next: both ends are asked once")
    func memory() {
        var known: [Double: Double] = [:]
        var asked: [Double] = []
        for target in Self.targets {
            let found = BudgetSolver().solve(
                target, in: 0...1, isLogarithmic: false, known: &known
            ) {
                asked.append($0)
                return $0 * $0
            }
            #expect(abs(found.residual) <= 0.005)
        }
        #expect(asked.count { $0 == 0 || $0 == 1 } == 2)
        #expect(Set(asked).count == asked.count)
    }

    @Test("budgets in words: spans a second, percentages, shares; and what is none")
    func words() {
        #expect(VolumeBudget("2000 spans/s") == .spansPerS(2000))
        #expect(VolumeBudget(" 2e3/s ") == .spansPerS(2000))
        #expect(VolumeBudget("5%") == .share(0.05))
        #expect(VolumeBudget("0.05") == .share(0.05))
        for text in ["", "0", "-5%", "0%", "200%", "5 apples", "nan", "inf/s", "-3/s", "spans/s"] {
            #expect(VolumeBudget(text) == nil, "\(text)")
        }
        #expect(VolumeBudget.spansPerS(2000).share(ofSpansPerS: 8000) == 0.25)
        #expect(VolumeBudget.share(0.25).share(ofSpansPerS: 8000) == 0.25)
    }

    @Test("a sweep has both its ends, and the same ratio from each budget to the next")
    func sweep() throws {
        let sweep = try #require(BudgetSweep("0.1%..50%"))
        for count in [2, 3, 6, 20] {
            let shares = sweep.shares(count)
            #expect(shares.count == count)
            #expect(shares.first == 0.001)
            #expect(shares.last == 0.5)
            let step = pow(500, 1 / Double(count - 1))
            for (low, high) in zip(shares, shares.dropFirst()) {
                #expect(abs(high / low / step - 1) < 1e-9)
            }
        }
        #expect(BudgetSweep("0.001 .. 0.5") == sweep)
        for text in [
            "", "1%", "1%..", "..5%", "5%..1%", "1%..1%", "0..5%", "1%..2%..3%", "1%..200%",
        ] {
            #expect(BudgetSweep(text) == nil, "\(text)")
        }
    }
}
