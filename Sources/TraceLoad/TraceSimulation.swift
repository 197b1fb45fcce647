/// A discrete-event simulation of all traces of a scenario at once: who calls whom, when, with what
/// outcome, in order of simulated time. Each trace draws from a random stream of its own, so that
/// nothing but what crosses traces on purpose (circuit breakers, bounds, batches, links, the users of
/// a closed model) passes from one to another, and that in the order in which it happens.
///
/// What it makes goes into a stream for each worker, or trace by trace into batches. Plans depend on
/// the scenario and the seed alone. One thread at a time.
struct TraceSimulation: Sendable {
    let model: SimulationModel
    let seed: UInt64
    let unique: SpanIdentityCipher

    // What is under way.
    var queue = EventQueue()
    /// By step.
    var timeouts: [TimeoutLine]
    var frames: [SimulationFrame] = []
    var freeFrames: [Int32] = []
    /// Values that callees may inherit, a row of slots for each frame.
    var inherited: [PlanValue] = []
    /// The caller's row, while an operation writes its own.
    var callerRow: [PlanValue]
    var traces: [SimulatedTrace] = []
    var freeTraces: [Int] = []
    /// Values drawn once a trace, a row for each trace.
    var traceValues: [PlanValue] = []
    /// Texts that a trace still needs.
    var traceTexts: [[UInt8]] = []
    var oddities: [[SpanOddity]] = []
    /// What was drawn for the event that is emitted next.
    var eventValues: [PlanEvent] = []
    /// The trace in hand, and its place; what stands in `traces` there is out of date.
    var trace = SimulatedTrace()
    var tracePlace = -1
    var nowNs: UInt64 = 0
    /// When the last trace began.
    private(set) var lastBeginNs: UInt64 = 0
    var liveTraces = 0

    // What crosses traces.
    var breakers: [BreakerState]
    var sequences: [UInt64]
    var batches: [[BatchedMessage]]
    /// Numbers of the traces that began last, a ring.
    var begun: [UInt64]
    var begunCount: UInt64 = 0
    /// By number: the operation as it is at this time.
    var operations: [Int32]
    var arrivals: ArrivalState

    var output: SimulationOutput

    /// Traces of which a link may choose one.
    static let rememberedTraces = 1024

    init(_ compiled: CompiledScenario, output: SimulationOutput.Form) {
        model = compiled.model
        seed = compiled.scenario.seed
        unique = SpanIdentityCipher(seed: compiled.scenario.seed ^ 0x756E_6971_7565, salt: 0)
        callerRow = Array(repeating: .missing, count: compiled.model.inheritSlotCount)
        breakers = compiled.model.breakers.map { BreakerState($0) }
        sequences = [UInt64](repeating: 0, count: compiled.model.sequenceCount)
        batches = Array(repeating: [], count: compiled.model.batchCount)
        begun = Array(repeating: 0, count: compiled.model.links.isEmpty ? 0 : Self.rememberedTraces)
        timeouts = Array(repeating: TimeoutLine(), count: compiled.model.steps.count)
        operations = compiled.model.stretches[0].operations
        arrivals = ArrivalState(compiled)
        self.output = SimulationOutput(output)
        scheduleIncidents()
        scheduleUsers()
    }

    /// Does what comes next; false when nothing is left, or no trace is alive and none may begin.
    mutating func step() -> Bool {
        let arrivalNs = arrivals.nextNs
        if arrivalNs < queue.nextNs {
            nowNs = arrivalNs
            arrive()
            return true
        }
        if queue.isEmpty || (liveTraces == 0 && !arrivals.mayBegin) { return false }
        process(queue.popFirst())
        return true
    }

    /// About 150 to 300 ns a span with all that belongs to it.
    private mutating func process(_ event: PendingEvent) {
        nowNs = event.timeNs
        switch event.action {
        case .user: return beginUser(event)
        case .incident:
            operations = model.stretches[Int(event.argument)].operations
            return
        case .lateEnd:
            load(Int(event.target))
            endLate(UInt16(truncatingIfNeeded: event.argument))
            return
        default: break
        }
        if event.action == .timeout { queueTimeout(of: Int(event.argument)) }
        let frame = Int(event.target)
        guard frames[frame].generation == event.generation else { return }
        load(Int(frames[frame].trace))
        switch event.action {
        case .enter: enter(frame)
        case .deliver: deliver(frame)
        case .work: beginScript(frame)
        case .finish: finish(frame)
        case .resume: advance(frame)
        case .answer: answer(frame)
        case .timeout: timeOut(frame)
        case .retry: advance(beginAttempt(frame))
        case .spanEvent: appendEvent(Int(event.argument), frame)
        case .user, .incident, .lateEnd: break
        }
    }

    // MARK: Time

    mutating func schedule(
        _ action: PendingEvent.Action, _ frame: Int, at timeNs: UInt64, argument: UInt32 = 0
    ) {
        trace.sequence &+= 1
        queue.insert(
            PendingEvent(
                timeNs: timeNs,
                order: PendingEvent.order(
                    trace: trace.index, sequence: trace.sequence, isLast: false),
                target: UInt32(frame), generation: frames[frame].generation, argument: argument,
                action: action))
    }

