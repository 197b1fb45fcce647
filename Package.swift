// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours: strict memory safety, warnings as errors.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
    name: "tracemill",
    products: [
        .library(name: "TraceCore", targets: ["TraceCore"]),
        .library(name: "TracePipeline", targets: ["TracePipeline"]),
        // For Tests/fuzz, a package of its own.
        .library(name: "TraceSink", targets: ["TraceSink"]),
        .library(name: "TraceLoad", targets: ["TraceLoad"]),
        .library(name: "TraceResults", targets: ["TraceResults"]),
        .executable(name: "tracemill", targets: ["tracemill"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
        .systemLibrary(
            name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CThread"),
        .target(name: "TraceCore", dependencies: ["CThread"], swiftSettings: strict),
        .target(
            name: "TracePipeline",
            dependencies: [
                "TraceCore", "CCurl", "CDeflate", .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .target(
            name: "TraceResults",
            dependencies: ["CZlib", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict),
        .target(
            name: "TraceHistory",
            dependencies: ["TraceResults", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .target(
            name: "TraceSink",
            dependencies: [
                "TraceResults", "COpenSSL", "CZlib",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .target(
            name: "TraceLoad",
            dependencies: [
                "TraceCore", "TracePipeline", "TraceResults",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "tracemill",
            dependencies: [
                "TraceCore", "TracePipeline", "TraceSink", "TraceLoad", "TraceResults",
                "TraceHistory",
                "CJemalloc", "CZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        // The example, which is a package of its own as well: built and tested here so that it keeps up.
        .target(
            name: "Shop", dependencies: ["TraceCore", "TracePipeline"],
            path: "Examples/Shop/Sources/Shop", swiftSettings: strict),
        .testTarget(
            name: "ShopTests", dependencies: ["Shop", "TraceCore", "TracePipeline"],
            path: "Examples/Shop/Tests/ShopTests", swiftSettings: strict),

        // What tests share. OTLPDefinition is generated: no strict settings there.
        .target(
            name: "OTLPDefinition",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Tests/OTLPDefinition", exclude: ["OTLPTrace.proto"]),
        .target(
            name: "TestSupport",
            dependencies: [
                "OTLPDefinition", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Tests/TestSupport", swiftSettings: strict),
        // Interposes the test program's clock_gettime.
        .target(name: "SteppedClock", path: "Tests/SteppedClock"),
        .testTarget(
            name: "TestSupportTests",
            dependencies: [
                "TestSupport", "OTLPDefinition",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TraceCoreTests",
            dependencies: [
                "TraceCore", "TestSupport", "OTLPDefinition",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TracePipelineTests",
            dependencies: [
                "TracePipeline", "TraceCore", "TraceSink", "TraceResults", "CZlib", "TestSupport",
                "OTLPDefinition", "SteppedClock",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["tail_share.py"],
            swiftSettings: strict),
        .testTarget(
            name: "TraceResultsTests", dependencies: ["TraceResults", "CZlib"],
            exclude: [
                "make_golden_changepoints.py", "make_golden_fidelity.py", "make_golden_slopes.py",
                "make_golden_statistics.py", "make_golden_trends.py",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TraceHistoryTests",
            dependencies: [
                "TraceHistory", "TraceResults", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TraceSinkTests",
            dependencies: [
                "TraceSink", "TraceResults", "CZlib", "TestSupport", "OTLPDefinition",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TraceLoadTests",
            dependencies: ["TraceLoad", "TracePipeline", "TraceCore", "TraceResults"],
            swiftSettings: strict),
        .testTarget(name: "EndToEndTests", dependencies: ["tracemill"], swiftSettings: strict),
        // What `make interop` compares with other SDKs.
        .executableTarget(
            name: "interop-probe", dependencies: ["TraceCore", "TracePipeline"],
            path: "Tests/interop/Probe", swiftSettings: strict),
    ]
)
