import Foundation
import TraceCore

@testable import TracePipeline

/// A folder that looks like a machine's file system: what detectors read instead of this one's. Gone with
/// the value.
final class FakeMachine {
    let root: URL
    let variables: [String: String]

    init(
        _ files: [String: String] = [:], links: [String: String] = [:],
        variables: [String: String] = [:]
    ) throws {
        root = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-machine-\(UUID().uuidString)")
        self.variables = variables
        for (path, text) in files { try Data(text.utf8).write(to: place(path)) }
        for (path, target) in links {
            try FileManager.default.createSymbolicLink(
                atPath: place(path).path, withDestinationPath: target)
        }
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    private func place(_ path: String) throws -> URL {
        let url = root.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        return url
    }

    var source: DetectionSource { DetectionSource(root: root.path, variables: variables) }
}

extension DetectedResource {
    /// Key and value as text, in order.
    var pairs: [String] { attributes.pairs.map { "\($0.key)=\($0.value)" } }
}
