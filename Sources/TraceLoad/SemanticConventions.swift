#if canImport(Glibc)
    import Glibc
#endif

/// Names, kinds and attributes of spans by the type of an operation, after OpenTelemetry's semantic
/// conventions (HTTP and database 1.23 and later, RPC, messaging). Compile time only.
struct SemanticConventions {
    typealias Attribute = CompiledScenario.Attribute

    let operation: OperationDeclaration
    let service: ServiceDeclaration

    /// Span name on the side of the service.
    var name: String {
        if let name = operation.spanName { return name }
        return operation.category == .messaging ? "process \(operation.name)" : operation.name
    }

    /// Span name on the caller's side.
    var clientName: String {
        operation.category == .messaging ? "send \(operation.name)" : name
    }

    /// OTLP kind of a span entered from another service, or as a root.
    var remoteKind: UInt8 {
        if let kind = operation.kind { return Self.number(kind) }
        return switch operation.category {
        case .internal, .http, .grpc: 2
        case .database: 3
        case .messaging: 5
        }
    }

    /// OTLP kind of a child within the caller's service.
    var localKind: UInt8 {
        operation.kind == nil && operation.category == .internal ? 1 : remoteKind
    }

    private static func number(_ kind: OperationDeclaration.Kind) -> UInt8 {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    /// Set at the start of the span.
    var attributes: [Attribute] {
        switch operation.category {
        case .internal: return []
        case .http:
            var attributes = [text("http.request.method", method), text("http.route", route)]
            if !hasPlaceholder { attributes.append(text("url.path", route)) }
            attributes.append(text("url.scheme", "http"))
            attributes.append(text("server.address", service.name))
            return attributes
        case .grpc: return rpc + [text("server.address", service.name)]
        case .database:
            let words = operation.name.split(separator: " ", maxSplits: 1).map(String.init)
            var attributes = [
                text("db.system.name", "postgresql"), text("db.operation.name", words.first ?? ""),
            ]
            if words.count > 1 { attributes.append(text("db.collection.name", words[1])) }
            attributes.append(text("server.address", service.name))
            return attributes
        case .messaging:
            return messaging + [
                text("messaging.operation.type", "process"),
                text("messaging.operation.name", "process"),
            ]
        }
    }

    /// Set at the start of the caller's span.
    var clientAttributes: [Attribute] {
        switch operation.category {
        case .internal, .database: [text("server.address", service.name)]
        case .http:
            [
                text("http.request.method", method), text("url.template", route),
                text("server.address", service.name),
            ]
        case .grpc: rpc + [text("server.address", service.name)]
        case .messaging:
            messaging + [
                text("messaging.operation.type", "send"), text("messaging.operation.name", "send"),
            ]
        }
    }

    var statusCodeKey: String? {
        switch operation.category {
        case .http: "http.response.status_code"
        case .grpc: "rpc.grpc.status_code"
        default: nil
        }
    }

    /// Concrete paths for a route with placeholders, one of which each span carries; nil when the
    /// route is its own path.
    var examplePaths: [String]? {
        guard operation.category == .http, hasPlaceholder else { return nil }
        return (0..<256).map { example in
            route.split(separator: "/", omittingEmptySubsequences: false).map {
                $0.hasPrefix("{") ? "\(1000 + example * 37)" : String($0)
            }.joined(separator: "/")
        }
    }

    private var rpc: [Attribute] {
        let parts = operation.name.split(separator: "/", maxSplits: 1).map(String.init)
        return [
            text("rpc.system", "grpc"), text("rpc.service", parts.first ?? operation.name),
            text("rpc.method", parts.last ?? operation.name),
        ]
    }

    private var messaging: [Attribute] {
        [
            text("messaging.system", "rabbitmq"),
            text("messaging.destination.name", operation.name),
        ]
    }

    private static let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
    ]

    /// `POST /orders` has a method; a name without one counts as GET.
    private var method: String {
        let word = operation.name.prefix { $0 != " " }
        return Self.methods.contains(String(word)) ? String(word) : "GET"
    }

    private var route: String {
        guard let space = operation.name.firstIndex(of: " "),
            Self.methods.contains(String(operation.name[..<space]))
        else { return operation.name }
        return String(operation.name[operation.name.index(after: space)...])
    }

    private var hasPlaceholder: Bool { route.contains("{") }

    private func text(_ key: String, _ value: String) -> Attribute {
        Attribute(key: key, value: .string(value))
    }
}

/// Frequencies of ranks by Zipf's law.
struct ZipfWeights {
    /// By rank from 1.
    let weights: [Double]

    init(cardinality: Int, exponent: Double) {
        weights = (1...cardinality).map { pow(Double($0), -exponent) }
    }

    /// By rank: its weight and those before it.
    var sums: [Double] {
        var sum = 0.0
        return weights.map {
            sum += $0
            return sum
        }
    }
}

/// Characters of random texts.
enum RandomText {
    private static let characters = Array(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)

    /// One of 62 letters and digits.
    static func character(_ index: UInt64) -> UInt8 { characters[Int(index)] }

    /// One of 16 lower-case digits.
    static func hexadecimal(_ index: UInt64) -> UInt8 {
        index < 10 ? UInt8(ascii: "0") + UInt8(index) : UInt8(ascii: "a") + UInt8(index - 10)
    }
}
