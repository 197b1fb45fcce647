// What an OTLP/HTTP exporter needs to know (OpenTelemetry specification, "OpenTelemetry Protocol
// Exporter"). Plain values, checked by `validate()` before a handle is made.

import CCurl

/// Compression of request bodies.
public enum OTLPCompression: String, Sendable, CaseIterable {
    case none
    case gzip
}

/// How a request's body is written (OTLP/HTTP specification, "Binary Protobuf Encoding", "JSON Protobuf
/// Encoding").
public enum OTLPEncoding: String, Sendable, CaseIterable {
    case protobuf
    /// About two and a half times as long as protobuf, and some twenty times the CPU: for servers that
    /// take nothing else, and for looking at what is sent.
    case json

    /// The `Content-Type` of requests.
    var contentType: String {
        switch self {
        case .protobuf: "application/x-protobuf"
        case .json: "application/json"
        }
    }
}

/// Where and how span batches are sent.
public struct OTLPHTTPSettings: Sendable {
    /// The full URL of the POST, `http://` or `https://`, `/v1/traces` included.
    public var endpoint = "http://localhost:4318/v1/traces"
    /// Sent with each request, in this order. Values are never logged.
    public var headers: [HTTPHeader] = []
    public var encoding = OTLPEncoding.protobuf
    public var compression = OTLPCompression.none
    /// The longest that one attempt may take, milliseconds, connecting included; 0 means no limit
    /// but that of the batch (``BatchSettings/exportTimeoutMs``).
    public var timeoutMs = 10_000
    /// PEM file with the certificates to trust instead of the system's.
    public var certificatePath: String?
    /// PEM files of the client's own certificate and key, for mutual TLS.
    public var clientCertificatePath: String?
    public var clientKeyPath: String?
    /// Proxy URL. Proxies named by environment variables are ignored: they would see the headers.
    public var proxy: String?
    /// Requests in flight at once, each on its own connection. 1…64.
    public var connections = 1
    public var retry = RetryPolicy()
    /// Numbers each request with a `tracemill-batch` header, for the ledger of the sink.
    public var numbersBatches = false
    /// Which run the numbers are of, in a `tracemill-run` header beside them: several runs may share a sink.
    /// 1 to 64 letters, digits, `.`, `_`, `-`; nil: a random one for each pipeline.
    public var runName: String?

    /// The largest request, before compression (OTLP/HTTP specification: 64 MiB).
    static let requestBytesMax = 64 << 20
    /// The same for this exporter; less in tests.
    var requestBytesMax = OTLPHTTPSettings.requestBytesMax

    public init() {}

    public init(endpoint: String) {
        self.endpoint = endpoint
    }

    /// Checks every value, without touching the network.
    public func validate() throws(ConfigurationError) {
        try Self.checkEndpoint(endpoint)
        guard timeoutMs >= 0, timeoutMs <= Int(Int32.max) else {
            throw .invalidSetting(
                name: "timeoutMs", reason: "milliseconds from 0 (no limit) to \(Int32.max)")
        }
        guard (1...64).contains(connections) else {
            throw .invalidSetting(name: "connections", reason: "from 1 to 64 requests in flight")
        }
        try retry.validate()
        if let runName, !Self.isRunName(runName) {
            throw .invalidSetting(
                name: "runName", reason: "1 to 64 letters, digits, '.', '_', '-'")
        }
        let files = [
            (certificatePath, "certificatePath", "CERTIFICATE"),
            (clientCertificatePath, "clientCertificatePath", "CLIENT_CERTIFICATE"),
            (clientKeyPath, "clientKeyPath", "CLIENT_KEY"),
        ]
        for case (let path?, let name, let variable) in files where !FileText.isReadable(path) {
            throw .unreadableFile(
                path: path, option: "\(name) (OTEL_EXPORTER_OTLP_[TRACES_]\(variable))")
        }
    }

    private static func isRunName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                let character = Character(Unicode.Scalar(byte))
                return byte < 0x80
                    && (character.isLetter || character.isNumber || "._-".contains(character))
            }
    }

    /// `scheme://host:port/path`: no user-info, no query, fit for a log.
    public var printableEndpoint: String { Self.printable(endpoint) }

    static func checkEndpoint(_ endpoint: String) throws(ConfigurationError) {
        let shown = printable(endpoint)
        guard let scheme = endpoint.range(of: "://").map({ endpoint[..<$0.lowerBound] }) else {
            throw .invalidEndpoint(
                shown, reason: "it has no scheme; write http://\(shown) or https://\(shown)")
        }
        guard ["http", "https"].contains(scheme.lowercased()) else {
            let named = isScheme(scheme) ? ", not \(scheme)://" : ""
            throw .invalidEndpoint(shown, reason: "only http:// and https:// are spoken\(named)")
        }
        guard !endpoint.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw .invalidEndpoint(shown, reason: "it contains a space or a control character")
        }
        guard let url = unsafe curl_url() else { throw .transport("no memory for a URL") }
        defer { unsafe curl_url_cleanup(url) }
        let status = unsafe curl_url_set(url, CURLUPART_URL, endpoint, 0)
        guard status == CURLUE_OK else {
            let reason = unsafe String(cString: curl_url_strerror(status))
            throw .invalidEndpoint(shown, reason: reason)
        }
    }

    /// Letters, digits, `+`, `-`, `.`, the first one a letter (RFC 3986 §3.1): anything else in front of
    /// `://` may be half of a secret.
    private static func isScheme(_ text: Substring) -> Bool {
        text.first.map { $0.isASCII && $0.isLetter } == true
            && text.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0))
            }
    }

    private static func printable(_ endpoint: String) -> String {
        var rest = endpoint[...]
        var scheme = ""
        if let mark = rest.range(of: "://") {
            if isScheme(rest[..<mark.lowerBound]) { scheme = String(rest[..<mark.upperBound]) }
            rest = rest[mark.upperBound...]
            guard !scheme.isEmpty else { return "(hidden)" }
        }
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        // An @ behind the authority may be the end of a password that has one of these in it.
        guard !rest[authorityEnd...].contains("@") else { return scheme + "(hidden)" }
        if let at = rest[..<authorityEnd].lastIndex(of: "@") {
            rest = rest[rest.index(after: at)...]
        }
        let shown = rest.prefix { $0 != "?" && $0 != "#" }
        return scheme
            + String(
                String.UnicodeScalarView(
                    shown.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}

extension OTLPHTTPSettings: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Without header values and user-info.
    public var description: String {
        "OTLPHTTPSettings(endpoint: \(printableEndpoint), headers: \(headers), "
            + "encoding: \(encoding.rawValue), compression: \(compression.rawValue), timeoutMs: \(timeoutMs), "
            + "connections: \(connections))"
    }

    public var debugDescription: String { description }

    public var customMirror: Mirror {
        Mirror(
            self,
            children: [
                "endpoint": printableEndpoint, "headers": headers,
                "encoding": encoding, "compression": compression, "timeoutMs": timeoutMs,
                "connections": connections,
                "proxy": proxy.map(Self.printable) ?? "",
            ])
    }
}

extension StringProtocol {
    /// The first place of `other`; Foundation's name without Foundation.
    func range(of other: String) -> Range<Index>? {
        var start = startIndex
        while start != endIndex {
            if self[start...].hasPrefix(other) {
                return start..<index(start, offsetBy: other.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
