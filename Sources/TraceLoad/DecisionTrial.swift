import TraceCore
import TraceResults

/// The samplers of a scenario asked alone, with nothing around them: what a decision allocates, and how long
/// it takes where a run cannot ask twice. The tracers are new ones, so that nothing that a sampler remembers of
/// the run counts, or changes. One thread.
struct DecisionTrial {
    /// Heap bytes for each decision; nil where the allocator does not tell.
    private(set) var allocatedBytes: Double?
    /// Each decision, with the floor of the timer in it, ns.
    private(set) var durations = LatencyHistogram()
    private(set) var decisions: UInt64 = 0

    /// Arrivals whose spans are asked for.
    private static let arrivals = 2_048

    private struct Question {
        var instance: Int
        var shape: Int
        var traceID: TraceID
        var parent: Int
        var unixNano: UInt64
    }

    init(
        _ compiled: CompiledScenario, sampler: Sampler, salt: UInt64, epochUnixNano: UInt64,
        allocatedBytesOfThread: (() -> UInt64)?
    ) throws {
        let tracers = compiled.makeProviders(recorder: try SpanRecorder(), sampler: sampler)
            .map { $0.tracer(name: "tracemill", version: "1") }
        let shapes = compiled.shapes.map { ReplayTables.Shape($0) }
        let questions = Self.questions(compiled, salt: salt, epochUnixNano)
        // Twice: the first time buffers grow, for samplers' tables too.
        for isMeasured in [false, true] {
            var contexts = [SpanContext?](repeating: nil, count: questions.count)
            var ticks = [UInt64](repeating: 0, count: questions.count)
            let before = allocatedBytesOfThread?()
            for (place, question) in questions.enumerated() {
                let parent = question.parent < 0 ? nil : contexts[question.parent]
                let begin = CallTimer.now()
                let decision = tracers[question.instance].decide(
                    parent: parent, traceID: question.traceID,
                    kind: shapes[question.shape].kind,
                    attributes: shapes[question.shape].attributes, at: question.unixNano)
                let end = CallTimer.now()
                ticks[place] = end &- begin
                var flags = TraceFlags.random
                if decision == .recordAndSample { flags.insert(.sampled) }
                contexts[place] = SpanContext(
                    traceID: question.traceID, spanID: SpanID(rawValue: UInt64(place) + 1),
                    flags: flags)
            }
            guard isMeasured else { continue }
            decisions = UInt64(questions.count)
            if let before, let after = allocatedBytesOfThread?(), decisions > 0 {
                allocatedBytes = Double(after - before) / Double(decisions)
            }
            for count in ticks { durations.record(CallTimer.nanoseconds(count)) }
        }
    }

    /// Starts in the order of their arrivals; a start's parent is the place of its parent's.
    private static func questions(
        _ compiled: CompiledScenario, salt: UInt64, _ epochUnixNano: UInt64
    ) -> [Question] {
        var simulation = TraceSimulation(compiled, output: .batch)
        let batch = simulation.plans(arrivals: arrivals)
        let cipher = SpanIdentityCipher(seed: compiled.scenario.seed, salt: salt)
        var questions: [Question] = []
        for plan in batch.traces {
            var places: [UInt16: Int] = [:]
            for event in batch.events[plan.events] where event.isStart {
                let parent = event.kind == .startLinked ? nil : places[event.parent]
                let id = cipher.traceID(root: .init(trace: plan.index, span: event.span))
                places[event.span] = questions.count
                questions.append(
                    Question(
                        instance: event.instance, shape: event.shape,
                        traceID: parent.map { questions[$0].traceID }
                            ?? TraceID(high: id.high, low: id.low),
                        parent: parent ?? -1,
                        unixNano: epochUnixNano + plan.startNs + event.timeNs))
            }
        }
        return questions
    }
}
