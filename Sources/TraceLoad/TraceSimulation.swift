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
    private var traceValues: [(stamp: UInt64, value: PlanValue)]
    /// Values that callees may inherit, a row of slots for each level of the call stack.
    private var inherited: [PlanValue]
    private let unique: SpanIdentityCipher

    // The trace in the making.
    private var traceIndex: UInt64 = 0
    private var arrivalNs: UInt64 = 0
    private var spanCount = 0
    private var rootCount = 0
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
    private struct Entry {
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

    private struct Outcome {
        var endNs: UInt64
        var hasFailed: Bool
    }

    /// Whose script runs.
    private struct Caller {
        var span: UInt16
        var instance: UInt16
        var level: Int
        var shortCircuits: Bool
    }

    /// When a list of steps is through, and the message of the first failure that reached it.
    private struct Progress {
        var timeNs: UInt64
        var failure: Int64 = -1

        var hasFailed: Bool { failure >= 0 }
    }

    private mutating func run(
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

    private mutating func appendEvents(
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
    private func appendOutcome(
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
                PlanEvent(.attributeText, span: span, operand: model.errorTypeKey, value: type.bits))
        }
        batch.events.append(PlanEvent(.errorStatus, span: span, operand: failure))
    }

    // MARK: Steps

    private mutating func run(
        _ steps: IndexRange, _ caller: Caller, at startNs: UInt64, _ batch: inout PlanBatch
    ) -> Progress {
        var progress = Progress(timeNs: startNs)
        for index in steps.indices {
            let step = model.steps[index]
            let part: Progress
            switch step.action {
            case .work:
                part = Progress(timeNs: progress.timeNs + model.drawNs(step.sampler, &random))
            case .call: part = call(step, caller, at: progress.timeNs, &batch)
            case .publish: part = publish(step, caller, at: progress.timeNs, &batch)
            case .choose:
                let branch = pickBranch(of: step)
                part = run(branch.steps, caller, at: progress.timeNs, &batch)
            case .parallel: part = parallel(step, caller, at: progress.timeNs, &batch)
            }
            progress.timeNs = part.timeNs
            if part.hasFailed, !progress.hasFailed { progress.failure = part.failure }
            if progress.hasFailed, caller.shortCircuits { break }
        }
        return progress
    }

    private mutating func pickBranch(of step: CompiledStep) -> CompiledBranch {
        var rest = random.uniform() * step.totalWeight
        let indices = step.branches.indices
        for index in indices {
            let branch = model.branches[index]
            if rest < branch.weight { return branch }
            rest -= branch.weight
        }
        return model.branches[indices.upperBound - 1]
    }

    /// Branches begin together, or as lanes fall free when there is a limit; all are waited for.
    private mutating func parallel(
        _ step: CompiledStep, _ caller: Caller, at startNs: UInt64, _ batch: inout PlanBatch
    ) -> Progress {
        var progress = Progress(timeNs: startNs)
        var lanes: [UInt64] = []
        for index in step.branches.indices {
            var branchStart = startNs
            var lane = -1
            if step.limit < Int(step.branches.count) {
                if lanes.count < step.limit {
                    lanes.append(startNs)
                    lane = lanes.count - 1
                } else {
                    lane = lanes.indices.min { lanes[$0] < lanes[$1] } ?? 0
                    branchStart = lanes[lane]
                }
            }
            let part = run(model.branches[index].steps, caller, at: branchStart, &batch)
            if lane >= 0 { lanes[lane] = part.timeNs }
            progress.timeNs = max(progress.timeNs, part.timeNs)
            if part.hasFailed, !progress.hasFailed { progress.failure = part.failure }
        }
        return progress
    }

    private mutating func call(
        _ step: CompiledStep, _ caller: Caller, at startNs: UInt64, _ batch: inout PlanBatch
    ) -> Progress {
        var progress = Progress(timeNs: startNs)
        guard random.chance(step.probability) else { return progress }
        var count = 1
        if step.repeats >= 0 {
            count = Int(min(model.draw(step.repeats, &random).rounded(), step.mostRepeats))
        }
        let propagate = model.operations[step.target].propagate
        for _ in 0..<max(0, count) {
            var attempt = 0
            while true {
                let part = self.attempt(attempt, step, caller, at: progress.timeNs, &batch)
                progress.timeNs = part.timeNs
                guard part.hasFailed else { break }
                if attempt < step.retries {
                    // Doubles each time, up to the longest duration there is.
                    let pauseNs = step.backoffNs.multipliedReportingOverflow(
                        by: 1 << UInt64(min(attempt, 40)))
                    progress.timeNs += min(
                        pauseNs.overflow ? .max : pauseNs.partialValue,
                        UInt64(ScenarioUnits.longestDurationNs))
                    attempt += 1
                    continue
                }
                if !progress.hasFailed, random.chance(propagate) { progress.failure = part.failure }
                break
            }
        }
        return progress
    }

    /// One attempt of a call: the client span around it, the breaker before and after it.
    private mutating func attempt(
        _ number: Int, _ step: CompiledStep, _ caller: Caller, at startNs: UInt64,
        _ batch: inout PlanBatch
    ) -> Progress {
        if step.breaker >= 0, !admit(step.breaker, caller, at: startNs, &batch) {
            return Progress(
                timeNs: startNs, failure: Int64(model.breakers[step.breaker].rejectedMessage))
        }
        let target = model.operations[step.target]
        let deadlineNs = step.timeoutNs == .max ? .max : startNs + step.timeoutNs
        let outcome: Outcome
        var client: UInt16?
        var callerEndNs: UInt64
        if step.isLocal {
            let isDatabase = target.category == .database
            var entry = Entry(
                kind: .start, isRemote: false, parent: caller.span, instance: caller.instance,
                level: caller.level)
            let thereNs = model.drawNs(step.sampler, &random)
            let backNs = model.drawNs(step.sampler, &random)
            if isDatabase {
                (entry.networkNs, entry.deadlineNs) = (thereNs + backNs, deadlineNs)
                outcome = run(step.target, entry, at: startNs, &batch)
                callerEndNs = outcome.endNs
            } else {
                outcome = run(step.target, entry, at: startNs + thereNs, &batch)
                callerEndNs = outcome.endNs + backNs
            }
        } else {
            var carrier = caller.span
            begin(startNs, &batch)
            if step.hasClientSpan {
                let span = nextSpan()
                batch.events.append(
                    .starting(
                        .start, span: span, shape: step.shape, instance: caller.instance,
                        parent: caller.span, timeNs: startNs))
                if number > 0, target.category == .http {
                    batch.events.append(
                        PlanEvent(
                            .attributeInteger, span: span, operand: model.resendCountKey,
                            value: UInt64(number)))
                }
                (client, carrier) = (span, span)
            }
            batch.events.append(PlanEvent(.inject, span: carrier))
            let entry = Entry(
                kind: .startExtracted, isRemote: true, parent: carrier,
                instance: pickInstance(of: target.service), level: caller.level)
            let arrivalNs = startNs + model.drawNs(step.sampler, &random)
            outcome = run(step.target, entry, at: arrivalNs, &batch)
            callerEndNs = outcome.endNs + model.drawNs(step.sampler, &random)
        }
        // The callee goes on by itself; its caller has given up on it. A database span that was
        // cut ends at the deadline and is marked already.
        let isTimeout = callerEndNs > deadlineNs
        callerEndNs = min(callerEndNs, deadlineNs)
        let hasFailed = isTimeout || outcome.hasFailed
        let message = isTimeout ? step.timeoutMessage : step.failureMessage
        if let client {
            begin(callerEndNs, &batch)
            appendOutcome(
                of: target, client, hasFailed ? message : nil, isTimeout: isTimeout, &batch)
            end(client, callerEndNs, &batch)
        }
        if step.breaker >= 0 {
            settle(step.breaker, caller, at: callerEndNs, hasFailed: hasFailed, &batch)
        }
        return Progress(timeNs: callerEndNs, failure: hasFailed ? Int64(message) : -1)
    }

    private mutating func publish(
        _ step: CompiledStep, _ caller: Caller, at startNs: UInt64, _ batch: inout PlanBatch
    ) -> Progress {
        let producer = nextSpan()
        begin(startNs, &batch)
        batch.events.append(
            .starting(
                .start, span: producer, shape: step.shape, instance: caller.instance,
                parent: caller.span, timeNs: startNs))
        batch.events.append(PlanEvent(.inject, span: producer))
        let sentNs = startNs + Self.sendNs
        begin(sentNs, &batch)
        end(producer, sentNs, &batch)
        guard !random.chance(step.loss) else { return Progress(timeNs: sentNs) }
        let entry = Entry(
            kind: step.isLinked ? .startLinked : .startExtracted, isRemote: true, parent: producer,
            instance: pickInstance(of: model.operations[step.target].service), level: caller.level)
        if step.isLinked { rootCount += 1 }
        _ = run(step.target, entry, at: sentNs + model.drawNs(step.sampler, &random), &batch)
        return Progress(timeNs: sentNs)
    }

    // MARK: Breakers

    private mutating func admit(
        _ breaker: Int, _ caller: Caller, at timeNs: UInt64, _ batch: inout PlanBatch
    ) -> Bool {
        let rule = model.breakers[breaker]
        let verdict = breakers[breaker].admit(rule, at: arrivalNs + timeNs)
        switch verdict {
        case .closed, .trial: break
        case .firstTrial: appendEvent(rule.halfOpened, caller.span, at: timeNs, &batch)
        case .rejected: appendEvent(rule.rejected, caller.span, at: timeNs, &batch)
        }
        return verdict != .rejected
    }

    private mutating func settle(
        _ breaker: Int, _ caller: Caller, at timeNs: UInt64, hasFailed: Bool,
        _ batch: inout PlanBatch
    ) {
        let rule = model.breakers[breaker]
        switch breakers[breaker].settle(rule, at: arrivalNs + timeNs, hasFailed: hasFailed) {
        case .unchanged: break
        case .opened: appendEvent(rule.opened, caller.span, at: timeNs, &batch)
        case .closed: appendEvent(rule.closed, caller.span, at: timeNs, &batch)
        }
    }

    private mutating func appendEvent(
        _ shape: UInt32, _ span: UInt16, at timeNs: UInt64, _ batch: inout PlanBatch
    ) {
        begin(timeNs, &batch)
        batch.events.append(.timed(.event, span: span, operand: shape, timeNs: timeNs))
    }

    // MARK: Spans and values

    private mutating func nextSpan() -> UInt16 {
        defer { spanCount += 1 }
        return UInt16(spanCount)
    }

    /// What is appended from here on happens at this time.
    private mutating func begin(_ timeNs: UInt64, _ batch: inout PlanBatch) {
        blocks.append(timeNs: timeNs, firstEvent: batch.events.count)
    }

    private mutating func end(_ span: UInt16, _ timeNs: UInt64, _ batch: inout PlanBatch) {
        batch.events.append(.timed(.end, span: span, timeNs: timeNs))
        lastNs = max(lastNs, timeNs)
    }

    private mutating func pickInstance(of service: Int) -> UInt16 {
        let range = model.instanceRanges[service]
        if range.count == 1 { return UInt16(range.first) }
        return UInt16(UInt64(range.first) + random.below(UInt64(range.count)))
    }

    private mutating func appendAttributes(
        of operation: CompiledOperation, _ span: UInt16, _ entry: Entry, _ batch: inout PlanBatch
    ) {
        let slots = model.inheritSlotCount
        let row = (entry.level + 1) * slots
        for slot in 0..<slots {
            inherited[row + slot] = entry.level == 0 ? .missing : inherited[row - slots + slot]
        }
        for index in operation.inheritedLiterals.indices {
            let literal = model.inheritedLiterals[index]
            inherited[row + Int(literal.slot)] = literal.value
        }
        for index in operation.attributes.indices {
            let attribute = model.attributes[index]
            let generator = model.generators[Int(attribute.generator)]
            // An inherited value is the caller's: the row above.
            let value =
                generator.form == .inherit
                ? (entry.level == 0 ? .missing : inherited[row - slots + generator.auxiliary])
                : value(generator, span, entry.instance, operation.service, &batch)
            guard value.kind != .none else { continue }
            batch.events.append(
                PlanEvent(value.kind, span: span, operand: attribute.key, value: value.bits))
            if attribute.slot >= 0 { inherited[row + Int(attribute.slot)] = value }
        }
    }

    private mutating func value(
        _ generator: CompiledGenerator, _ span: UInt16, _ instance: UInt16, _ service: Int,
        _ batch: inout PlanBatch
    ) -> PlanValue {
        switch generator.scope {
        case .span: return draw(generator, span, &batch)
        case .trace:
            let slot = generator.traceSlot
            if traceValues[slot].stamp != traceIndex {
                traceValues[slot] = (traceIndex, draw(generator, span, &batch))
            }
            return traceValues[slot].value
        case .instance:
            let first = Int(model.instanceRanges[service].first)
            return model.values[Int(generator.values.first) + Int(instance) - first]
        }
    }

    private mutating func draw(
        _ generator: CompiledGenerator, _ span: UInt16, _ batch: inout PlanBatch
    ) -> PlanValue {
        switch generator.form {
        case .fixed, .inherit: return generator.value
        case .table:
            let bits = random.next()
            let picked = Int(((bits >> 32) * UInt64(generator.values.count)) >> 32)
            let cell = model.aliases[Int(generator.firstAlias) + picked]
            let index = UInt32(truncatingIfNeeded: bits) < cell.threshold ? picked : Int(cell.alias)
            return model.values[Int(generator.values.first) + index]
        case .integer:
            let value = Int64(generator.base) + Int64(random.below(generator.width))
            return PlanValue(kind: .attributeInteger, bits: UInt64(bitPattern: value))
        case .sequence:
            let value = UInt64(generator.base) &+ sequences[generator.auxiliary]
            sequences[generator.auxiliary] += 1
            return PlanValue(kind: .attributeInteger, bits: value)
        case .string:
            let count = Int(model.draw(generator.auxiliary, &random).rounded())
            let length = min(count, ScenarioReader.stringLengthMax)
            let offset = batch.text.count
            for _ in 0..<length { batch.text.append(RandomText.character(random.below(62))) }
            return text(from: offset, &batch)
        case .unique:
            let offset = batch.text.count
            let prefix = PlanText(bits: generator.value.bits)
            for index in prefix.range { batch.text.append(model.text[index]) }
            let number = unique.spanID(.init(trace: traceIndex, span: span))
            for shift in stride(from: 60, through: 0, by: -4) {
                batch.text.append(RandomText.hexadecimal(number >> UInt64(shift) & 15))
            }
            return text(from: offset, &batch)
        }
    }

    private func text(from offset: Int, _ batch: inout PlanBatch) -> PlanValue {
        let text = PlanText(
            offset: offset, byteCount: batch.text.count - offset, isKnownAhead: false)
        return PlanValue(kind: .attributeText, bits: text.bits)
    }
}
