/// One trace after another in order of arrival, from the tables of a scenario to the events of a
/// plan: who calls whom, when, with what outcome. State that crosses traces (breakers, counters)
/// lives here, so that plans do not depend on who replays them. One thread.
struct TraceSimulation: Sendable {
    /// A producer hands a message over within this time.
    static let sendNs: UInt64 = 50_000

    let model: SimulationModel
    let seed: UInt64
    var random: RandomStream
    var breakers: [BreakerState]
    var sequences: [UInt64]
    /// Values drawn once a trace, valid when the stamp is the trace's.
    var traceValues: [(stamp: UInt64, value: PlanValue)]
    /// Values that callees may inherit, a row of slots for each level of the call stack.
    var inherited: [PlanValue]
    let unique: SpanIdentityCipher

    // The trace in the making.
    var traceIndex: UInt64 = 0
    var arrivalNs: UInt64 = 0
    var spanCount = 0
    var rootCount = 0
    private var lastNs: UInt64 = 0
    private var blocks = PlanBlocks()

    init(_ compiled: CompiledScenario) {
        model = compiled.model
        seed = compiled.scenario.seed
        random = RandomStream(seed: seed, position: 0)
        breakers = compiled.model.breakers.map { BreakerState($0) }
        sequences = [UInt64](repeating: 0, count: model.sequenceCount)
        traceValues = Array(repeating: (.max, .missing), count: model.traceScopedCount)
        let levels = ScenarioChecks.callDepthMax + 3
        inherited = Array(repeating: .missing, count: levels * model.inheritSlotCount)
        unique = SpanIdentityCipher(seed: seed ^ 0x756E_6971_7565, salt: 0)
    }

    /// Appends the plan of arrival `index`. O(events), n log n where branches interleave.
    mutating func append(
        _ index: UInt64, traffic: Int, arrivalNs: UInt64, to batch: inout PlanBatch
    ) {
        random = RandomStream(seed: seed, position: index)
        (traceIndex, self.arrivalNs) = (index, arrivalNs)
        (spanCount, rootCount, lastNs) = (0, 1, 0)
        let firstEvent = batch.events.count
        blocks.begin(at: firstEvent)
        let root = model.roots[traffic]
        let entry = Entry(
            kind: .start, isRemote: true, parent: PlanEvent.noParent,
            instance: pickInstance(of: model.operations[root].service), level: 0)
        _ = run(root, entry, at: 0, &batch)
        blocks.sort(&batch.events)
        batch.traces.append(
            TracePlan(
                index: index, startNs: arrivalNs, durationNs: lastNs, firstEvent: firstEvent,
                eventCount: batch.events.count - firstEvent, spanCount: spanCount,
                rootCount: rootCount, traffic: traffic))
        batch.spanCount += spanCount
        batch.spansPerTraceMax = max(batch.spansPerTraceMax, spanCount)
    }

    // MARK: Operations

    /// How an operation is entered.
    struct Entry {
        var kind: PlanEvent.Kind
        var isRemote: Bool
        var parent: UInt16
        var instance: UInt16
        /// Row of `inherited` that belongs to the caller; the operation's own is the next.
        var level: Int
        /// Database calls: network time within the span, and when the caller gives up.
        var networkNs: UInt64 = 0
        var deadlineNs = UInt64.max
    }

    struct Outcome {
        var endNs: UInt64
        var hasFailed: Bool
    }

    /// Whose script runs.
    struct Caller {
        var span: UInt16
        var instance: UInt16
        var level: Int
        var shortCircuits: Bool
    }

    /// When a list of steps is through, and the message of the first failure that reached it.
    struct Progress {
        var timeNs: UInt64
        var failure: Int64 = -1

        var hasFailed: Bool { failure >= 0 }
    }

