import Yams

/// Baggage of operations: names and values that travel with a trace through the baggage propagator.
extension ScenarioReader {
    /// Bounds that keep a header within what propagators pass on (180 members, 8192 bytes), even when
    /// every byte of a value is percent-encoded.
    static let baggageNamesMax = 16
    static let baggageNameBytesMax = 40
    static let baggageValueBytesMax = 128

    func baggage(_ node: Node) -> [AttributeDeclaration] {
        entries(node, "baggage").compactMap { entry in
            guard Self.isToken(entry.name) else {
                report(
                    .badValue, at: entry.position,
                    "`\(entry.name)` is no name for baggage; write up to "
                        + "\(Self.baggageNameBytesMax) letters, digits and `.-_`")
                return nil
            }
            guard let generator = generator(entry.value) else { return nil }
            switch generator.source {
            case .inherit, .baggage:
                report(
                    .badGenerator, at: entry.value.position,
                    "baggage goes on by itself; write a value of its own for `\(entry.name)`")
                return nil
            default: break
            }
            guard Self.longestText(of: generator.source) <= Self.baggageValueBytesMax else {
                report(
                    .badGenerator, at: entry.value.position,
                    "a value of baggage has at most \(Self.baggageValueBytesMax) bytes; "
                        + "write shorter ones")
                return nil
            }
            return AttributeDeclaration(
                key: entry.name, generator: generator, position: entry.position)
        }
    }

    /// A token of RFC 7230, as W3C Baggage has its keys.
    private static func isToken(_ name: String) -> Bool {
        (1...baggageNameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// Bytes of UTF-8.
    static func longestText(of source: AttributeGenerator.Source) -> Int {
        switch source {
        case .literal(let value): value.text.utf8.count
        case .oneOf(let values, _): values.map(\.text.utf8.count).max() ?? 0
        case .zipf(_, _, let prefix): prefix.utf8.count + 7
        case .integer, .sequence: 20
        case .string(let length): Int(max(0, length.most).rounded())
        case .unique(let prefix): prefix.utf8.count + 16
        case .inherit, .baggage: 0
        }
    }
}

extension AttributeLiteral {
    /// As baggage carries it.
    var text: String {
        switch self {
        case .string(let value): value
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        case .boolean(let value): "\(value)"
        }
    }
}
