import Foundation
import TestSupport
import Testing

@testable import TracePipeline

@Suite struct JSONReaderTests {
    /// Whether the whole text is one JSON value.
    static func accepts(_ text: [UInt8]) -> Bool {
        var reader = JSONReader(unsafe text.span.bytes)
        do throws(JSONError) {
            try reader.skip()
            try reader.end()
            return true
        } catch {
            return false
        }
    }

    /// From RFC 8259's grammar, one rule each.
    static let good = [
        "{}", "[]", "0", "-0", "1.5", "1e9", "1E+9", "1e-9", "-1.5e-9", "true", "false", "null",
        "\"\"", "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", " [ 1 , 2 ] ", "{\"a\":[{}]}",
        "\"\u{7F}é\"",
        "\"\\ud83d\\ude00\"", "\"\\ud83d\"",
    ]
    static let bad = [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01",
        "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "nul", "tru", "True", "'a'", "\"",
        "\"\\\"",
        "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\u{0}\"", "1 2", "[1 2]", "{\"a\" 1}",
        "}",
    ]

    @Test("JSON is accepted", arguments: good)
    func accepted(text: String) {
        #expect(Self.accepts(Array(text.utf8)))
    }

    @Test("What is not JSON is refused", arguments: bad)
    func refused(text: String) {
        #expect(!Self.accepts(Array(text.utf8)))
    }

    @Test("Bytes that are not UTF-8 are refused in a string")
    func notUTF8() {
        #expect(!Self.accepts([0x22, 0xFF, 0x22]))
        #expect(!Self.accepts([0x22, 0xC3, 0x22]))
    }

    @Test("Strings mean what Foundation says that they mean", arguments: 0..<8)
    func strings(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let escapes = ["\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\/", "\\u0000", "é", "😀", "x"]
        for _ in 0..<50 {
            let text = "\"a" + (0..<6).map { _ in generator.pick(escapes) }.joined() + "\""
            let bytes = Array(text.utf8)
            var reader = JSONReader(unsafe bytes.span.bytes)
            let expected =
                try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
                as? String
            #expect(try reader.string() == expected)
        }
    }

    @Test("Whole numbers come with quotation marks or without, and no others do")
    func integers() throws {
        func integer(_ text: String) throws -> Int64 {
            let bytes = Array(text.utf8)
            var reader = JSONReader(unsafe bytes.span.bytes)
            return try reader.integer()
        }
        #expect(try integer("5") == 5)
        #expect(try integer("\"-9223372036854775808\"") == .min)
        #expect(try integer("1e3") == 1_000)
        #expect(try integer("5.0") == 5)
        for text in ["\"5.5\"", "1e30", "\"x\"", "\"\"", "true", "9223372036854775808"] {
            #expect(throws: JSONError.self) { try integer(text) }
        }
    }

    @Test("Depth is bounded")
    func depth() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        var reader = JSONReader(unsafe deep.span.bytes)
        #expect(throws: JSONError.tooDeep) { try reader.skip() }
        let fine = String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
        #expect(Self.accepts(Array(fine.utf8)))
    }
}
