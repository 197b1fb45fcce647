// What spans are looked through for as they come in: attributes and tracestate members that policies ask about.
// A bit for each condition; a trace's bits are those of its spans together, whatever their order.
// Exporter thread only.

import TraceCore

/// The conditions of one stage. Messages are the core's own: well-formed, and bounded here all the same.
@safe final class TailConditions {
    private struct Attribute {
        var bit: UInt64
        var test: Test
    }

    private enum Test {
        case texts([[UInt8]])
        case patterns(PatternCache)
        case number(ClosedRange<Double>)
        case flag(Bool)
    }

    /// Conditions that ask for the same key.
    private struct Group {
        var key: [UInt8]
        var attributes: [Attribute]
    }

    private struct Member {
        var bit: UInt64
        var key: [UInt8]
        var values: [[UInt8]]
    }

    private var groups: [Group] = []
    private var members: [Member] = []
    private var count = 0
    /// Bits of attributes, and of both.
    private var attributeBits: UInt64 = 0
    private(set) var allBits: UInt64 = 0
    /// What the resource of each stream fulfils; nil while nobody has looked.
    private var resourceBits: [UInt64?] = []
    private let resource: (Int) -> [UInt8]

    /// - Parameter resource: a stream's resource, as fields of ResourceSpans.
    init(resource: @escaping (Int) -> [UInt8]) { self.resource = resource }

    /// Adds a condition on attributes; the bit that says that a span fulfils it.
    func add(_ condition: TailAttributeCondition) throws(TailPattern.Failure) -> UInt64 {
        let bit = nextBit()
        attributeBits |= bit
        let test: Test
        switch condition.test {
        case .texts(let texts): test = .texts(texts.map { Array($0.utf8) })
        case .patterns(let patterns, let cached):
            var compiled: [TailPattern] = []
            for pattern in patterns { compiled.append(try TailPattern(pattern)) }
            test = .patterns(PatternCache(compiled, valuesMax: cached))
        case .number(let atLeast, let atMost):
            test = .number((atLeast ?? -.infinity)...(atMost ?? .infinity))
        case .flag(let value): test = .flag(value)
        }
        let key = Array(condition.key.utf8)
        let attribute = Attribute(bit: bit, test: test)
        if let known = groups.firstIndex(where: { $0.key == key }) {
            groups[known].attributes.append(attribute)
        } else {
            groups.append(Group(key: key, attributes: [attribute]))
        }
        return bit
    }

    func addTraceState(key: String, values: [String]) -> UInt64 {
        let bit = nextBit()
        members.append(
            Member(bit: bit, key: Array(key.utf8), values: values.map { Array($0.utf8) }))
        return bit
    }

    private func nextBit() -> UInt64 {
        defer { count += 1 }
        allBits |= 1 << UInt64(count)
        return 1 << UInt64(count)
    }

    // MARK: Spans

    /// The bits that a span adds to those that are known.
    func scan(_ message: UnsafeRawBufferPointer, stream: Int, known: UInt64) -> UInt64 {
        var bits = known
        if attributeBits & ~bits != 0 { bits |= bitsOfResource(stream) }
        if allBits & ~bits == 0 { return bits }
        var fields = unsafe WireFields(message)
        while let field = fields.next() {
            if field.number == 9, attributeBits & ~bits != 0 {
                unsafe scanAttribute(field.bytes, &bits)
            } else if field.number == 3, !members.isEmpty {
                unsafe scanTraceState(field.bytes, &bits)
            }
        }
        return bits
    }

    private func bitsOfResource(_ stream: Int) -> UInt64 {
        while stream >= resourceBits.count { resourceBits.append(nil) }
        if let known = resourceBits[stream] { return known }
        var bits: UInt64 = 0
        unsafe resource(stream).withUnsafeBytes { bytes in
            // Resource 1 {attributes 1}, and perhaps a schema's URL.
            var fields = unsafe WireFields(bytes)
            guard let field = fields.next(), field.number == 1 else { return }
            var attributes = unsafe WireFields(field.bytes)
            while let attribute = attributes.next() {
                if attribute.number == 1 { unsafe scanAttribute(attribute.bytes, &bits) }
            }
        }
        resourceBits[stream] = bits
        return bits
    }

