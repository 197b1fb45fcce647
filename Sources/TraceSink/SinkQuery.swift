// What stands behind the question mark of a request: names and values, percent-encoded, checked before
// anything is done with them.

import NIOHTTP1

/// The query of a request.
struct SinkQuery {
    private var values: [String: String] = [:]

    /// - Throws: the refusal that an unknown name, a name given twice or broken encoding deserves.
    init(_ text: Substring, names: [String]) throws(SinkRefusal) {
        for item in text.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]),
                let value = Self.decoded(parts.count > 1 ? parts[1] : "")
            else {
                throw SinkRefusal(.badRequest, "the query is not percent-encoded UTF-8")
            }
            guard names.contains(name) else {
                throw SinkRefusal(
                    .badRequest,
                    names.isEmpty
                        ? "takes no query" : "knows \(names.joined(separator: ", ")) in the query")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw SinkRefusal(.badRequest, "\(name) is given twice")
            }
        }
    }

    func text(_ name: String) -> String? { values[name] }

    func count(_ name: String, in range: ClosedRange<Int>) throws(SinkRefusal) -> Int? {
        guard let text = values[name] else { return nil }
        guard let count = Int(text), range.contains(count) else {
            throw SinkRefusal(
                .badRequest,
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }

    /// A time with its unit, in nanoseconds.
    func duration(_ name: String, atMost most: UInt64 = .max) throws(SinkRefusal) -> UInt64? {
        guard let text = values[name] else { return nil }
        guard let ns = try? FaultText.duration(text, of: name), ns >= 0, UInt64(ns) <= most else {
            throw SinkRefusal(.badRequest, "\(name) must be a time such as 250ms or 5s")
        }
        return UInt64(ns)
    }

    func flag(_ name: String) throws(SinkRefusal) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "", "true": return true
        default: throw SinkRefusal(.badRequest, "\(name) must be true or false")
        }
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _: Value.Type
    ) throws(SinkRefusal) -> Value? {
        guard let text = values[name] else { return nil }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw SinkRefusal(.badRequest, "\(name) must be one of \(all)")
        }
        return value
    }

    private static func decoded(_ text: Substring) -> String? {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") })
        else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit),
                    let low = rest.popFirst().flatMap(digit)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

/// What a question for a trace waits for.
struct TraceWait: Equatable {
    /// How long at most, in nanoseconds; 0 for the trace as it stands.
    var waitNs: UInt64 = 0
    /// No span of it may have come for so long, unless spans or services say what is expected.
    var quietNs: UInt64 = 250_000_000
    /// Spans there have to be.
    var spans = 0
    /// Services that have to be in it.
    var services: [String] = []

    static let waitNsMax: UInt64 = 300_000_000_000

    init() {}

    init(_ query: Substring) throws(SinkRefusal) {
        let query = try SinkQuery(query, names: ["wait", "quiet", "spans", "services"])
        waitNs = try query.duration("wait", atMost: Self.waitNsMax) ?? 0
        quietNs = try query.duration("quiet", atMost: Self.waitNsMax) ?? quietNs
        spans = try query.count("spans", in: 0...1_000_000) ?? 0
        services = query.text("services")?.split(separator: ",").map(String.init) ?? []
    }

    /// Whether the trace is what is waited for.
    /// - Parameter idleNs: how long no span of it has come.
    func isMet(by shape: TraceShape, idleNs: UInt64) -> Bool {
        guard shape.isConnected, shape.spans >= spans, services.allSatisfy(shape.services.contains)
        else { return false }
        return spans > 0 || !services.isEmpty || idleNs >= quietNs
    }
}

extension TraceFilter {
    init(_ query: Substring) throws(SinkRefusal) {
        let query = try SinkQuery(query, names: ["limit", "service", "min-duration", "errors"])
        limit = try query.count("limit", in: 1...1_000) ?? limit
        service = query.text("service")
        durationNsMin = try query.duration("min-duration") ?? 0
        onlyErrors = try query.flag("errors")
    }
}
