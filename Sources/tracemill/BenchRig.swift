import Glibc
import TraceCore
import TraceLoad
import TraceResults

/// A recorder with a tracer, and a request body to drain into: spans and bodies by turns on one thread.
/// What is drained here is thrown away, but counted: `check` sees that nothing was lost on the way.
final class BenchRig {
    let recorder: SpanRecorder
    let tracer: Tracer
    private var body = ExportBody()
    private lazy var copier = MemoryCopier()
    /// Spans made on purpose, by the caller's count.
    private(set) var made = 0

    init(
        clock: ClockSource, sampler: Sampler = .alwaysOn, queueSpans: Int = 8_192,
        configure: (inout RecorderOptions) -> Void = { _ in }
    ) throws {
        var options = RecorderOptions()
        options.queueSpans = queueSpans
        options.blocksWhenFull = true
        options.clock = clock
        configure(&options)
        recorder = try SpanRecorder(options: options)
        tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler
        ).tracer(name: "tracemill.bench")
    }

    /// What bursts cost, in all.
    struct Cost {
        var spans = 0
        /// CPU time of making the spans, from start to end, and of draining them into bodies.
        var (makeNs, drainNs) = (0.0, 0.0)
        /// The bodies' bytes, and the CPU time of copying as many with memcpy, body by body.
        var (bytes, copyNs) = (0, 0.0)

        var spanNs: Double { makeNs / Double(max(1, spans)) }
        var encodeNs: Double { drainNs / Double(max(1, spans)) }
        var copySpanNs: Double { copyNs / Double(max(1, spans)) }

        mutating func add(_ other: Cost) {
            spans += other.spans
            makeNs += other.makeNs
            drainNs += other.drainNs
            bytes += other.bytes
            copyNs += other.copyNs
        }
    }

    /// Makes the spans `first` and so on, in bursts, and drains each.
    /// - Parameter copies: copies as many bytes after each drain.
    func bursts<Shape: SpanShape>(
        _ shape: Shape, _ count: Int, of burstSpans: Int, from first: Int = 0, copies: Bool = false
    ) -> Cost {
        var cost = Cost()
        for burst in 0..<count {
            let start = first + burst * burstSpans
            cost.makeNs += cpuNs {
                for number in start..<start + burstSpans {
                    _ = shape.make(tracer, number, at: nil)
                }
            }
            made += burstSpans
            cost.spans += burstSpans
            let bytes = drain(&cost)
            if copies { cost.copyNs += copier.copyNs(bytes, pieces: (burstSpans + 511) / 512) }
        }
        return cost
    }

    /// Drains everything into bodies of 512 spans.
    /// - Returns: the bodies' bytes.
    @discardableResult
    func drain(_ cost: inout Cost) -> Int {
        var bytes = 0
        cost.drainNs += cpuNs {
            while recorder.queue.fill(&body, spans: 512) > 0 { bytes += body.byteCount }
        }
        cost.bytes += bytes
        return bytes
    }

    /// Counts spans that were made some other way.
    func note(made count: Int) { made += count }

    /// Throws when what was drained is not what was made.
    func check(_ what: String) throws {
        let counters = recorder.counters
        let expected = UInt64(made)
        for (name, count) in [
            ("started", counters.startCalls), ("recorded", counters.recording),
            ("ended", counters.ended), ("ended and sampled", counters.endedSampled),
            ("queued", counters.published), ("drained", counters.drained),
        ] where count != expected {
            throw BenchBroken(
                description: "\(what): \(NumberText.grouped(expected)) spans were made, "
                    + "\(NumberText.grouped(count)) were \(name)")
        }
    }
}

/// memcpy between two buffers of its own: what bytes cost that are only copied.
@safe final class MemoryCopier {
    // Safe because it alone has the two buffers, both of `capacity` bytes.
    private let source: UnsafeMutableRawPointer
    private let target: UnsafeMutableRawPointer
    private static let capacity = 16 << 20

    init() {
        unsafe source = .allocate(byteCount: Self.capacity, alignment: 4096)
        unsafe target = .allocate(byteCount: Self.capacity, alignment: 4096)
        unsafe memset(source, 1, Self.capacity)
        unsafe memset(target, 2, Self.capacity)
    }

    deinit {
        unsafe source.deallocate()
        unsafe target.deallocate()
    }

    /// CPU time of copying `bytes`, in so many pieces that all go to one place, as bodies do.
    func copyNs(_ bytes: Int, pieces: Int) -> Double {
        let piece = min(bytes, Self.capacity) / max(1, pieces)
        let ns = cpuNs {
            for index in 0..<max(1, pieces) {
                unsafe memcpy(target, source + index * piece, piece)
            }
        }
        keep(UInt64(unsafe target.load(as: UInt8.self)))
        return ns
    }
}
