/// The steps of scripts: sequences, parallel branches, choices and messages. One thread, as the rest of
/// the simulation.
extension TraceSimulation {
    /// What is to be done next in an instant: nothing, or a frame that can go on.
    enum Flow {
        case wait
        case goOn(Int)
    }

    /// Goes on with a frame, and with whoever waited for it, as far as this instant allows.
    mutating func advance(_ frame: Int) { advance(.goOn(frame)) }

    mutating func advance(_ flow: Flow) {
        var flow = flow
        while case .goOn(let frame) = flow {
            flow = frames[frame].kind == .parallel ? branchOut(frame) : runScript(frame)
        }
    }

    private mutating func runScript(_ frame: Int) -> Flow {
        if frames[frame].isBusy { send(frame) }
        let owner = Int(frames[frame].owner)
        let stops = operation(of: owner).shortCircuits
        while frames[frame].next < frames[frame].end {
            if stops, frames[frame].failure >= 0 { break }
            let index = Int(frames[frame].next)
            frames[frame].next += 1
            let step = model.steps[index]
            switch step.action {
            case .work:
                schedule(.resume, frame, at: nowNs + model.drawNs(step.sampler, &trace.random))
                return .wait
            case .call:
                guard let flow = beginCall(index, step, frame) else { continue }
                return flow
            case .publish:
                beginSending(step, frame)
                return .wait
            case .choose:
                return .goOn(makeScript(pickBranch(of: step), parent: frame))
            case .parallel:
                let parallel = makeFrame(.parallel, parent: frame, owner: owner)
                frames[parallel].step = Int32(index)
                frames[parallel].next = step.branches.first
                frames[parallel].end = step.branches.first + step.branches.count
                frames[parallel].pending = 0
                return .goOn(parallel)
            }
        }
        let (parent, failure) = (Int(frames[frame].parent), frames[frame].failure)
        free(frame)
        return completed(parent, failure: failure)
    }

    private mutating func makeScript(_ branch: CompiledBranch, parent: Int) -> Int {
        let script = makeFrame(.script, parent: parent, owner: Int(frames[parent].owner))
        frames[script].next = branch.steps.first
        frames[script].end = branch.steps.first + branch.steps.count
        return script
    }

    /// A script, a call or all branches are through; the frame waited for that.
    mutating func completed(_ frame: Int, failure: Int64) -> Flow {
        if frames[frame].failure < 0 { frames[frame].failure = failure }
        switch frames[frame].kind {
        case .operation:
            endScript(of: frame, failure: frames[frame].failure)
            return .wait
        case .parallel:
            frames[frame].pending -= 1
            return frames[frame].isBusy ? .wait : .goOn(frame)
        case .script, .call: return .goOn(frame)
        }
    }

    private mutating func pickBranch(of step: CompiledStep) -> CompiledBranch {
        var rest = trace.random.uniform() * step.totalWeight
        let indices = step.branches.indices
        for index in indices {
            let branch = model.branches[index]
            if rest < branch.weight { return branch }
            rest -= branch.weight
        }
        return model.branches[indices.upperBound - 1]
    }

    /// Begins branches as far as the limit goes; when all are through, the script goes on. Recurses as
    /// deep as `parallel` is nested in the file.
    private mutating func branchOut(_ frame: Int) -> Flow {
        let limit = model.steps[Int(frames[frame].step)].limit
        frames[frame].isBusy = true
        while frames[frame].next < frames[frame].end, Int(frames[frame].pending) < limit {
            let branch = model.branches[Int(frames[frame].next)]
            frames[frame].next += 1
            frames[frame].pending += 1
            advance(makeScript(branch, parent: frame))
        }
        frames[frame].isBusy = false
        guard frames[frame].pending == 0 else { return .wait }
        let (parent, failure) = (Int(frames[frame].parent), frames[frame].failure)
        free(frame)
        return completed(parent, failure: failure)
    }

    // MARK: Messages

    /// A producer hands a message over within this time.
    static let sendNs: UInt64 = 50_000

    private mutating func beginSending(_ step: CompiledStep, _ frame: Int) {
        let owner = Int(frames[frame].owner)
        let producer = startSpan(
            .start, shape: step.shape, instance: frames[owner].instance,
            parent: frames[owner].span)
        emit(PlanEvent(.inject, span: producer))
        frames[frame].span = producer
        frames[frame].isBusy = true
        schedule(.resume, frame, at: nowNs + Self.sendNs)
    }

    /// The message is handed over; what becomes of it is nobody's business here.
    private mutating func send(_ frame: Int) {
        let producer = frames[frame].span
        let index = Int(frames[frame].next) - 1
        let step = model.steps[index]
        endSpan(producer)
        frames[frame].isBusy = false
        guard !trace.random.chance(step.loss) else { return }
        let owner = Int(frames[frame].owner)
        let message = makeOperation(step.target, parent: -1, callerRow: owner)
        frames[message].entry = step.isLinked ? .startLinked : .startExtracted
        frames[message].isRemote = true
        frames[message].parentSpan = producer
        frames[message].rootSpan = frames[owner].rootSpan
        frames[message].isBroken = trace.random.chance(model.pathology.brokenPropagation)
        frames[message].instance = pickInstance(of: step.target)
        frames[message].step = Int32(index)
        let delayNs = model.drawNs(step.sampler, &trace.random)
        schedule(step.batch >= 0 ? .deliver : .enter, message, at: nowNs + delayNs)
    }

    /// A message that waits for others. The one that fills the batch brings them to the consumer, as a
    /// part of its own trace; the others are links.
    mutating func deliver(_ frame: Int) {
        let step = model.steps[Int(frames[frame].step)]
        if model.operations[Int(operations[step.target])].isDown,
            let next = model.stretches.first(where: { $0.startNs > nowNs })
        {
            return schedule(.deliver, frame, at: next.startNs)
        }
        if batches[step.batch].count + 1 < step.batchSize {
            batches[step.batch].append(
                BatchedMessage(
                    position: SpanIdentityCipher.Position(
                        trace: trace.index, span: frames[frame].parentSpan
                    ).packed, rootSpan: frames[frame].rootSpan,
                    isBroken: frames[frame].isBroken))
            free(frame)
            endActivity()
            return
        }
        enter(frame)
        batches[step.batch].removeAll(keepingCapacity: true)
    }
}