    mutating func run(
        _ index: Int, _ entry: Entry, at startNs: UInt64, _ batch: inout PlanBatch
    ) -> Outcome {
        let operation = model.operations[index]
        let span = nextSpan()
        begin(startNs, &batch)
        batch.events.append(
            .starting(
                entry.kind, span: span,
                shape: entry.isRemote ? operation.remoteShape : operation.localShape,
                instance: entry.instance, parent: entry.parent, timeNs: startNs))
        appendAttributes(of: operation, span, entry, &batch)

        let ownNs = model.drawNs(operation.ownWork, &random)
        let failsItself = random.chance(operation.errorRate)
        var progress = Progress(timeNs: startNs)
        if operation.script.count == 0 || (failsItself && operation.shortCircuits) {
            progress.timeNs += ownNs + entry.networkNs
        } else {
            // Half of the own work before the calls, half after them.
            let caller = Caller(
                span: span, instance: entry.instance, level: entry.level + 1,
                shortCircuits: operation.shortCircuits)
            progress = run(operation.script, caller, at: startNs + ownNs / 2, &batch)
            progress.timeNs += ownNs - ownNs / 2
        }
        var message = failsItself ? Int64(operation.message) : progress.failure
        var isTimeout = false
        if progress.timeNs > entry.deadlineNs {
            (progress.timeNs, isTimeout) = (entry.deadlineNs, true)
            if message < 0 { message = Int64(operation.message) }
        }
        let endNs = progress.timeNs
        let hasFailed = message >= 0
        appendEvents(of: operation, span, from: startNs, to: endNs, &batch)
        begin(endNs, &batch)
        if operation.recordsException, failsItself {
            batch.events.append(
                .timed(.exception, span: span, operand: operation.message, timeNs: endNs))
        }
        appendOutcome(
            of: operation, span, hasFailed ? UInt32(message) : nil, isTimeout: isTimeout, &batch)
        end(span, endNs, &batch)
        return Outcome(endNs: endNs, hasFailed: hasFailed)
    }

    mutating func appendEvents(
        of operation: CompiledOperation, _ span: UInt16, from startNs: UInt64, to endNs: UInt64,
        _ batch: inout PlanBatch
    ) {
        for index in operation.events.indices {
            let event = model.events[index]
            guard random.chance(event.probability) else { continue }
            let timeNs = startNs + UInt64(Double(endNs - startNs) * event.at)
            begin(timeNs, &batch)
            batch.events.append(.timed(.event, span: span, operand: event.shape, timeNs: timeNs))
        }
    }

    /// Status code, error type and status of a span of this operation, the caller's or its own.
    func appendOutcome(
        of operation: CompiledOperation, _ span: UInt16, _ failure: UInt32?, isTimeout: Bool,
        _ batch: inout PlanBatch
    ) {
        if operation.hasStatusCode, !isTimeout {
            let code = failure == nil ? operation.okCode : operation.failedCode
            batch.events.append(
                PlanEvent(
                    .attributeInteger, span: span, operand: operation.statusCodeKey,
                    value: UInt64(bitPattern: Int64(code))))
        }
        guard let failure else { return }
        if operation.hasErrorType {
            let type = isTimeout ? model.timeoutType : operation.errorType
            batch.events.append(
                PlanEvent(.attributeText, span: span, operand: model.errorTypeKey, value: type.bits)
            )
        }
        batch.events.append(PlanEvent(.errorStatus, span: span, operand: failure))
    }

    // MARK: Spans

    mutating func nextSpan() -> UInt16 {
        defer { spanCount += 1 }
        return UInt16(spanCount)
    }

    /// What is appended from here on happens at this time.
    mutating func begin(_ timeNs: UInt64, _ batch: inout PlanBatch) {
        blocks.append(timeNs: timeNs, firstEvent: batch.events.count)
    }

    mutating func end(_ span: UInt16, _ timeNs: UInt64, _ batch: inout PlanBatch) {
        batch.events.append(.timed(.end, span: span, timeNs: timeNs))
        lastNs = max(lastNs, timeNs)
    }

    mutating func pickInstance(of service: Int) -> UInt16 {
        let range = model.instanceRanges[service]
        if range.count == 1 { return UInt16(range.first) }
        return UInt16(UInt64(range.first) + random.below(UInt64(range.count)))
    }
}
