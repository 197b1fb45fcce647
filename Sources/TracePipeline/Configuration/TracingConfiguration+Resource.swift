// The default provider's resource (OpenTelemetry specification, "Resource SDK"; semantic conventions,
// "Service" and "Telemetry SDK").

import TraceCore

/// How this SDK names itself in `telemetry.sdk.*`.
public enum TelemetrySDK {
    public static let name = "tracemill"
    public static let language = "swift"
    public static let version = "0.1.0"
}

extension TracingConfiguration {
    /// Asks the detectors and puts the resource together: `service.name` first, then what the detectors
    /// found in the order of their list, then what names this SDK where nothing else did.
    ///
    /// Blocks for as long as the detectors take, at most for `resourceDetectorTimeoutMs`; warnings go
    /// to the configuration's logger.
    public func resource() -> Resource {
        let found = detectedResource()
        var all = SpanAttributes()
        let nameKey = AttributeKey("service.name")
        all.set(nameKey, serviceName(found: found.attributes))
        for (key, value) in found.attributes.pairs where key != "service.name" {
            all.set(AttributeKey(key), value)
        }
        for (key, value) in [
            ("telemetry.sdk.name", TelemetrySDK.name),
            ("telemetry.sdk.language", TelemetrySDK.language),
            ("telemetry.sdk.version", TelemetrySDK.version),
        ] where all[AttributeKey(key)] == nil {
            all.set(AttributeKey(key), value)
        }
        return Resource(attributes: all, schemaURL: found.schemaURL)
    }

    /// What the detectors find, without the name of the service and of the SDK.
    func detectedResource() -> DetectedResource {
        ResourceDetection(logger: logger).resource(
            from: resourceDetectors.map(detector), timeoutMs: resourceDetectorTimeoutMs)
    }

    private func detector(_ choice: ResourceDetectorChoice) -> any ResourceDetector {
        switch choice {
        case .environment:
            KnownResource(
                name: choice.name,
                environmentAttributes.map { ($0.key, AttributeValue.string($0.value)) })
        case .application: KnownResource(name: choice.name, resourceAttributes)
        case .host: HostDetector(source: detection)
        case .process: ProcessDetector(source: detection)
        case .operatingSystem: OperatingSystemDetector(source: detection)
        case .container: ContainerDetector(source: detection)
        case .kubernetes: KubernetesDetector(source: detection)
        case .custom(let detector): detector
        }
    }

    /// The code's `serviceName`; the code's attribute; OTEL_SERVICE_NAME; whatever detector found one;
    /// `unknown_service:` and the name of the executable.
    private func serviceName(found: SpanAttributes) -> String {
        if let serviceName, !serviceName.isEmpty {
            guard isServiceNameFromEnvironment else { return serviceName }
            let isApplicationAsked = resourceDetectors.contains {
                if case .application = $0 { true } else { false }
            }
            let own = resourceAttributes.last { $0.key == "service.name" }?.value.description
            if isApplicationAsked, let own, !own.isEmpty { return own }
            return serviceName
        }
        let name = found[AttributeKey("service.name")]?.description ?? ""
        return name.isEmpty ? "unknown_service:\(Self.processName)" : name
    }

    private static var processName: String {
        let path = CommandLine.arguments.first ?? ""
        return String(path.split(separator: "/").last ?? "tracemill")
    }
}
