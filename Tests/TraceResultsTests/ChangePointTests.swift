import Testing
import TraceResults

/// Change points, against ruptures' exact search and against what must be so of any search.
@Suite("Change points")
struct ChangePointTests {
    @Test("PELT finds what an exhaustive search finds", arguments: GoldenChangePoints.all)
    func golden(_ golden: GoldenChangePoints) {
        let found = ChangePoints.find(golden.values, penaltyFactor: golden.penaltyFactor)
        #expect(found == golden.changes)
    }

    @Test("only the order of the values counts, not their size")
    func ranks() {
        for golden in GoldenChangePoints.all {
            let stretched = golden.values.map { $0 * $0 * 1e-7 + 3 }
            #expect(
                ChangePoints.find(stretched, penaltyFactor: golden.penaltyFactor) == golden.changes)
        }
    }

    @Test("unchanged series of any length show a change in at most one of twenty")
    func falseAlarms() {
        var random = SeededRandom(seed: 7)
        for count in [8, 10, 12, 20, 50, 100] {
            let trials = 1000
            let alarms = (0..<trials).count { _ in
                let values = (0..<count).map { _ in Double.random(in: 0..<1, using: &random) }
                return !ChangePoints.find(values).isEmpty
            }
            // 50 are expected at most; 68 are beyond that by 2.6 standard deviations.
            #expect(alarms <= 68, "\(alarms) of \(trials) series of \(count)")
        }
    }

    @Test("a step of two standard deviations in the middle of thirty is found, and where it is")
    func power() {
        var random = SeededRandom(seed: 8)
        var near = 0
        for _ in 0..<300 {
            let values = (0..<30).map { index in
                // Twelve uniform numbers less six: mean 0, standard deviation 1.
                let noise = (0..<12).reduce(-6.0) { sum, _ in
                    sum + Double.random(in: 0..<1, using: &random)
                }
                return noise + (index < 15 ? 0 : 2)
            }
            if ChangePoints.find(values).contains(where: { abs($0 - 15) <= 2 }) { near += 1 }
        }
        #expect(near >= 240, "\(near) of 300")
    }

    @Test("the fewest values that can tell are what is stated, and no fewer do")
    func fewest() {
        #expect(ChangePoints.valuesNeeded() == 8)
        #expect(ChangePoints.valuesNeeded(penaltyFactor: 3) == 11)
        #expect(ChangePoints.find([1, 2, 3, 9, 10, 11, 12]).isEmpty)
        #expect(ChangePoints.find([1, 1, 9, 9, 9]).isEmpty)
        // Without any noise fewer will do: ties have no spread to hide in.
        #expect(ChangePoints.find([1, 1, 1, 9, 9, 9]) == [3])
        #expect(ChangePoints.find([]).isEmpty)
        #expect(ChangePoints.find([5]).isEmpty)
    }
}
