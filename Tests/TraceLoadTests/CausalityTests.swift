import Testing

@testable import TraceLoad

@Suite struct CausalityTests {
    private static func problems(_ scenario: RandomScenario) -> [String]? {
        guard let parsed = try? Scenario.parse(scenario.text) else { return nil }
        return StreamCheck(scenario, CompiledScenario(parsed), arrivals: 5).problems
    }

    @Test(arguments: 0..<4)
    func `What happens in random scenarios has its cause before it`(_ part: UInt64) {
        var (accepted, spans) = (0, 0)
        for seed in (part * 280)..<(part * 280 + 280) {
            let scenario = RandomScenario(seed: seed)
            // Some are refused: a trace could get too many spans.
            guard let parsed = try? Scenario.parse(scenario.text) else { continue }
            let check = StreamCheck(scenario, CompiledScenario(parsed), arrivals: 5)
            accepted += 1
            spans += check.spanCount
            if !check.problems.isEmpty {
                let least = scenario.shrunk { !(Self.problems($0)?.isEmpty ?? true) }
                Issue.record("\(Self.problems(least) ?? [])\n\(least.text)")
                return
            }
        }
        #expect(accepted >= 250, "\(accepted) of 280 scenarios were accepted")
        #expect(spans > 2_000)
    }

    @Test func `A failure is shrunk to the least that fails`() {
        let scenario = (0..<UInt64.max).lazy.map(RandomScenario.init)
            .first { $0.operations.count > 4 && $0.text.contains("publish") }!
        let least = scenario.shrunk { $0.text.contains("publish") }
        #expect(least.operations.count == 2)
        #expect(least.operations.flatMap(\.steps).count == 1)
        #expect(!least.pathology && least.closedUsers == nil && least.inFlightMax == nil)
    }
}
