// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let tracing: [Target.Dependency] = [
    .product(name: "TraceCore", package: "tracemill"),
    .product(name: "TracePipeline", package: "tracemill"),
]

// A package of its own, as a service that uses tracemill would be. The main package builds and tests the
// same sources, so that the example cannot fall behind.
let package = Package(
    name: "shop",
    products: [.executable(name: "shop", targets: ["ShopCommand"])],
    dependencies: [.package(name: "tracemill", path: "../..")],
    targets: [
        .target(name: "Shop", dependencies: tracing, swiftSettings: strict),
        .executableTarget(
            name: "ShopCommand", dependencies: ["Shop"] + tracing, swiftSettings: strict),
        .testTarget(name: "ShopTests", dependencies: ["Shop"] + tracing, swiftSettings: strict),
    ]
)
