// Where detectors look: this machine's files and this process's variables, or copies of somebody else's.

import TraceCore

/// Files and variables by name. A value; any thread.
struct DetectionSource: Sendable {
    /// Prepended to every path.
    var root = ""
    /// Variables in place of the process's.
    var variables: [String: String]?
    /// The variables that may be read: one that is not listed would be shown as unread.
    var listed = DetectionVariable.all

    /// A variable, one of ``listed``; nil when it is not set, or empty.
    func variable(_ name: String) -> String? {
        assert(listed.contains(name), "a detector reads \(name), which is not listed")
        let value = variables.map { $0[name] } ?? ProcessEnvironment.value(name)
        return value?.isEmpty == true ? nil : value
    }

    /// A whole file, at most 1 MiB; nil when it cannot be read.
    func text(_ path: String) -> String? { FileText.read(root + path) }

    /// The first line of a file without spaces around it; nil when there is none.
    func line(_ path: String) -> String? {
        guard let first = text(path)?.split(separator: "\n").first else { return nil }
        let line = String(first).trimmedOfSpaces
        return line.isEmpty ? nil : line
    }

    /// Where a symbolic link leads.
    func linkTarget(_ path: String) -> String? { FileText.linkTarget(root + path) }
}

/// What detectors read from the environment, beside the configuration's own variables.
enum DetectionVariable {
    /// Every detector's: a configuration that is shown does not call these unread.
    static let all = Set(KubernetesDetector.variables)
}

/// Variables may be secrets: none is shown by `print` or `dump`.
extension DetectionSource: CustomStringConvertible, CustomReflectable {
    var description: String { "DetectionSource(root: \"\(root)\")" }
    var customMirror: Mirror { Mirror(self, children: ["root": root]) }
}

/// Attributes as detectors gather them: only what is known gets in.
struct AttributeList {
    private(set) var attributes = SpanAttributes()

    mutating func add(_ key: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        attributes.set(AttributeKey(key), value)
    }

    mutating func add(_ key: String, _ value: Int?) {
        guard let value else { return }
        attributes.set(AttributeKey(key), value)
    }

    /// With the schema that the built-in detectors' names are of; without one when nothing was found.
    var resource: DetectedResource {
        DetectedResource(
            attributes: attributes,
            schemaURL: attributes.count == 0 ? "" : SemanticConventions.schemaURL)
    }
}

/// The version of the semantic conventions that the built-in detectors' attribute names are of.
enum SemanticConventions {
    static let schemaURL = "https://opentelemetry.io/schemas/1.37.0"
}