    /// KeyValue: key 1, value 2.
    private func scanAttribute(_ entry: UnsafeRawBufferPointer, _ bits: inout UInt64) {
        var fields = unsafe WireFields(entry)
        guard let key = fields.next(), key.number == 1 else { return }
        for group in groups where unsafe group.key.isEqual(to: key.bytes) {
            guard let value = fields.next(), value.number == 2 else { return }
            for attribute in group.attributes where attribute.bit & bits == 0 {
                if unsafe Self.fulfils(attribute.test, value.bytes) { bits |= attribute.bit }
            }
            return
        }
    }

    /// AnyValue: string 1, bool 2, int 3, double 4.
    private static func fulfils(_ test: Test, _ value: UnsafeRawBufferPointer) -> Bool {
        var fields = unsafe WireFields(value)
        guard let field = fields.next() else { return false }
        switch (test, field.number) {
        case (.texts(let texts), 1):
            return texts.contains { unsafe $0.isEqual(to: field.bytes) }
        case (.patterns(let cache), 1): return unsafe cache.isFound(field.bytes)
        case (.flag(let wanted), 2): return (field.word != 0) == wanted
        case (.number(let range), 3): return range.contains(Double(Int64(bitPattern: field.word)))
        case (.number(let range), 4): return range.contains(Double(bitPattern: field.word))
        default: return false
        }
    }

    /// `key=value` members, parted by commas.
    private func scanTraceState(_ text: UnsafeRawBufferPointer, _ bits: inout UInt64) {
        for entry in unsafe Array(text).split(separator: UInt8(ascii: ",")) {
            let entry = entry.drop { $0 == 0x20 || $0 == 0x09 }
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            for member in members where member.bit & bits == 0 {
                guard member.key.elementsEqual(entry[..<equals]) else { continue }
                let value = entry[(equals + 1)...]
                if member.values.contains(where: { $0.elementsEqual(value) }) {
                    bits |= member.bit
                }
            }
        }
    }
}

/// Patterns, and what was found of the values that came last.
private final class PatternCache {
    private let patterns: [TailPattern]
    private let valuesMax: Int
    private var found: [[UInt8]: Bool] = [:]
    private var order: [[UInt8]] = []
    private var oldest = 0

    init(_ patterns: [TailPattern], valuesMax: Int) {
        self.patterns = patterns
        self.valuesMax = valuesMax
    }

    func isFound(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // A long value is not worth remembering, and one alone could hold much memory.
        guard valuesMax > 0, bytes.count <= 1_024 else { return unsafe search(bytes) }
        let value = unsafe Array(bytes)
        if let known = found[value] { return known }
        let result = unsafe search(bytes)
        if order.count < valuesMax {
            order.append(value)
        } else {
            found[order[oldest]] = nil
            order[oldest] = value
            oldest = (oldest + 1) % valuesMax
        }
        found[value] = result
        return result
    }

    private func search(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let text = unsafe String(
            decoding: bytes.prefix(TailPattern.textBytesMax + 4), as: UTF8.self)
        return patterns.contains { $0.isFound(in: text) }
    }
}

/// The fields of a protobuf message, each looked at where it is. Anything malformed ends it.
@safe private struct WireFields {
    @safe struct Field {
        var number: Int
        /// Of a varint or a fixed number.
        var word: UInt64
        /// Of what has a length.
        var bytes: UnsafeRawBufferPointer
    }

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = unsafe bytes }

    mutating func next() -> Field? {
        guard let tag = varint() else { return nil }
        var field = unsafe Field(
            number: Int(truncatingIfNeeded: tag >> 3), word: 0,
            bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        switch tag & 7 {
        case 0:
            guard let word = varint() else { return nil }
            field.word = word
        case 1:
            guard unsafe offset <= bytes.count - 8 else { return nil }
            field.word = unsafe UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        case 5:
            guard unsafe offset <= bytes.count - 4 else { return nil }
            field.word = unsafe UInt64(
                UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            offset += 4
        case 2:
            guard let count = varint(), unsafe count <= UInt64(bytes.count - offset) else {
                return nil
            }
            unsafe field.bytes = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[offset..<offset + Int(count)])
            offset += Int(count)
        default: return nil
        }
        return field
    }

    @inline(__always)
    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while unsafe offset < bytes.count, shift < 64 {
            let byte = unsafe bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}

extension [UInt8] {
    @inline(__always)
    fileprivate func isEqual(to bytes: UnsafeRawBufferPointer) -> Bool {
        unsafe count == bytes.count && elementsEqual(bytes)
    }
}
