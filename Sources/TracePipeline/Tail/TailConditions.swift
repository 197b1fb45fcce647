// What spans are looked through for as they come in: attributes and tracestate members that policies ask about.
// A bit for each condition; a trace's bits are those of its spans together, whatever their order.
// Exporter thread only.

import Glibc
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

    /// A key that is asked for: plain memory, so that to compare it costs no counting of references.
    @safe private struct Key {
        var bytes: UnsafeMutableRawBufferPointer

        @inline(__always)
        func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
            guard unsafe bytes.count == other.count else { return false }
            return unsafe bytes.count == 0
                || memcmp(bytes.baseAddress!, other.baseAddress!, bytes.count) == 0
        }
    }

    private struct Member {
        var bit: UInt64
        var key: [UInt8]
        var values: [[UInt8]]
    }

    /// Keys, each once, and for each the conditions that ask for it.
    private let keys = UnsafeMutablePointer<Key>.allocate(capacity: bitsMax)
    private var conditions: [[Attribute]] = []
    /// Bit n: a key is n bytes long, modulo 64.
    private var keyLengths: UInt64 = 0
    private var members: [Member] = []
    private var count = 0
    /// Bits of attributes, and of both.
    private var attributeBits: UInt64 = 0
    private(set) var allBits: UInt64 = 0
    /// What the resource of each stream fulfils; nil while nobody has looked.
    private var resourceBits: [UInt64?] = []
    private let resource: (Int) -> [UInt8]

    /// One bit each.
    private static let bitsMax = 64

    /// - Parameter resource: a stream's resource, as fields of ResourceSpans.
    init(resource: @escaping (Int) -> [UInt8]) { self.resource = resource }

    deinit {
        for index in conditions.indices { unsafe keys[index].bytes.deallocate() }
        unsafe keys.deallocate()
    }

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
        let attribute = Attribute(bit: bit, test: test)
        var key = condition.key
        key.withUTF8 { key in
            let bytes = UnsafeRawBufferPointer(key)
            if let known = conditions.indices.first(where: { unsafe keys[$0].isEqual(to: bytes) }) {
                conditions[known].append(attribute)
                return
            }
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            unsafe copy.copyMemory(from: bytes)
            unsafe (keys + conditions.count).initialize(to: Key(bytes: copy))
            conditions.append([attribute])
            keyLengths |= 1 << UInt64(bytes.count & 63)
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
        precondition(count < Self.bitsMax, "more conditions than a trace has bits")
        defer { count += 1 }
        allBits |= 1 << UInt64(count)
        return 1 << UInt64(count)
    }

    // MARK: Spans

    /// The bits that a span adds to those that are known.
    func scan(_ message: UnsafeRawBufferPointer, stream: Int, known: UInt64) -> UInt64 {
        var bits = known
        if attributeBits & ~bits != 0 { bits |= bitsOfResource(stream) }
        let missing = allBits & ~bits
        if missing == 0 { return bits }
        let (looksAtAttributes, looksAtState) = (missing & attributeBits != 0, !members.isEmpty)
        let keyLengths = keyLengths
        var fields = unsafe WireFields(message)
        while fields.next() {
            if fields.number == 9, looksAtAttributes {
                // KeyValue: key 1, value 2. Most keys are told apart by their length.
                var entry = unsafe WireFields(fields.payload)
                guard entry.next(), entry.number == 1,
                    unsafe keyLengths & 1 << UInt64(entry.payload.count & 63) != 0
                else { continue }
                unsafe scanValue(of: entry.payload, &entry, &bits)
            } else if fields.number == 3, looksAtState {
                unsafe scanTraceState(fields.payload, &bits)
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
            guard fields.next(), fields.number == 1 else { return }
            var attributes = unsafe WireFields(fields.payload)
            while attributes.next() {
                guard attributes.number == 1 else { continue }
                var entry = unsafe WireFields(attributes.payload)
                guard entry.next(), entry.number == 1 else { continue }
                unsafe scanValue(of: entry.payload, &entry, &bits)
            }
        }
        resourceBits[stream] = bits
        return bits
    }

    private func scanValue(
        of key: UnsafeRawBufferPointer, _ entry: inout WireFields, _ bits: inout UInt64
    ) {
        for index in 0..<conditions.count where unsafe keys[index].isEqual(to: key) {
            guard entry.next(), entry.number == 2 else { return }
            for attribute in conditions[index] where attribute.bit & bits == 0 {
                if unsafe Self.fulfils(attribute.test, entry.payload) { bits |= attribute.bit }
            }
            return
        }
    }

    /// AnyValue: string 1, bool 2, int 3, double 4.
    private static func fulfils(_ test: Test, _ value: UnsafeRawBufferPointer) -> Bool {
        var field = unsafe WireFields(value)
        guard field.next() else { return false }
        switch (test, field.number) {
        case (.texts(let texts), 1):
            return texts.contains { unsafe $0.isEqual(to: field.payload) }
        case (.patterns(let cache), 1): return unsafe cache.isFound(field.payload)
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
    /// Of the field that `next` went to.
    private(set) var number = 0
    /// Of a varint or a fixed number.
    private(set) var word: UInt64 = 0
    /// Of what has a length.
    private(set) var payload: UnsafeRawBufferPointer
    private var place: UnsafeRawPointer
    private let end: UnsafeRawPointer

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe payload = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        // An empty buffer may have no address; no byte is read of it.
        unsafe place = unsafe bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        unsafe end = unsafe place + bytes.count
    }

    /// Goes to the next field; false at the end.
    @inline(__always)
    mutating func next() -> Bool {
        guard let tag = varint() else { return false }
        number = Int(truncatingIfNeeded: tag >> 3)
        switch tag & 7 {
        case 2:
            guard let count = varint(), unsafe count <= UInt64(end - place) else { return false }
            let length = Int(truncatingIfNeeded: count)
            unsafe payload = unsafe UnsafeRawBufferPointer(start: place, count: length)
            unsafe place += length
        case 0:
            guard let value = varint() else { return false }
            word = value
        case 1:
            guard unsafe end - place >= 8 else { return false }
            word = unsafe UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
            unsafe place += 8
        case 5:
            guard unsafe end - place >= 4 else { return false }
            word = unsafe UInt64(UInt32(littleEndian: place.loadUnaligned(as: UInt32.self)))
            unsafe place += 4
        default: return false
        }
        return true
    }

    @inline(__always)
    private mutating func varint() -> UInt64? {
        guard unsafe place < end else { return nil }
        let first = unsafe place.load(as: UInt8.self)
        if first < 0x80 {
            unsafe place += 1
            return UInt64(first)
        }
        return longVarint()
    }

    private mutating func longVarint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while unsafe place < end, shift < 64 {
            let byte = unsafe place.load(as: UInt8.self)
            unsafe place += 1
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
        guard count == bytes.count, let other = bytes.baseAddress else {
            return count == bytes.count
        }
        return unsafe withUnsafeBytes { unsafe memcmp($0.baseAddress!, other, $0.count) == 0 }
    }
}
