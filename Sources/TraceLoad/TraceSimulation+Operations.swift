/// Operations from their entry to their end: the span, its events, its outcome. One thread, as the rest
/// of the simulation.
extension TraceSimulation {
    /// The operation of a frame as it was when it was entered.
    @inline(__always)
    func operation(of frame: Int) -> CompiledOperation {
        model.operations[Int(frames[frame].operation)]
    }

    mutating func enter(_ frame: Int) {
        // What it is now: an incident may have begun since it was called.
        let current = operations[Int(frames[frame].operation)]
        frames[frame].operation = current
        let operation = model.operations[Int(current)]
        if operation.isDown, waitsOrFails(frame, operation) { return }
        let networkNs = frames[frame].restNs
        let entry = frames[frame].entry
        frames[frame].startNs = nowNs
        let span = startSpan(
            entry, shape: frames[frame].isRemote ? operation.remoteShape : operation.localShape,
            instance: frames[frame].instance, parent: frames[frame].parentSpan,
            isBroken: frames[frame].isBroken, links: operation.links, frame: frame)
        frames[frame].span = span
        if entry == .startLinked || frames[frame].isBroken {
            trace.rootCount += 1
            frames[frame].rootSpan = span
        }
        appendAttributes(of: operation, frame)

        let ownNs = model.drawNs(operation.ownWork, &trace.random)
        let failsItself = operation.isDown || trace.random.chance(operation.errorRate)
        frames[frame].failsItself = failsItself
        let isOversize =
            span == 0 && trace.random.chance(model.pathology.oversizeRate)
        if isOversize || operation.script.count > 0, !(failsItself && operation.shortCircuits) {
            (frames[frame].hasScript, frames[frame].isBusy) = (true, isOversize)
            // Half of the own work before the calls, half after them.
            frames[frame].restNs = ownNs - ownNs / 2
            schedule(.work, frame, at: nowNs + ownNs / 2)
            return
        }
        // A database that is gone refuses at once.
        var endNs = operation.isDown ? nowNs : nowNs + ownNs + networkNs
        if endNs > frames[frame].deadlineNs {
            endNs = frames[frame].deadlineNs
            frames[frame].isTimeout = true
        }
        scheduleEvents(of: operation, frame, until: endNs)
        schedule(.finish, frame, at: endNs)
    }

    /// A span whose end is known has its events when they are due.
    private mutating func scheduleEvents(
        of operation: CompiledOperation, _ frame: Int, until endNs: UInt64
    ) {
        for index in operation.events.indices {
            let event = model.events[index]
            guard trace.random.chance(event.probability) else { continue }
            let timeNs = nowNs + UInt64(Double(endNs - nowNs) * event.at)
            schedule(.spanEvent, frame, at: timeNs, argument: UInt32(index))
        }
    }

    mutating func appendEvent(_ index: Int, _ frame: Int) {
        let event = model.events[index]
        drawEventAttributes(event, frame)
        emitEvent(
            .timed(
                .event, span: frames[frame].span, operand: event.shape, timeNs: relative(nowNs)))
    }

    mutating func beginScript(_ frame: Int) {
        let script = makeFrame(.script, parent: frame, owner: frame)
        let steps = operation(of: frame).script
        frames[script].next = steps.first
        frames[script].end = steps.first + steps.count
        guard frames[frame].isBusy else { return advance(script) }
        // Spans that make the trace too large, before anything else.
        let filler = makeFrame(.script, parent: script, owner: frame)
        frames[filler].next = Int32(model.pathology.oversizeSteps[trace.traffic])
        frames[filler].end = frames[filler].next + 1
        advance(filler)
    }

    /// A service that is gone has no spans. Its messages wait for it; the rest fails. False for
    /// databases, whose spans are their callers'.
    private mutating func waitsOrFails(_ frame: Int, _ operation: CompiledOperation) -> Bool {
        if operation.category == .database { return false }
        let parent = Int(frames[frame].parent)
        if parent < 0, frames[frame].step >= 0,
            let next = model.stretches.first(where: { $0.startNs > nowNs })
        {
            // The number again: what it is then is looked up then.
            frames[frame].operation = Int32(model.steps[Int(frames[frame].step)].target)
            schedule(.enter, frame, at: next.startNs)
            return true
        }
        free(frame)
        if parent >= 0 { calleeEnded(parent, hasFailed: true) }
        endActivity()
        return true
    }

    /// The script is through.
    mutating func endScript(of frame: Int, failure: Int64) {
        frames[frame].failure = failure
        schedule(.finish, frame, at: nowNs + frames[frame].restNs)
    }

    mutating func finish(_ frame: Int) {
        let operation = operation(of: frame)
        let state = frames[frame]
        let span = state.span
        var message = state.failsItself ? Int64(operation.message) : state.failure
        if state.isTimeout, message < 0 { message = Int64(operation.message) }
        if state.hasScript { appendPastEvents(of: operation, frame) }
        if operation.recordsException, state.failsItself {
            emit(
                .timed(
                    .exception, span: span, operand: operation.message, timeNs: relative(nowNs)))
        }
        let hasFailed = message >= 0
        appendOutcome(
            of: operation, span, hasFailed ? UInt32(message) : nil, isTimeout: state.isTimeout)
        endSpan(span)
        let parent = Int(state.parent)
        let (isRoot, traffic) = (span == 0, trace.traffic)
        free(frame)
        if isRoot { answerArrival() }
        if parent >= 0 { calleeEnded(parent, hasFailed: hasFailed) }
        endActivity()
        if isRoot { beginWaiting(traffic) }
    }

    /// Events of a span whose end was not known before.
    private mutating func appendPastEvents(of operation: CompiledOperation, _ frame: Int) {
        let startNs = frames[frame].startNs
        for index in operation.events.indices {
            let event = model.events[index]
            guard trace.random.chance(event.probability) else { continue }
            let timeNs = startNs + UInt64(Double(nowNs - startNs) * event.at)
            drawEventAttributes(event, frame)
            emitEvent(
                .timed(
                    .pastEvent, span: frames[frame].span, operand: event.shape,
                    timeNs: relative(timeNs)))
        }
    }

    /// Status code, error type and status of a span of this operation, the caller's or its own.
    mutating func appendOutcome(
        of operation: CompiledOperation, _ span: UInt16, _ failure: UInt32?, isTimeout: Bool
    ) {
        if operation.hasStatusCode, !isTimeout {
            let code = failure == nil ? operation.okCode : operation.failedCode
            emit(
                PlanEvent(
                    .attributeInteger, span: span, operand: operation.statusCodeKey,
                    value: UInt64(bitPattern: Int64(code))))
        }
        guard let failure else { return }
        if operation.hasErrorType {
            let type = isTimeout ? model.timeoutType : operation.errorType
            emit(
                PlanEvent(
                    .attributeText, span: span, operand: model.errorTypeKey, value: type.bits))
        }
        emit(PlanEvent(.errorStatus, span: span, operand: failure))
    }
}
