// Who finds out what a resource is made of (OpenTelemetry specification, "Resource SDK", "Detecting
// resource information from the environment").

import TraceCore

/// What a detector found: attributes by their semantic-convention names.
public struct DetectedResource: Sendable {
    public var attributes: SpanAttributes
    /// The version of the semantic conventions that the names are of; empty when not said.
    public var schemaURL: String

    public init(attributes: SpanAttributes = SpanAttributes(), schemaURL: String = "") {
        self.attributes = attributes
        self.schemaURL = schemaURL
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
}
