// swift-tools-version: 6.2
import PackageDescription

// What reads bytes from outside, under libFuzzer and the address sanitizer. A package of its own, since a
// program whose main function is libFuzzer's cannot stand beside tests. Built and run by `run`.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(name: "tracemill", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "tracemill-fuzz",
            dependencies: [
                .product(name: "TraceCore", package: "tracemill"),
                .product(name: "TracePipeline", package: "tracemill"),
                .product(name: "TraceSink", package: "tracemill"),
                .product(name: "TraceLoad", package: "tracemill"),
                .product(name: "TraceResults", package: "tracemill"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
