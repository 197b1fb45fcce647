// Looks into whole traces as they come, as many as there is memory and time for: their quality and the
// graph of who calls whom. Not thread-safe; the sink's state guards it.
//
// A trace is chosen by a hash of its identifier, so that all of its spans are looked into or none. When
// spans come faster than is allowed, or more of them wait than there is room for, every second trace is
// let go, for good: the rate only falls, so that a trace is never taken up in its middle. A trace judged
// at one in n counts n times, which makes shares and rates those of all that came (Horvitz and Thompson,
// 1952).

import TraceResults

/// What a sink makes of the traces that reach it.
struct TraceStudy {
    private let settings: SinkConfiguration.StudySettings
    private let spansPerTraceMax: Int
    private let tickNs: UInt64
    private let quietTicks: UInt64
    private var shift: UInt64 = 0
    private var names: NameTable
    private var services: Set<String> = []
    private var traces: [TraceKey: StudiedTrace] = [:]
    private var spansWaiting = 0
    // Traces by the tick in which a span of them came; those of which another came later are in a later
    // one, too.
    private var touched: [(tick: UInt64, traces: [TraceKey])] = []
    private var judged: RecentTraces
    private var judge = TraceJudge()
    private var quality = QualityBooks()
    private var graph: GraphBooks
    private var operations: NameTable
    private var examples = ExampleBooks()
    // Spans that may be looked into now; a token bucket.
    private var allowance: Double
    private var allowedNs: UInt64 = 0

    init(_ settings: SinkConfiguration.StudySettings) {
        self.settings = settings
        spansPerTraceMax = max(1, settings.spansMax / 4)
        tickNs = max(1, settings.quietNs / 8)
        quietTicks = (settings.quietNs + tickNs - 1) / tickNs
        names = NameTable(namesMax: settings.namesMax)
        operations = NameTable(namesMax: settings.namesMax)
        judged = RecentTraces(countMax: settings.judgedMax)
        graph = GraphBooks(edgesMax: settings.edgesMax)
        allowance = Double(settings.spansPerSMax ?? 0)
    }

    /// Traces whose hash is above it are not looked into.
    var hashMax: UInt64 { .max >> shift }

    private var weight: UInt64 { 1 << shift }

    /// Takes note of services that send spans.
    mutating func noteServices(_ names: [String]) {
        for name in names where services.count < settings.namesMax || services.contains(name) {
            services.insert(name)
            _ = self.names.number(ofService: name)
        }
    }

    /// Takes in spans of a first delivery. O(spans), amortised.
    /// - Parameters:
    ///   - services: the names that the spans' `service` counts through.
    ///   - nowNs: the monotonic clock.
    mutating func add(
        _ spans: some Collection<ObservedSpan>, services: [String], undecodable: Int, nowNs: UInt64
    ) {
        quality.enterUndecodable(undecodable)
        guard !spans.isEmpty else { return }
        let hashMax = hashMax
        allow(spans.count { TraceChoice.hash($0.trace) <= hashMax }, nowNs)
        let numbers = services.map { names.number(ofService: $0) }
        let tick = nowNs / tickNs
        judgeQuiet(before: tick)
        for span in spans where TraceChoice.hash(span.trace) <= self.hashMax {
            if judged.contains(span.trace) {
                quality.enterLate(weight: weight)
            } else {
                keep(span, service: numbers[span.service], tick)
            }
        }
        while spansWaiting > settings.spansMax { letHalfGo() }
    }

    private mutating func keep(_ span: ObservedSpan, service: Int32, _ tick: UInt64) {
        let peerName =
            unsafe span.peer == .none
            ? NameTable.other : names.number(of: String(decoding: span.peerName, as: UTF8.self))
        let studied = StudiedSpan(
            spanID: span.spanID, parentSpanID: span.parentSpanID,
            startUnixNano: span.startUnixNano,
            durationNs: span.endUnixNano > span.startUnixNano
                ? span.endUnixNano - span.startUnixNano : 0,
            service: service, peerName: peerName,
            operation: unsafe operations.number(hashed: span.name), kind: span.kind,
            peer: span.peer, isError: span.isError)
        let countMax = spansPerTraceMax
        let wasTouched = change(span.trace) { trace in
            defer { trace.lastTick = tick }
            if trace.spans.count < countMax {
                trace.spans.append(studied)
            } else {
                trace.isCut = true
            }
            return trace.lastTick == tick
        }
        if !wasTouched {
            if touched.last?.tick != tick { touched.append((tick, [])) }
            touched[touched.count - 1].traces.append(span.trace)
        }
    }

