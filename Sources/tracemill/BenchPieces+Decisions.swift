// Pieces beside the span path: samplers and propagators.
import TraceCore

extension BenchPieces {
    /// A sampler's decision alone, one a millisecond. Checksum: of the decisions.
    static var samplers: [BenchPiece] {
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 0x1234_5678_9abc_def0), spanID: SpanID(rawValue: 7),
            flags: [.sampled, .random], isRemote: true)
        // As the next service gets it from one that keeps a tenth.
        let kept = SpanContext(
            traceID: TraceID(high: 1, low: .max), spanID: SpanID(rawValue: 7),
            flags: [.sampled, .random], traceState: TraceState(header: "ot=th:e6666") ?? .empty,
            isRemote: true)
        let all: [(name: String, sampler: Sampler, parent: SpanContext?)] = [
            ("AlwaysOn", .alwaysOn, nil), ("AlwaysOff", .alwaysOff, nil),
            ("TraceIDRatio", .traceIDRatio(0.1), nil),
            ("ParentBasedRoot", .parentBased(root: .traceIDRatio(0.1)), nil),
            ("ParentBasedRemote", .parentBased(root: .alwaysOn), remote),
            ("Probability", .probability(0.1), nil),
            ("AlwaysRecord", .alwaysRecord(.traceIDRatio(0.1)), nil),
            ("Composite", .composite(.parentThreshold(root: .probability(0.1))), nil),
            ("RateLimiting", .rateLimiting(tracesPerS: 1_000), nil),
            ("ForeignGo", .foreign(.go, 0.1), nil),
            ("ParentBasedProbability", .parentBased(root: .probability(0.1)), kept),
        ]
        return all.map { name, sampler, parent in
            BenchPiece(name: "sampler" + name, title: "a decision of the sampler \(name)") {
                iterations in
                let rig = try PieceRig(sampler)
                let tracer = rig.tracer
                var sum: UInt64 = 0
                benchPieceMeasured {
                    for number in 0..<iterations {
                        let id = TraceID(high: 1, low: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1)
                        let decision = tracer.decide(
                            parent: parent, traceID: id, at: UInt64(number) &* 1_000_000)
                        sum &+= UInt64(decision.rawValue)
                    }
                }
                return PieceResult(checksum: sum)
            }
        }
    }

    /// What is written into headers and read from them. Checksum: headers written; last digits of the
    /// span ids read, added up.
    static var propagators: [BenchPiece] {
        let context = parentContext(flags: [.sampled, .random])
        return [
            BenchPiece(name: "inject", title: "a traceparent written") { iterations in
                var headers = HeaderBuffer()
                var sum: UInt64 = 0
                benchPieceMeasured {
                    for _ in 0..<iterations {
                        headers.removeAll()
                        TraceContextPropagator.inject(context, into: &headers)
                        sum &+= UInt64(headers.count)
                    }
                }
                return PieceResult(checksum: sum)
            },
            BenchPiece(name: "extract", title: "a traceparent read") { iterations in
                var headers = HeaderBuffer()
                TraceContextPropagator.inject(context, into: &headers)
                var sum: UInt64 = 0
                benchPieceMeasured {
                    for _ in 0..<iterations {
                        let parent = TraceContextPropagator.extract(from: headers)
                        sum &+= (parent?.spanID.rawValue ?? 0) & 0xf
                    }
                }
                return PieceResult(checksum: sum)
            },
        ]
    }
}
