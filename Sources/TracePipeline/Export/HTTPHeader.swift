// Request headers given by the user. Their values are secrets (API keys): nothing here prints them.

/// One header of every export request, checked when it is made.
///
/// The description, the debug description and the mirror leave the value out.
public struct HTTPHeader: Sendable, Equatable {
    /// A token (RFC 9110 §5.6.2), as it was given.
    public let name: String
    /// The bytes after the colon; never contains CR, LF or NUL.
    public let value: String

    /// Names that the exporter owns: overriding one would break the framing of its requests.
    private static let reserved: Set<String> = [
        "content-length", "content-encoding", "content-type", "expect", "transfer-encoding",
        "tracemill-batch", "tracemill-run",
    ]

    /// - Throws: ``ConfigurationError/invalidHeader(name:reason:)`` for a name that is no token or
    ///   belongs to the exporter, and for a value with a line end or a NUL, which would end the
    ///   header early and smuggle in another.
    public init(name: String, value: String) throws(ConfigurationError) {
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else {
            throw .invalidHeader(
                name: Self.printable(name),
                reason: "a header name has letters, digits and !#$%&'*+-.^_`|~ only")
        }
        guard !Self.reserved.contains(name.lowercased()) else {
            throw .invalidHeader(name: name, reason: "the exporter sets this header itself")
        }
        guard !value.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) else {
            throw .invalidHeader(name: name, reason: "its value contains a line end or a NUL")
        }
        self.name = name
        self.value = value
    }

    /// The line that libcurl sends. `name;` is libcurl's way to write a header without a value.
    var line: String {
        value.allSatisfy({ $0 == " " || $0 == "\t" }) ? "\(name);" : "\(name): \(value)"
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// At most 40 characters, fit for an error message. What follows the first that no name has is cut:
    /// someone may have written the whole line into the name, or the value alone.
    private static func printable(_ name: String) -> String {
        String(decoding: name.utf8.prefix { isTokenByte($0) }.prefix(40), as: UTF8.self)
    }
}

extension HTTPHeader: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "\(name): (hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}
