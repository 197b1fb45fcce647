// Which traces are kept to be looked at: the slowest, and a sample from which a usual one is taken. Bounded
// in traces and spans. Not thread-safe; the sink's state guards it.

import TraceResults

/// The traces kept, as they were judged.
struct ExampleBooks {
    private struct Kept {
        var hash: UInt64
        var durationNs: UInt64
        var spanCount: Int
        var spans: [StudiedSpan]
    }

    /// Traces in the sample: 64 of 200 spans are 600 KiB.
    private static let sampleMax = 64

    private var traces: UInt64 = 0
    private var slowest: Kept?
    // Those whose identifiers have the lowest hashes: as fair a sample as any, and however many traces are
    // let go for want of room, these are not among them.
    private var sample: [Kept] = []
    private var sampleHashMax = UInt64.max

    /// Takes in a trace that was judged. O(spans) when it is kept.
    mutating func enter(_ key: TraceKey, _ trace: StudiedTrace) {
        guard let first = trace.spans.lazy.map(\.startUnixNano).min() else { return }
        traces &+= 1
        let last = trace.spans.lazy.map { $0.startUnixNano &+ $0.durationNs }.max() ?? first
        let durationNs = last > first ? last - first : 0
        let hash = TraceChoice.hash(key)
        let isSampled = hash < sampleHashMax || sample.count < Self.sampleMax
        let isSlowest = slowest.map { durationNs > $0.durationNs } ?? true
        guard isSampled || isSlowest else { return }
        let kept = Kept(
            hash: hash, durationNs: durationNs, spanCount: trace.spans.count,
            spans: Self.shown(trace.spans))
        if isSlowest { slowest = kept }
        guard isSampled else { return }
        if sample.count >= Self.sampleMax,
            let worst = sample.indices.max(by: { sample[$0].hash < sample[$1].hash })
        {
            sample.remove(at: worst)
        }
        sample.append(kept)
        if sample.count >= Self.sampleMax { sampleHashMax = sample.map(\.hash).max() ?? .max }
    }

    /// The first spans by start, a parent before a child that starts with it.
    private static func shown(_ spans: [StudiedSpan]) -> [StudiedSpan] {
        let ordered = spans.sorted {
            ($0.startUnixNano, $1.durationNs, $0.spanID) < (
                $1.startUnixNano, $0.durationNs, $1.spanID
            )
        }
        return Array(ordered.prefix(ExampleTrace.spansMax))
    }

    /// The examples, by name.
    func examples(_ names: NameTable, operations: NameTable) -> ExampleTraces {
        var examples = ExampleTraces()
        examples.traces = traces
        examples.slowest = slowest.map { Self.example($0, names, operations) }
        examples.typical = typical.map { Self.example($0, names, operations) }
        return examples
    }

    private var typical: Kept? {
        struct Entry: Hashable {
            var service: Int32
            var operation: Int32
        }
        let groups = Dictionary(grouping: sample) { kept in
            let root = kept.spans.first { $0.parentSpanID == 0 } ?? kept.spans[0]
            return Entry(service: root.service, operation: root.operation)
        }
        // Of equally frequent ones the first met, so that the same traces give the same example.
        let most = groups.max {
            ($0.value.count, $1.key.service, $1.key.operation)
                < ($1.value.count, $0.key.service, $0.key.operation)
        }?.value
        guard let most else { return nil }
        let ordered = most.sorted { ($0.durationNs, $0.hash) < ($1.durationNs, $1.hash) }
        return ordered[ordered.count / 2]
    }

    private static func example(
        _ kept: Kept, _ names: NameTable, _ operations: NameTable
    ) -> ExampleTrace {
        var example = ExampleTrace()
        example.durationNs = kept.durationNs
        example.spanCount = UInt64(kept.spanCount)
        let first = kept.spans.first?.startUnixNano ?? 0
        var places: [UInt64: Int] = [:]
        for (place, span) in kept.spans.enumerated() where places[span.spanID] == nil {
            places[span.spanID] = place
        }
        example.spans = kept.spans.enumerated().map { place, span in
            var shown = ExampleSpan()
            let parent = span.parentSpanID == 0 ? nil : places[span.parentSpanID]
            shown.parent = parent == place ? nil : parent
            shown.service = names.name(span.service)
            shown.operation = operations.name(span.operation)
            shown.kind = span.kind.exampleKind
            shown.startNs = span.startUnixNano - first
            shown.durationNs = span.durationNs
            shown.isError = span.isError
            return shown
        }
        return example
    }
}

extension SpanKind {
    fileprivate var exampleKind: ExampleSpan.Kind {
        switch self {
        case .unspecified: .unspecified
        case .internal: .internal
        case .server: .server
        case .client: .client
        case .producer: .producer
        case .consumer: .consumer
        }
    }
}
