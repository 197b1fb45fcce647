// Who finds out what a resource is made of (OpenTelemetry specification, "Resource SDK", "Detecting
// resource information from the environment").

import TraceCore

/// What a detector found: attributes by their semantic-convention names.
public struct DetectedResource: Sendable, Equatable {
    public var attributes: SpanAttributes
    /// The version of the semantic conventions that the names are of; empty when not said.
    public var schemaURL: String

    public init(attributes: SpanAttributes = SpanAttributes(), schemaURL: String = "") {
        self.attributes = attributes
        self.schemaURL = schemaURL
    }

    /// Takes over all that `newer` found, also where it is something else ("Merge" in the
    /// specification). Of two schema URLs that differ neither is true of the whole: it has none then.
    ///
    /// - Returns: false when the schema URLs differ.
    @discardableResult
    public mutating func merge(_ newer: DetectedResource) -> Bool {
        attributes.append(contentsOf: newer.attributes)
        if newer.schemaURL.isEmpty || newer.schemaURL == schemaURL { return true }
        let isFirst = schemaURL.isEmpty
        schemaURL = isFirst ? newer.schemaURL : ""
        return isFirst
    }
}

/// Finds attributes of the resource. Asked once for each pipeline, on a thread of its own beside those
/// of the other detectors.
public protocol ResourceDetector: Sendable {
    /// For warnings; a word or two.
    var name: String { get }

    /// What can be found out; empty when nothing can. May block: one that takes longer than the
    /// configuration's timeout is left behind with its thread, and what it finds then is not used.
    ///
    /// - Throws: anything; the error is logged, and the resource goes without this detector's part.
    func detect() throws -> DetectedResource
}

/// One entry of the list of detectors.
public enum ResourceDetectorChoice: Sendable {
    /// OTEL_RESOURCE_ATTRIBUTES, as it was when the configuration was read from the environment.
    case environment
    /// The configuration's own ``TracingConfiguration/resourceAttributes``.
    case application
    case host
    case process
    case operatingSystem
    case container
    case kubernetes
    case custom(any ResourceDetector)

    /// The names of OTEL_RESOURCE_DETECTORS; `all` and `none` beside them.
    public static let names = builtIn.map(\.name)

    /// Every built-in detector. What was said on purpose is over what was found.
    public static let all: [ResourceDetectorChoice] = [
        .host, .operatingSystem, .process, .container, .kubernetes, .environment, .application,
    ]

    private static let builtIn: [ResourceDetectorChoice] = [
        .environment, .application, .host, .process, .operatingSystem, .container, .kubernetes,
    ]

    /// A built-in detector by its name, in any case; the Erlang SDK's modules are known by theirs.
    public init?(name: String) {
        switch name.lowercased() {
        case "environment", "env", "otel_resource_env_var": self = .environment
        case "application", "app", "otel_resource_app_env": self = .application
        case "host": self = .host
        case "process": self = .process
        case "os": self = .operatingSystem
        case "container": self = .container
        case "kubernetes", "k8s": self = .kubernetes
        default: return nil
        }
    }

    /// The name in OTEL_RESOURCE_DETECTORS, or what a custom detector calls itself.
    public var name: String {
        switch self {
        case .environment: "environment"
        case .application: "application"
        case .host: "host"
        case .process: "process"
        case .operatingSystem: "os"
        case .container: "container"
        case .kubernetes: "kubernetes"
        case .custom(let detector): detector.name
        }
    }
}
