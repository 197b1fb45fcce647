// What a request asks for, read from its head: the route, and for spans how the body is to be read.

import NIOCore
import NIOHTTP1
import TraceResults

/// An answer that is decided before the request was understood.
struct SinkRefusal: Equatable {
    /// The HTTP status.
    var status: HTTPResponseStatus
    /// Why, for people.
    var message: String
    /// For 405: the method that would have been right.
    var allow: String?

    init(_ status: HTTPResponseStatus, _ message: String, allow: String? = nil) {
        self.status = status
        self.message = message
        self.allow = allow
    }
}

/// Where a request goes.
enum SinkRoute: Equatable {
    /// `POST /v1/traces`
    case traces
    /// `GET /tracemill/v1/ledger`
    case ledger
    /// `GET /tracemill/v1/batches?through=N[&run=NAME]`
    case batches(run: String, through: UInt64)
    /// `POST /tracemill/v1/settle?through=N[&run=NAME]`
    case settle(run: String, through: UInt64)
    /// `GET /tracemill/v1/kept?from=N&count=N`
    case kept(from: Int, count: Int)
    /// `GET /api/traces/<32 hex digits>`, with what to wait for
    case trace(TraceKey, TraceWait)
    /// `GET /api/traces`
    case traceList(TraceFilter)
    /// `GET /api/graph[?format=…]`
    case graph(GraphFormat)
    /// `GET /api/quality`
    case quality
    /// `GET /api/examples`
    case examples
    /// Nowhere.
    case refused(SinkRefusal)

    init(_ head: HTTPRequestHead) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        let query = parts.count > 1 ? parts[1] : ""
        let method: HTTPMethod
        switch path {
        case "/v1/traces":
            method = .POST
            self = .traces
        case "/tracemill/v1/ledger":
            method = .GET
            self = .ledger
        case "/tracemill/v1/batches":
            method = .GET
            self = Self.numbered(query) { .batches(run: $0, through: $1) }
        case "/tracemill/v1/settle":
            method = .POST
            self = Self.numbered(query) { .settle(run: $0, through: $1) }
        case "/tracemill/v1/kept":
            method = .GET
            self = Self.checked { () throws(SinkRefusal) in
                let query = try SinkQuery(query, names: ["from", "count"])
                return .kept(
                    from: try query.count("from", in: 0...Int.max / 2) ?? 0,
                    count: try query.count("count", in: 0...Self.keptCountMax)
                        ?? Self.keptCountMax)
            }
        case "/api/traces":
            method = .GET
            self = Self.checked { () throws(SinkRefusal) in .traceList(try TraceFilter(query)) }
        case "/api/quality":
            method = .GET
            self = .quality
        case "/api/examples":
            method = .GET
            self = .examples
        case "/api/graph":
            method = .GET
            self = Self.checked { () throws(SinkRefusal) in
                let query = try SinkQuery(query, names: ["format"])
                return .graph(try query.choice("format", GraphFormat.self) ?? .json)
            }
        default:
            // The second is how it was called first.
            let prefixes = ["/api/traces/", "/tracemill/v1/traces/"]
            guard let prefix = prefixes.first(where: path.hasPrefix) else {
                self = .refused(SinkRefusal(.notFound, "no such path"))
                return
            }
            method = .GET
            self = Self.checked { () throws(SinkRefusal) in
                guard let key = TraceKey(hex: path.dropFirst(prefix.count)) else {
                    throw SinkRefusal(.badRequest, "a trace identifier has 32 hex digits")
                }
                return .trace(key, try TraceWait(query))
            }
        }
        if head.method != method {
            self = .refused(
                SinkRefusal(
                    .methodNotAllowed, "use \(method.rawValue) here", allow: method.rawValue))
        }
    }

    /// Spans of one answer.
    static let keptCountMax = 1 << 20

    private static func checked(_ route: () throws(SinkRefusal) -> SinkRoute) -> SinkRoute {
        do throws(SinkRefusal) { return try route() } catch { return .refused(error) }
    }

    private static func numbered(
        _ query: Substring, _ route: (String, UInt64) -> SinkRoute
    ) -> SinkRoute {
        var run = ""
        var last: UInt64?
        for item in query.split(separator: "&") {
            if item.hasPrefix("through=") { last = UInt64(item.dropFirst("through=".count)) }
            if item.hasPrefix("run=") { run = String(item.dropFirst("run=".count)) }
        }
        guard let last else {
            return .refused(SinkRefusal(.badRequest, "needs ?through=<batch number>"))
        }
        return route(run, last)
    }
}

