// Pieces of the span path. Every one that records looks afterwards whether as many different spans are in the
// request bodies as it ran iterations, so that a path that loses spans has no figure.
import TraceCore
import TraceLoad

/// A recorder with a queue that the piece itself empties, outside of what is measured.
final class PieceRig {
    let recorder: SpanRecorder
    let tracer: Tracer
    private var body = ExportBody(capacityBytes: 4 << 20)
    private var seen = SeenSpans()

    /// Spans between two drains: fewer than the queue holds.
    static let roundSpans = 4096

    init(_ sampler: Sampler = .alwaysOn, configure: (inout RecorderOptions) -> Void = { _ in })
        throws
    {
        var options = RecorderOptions()
        options.queueSpans = 4 * PieceRig.roundSpans
        options.blocksWhenFull = false
        configure(&options)
        recorder = try SpanRecorder(options: options)
        tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler
        ).tracer(name: "tracemill.bench")
    }

    /// Everything that is pending into bodies, `measured` or not.
    func drain(measured: Bool = false) throws {
        while true {
            var spans = 0
            if measured {
                benchPieceMeasured { spans = recorder.queue.fill(&body, spans: 512) }
            } else {
                spans = recorder.queue.fill(&body, spans: 512)
            }
            guard spans > 0 else { return }
            unsafe try seen.add(Array(body.bytes))
        }
    }

    /// Runs `prepare`, then `work` measured, then the drain, `roundSpans` at a time; before that a
    /// round that does not count, in which the thread gets what it keeps.
    func rounds(
        _ iterations: Int, of size: Int = PieceRig.roundSpans, drainIsMeasured: Bool = false,
        _ round: (_ numbers: Range<Int>, _ measure: (() -> Void) -> Void) -> Void
    ) throws -> PieceResult {
        round(0..<size) { $0() }
        try drain()
        seen = SeenSpans()
        var first = 0
        while first < iterations {
            let last = min(iterations, first + size)
            round(first..<last) { work in
                if drainIsMeasured { work() } else { benchPieceMeasured(work) }
            }
            try drain(measured: drainIsMeasured)
            first = last
        }
        return PieceResult(checksum: UInt64(seen.count), bodyBytes: seen.bytes)
    }

    /// As `rounds`, with a check that nothing was lost.
    func sampledRounds(
        _ iterations: Int, of size: Int = PieceRig.roundSpans, drainIsMeasured: Bool = false,
        _ round: (_ numbers: Range<Int>, _ measure: (() -> Void) -> Void) -> Void
    ) throws -> PieceResult {
        let result = try rounds(iterations, of: size, drainIsMeasured: drainIsMeasured, round)
        guard result.checksum == UInt64(iterations) else {
            throw PieceFailure(
                description: "\(result.checksum) different spans of \(iterations) were delivered")
        }
        return result
    }
}

extension BenchPieces {
    /// Whole spans, start to end.
    static var spans: [BenchPiece] {
        let shape = BenchSpan()
        return [
            BenchPiece(name: "bareSpan", title: "a sampled span, start and end") { iterations in
                let rig = try PieceRig()
                return try rig.sampledRounds(iterations) { numbers, measure in
                    measure { for _ in numbers { shape.runBare(rig.tracer) } }
                }
            },
            BenchPiece(name: "sampledSpan", title: "a sampled span with five attributes") {
                iterations in
                let rig = try PieceRig()
                return try rig.sampledRounds(iterations) { numbers, measure in
                    measure { for number in numbers { shape.run(rig.tracer, number) } }
                }
            },
            BenchPiece(name: "sampledChild", title: "a span of a sampled parent, start and end") {
                iterations in
                let rig = try PieceRig(.parentBased(root: .alwaysOn))
                let parent = parentContext(flags: [.sampled, .random])
                return try rig.sampledRounds(iterations) { numbers, measure in
                    measure { for _ in numbers { shape.runBare(rig.tracer, parent: parent) } }
                }
            },
            BenchPiece(name: "withSpan", title: "a sampled span around a closure") { iterations in
                let rig = try PieceRig()
                let name = SpanName("bench")
                return try rig.sampledRounds(iterations) { numbers, measure in
                    measure { for _ in numbers { rig.tracer.withSpan(name) { ignore($0) } } }
                }
            },
            unsampled("unsampledRoot", "a root span that is not sampled", .alwaysOff, parent: nil),
            unsampled(
                "unsampledChild", "a span of an unsampled parent", .parentBased(root: .alwaysOn),
                parent: parentContext(flags: .random)),
            unsampled(
                "disabledSpan", "a span while tracing is off", .alwaysOn, parent: nil,
                isEnabled: false),
        ]
    }

    /// From the queue to finished request bodies.
    static var bodies: [BenchPiece] {
        [
            ("encode", "from the queue to the request body, a span of five attributes", false),
            ("encodeWithSums", "the same with the ledger's checksums", true),
        ].map { name, title, sums in
            BenchPiece(name: name, title: title) { iterations in
                let shape = BenchSpan()
                let rig = try PieceRig { $0.sumsChecked = sums }
                return try rig.sampledRounds(iterations, drainIsMeasured: true) {
                    numbers, measure in
                    measure { for number in numbers { shape.run(rig.tracer, number) } }
                }
            }
        }
    }

    /// Checksum: starts that the recorder counted.
    private static func unsampled(
        _ name: String, _ title: String, _ sampler: Sampler, parent: SpanContext?,
        isEnabled: Bool = true
    ) -> BenchPiece {
        BenchPiece(name: name, title: title + ", start and end") { iterations in
            let shape = BenchSpan()
            let rig = try PieceRig(sampler)
            rig.recorder.isEnabled = isEnabled
            shape.runBare(rig.tracer, parent: parent)
            let before = rig.recorder.counters
            benchPieceMeasured {
                for _ in 0..<iterations { shape.runBare(rig.tracer, parent: parent) }
            }
            let after = rig.recorder.counters
            guard after.recording == before.recording else {
                throw PieceFailure(description: "a span was recorded that should not be")
            }
            return PieceResult(checksum: after.startCalls - before.startCalls)
        }
    }

    static func parentContext(flags: TraceFlags) -> SpanContext {
        SpanContext(
            traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736),
            spanID: SpanID(rawValue: 0x00f0_67aa_0ba9_02b7), flags: flags)
    }
}

/// A body that does nothing with its span, and that the optimiser cannot look through.
@inline(never)
func ignore(_ span: ActiveSpan) {}
