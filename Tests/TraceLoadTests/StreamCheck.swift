@testable import TraceLoad

/// Reads the streams of a simulation and says what is wrong with them.
struct StreamCheck {
    private struct Span {
        var start: PlanEvent
        var startNs: UInt64
        var endNs: UInt64?
        var isTimeout = false
        var isForged = false
    }

    private struct Live {
        var head: TraceHead
        var spans: [UInt16: Span] = [:]
        var injectedNs: [UInt16: UInt64] = [:]
        var prepared: PlanEvent?
    }

    private let compiled: CompiledScenario
    private let scenario: RandomScenario
    private let hasTimeouts: Bool
    private var live: [UInt32: Live] = [:]
    private var nowNs: UInt64 = 0
    private(set) var problems: [String] = []
    private(set) var spanCount = 0
    private(set) var traceCount = 0

    /// Simulates so many arrivals and reads every event of one stream.
    init(_ scenario: RandomScenario, _ compiled: CompiledScenario, arrivals: UInt64) {
        self.scenario = scenario
        hasTimeouts = scenario.hasTimeouts
        self.compiled = compiled
        var simulation = TraceSimulation(
            compiled, output: .streams(workers: 1, shard: .whole))
        simulation.open(indexMax: arrivals)
        var chunk = PlanChunk()
        while simulation.step() {
            guard simulation.output.isAnyFull else { continue }
            simulation.output.take(0, leaving: &chunk)
            read(chunk)
        }
        simulation.output.take(0, leaving: &chunk)
        read(chunk)
        if !live.isEmpty { problems.append("\(live.count) traces are never over") }
        if simulation.liveTraces != 0 { problems.append("the simulation holds live traces") }
    }

    private mutating func read(_ chunk: PlanChunk) {
        var slot: UInt32 = .max
        for event in chunk.events {
            switch event.kind {
            case .begin:
                slot = event.operand
                let head = chunk.heads[Int(event.value)]
                pass(head.startNs)
                if head.intendedNs > head.startNs { problems.append("a trace begins too early") }
                if live[slot] != nil { problems.append("slot \(slot) is taken") }
                live[slot] = Live(head: head)
                traceCount += 1
            case .resume:
                slot = event.operand
                pass(event.value)
                if live[slot] == nil { problems.append("no trace in slot \(slot)") }
            case .finish: finish(event.operand)
            default: take(event, slot)
            }
        }
    }

    private mutating func pass(_ timeNs: UInt64) {
        if timeNs < nowNs { problems.append("time goes back from \(nowNs) to \(timeNs)") }
        nowNs = timeNs
    }

    private mutating func take(_ event: PlanEvent, _ slot: UInt32) {
        guard var trace = live.removeValue(forKey: slot) else { return }
        defer { live[slot] = trace }
        let atNs = trace.head.startNs + event.timeNs
        if event.isTimed, atNs != nowNs { problems.append("\(event.kind) has another time") }
        switch event.kind {
        case .prepare: trace.prepared = event
        case .link, .eventAttribute: break
        case .start, .startExtracted, .startLinked, .startSpecial, .forge:
            start(event, &trace, atNs)
        case .inject, .injectForged: trace.injectedNs[event.span] = nowNs
        case .end, .endLate:
            guard let span = trace.spans[event.span], span.endNs == nil else {
                return problems.append("span \(event.span) ends without being live")
            }
            if atNs > nowNs || atNs < span.startNs { problems.append("an end out of its time") }
            trace.spans[event.span]?.endNs = atNs
            check(event.span, trace)
        default:
            guard let span = trace.spans[event.span], span.endNs == nil else {
                return problems.append("\(event.kind) on span \(event.span), which is not live")
            }
            if event.kind == .pastEvent, atNs > nowNs || atNs < span.startNs {
                problems.append("an event outside of its span")
            }
            if event.kind == .attributeText, event.operand == compiled.model.errorTypeKey,
                event.value == compiled.model.timeoutType.bits
            {
                trace.spans[event.span]?.isTimeout = true
            }
        }
    }

    private mutating func start(_ event: PlanEvent, _ trace: inout Live, _ atNs: UInt64) {
        if trace.spans[event.span] != nil { problems.append("span \(event.span) starts twice") }
        var kind = event.kind
        if kind == .startSpecial, let prepared = trace.prepared {
            kind = PlanEvent.Kind(rawValue: UInt8(prepared.operand & 0xFF)) ?? .none
            trace.prepared = nil
        }
        spanCount += 1
        trace.spans[event.span] = Span(
            start: event, startNs: atNs, isForged: event.kind == .forge)
        guard event.parent != PlanEvent.noParent else { return }
        let shapeKind = compiled.shapes[event.shape].kind
        guard let parent = trace.spans[event.parent] else {
            return problems.append("span \(event.span) has a parent that has not begun")
        }
        if atNs < parent.startNs { problems.append("a child begins before its parent") }
        if kind == .start {
            // A request that is on its way arrives, whether or not its caller still waits.
            if let endNs = parent.endNs, endNs < atNs, !parent.isForged, !hasTimeouts {
                problems.append("a local parent has ended")
            }
            return
        }
        guard let sentNs = trace.injectedNs[event.parent] else {
            return problems.append("span \(event.span) reads an empty carrier")
        }
        let networkNs = UInt64(scenario.networkUs) * 1000
        if shapeKind == 5 {
            if atNs < sentNs + TraceSimulation.sendNs { problems.append("a message is too fast") }
        } else if compiled.shapes[trace.spans[event.parent]?.start.shape ?? 0].kind == 3 {
            // By its client's own carrier; others share one with the calls beside them.
            if atNs != sentNs + networkNs { problems.append("the network takes another time") }
        }
    }

    /// When a span has ended.
    private mutating func check(_ number: UInt16, _ trace: Live) {
        guard let span = trace.spans[number], let endNs = span.endNs else { return }
        let kind = compiled.shapes[span.start.shape].kind
        if span.isTimeout, kind == 3, endNs - span.startNs != UInt64(scenario.timeoutUs) * 1000 {
            problems.append("a timeout after \(endNs - span.startNs) ns")
        }
        guard !hasTimeouts, kind != 5, span.start.parent != PlanEvent.noParent,
            let parent = trace.spans[span.start.parent]
        else { return }
        if compiled.shapes[parent.start.shape].kind == 4 { return }
        if let parentEndNs = parent.endNs, endNs > parentEndNs {
            problems.append("a callee ends after its caller")
        }
    }

    private mutating func finish(_ slot: UInt32) {
        guard let trace = live.removeValue(forKey: slot) else {
            return problems.append("a trace is over that never began")
        }
        guard !scenario.pathology else { return }
        for (number, span) in trace.spans where span.endNs == nil {
            problems.append("span \(number) never ends")
        }
    }
}