    /// Returns what `body` does, with a trace's entry made if need be.
    private mutating func change(
        _ key: TraceKey, _ body: (inout StudiedTrace) -> Bool
    ) -> Bool {
        if traces[key] == nil {
            var trace = StudiedTrace()
            trace.lastTick = .max
            traces[key] = trace
        }
        guard let slot = traces.index(forKey: key) else { return false }
        let before = traces.values[slot].spans.count
        defer { spansWaiting += traces.values[slot].spans.count - before }
        return body(&traces.values[slot])
    }

    // MARK: Bounds

    private mutating func allow(_ count: Int, _ nowNs: UInt64) {
        guard let perS = settings.spansPerSMax.map(Double.init) else { return }
        let passed = Double(nowNs - min(allowedNs, nowNs)) / 1e9
        allowedNs = nowNs
        allowance = min(perS, allowance + passed * perS) - Double(count)
        if allowance < 0 {
            letHalfGo()
            allowance = perS / 2
        }
    }

    private mutating func letHalfGo() {
        guard shift < 63 else { return }
        shift += 1
        let hashMax = hashMax
        traces = traces.filter { TraceChoice.hash($0.key) <= hashMax }
        spansWaiting = traces.values.reduce(0) { $0 + $1.spans.count }
    }

    // MARK: Judging

    /// Judges the traces of which no span has come for as long as the settings say.
    private mutating func judgeQuiet(before tick: UInt64) {
        var passed = 0
        for entry in touched {
            // The tick itself has to be over before its last span is old enough.
            guard entry.tick + quietTicks < tick else { break }
            for key in entry.traces {
                guard let trace = traces[key], trace.lastTick == entry.tick else { continue }
                let found = judge.judge(trace, names)
                quality.enter(trace, found, weight: weight)
                graph.enter(trace, judge, weight: weight, names)
                examples.enter(key, trace)
                spansWaiting -= trace.spans.count
                traces[key] = nil
                judged.add(key)
            }
            passed += 1
        }
        touched.removeFirst(passed)
    }

    /// What is known now; traces that are not quiet yet are taken as they stand.
    mutating func report(nowNs: UInt64) -> (quality: TraceQualityFigures, graph: ServiceGraph) {
        judgeQuiet(before: nowNs / tickNs)
        var quality = quality
        var graph = graph
        for trace in traces.values {
            quality.enter(trace, judge.judge(trace, names), weight: weight)
            graph.enter(trace, judge, weight: weight, names)
        }
        var seen = graph.graph(
            traces: quality.tracesEstimated, durationNs: quality.durationNs, names)
        seen.traces = quality.report().traces
        seen.oneIn = weight
        return (finished(quality), seen)
    }

    /// Traces to look at; those that are not quiet yet are taken as they stand.
    func exampleTraces() -> ExampleTraces {
        var examples = examples
        for (key, trace) in traces { examples.enter(key, trace) }
        return examples.examples(names, operations: operations)
    }

    /// The quality alone.
    mutating func figures(nowNs: UInt64) -> TraceQualityFigures {
        judgeQuiet(before: nowNs / tickNs)
        var quality = quality
        for trace in traces.values {
            quality.enter(trace, judge.judge(trace, names), weight: weight)
        }
        return finished(quality)
    }

    private func finished(_ quality: QualityBooks) -> TraceQualityFigures {
        var figures = quality.report()
        figures.unsettledTraces = UInt64(traces.count)
        figures.oneIn = weight
        figures.quietNs = settings.quietNs
        figures.services = services.sorted()
        return figures
    }
}

/// The traces judged last, so that a span which comes too late is known for one.
struct RecentTraces {
    private let countMax: Int
    private var ring: [TraceKey] = []
    private var next = 0
    private var known: Set<TraceKey> = []

    init(countMax: Int) {
        self.countMax = countMax
    }

    func contains(_ key: TraceKey) -> Bool { !known.isEmpty && known.contains(key) }

    mutating func add(_ key: TraceKey) {
        guard known.insert(key).inserted else { return }
        if ring.count < countMax {
            ring.append(key)
        } else {
            known.remove(ring[next])
            ring[next] = key
            next = (next + 1) % countMax
        }
    }
}
