import Benchmark

// The pieces of the per-span path, one by one. Times are for one span (one decision, one header):
// the framework divides by the scaling factor. Run with `make benchmarks`; a single piece with
// `make benchmarks ARGS="--filter 'span.*'"`.
let benchmarks: @Sendable () -> Void = {
    // Safe because this runs once, on one thread, before any benchmark.
    unsafe Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput], warmupIterations: 20, scalingFactor: .kilo,
        maxDuration: .seconds(2), maxIterations: 5_000)
    spanBenchmarks()
    storeBenchmarks()
    ringBenchmarks()
    encodeBenchmarks()
    protobufBenchmarks()
    samplerBenchmarks()
    propagatorBenchmarks()
}
