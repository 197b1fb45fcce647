// HTTP as the shop speaks it: messages in memory, with real header lines and JSON bodies.

import Foundation
import TraceCore

public struct HTTPRequest: Sendable {
    public var method: String
    public var path: String
    public var headers: HeaderList
    public var body: String
    /// What stands in the path where its route has `{name}`; filled in by the service that answers.
    public internal(set) var parameters: [String: String] = [:]

    public init(_ method: String, _ path: String, headers: HeaderList = [:], body: String = "") {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
    }
}

public struct HTTPResponse: Sendable, Equatable {
    public var status: Int
    public var body: String

    public init(_ status: Int, body: String = "") {
        self.status = status
        self.body = body
    }

    /// An answer of the form `{"error": "…"}`.
    init(_ status: Int, error: String) {
        self.init(status, body: JSON.encode(["error": error]))
    }

    /// What to say to one's own caller when the next service gave no answer.
    init(_ error: HTTPError, from host: String) {
        self.init(error == .timeout ? 504 : 502, error: "\(host): \(error)")
    }
}

/// Why a request got no answer; the text is also what spans have as `error.type`.
public enum HTTPError: String, Error, CustomStringConvertible {
    case timeout
    case connectionRefused = "connection_refused"

    public var description: String { rawValue }
}

enum JSON {
    /// For the shop's own messages, which have nothing in them that JSON cannot say.
    static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try! encoder.encode(value), as: UTF8.self)
    }

    /// Nil when the text is not such a value.
    static func decode<Value: Decodable>(_ type: Value.Type, from text: String) -> Value? {
        try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
