/// Calls: probability, repetitions, attempts with timeouts and pauses between them, circuit breakers,
/// and the client's span around each attempt. One thread, as the rest of the simulation.
extension TraceSimulation {
    /// Nil when the call is not made.
    mutating func beginCall(_ index: Int, _ step: CompiledStep, _ script: Int) -> Flow? {
        guard trace.random.chance(step.probability) else { return nil }
        var count = 1
        if step.repeats >= 0 {
            count = Int(
                min(model.draw(step.repeats, &trace.random).rounded(), step.mostRepeats))
        }
        guard count > 0 else { return nil }
        let call = makeFrame(.call, parent: script, owner: Int(frames[script].owner))
        frames[call].step = Int32(index)
        frames[call].remaining = Int32(count)
        return beginAttempt(call)
    }

    mutating func beginAttempt(_ call: Int) -> Flow {
        let index = Int(frames[call].step)
        let step = model.steps[index]
        let owner = Int(frames[call].owner)
        frames[call].hasClient = false
        if step.breaker >= 0 {
            guard admit(step.breaker, owner) else {
                return endAttempt(
                    call, step, failure: Int64(model.breakers[step.breaker].rejectedMessage))
            }
            frames[call].epoch = breakers[step.breaker].epoch
        }
        let target = model.operations[Int(operations[step.target])]
        let callee = makeOperation(step.target, parent: call, callerRow: owner)
        frames[call].pending = Int32(callee)
        frames[callee].rootSpan = frames[owner].rootSpan
        let networkNs = model.drawNs(step.sampler, &trace.random)
        let deadlineNs = step.timeoutNs == .max ? .max : nowNs + step.timeoutNs
        if step.isLocal {
            frames[callee].instance = frames[owner].instance
            frames[callee].parentSpan = frames[owner].span
            if target.category == .database {
                // The one span there is is the caller's, network and timeout included.
                frames[callee].restNs = networkNs + model.drawNs(step.sampler, &trace.random)
                frames[callee].deadlineNs = deadlineNs
                enter(callee)
                return .wait
            }
        } else {
            var carrier = frames[owner].span
            if step.hasClientSpan {
                carrier = startSpan(
                    .start, shape: step.shape, instance: frames[owner].instance,
                    parent: frames[owner].span)
                frames[call].hasClient = true
                frames[call].span = carrier
                if frames[call].attempt > 0, target.category == .http {
                    emit(
                        PlanEvent(
                            .attributeInteger, span: carrier, operand: model.resendCountKey,
                            value: UInt64(frames[call].attempt)))
                }
            }
            emit(PlanEvent(.inject, span: carrier))
            frames[callee].entry = .startExtracted
            frames[callee].isRemote = true
            frames[callee].parentSpan = carrier
            frames[callee].isBroken = trace.random.chance(model.pathology.brokenPropagation)
            frames[callee].instance = pickInstance(of: step.target)
        }
        // An answer at the last moment is still one.
        if deadlineNs != .max { scheduleTimeout(index, call, at: deadlineNs) }
        if networkNs > 0 {
            schedule(.enter, callee, at: nowNs + networkNs)
        } else {
            enter(callee)
        }
        return .wait
    }

    /// The callee is done; its answer has to get here yet.
    mutating func calleeEnded(_ call: Int, hasFailed: Bool) {
        let step = model.steps[Int(frames[call].step)]
        frames[call].pending = -1
        frames[call].failsItself = hasFailed
        let isDatabase = model.operations[step.target].category == .database
        let networkNs = isDatabase ? 0 : model.drawNs(step.sampler, &trace.random)
        if networkNs > 0 {
            schedule(.answer, call, at: nowNs + networkNs)
        } else {
            answer(call)
        }
    }

    mutating func answer(_ call: Int) {
        let step = model.steps[Int(frames[call].step)]
        let failure = frames[call].failsItself ? Int64(step.failureMessage) : -1
        advance(closeAttempt(call, step, failure: failure, isTimeout: false))
    }

    /// The callee goes on by itself; its caller has given up on it.
    mutating func timeOut(_ call: Int) {
        let step = model.steps[Int(frames[call].step)]
        let callee = frames[call].pending
        if callee >= 0 { frames[Int(callee)].parent = -1 }
        frames[call].pending = -1
        advance(closeAttempt(call, step, failure: Int64(step.timeoutMessage), isTimeout: true))
    }

    private mutating func closeAttempt(
        _ call: Int, _ step: CompiledStep, failure: Int64, isTimeout: Bool
    ) -> Flow {
        if frames[call].hasClient {
            let span = frames[call].span
            appendOutcome(
                of: model.operations[step.target], span, failure < 0 ? nil : UInt32(failure),
                isTimeout: isTimeout)
            endSpan(span)
        }
        // What was let through before the breaker changed its mind tells it nothing.
        if step.breaker >= 0, breakers[step.breaker].epoch == frames[call].epoch {
            settle(step.breaker, Int(frames[call].owner), hasFailed: failure >= 0)
        }
        return endAttempt(call, step, failure: failure)
    }

    /// Another attempt, the next repetition, or the end of the call.
    private mutating func endAttempt(
        _ call: Int, _ step: CompiledStep, failure: Int64
    ) -> Flow {
        // Timers and answers of this attempt are void.
        frames[call].generation &+= 1
        let attempt = frames[call].attempt
        if failure >= 0, attempt < step.retries {
            // Doubles each time, up to the longest duration there is.
            let pauseNs = step.backoffNs.multipliedReportingOverflow(
                by: 1 << UInt64(min(attempt, 40)))
            frames[call].attempt += 1
            schedule(
                .retry, call,
                at: nowNs
                    + min(
                        pauseNs.overflow ? .max : pauseNs.partialValue,
                        UInt64(ScenarioUnits.longestDurationNs)))
            return .wait
        }
        if failure >= 0, frames[call].failure < 0,
            trace.random.chance(model.operations[Int(operations[step.target])].propagate)
        {
            frames[call].failure = failure
        }
        frames[call].remaining -= 1
        frames[call].attempt = 0
        if frames[call].remaining > 0 {
            // By way of the queue, so that thousands of rejected repetitions are no recursion.
            schedule(.retry, call, at: nowNs)
            return .wait
        }
        let (parent, result) = (Int(frames[call].parent), frames[call].failure)
        free(call)
        return completed(parent, failure: result)
    }

    // MARK: Breakers

    private mutating func admit(_ breaker: Int, _ owner: Int) -> Bool {
        let rule = model.breakers[breaker]
        let verdict = breakers[breaker].admit(rule, at: nowNs)
        switch verdict {
        case .closed, .trial: break
        case .firstTrial: appendChange(rule.halfOpened, owner)
        case .rejected: appendChange(rule.rejected, owner)
        }
        return verdict != .rejected
    }

    private mutating func settle(_ breaker: Int, _ owner: Int, hasFailed: Bool) {
        let rule = model.breakers[breaker]
        switch breakers[breaker].settle(rule, at: nowNs, hasFailed: hasFailed) {
        case .unchanged: break
        case .opened: appendChange(rule.opened, owner)
        case .closed: appendChange(rule.closed, owner)
        }
    }

    private mutating func appendChange(_ shape: UInt32, _ owner: Int) {
        emit(
            .timed(.event, span: frames[owner].span, operand: shape, timeNs: relative(nowNs)))
    }
}
