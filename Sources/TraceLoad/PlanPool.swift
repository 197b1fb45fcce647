/// The plans of `rate: max`: made before the run and handed out in a circle, window by window, with
/// fresh identifiers and later start times each time round. Planning then costs the run nothing, and
/// what repeats are durations and attribute values. Each trace is replayed by itself. Any thread.
final class PlanPool: Sendable {
    /// Traces in a window: enough to make a claim cheap beside it, few enough to stay in cache.
    static let windowTraces = 64

    private let claimed = WorkerLock<UInt64>(0)
    private let windows: [PlanBatch]
    /// Arrivals that one round of the pool stands for, those of other shards included.
    private let roundArrivals: UInt64
    /// Simulated time that one round of the pool takes.
    private let roundNs: UInt64

    /// Spans that the pool holds at most, but for one window: about 100 bytes each.
    private static let spansMax = 1 << 19

    /// Simulates the traces of all windows, at most `most` of them and fewer when traces are large,
    /// which takes some milliseconds.
    init(_ compiled: CompiledScenario, windows most: Int, shard: Shard) {
        var probe = TraceSimulation(compiled, output: .batch)
        let probed = probe.plans(arrivals: Self.windowTraces).traces.reduce(0) { $0 + $1.spanCount }
        let count = max(1, min(most, Self.spansMax / max(1, probed)))
        var simulation = TraceSimulation(compiled, output: .batch)
        let arrivals = count * Self.windowTraces * shard.count
        let all = simulation.plans(arrivals: arrivals)
        roundArrivals = UInt64(arrivals)
        roundNs =
            (all.traces.last?.startNs ?? 0) + UInt64(ArrivalSchedule.saturatedGapNs)
        var windows: [PlanBatch] = []
        for trace in all.traces where shard.shows(trace.index) {
            if windows.last?.traces.count ?? Self.windowTraces == Self.windowTraces {
                windows.append(PlanBatch())
            }
            windows[windows.count - 1].append(trace, from: all)
        }
        self.windows = windows
    }

    /// Number of the first arrival that no claimed window has.
    var nextArrival: UInt64 {
        let number = claimed.withLock { $0 }
        let count = UInt64(windows.count)
        // As many of other shards' in between.
        return number / count * roundArrivals + number % count * (roundArrivals / count)
    }

    /// A claimed window and what to add to its plans' numbers and times.
    struct Window {
        var batch = PlanBatch()
        var firstIndex: UInt64 = 0
        var startNs: UInt64 = 0
        /// Traces to replay, from the first.
        var traceCount = 0
    }

    /// Replaces the window with the next one; false when there is none. `arrivalsMax`: number of
    /// the arrival to stop before.
    func claim(_ window: inout Window, arrivalsMax: UInt64) -> Bool {
        let number = claimed.withLock { claimed in
            defer { claimed += 1 }
            return claimed
        }
        let count = UInt64(windows.count)
        let firstIndex = number / count * roundArrivals
        let batch = windows[Int(number % count)]
        let traceCount = batch.traces.prefix { firstIndex + $0.index < arrivalsMax }.count
        guard traceCount > 0 else {
            claimed.withLock { $0 -= 1 }
            return false
        }
        window.batch = batch
        window.firstIndex = firstIndex
        window.startNs = number / count * roundNs
        window.traceCount = traceCount
        return true
    }
}

extension PlanBatch {
    /// Copies a trace with its texts.
    fileprivate mutating func append(_ plan: TracePlan, from other: PlanBatch) {
        let events = other.events[plan.events].map { event -> PlanEvent in
            var event = event
            switch event.kind {
            case .eventAttribute
            where event.span != UInt16(PlanEvent.Kind.attributeText.rawValue):
                break
            case .attributeText, .baggage, .eventAttribute:
                let known = PlanText(bits: event.value)
                guard !known.isKnownAhead else { break }
                event.value =
                    PlanText(
                        offset: text.count, byteCount: known.byteCount, isKnownAhead: false
                    ).bits
                text.append(contentsOf: other.text[known.range])
            default: break
            }
            return event
        }
        append(plan, events)
    }
}
