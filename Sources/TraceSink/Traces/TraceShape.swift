// What a whole document says of its trace: is it one tree, of which services? The same judgement that the
// study makes, for whoever asked for the trace.

/// How a trace in a document hangs together. Spans that are in it twice count once.
public struct TraceShape: Sendable, Equatable {
    /// Spans of different identifiers.
    public var spans = 0
    /// Spans that came again.
    public var repeated = 0
    /// Spans without a parent.
    public var roots = 0
    /// Spans whose parent is not there.
    public var orphans = 0
    /// Spans that are their own ancestors, and those below them.
    public var cyclic = 0
    /// Longest chain from a root or an orphan down.
    public var depth = 0
    /// Spans with an error.
    public var errors = 0
    /// Services, sorted.
    public var services: [String] = []

    /// One root, every parent there, every span reachable from the root.
    public var isConnected: Bool { roots == 1 && orphans == 0 && cyclic == 0 && spans > 0 }

    /// What keeps the trace from being one tree, for people; nil for nothing.
    public var flaws: String? {
        guard !isConnected else { return nil }
        var flaws: [String] = []
        if roots == 0 { flaws.append("no root") }
        if roots > 1 { flaws.append("\(roots) roots") }
        if orphans > 0 {
            flaws.append("\(Waterfall.count(orphans, "span")) whose parent is not there")
        }
        if cyclic > 0 { flaws.append("\(Waterfall.count(cyclic, "span")) in a circle of parents") }
        return flaws.joined(separator: ", ")
    }

    /// Judges all spans of a document, which should be of one trace. O(n log n).
    public init(_ document: OTLPTraces) {
        var trace = StudiedTrace()
        var met: Set<String> = []
        var names: Set<String> = []
        for resource in document.resourceSpans {
            names.insert(resource.resource.serviceName)
            for span in resource.scopeSpans.lazy.flatMap(\.spans) {
                guard met.insert(span.spanId).inserted else {
                    repeated += 1
                    continue
                }
                errors += span.isError ? 1 : 0
                trace.spans.append(StudiedSpan(span))
            }
        }
        var judge = TraceJudge()
        let quality = judge.judge(trace, NameTable(namesMax: 1))
        spans = trace.spans.count
        roots = quality.roots
        orphans = quality.orphans
        cyclic = quality.cyclic
        depth = quality.depth
        services = names.sorted()
    }
}

extension StudiedSpan {
    fileprivate init(_ span: OTLPTraces.Span) {
        self.init(
            spanID: UInt64(span.spanId, radix: 16) ?? 0,
            parentSpanID: span.parentSpanId.flatMap { UInt64($0, radix: 16) } ?? 0,
            startUnixNano: span.startTimeUnixNano, durationNs: 0, service: NameTable.other,
            peerName: NameTable.other, kind: .unspecified, peer: .none, isError: false)
    }
}