    /// The caller gives up at this time, unless there is an answer by then.
    mutating func scheduleTimeout(_ step: Int, _ call: Int, at timeNs: UInt64) {
        trace.sequence &+= 1
        let event = PendingEvent(
            timeNs: timeNs,
            order: PendingEvent.order(
                trace: trace.index, sequence: trace.sequence, isLast: true),
            target: UInt32(call), generation: frames[call].generation, argument: UInt32(step),
            action: .timeout)
        if timeouts[step].isQueued, timeouts[step].append(event) { return }
        timeouts[step].isQueued = true
        queue.insert(event)
    }

    /// The next timeout of a step that somebody still waits for.
    private mutating func queueTimeout(of step: Int) {
        while let next = timeouts[step].popFirst() {
            guard frames[Int(next.target)].generation == next.generation else { continue }
            queue.insert(next)
            return
        }
        timeouts[step].isQueued = false
    }

    /// A time as events of the trace in hand carry it.
    func relative(_ timeNs: UInt64) -> UInt64 { timeNs - trace.startNs }

    // MARK: Traces

    /// Makes a trace the one in hand.
    @inline(__always)
    mutating func load(_ place: Int) {
        if place == tracePlace { return }
        if tracePlace >= 0 { traces[tracePlace] = trace }
        trace = traces[place]
        tracePlace = place
    }

    /// Begins the trace of an arrival, now; none when the service that would is gone.
    mutating func beginTrace(_ index: UInt64, traffic: Int, user: Int, intendedNs: UInt64) {
        guard !model.operations[Int(operations[model.roots[traffic]])].isDown else {
            return refuseArrival(index, traffic: traffic, user: user)
        }
        if tracePlace >= 0 { traces[tracePlace] = trace }
        if let place = freeTraces.popLast() {
            tracePlace = place
        } else {
            tracePlace = traces.count
            traces.append(SimulatedTrace())
            traceValues.append(
                contentsOf: repeatElement(.missing, count: model.traceScopedCount))
            traceTexts.append([])
            oddities.append([])
        }
        trace = SimulatedTrace()
        trace.index = index
        trace.startNs = nowNs
        lastBeginNs = nowNs
        trace.random = RandomStream(seed: seed, position: index)
        (trace.traffic, trace.user, trace.ordinal) = (traffic, user, begunCount)
        for slot in 0..<model.traceScopedCount {
            traceValues[tracePlace * model.traceScopedCount + slot] = .missing
        }
        if !begun.isEmpty { begun[Int(begunCount % UInt64(begun.count))] = index }
        begunCount += 1
        liveTraces += 1
        output.begin(&trace, place: tracePlace, intendedNs: intendedNs)
        let operation = model.roots[traffic]
        let frame = makeOperation(operation, parent: -1, callerRow: -1)
        frames[frame].isRemote = true
        frames[frame].instance = pickInstance(of: operation)
        enter(frame)
    }

    /// One of the things that keep the trace in hand alive is done.
    mutating func endActivity() {
        trace.activities -= 1
        guard trace.activities == 0 else { return }
        output.finish(trace, place: tracePlace, nowNs: nowNs)
        traceTexts[tracePlace].removeAll(keepingCapacity: true)
        oddities[tracePlace].removeAll(keepingCapacity: true)
        freeTraces.append(tracePlace)
        liveTraces -= 1
        tracePlace = -1
    }

    // MARK: Frames

    mutating func makeFrame(_ kind: SimulationFrame.Kind, parent: Int, owner: Int) -> Int {
        let place: Int
        if let last = freeFrames.popLast() {
            place = Int(last)
        } else {
            place = frames.count
            frames.append(SimulationFrame())
            inherited.append(contentsOf: repeatElement(.missing, count: model.inheritSlotCount))
        }
        let generation = frames[place].generation
        frames[place] = SimulationFrame()
        frames[place].kind = kind
        frames[place].generation = generation
        frames[place].trace = UInt32(tracePlace)
        frames[place].parent = Int32(parent)
        frames[place].owner = Int32(owner)
        return place
    }

    /// An operation that is to be entered; `callerRow`: the frame whose values it may inherit.
    mutating func makeOperation(_ operation: Int, parent: Int, callerRow: Int) -> Int {
        let frame = makeFrame(.operation, parent: parent, owner: -1)
        frames[frame].owner = Int32(frame)
        frames[frame].operation = Int32(operation)
        trace.activities += 1
        let slots = model.inheritSlotCount
        for slot in 0..<slots {
            inherited[frame * slots + slot] =
                callerRow < 0 ? .missing : inherited[callerRow * slots + slot]
        }
        return frame
    }

    mutating func free(_ frame: Int) {
        frames[frame].generation &+= 1
        freeFrames.append(Int32(frame))
    }

    mutating func pickInstance(of operation: Int) -> UInt16 {
        let range = model.instanceRanges[model.operations[operation].service]
        if range.count == 1 { return UInt16(range.first) }
        return UInt16(UInt64(range.first) + trace.random.below(UInt64(range.count)))
    }
}

/// A message that waits until its batch is full.
struct BatchedMessage: Sendable {
    /// Position of the producer's span, packed.
    var position: UInt64
    /// The span that begins the producer's trace.
    var rootSpan: UInt16
    /// Its context did not arrive.
    var isBroken: Bool
}
