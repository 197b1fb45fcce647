// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds tracemill builds a benchmark framework.
// The framework wants its targets under a folder called Benchmarks: hence Benchmarks/Benchmarks.
let package = Package(
    name: "tracemill-benchmarks",
    dependencies: [
        .package(name: "tracemill", path: ".."),
        // Without its default traits: those preload interposers into every run, which slow down what
        // they watch.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
        // What encoding costs in the usual way, beside ours.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        // The tests' generated types, by a link: a package's targets must be inside it.
        .target(
            name: "OTLPTypes",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Benchmarks/OTLPTypes", exclude: ["OTLPTrace.proto"]),
        .executableTarget(
            name: "CoreBenchmarks",
            dependencies: [
                .product(name: "TraceCore", package: "tracemill"),
                .product(name: "Benchmark", package: "benchmark"),
                "OTLPTypes", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Benchmarks/CoreBenchmarks",
            swiftSettings: [
                .strictMemorySafety(),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ]
)
