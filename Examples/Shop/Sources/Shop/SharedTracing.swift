// The set-up that all services share, so that their spans fit together: where spans go, which traces
// are kept, and what each service says of itself.

import Foundation
import TraceCore
import TracePipeline

/// Tracing as the environment asks for it.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | SERVICE_NAMESPACE | `service.namespace` of every service | default |
/// | ENVIRONMENT | `deployment.environment.name` | development |
/// | OTEL_SAMPLE_RATIO | share of traces to keep, 0…1 | 1.0 |
/// | OTEL_EXPORTER_OTLP_ENDPOINT | the collector | http://localhost:4318 |
/// | OTEL_API_KEY | sent as the header `x-api-key`, never printed | none |
///
/// OpenTelemetry's other variables count, too (`TracingConfiguration.fromEnvironment`), but for the sampler's.
public struct SharedTracing: Sendable {
    /// To change before the pipeline is made.
    public var configuration: TracingConfiguration
    /// What the environment has got wrong and was passed over.
    public private(set) var warnings: [String] = []
    private let namespace: String
    private let environmentName: String

    /// - Throws: an endpoint that cannot be used. Spans must not go elsewhere than asked.
    public init(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) {
        let environment = environment.filter { !$0.value.isEmpty }
        namespace = environment["SERVICE_NAMESPACE"] ?? "default"
        environmentName = environment["ENVIRONMENT"] ?? "development"
        configuration = try .fromEnvironment(environment.filter { $0.key != "OTEL_API_KEY" })
        setSampler(ratio: environment["OTEL_SAMPLE_RATIO"])
        setAPIKey(environment["OTEL_API_KEY"])
    }

    /// The provider of one service. Every instance of a service has the same name.
    public func makeProvider(
        of serviceName: String, version: String = "1.0.0", on pipeline: TracingPipeline
    ) -> TracerProvider {
        pipeline.makeProvider(
            serviceName: serviceName,
            attributes: [
                ("service.version", .string(version)), ("service.namespace", .string(namespace)),
                ("deployment.environment.name", .string(environmentName)),
                ("host.name", .string(ProcessInfo.processInfo.hostName)),
            ])
    }

    /// The first service decides by the ratio, and all others follow it: a trace is kept as a whole or
    /// not at all. These four branches are the defaults, written out.
    private mutating func setSampler(ratio text: String?) {
        var ratio = 1.0
        if let text {
            if let number = Double(text), (0...1).contains(number) {
                ratio = number
            } else {
                warnings.append(
                    "OTEL_SAMPLE_RATIO: \"\(text)\" is no number from 0 to 1; 1 is used")
            }
        }
        configuration.sampler = .parentBased(
            root: .traceIDRatio(ratio),
            remoteParentSampled: .alwaysOn, remoteParentNotSampled: .alwaysOff,
            localParentSampled: .alwaysOn, localParentNotSampled: .alwaysOff)
    }

    private mutating func setAPIKey(_ key: String?) {
        guard let key, case .otlp(var settings) = configuration.exporter else { return }
        do {
            settings.headers.append(try HTTPHeader(name: "x-api-key", value: key))
            configuration.exporter = .otlp(settings)
        } catch {
            warnings.append("OTEL_API_KEY: \(error); spans are sent without it")
        }
    }
}
