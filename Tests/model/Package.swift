// swift-tools-version: 6.2
import PackageDescription

// Ring, queue and span store against a model, over as many operations as one has patience for. A package of its
// own: the core alone builds in a minute, and each mutant of it is built, too. Built and run by `run`.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
    name: "model",
    targets: [
        .target(name: "CThread"),
        // Testable in release builds, too: counters are set to just before their wrap.
        .target(
            name: "TraceCore", dependencies: ["CThread"],
            swiftSettings: settings + [.unsafeFlags(["-enable-testing"])]),
        .executableTarget(
            name: "tracemill-model", dependencies: ["TraceCore", "CThread"],
            swiftSettings: settings),
    ]
)
