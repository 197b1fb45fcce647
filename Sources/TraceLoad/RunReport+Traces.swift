import TraceResults

extension RunReport {
    /// How well traces arrived, as the sink decoded them, beside what the scenario declares.
    mutating func traces(
        _ sink: SinkControl, _ compiled: CompiledScenario
    ) throws(SinkProcessError) {
        var quality = try sink.traceQuality()
        quality.servicesDeclared = Topology(compiled.scenario).servicesWithSpans.sorted()
        record.set(quality)
        record.graph = try sink.serviceGraph()
        record.exampleTraces = try sink.exampleTraces()
    }
}
