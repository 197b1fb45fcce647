// A scenario under another load than its own.

extension Scenario {
    /// The scenario with one steady rate in place of every entry's stages, for as long as they take
    /// together; each entry has an equal share. Entries of the closed model have no rate and stay.
    ///
    /// - Parameter rate: traces a second, above 0.
    public func offering(tracesPerS rate: Double) -> Scenario {
        var scenario = self
        let open = scenario.traffic.indices.filter { scenario.traffic[$0].model == .open }
        for index in open {
            guard var stage = scenario.traffic[index].stages.first else { continue }
            stage.durationNs = scenario.traffic[index].stages.reduce(0) { $0 + $1.durationNs }
            stage.rate = .tracesPerSecond(rate / Double(open.count))
            stage.shape = .step
            scenario.traffic[index].stages = [stage]
        }
        return scenario
    }
}
