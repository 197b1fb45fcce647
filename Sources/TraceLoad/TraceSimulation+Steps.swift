/// The steps of scripts: sequences, parallel branches, choices, calls with timeouts, retries and
/// breakers, and messages. One thread, as the rest of the simulation.
extension TraceSimulation {
    mutating func run(
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
}