/// How bodies are written, requests and the answers to them alike.
enum BodyEncoding: String, CaseIterable {
    case protobuf = "application/x-protobuf"
    case json = "application/json"

    var contentType: String { rawValue }

    /// The media type alone, parameters aside, in any case.
    init?(contentType: String) {
        if let known = BodyEncoding(rawValue: contentType) {
            self = known
            return
        }
        let media = contentType.prefix { $0 != ";" }.lowercased()
        self.init(rawValue: media.filter { $0 != " " && $0 != "\t" })
    }
}

/// How the body of an export request is to be read.
struct ExportHead {
    /// How it is written.
    var encoding = BodyEncoding.protobuf
    /// The batch number, nil for none.
    var batch: UInt64?
    /// The run that numbered it; empty when it names none.
    var run = ""
    /// Whether the body is gzip.
    var isGzip = false
    /// The length it announced, nil when it comes in chunks.
    var contentLength: Int?

    /// Before a head is read.
    static let none = ExportHead()

    private init() {}

    /// Reads the head; throws the refusal it deserves.
    init(_ head: HTTPRequestHead, limits: SinkConfiguration.Limits) throws(SinkRefusal) {
        guard let type = head.headers.first(name: "content-type"),
            let encoding = BodyEncoding(contentType: type)
        else {
            throw SinkRefusal(
                .unsupportedMediaType,
                "the content type must be application/x-protobuf or application/json")
        }
        self.encoding = encoding
        for encoding in head.headers["content-encoding"] {
            switch encoding.lowercased() {
            case "identity", "": break
            case "gzip" where !isGzip: isGzip = true
            default:
                throw SinkRefusal(
                    .unsupportedMediaType, "the content encoding must be gzip or none")
            }
        }
        let numbers = head.headers["tracemill-batch"]
        if let text = numbers.first {
            guard numbers.count == 1, let number = UInt64(text) else {
                throw SinkRefusal(.badRequest, "tracemill-batch must be one decimal number")
            }
            batch = number
        }
        let runs = head.headers["tracemill-run"]
        if let name = runs.first {
            guard runs.count == 1, Self.isRunName(name) else {
                throw SinkRefusal(
                    .badRequest,
                    "tracemill-run must be one name of 1 to 64 letters, digits, '.', '_', '-'")
            }
            run = name
        }
        if let text = head.headers.first(name: "content-length") {
            contentLength = Int(text)
        }
        if let contentLength, contentLength > limits.bodyBytesMax {
            throw .tooLarge(limits.bodyBytesMax)
        }
    }
}

extension ExportHead {
    private static func isRunName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

extension SinkRefusal: Error {
    /// A body beyond the cap.
    static func tooLarge(_ bytesMax: Int) -> SinkRefusal {
        SinkRefusal(.payloadTooLarge, "the body is larger than \(bytesMax) bytes")
    }

    /// A body whose end two readers might see in different places: any transfer coding but `chunked`, that
    /// one more than once, or any at all in HTTP/1.0 (RFC 9112, sections 6.1 and 11.2). The decoder refuses
    /// it beside a length. Nil when there is nothing of the kind.
    init?(codingsOf request: HTTPRequestHead) {
        guard request.headers.contains(name: "transfer-encoding") else { return nil }
        let codings = request.headers["transfer-encoding"]
        let words = codings.first?.split { $0 == " " || $0 == "\t" } ?? []
        if codings.count == 1, words.count == 1, words[0].lowercased() == "chunked",
            request.version == .http1_1
        {
            return nil
        }
        self.init(.badRequest, "the transfer encoding must be chunked, once, and HTTP/1.1")
    }

    /// No memory for the body now.
    static let noMemory = SinkRefusal(
        .serviceUnavailable, "too many bytes are being received at once")

    /// What gzip's reader found.
    init(_ error: InflateError, bytesMax: Int) {
        switch error {
        case .corrupt: self.init(.badRequest, "the body is not valid gzip")
        case .incomplete: self.init(.badRequest, "the gzip body is incomplete")
        case .tooLarge: self = .tooLarge(bytesMax)
        case .noMemory: self = .noMemory
        }
    }
}
