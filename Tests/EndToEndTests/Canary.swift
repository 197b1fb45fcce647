import Foundation

/// A secret put in by one door, and every way in which it might come out again.
struct Canary: Sendable {
    /// The door, for the message.
    var door: String
    /// Its beginning and its end are like nothing else: half a secret is found as well.
    let head: String
    let tail: String
    /// What texts quote, escape or encode stands in the middle.
    var secret: String { head + middle + tail }
    private let middle: String

    init(_ door: String, _ number: Int, middle: String = "\"q'/+&=<%") {
        self.door = door
        // 20 digits of splitmix64, so that no two doors share a piece.
        var state = UInt64(number) &* 0xD129_0DDA_53C4_3E49 &+ 7
        func word() -> String {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return String(String(value ^ value >> 31, radix: 36).suffix(10))
        }
        (head, tail) = ("k" + word(), word() + "z")
        self.middle = middle
    }

    /// As it stands in the user-info or the query of a URL, or in OTEL_EXPORTER_OTLP_HEADERS.
    var percentEncoded: String { Self.percentEncoded(secret) }

    /// As a text in a YAML file.
    var yaml: String { "'" + secret.replacing("'", with: "''") + "'" }

    private static func percentEncoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }

    /// What must not be found anywhere.
    var writings: [String] {
        var found: [String] = []
        for text in [secret, head, tail] {
            let bytes = Array(text.utf8)
            let hexadecimal = bytes.map { String(format: "%02x", $0) }.joined()
            found += [
                text, Self.percentEncoded(text), Self.percentEncoded(text).lowercased(),
                hexadecimal, hexadecimal.uppercased(), String(text.reversed()),
                text.replacing("\"", with: "\\\"").replacing("/", with: "\\/"),
                text.replacing("\"", with: "\\\""), text.replacing("'", with: "\\'"),
                text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
                    .replacing("\"", with: "&quot;").replacing("'", with: "&#39;"),
            ]
            // Base64 of something that it is in: three ways to fall on its groups, the ends left out.
            for offset in 0..<3 {
                let encoded = (Data(repeating: 0, count: offset) + Data(bytes))
                    .base64EncodedString()
                let core = String(
                    encoded.filter { $0 != "=" }.dropFirst(offset == 0 ? 0 : 4).dropLast(2))
                found += [core, core.replacing("+", with: "-").replacing("/", with: "_")]
            }
        }
        return found
    }
}

/// Looks for all secrets at once: a table of the writings by their first two bytes, so that megabytes of
/// results are gone through once.
struct CanarySearch: Sendable {
    private let canaries: [Canary]
    /// By two bytes: which writings begin with them.
    private var starts: [[(canary: Int, writing: [UInt8])]] = Array(repeating: [], count: 1 << 16)

    init(_ canaries: [Canary]) {
        self.canaries = canaries
        for (index, canary) in canaries.enumerated() {
            for writing in Set(canary.writings) {
                let bytes = Array(writing.utf8)
                starts[Int(bytes[0]) << 8 | Int(bytes[1])].append((index, bytes))
            }
        }
    }

    /// The first secret in `data`, and some of what stands before it.
    func first(in data: Data) -> (canary: Canary, around: String)? {
        let bytes = [UInt8](data)
        for place in bytes.indices.dropLast() {
            let begun = starts[Int(bytes[place]) << 8 | Int(bytes[place + 1])]
            guard !begun.isEmpty else { continue }
            let rest = bytes[place...]
            if let found = begun.first(where: { rest.starts(with: $0.writing) }) {
                let around = bytes[max(0, place - 80)..<place + found.writing.count]
                return (canaries[found.canary], String(decoding: around, as: UTF8.self))
            }
        }
        return nil
    }
}
