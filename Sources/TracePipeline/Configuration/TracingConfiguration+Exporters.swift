// Where batches go, from OTEL_* variables (OpenTelemetry specification, "Exporter Selection" and
// "OpenTelemetry Protocol Exporter").

import TraceCore

extension TracingConfiguration {
    /// Exporters beyond the first get a batch processor of their own, with the same settings.
    mutating func readExporters(_ environment: Environment) throws(ConfigurationError) {
        let name = "OTEL_TRACES_EXPORTER"
        let words = environment.words(name) ?? []
        var chosen: [ExporterChoice] = []
        for word in words {
            switch word {
            case "none": break
            case "console": chosen.append(.console(.lines))
            case "otlp": chosen.append(.otlp(try Self.otlp(environment)))
            default:
                environment.warn(
                    name,
                    "\"\(Environment.shown(word))\" is not one of otlp, console, none; "
                        + (words.count > 1 ? "it is left out" : "otlp is used"))
            }
        }
        if words.contains("none") {
            if words.count > 1 {
                environment.warn(name, "none stands alone; the other exporters are not used")
            }
            exporter = .none
            environment.use(name)
        } else if let first = chosen.first {
            exporter = first
            additionalProcessors = chosen.dropFirst().map { .batch(batch, $0) }
            environment.use(name)
        } else {
            exporter = .otlp(try Self.otlp(environment))
        }
    }

    private static func otlp(
        _ environment: Environment
    ) throws(ConfigurationError) -> OTLPHTTPSettings {
        var settings = OTLPHTTPSettings()
        settings.endpoint = try endpoint(environment, default: settings.endpoint)
        settings.headers = headers(environment)
        settings.compression = environment.choice(
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION",
            default: settings.compression)
        settings.timeoutMs = environment.integer(
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT",
            in: 0...Int(Int32.max), default: settings.timeoutMs)
        settings.certificatePath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")
        settings.clientKeyPath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY")
        settings.clientCertificatePath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
        readProtocol(environment, into: &settings)
        return settings
    }

    private static func readProtocol(
        _ environment: Environment, into settings: inout OTLPHTTPSettings
    ) {
        guard
            let (name, value) = environment.first([
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL",
            ])
        else { return }
        let text = value.trimmedOfSpaces.lowercased()
        guard let encoding = OTLPEncoding.allCases.first(where: { $0.protocolName == text }) else {
            let known = OTLPEncoding.allCases.map(\.protocolName).joined(separator: " and ")
            environment.warn(
                name,
                "\"\(Environment.shown(value))\" is not spoken here, only \(known); "
                    + "\(settings.encoding.protocolName) is used")
            return
        }
        settings.encoding = encoding
        environment.use(name)
    }

    /// The signal's own endpoint is used as it is; the base endpoint gets `/v1/traces` appended to its
    /// path.
    private static func endpoint(
        _ environment: Environment, default fallback: String
    ) throws(ConfigurationError) -> String {
        let ownName = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        let baseName = "OTEL_EXPORTER_OTLP_ENDPOINT"
        guard let (name, value) = environment.first([ownName, baseName]) else { return fallback }
        let address = value.trimmedOfSpaces
        do {
            try OTLPHTTPSettings.checkEndpoint(address)
        } catch .invalidEndpoint(let shown, let reason) {
            throw .invalidEndpoint(shown, reason: "\(reason) (\(name))")
        }
        environment.use(name)
        guard name == baseName else { return address }
        let pathEnd = address.firstIndex { $0 == "?" || $0 == "#" } ?? address.endIndex
        let path = address[..<pathEnd]
        return path + (path.hasSuffix("/") ? "v1/traces" : "/v1/traces") + address[pathEnd...]
    }

    private static func headers(_ environment: Environment) -> [HTTPHeader] {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]
        guard let name = environment.first(names)?.name else { return [] }
        var headers: [HTTPHeader] = []
        for (key, value) in environment.pairs(name, badEntry: .leftOut) {
            do {
                headers.append(try HTTPHeader(name: key, value: value))
            } catch {
                environment.warn(name, "\(error); the header is left out")
            }
        }
        if !headers.isEmpty { environment.use(name) }
        return headers
    }
}

extension OTLPEncoding {
    /// As in OTEL_EXPORTER_OTLP_PROTOCOL.
    var protocolName: String {
        switch self {
        case .protobuf: "http/protobuf"
        case .json: "http/json"
        }
    }
}
