// What an environment makes of the defaults, and the resource that comes of it: for showing to people,
// without a pipeline.

import Logging
import TraceCore

/// The effective configuration of a program that leaves everything to the environment, and its resource.
public struct ConfigurationReport: Sendable, Encodable {
    /// One attribute of the resource, its value as text.
    public struct Attribute: Sendable, Equatable, Encodable {
        public var key: String
        public var value: String
    }

    public var configuration: EffectiveConfiguration
    public var resource: [Attribute]
    public var resourceSchemaURL: String
    /// What the detectors had to complain of.
    public var detectorWarnings: [String]

    /// Reads the environment and asks the detectors; blocks for as long as they take, within their
    /// timeout. Logs nothing.
    ///
    /// - Parameter values: variables to read instead of the process's.
    public init(environment values: [String: String]? = nil) throws(ConfigurationError) {
        try self.init(environment: values) { _ in }
    }

    /// - Parameter change: made to the configuration before anybody is asked.
    init(
        environment values: [String: String]?, change: (inout TracingConfiguration) -> Void
    ) throws(ConfigurationError) {
        let messages = Monitor<[String]>([])
        var configuration = try TracingConfiguration.fromEnvironment(
            values,
            logger: Logger(label: "tracemill.report") { _ in QuietHandler(messages: messages) })
        change(&configuration)
        // What was wrong with variables is in the effective configuration already.
        messages.withLock { $0 = [] }
        let resource = configuration.resource()
        self.configuration = configuration.effective
        self.resource = resource.attributes.pairs.map {
            Attribute(key: $0.key, value: "\($0.value)")
        }
        resourceSchemaURL = resource.schemaURL
        detectorWarnings = messages.withLock { $0 }
    }

    /// The settings, then the resource: a line each. Ended by a line feed.
    public var text: String {
        let width = (resource.map(\.key.count).max() ?? 0) + 2
        var lines = ["", "resource"]
        for attribute in resource {
            let gap = String(repeating: " ", count: width - attribute.key.count)
            lines.append(
                "  " + attribute.key + gap + EffectiveConfiguration.printable(attribute.value))
        }
        lines += detectorWarnings.map { "  " + EffectiveConfiguration.printable($0) }
        return configuration.table + lines.joined(separator: "\n") + "\n"
    }
}

/// Keeps messages instead of writing them.
private struct QuietHandler: LogHandler {
    let messages: Monitor<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        messages.withLock { $0.append("\(event.message)") }
    }
}
