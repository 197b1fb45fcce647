import Benchmark
import Glibc
import TraceCore

/// The way between threads: producers fill chunks, the ring carries them, this thread makes bodies.
/// Wall-clock time for one span, from the first start to the last drained; producers wait when the
/// queue is full, so nothing is dropped.
func ringBenchmarks() {
    for threads in [1, 2, 4] {
        let rig = Rig {
            $0.queueSpans = 8_192
            $0.blocksWhenFull = true
        }
        let name = SpanName("GET /api/v1/cart/{id}")
        let keys = Keys()
        Benchmark(
            "ring: \(threads) recording, one draining",
            configuration: .init(
                metrics: [.wallClock, .throughput], warmupIterations: 2, scalingFactor: .mega,
                maxDuration: .seconds(4), maxIterations: 50)
        ) { benchmark in
            let spans = benchmark.scaledIterations.count
            let tracer = rig.tracer
            benchmark.startMeasurement()
            let producers = (0..<threads).map { thread in
                startThread {
                    for _ in 0..<spans / threads + (thread < spans % threads ? 1 : 0) {
                        let span = tracer.startSpan(name, kind: .server)
                        keys.set(on: span)
                        span.end()
                    }
                }
            }
            var drained = 0
            while drained < spans {
                let taken = rig.drain(spans: 512)
                drained += taken
                if taken == 0 { sched_yield() }
            }
            benchmark.stopMeasurement()
            for producer in producers { pthread_join(producer, nil) }
        }
    }
}

/// A thread of the operating system that runs `body` and ends.
private func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = unsafe Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let status = unsafe pthread_create(
        &thread, nil,
        { raw in
            if let raw = unsafe raw {
                unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body()
            }
            return nil
        }, box.toOpaque())
    precondition(status == 0, "pthread_create failed with \(status)")
    return thread
}
