// A list of header lines in flat, reusable memory: what a context is injected into and extracted from.

/// Header lines as they travel: names and values in one byte array, duplicates kept in order.
/// A value type; cleared and used again it does not allocate.
public struct HeaderBuffer: Sendable {
    /// One record a line: the name's and the value's count of bytes (`Int` each), name, value. Only the
    /// first `used` bytes count; the rest is room for later lines, so that adding one moves no array's end.
    private var bytes: [UInt8] = []
    private var used = 0

    /// How many header lines there are.
    public private(set) var count = 0

    private static let prefixBytes = 2 * MemoryLayout<Int>.size

    public init() {}

    /// Forgets every line and keeps the memory.
    public mutating func removeAll() {
        used = 0
        count = 0
    }

    // MARK: Writing

    /// Appends a line; one with the same name stays.
    public mutating func append(_ name: String, _ value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in
                unsafe append(UnsafeRawBufferPointer(name), valueCount: value.count) {
                    unsafe $0.copyMemory(from: UnsafeRawBufferPointer(value))
                }
            }
        }
    }

    /// Replaces all lines of that name, whatever its case, with this one.
    public mutating func set(_ name: String, _ value: String) {
        remove(name)
        append(name, value)
    }

    /// Removes all lines of that name, whatever its case.
    public mutating func remove(_ name: String) {
        guard count > 0 else { return }
        var name = name
        name.withUTF8 { unsafe remove(UnsafeRawBufferPointer($0)) }
    }

    /// Replaces all lines of each name that `lines` has with those, and keeps the others.
    mutating func replace(with lines: HeaderBuffer) {
        unsafe lines.forEachLine { name, _ in unsafe remove(name) }
        unsafe lines.forEachLine { name, value in
            unsafe append(name, valueCount: value.count) { unsafe $0.copyMemory(from: value) }
        }
    }

    /// Appends a line whose value is written in place.
    @inline(__always)
    mutating func append(
        _ name: StaticString, valueCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void
    ) {
        unsafe append(
            UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
            valueCount: valueCount, write)
    }

    /// Removes all lines of that name, given in lower case.
    @inline(__always)
    mutating func remove(_ name: StaticString) {
        guard count > 0 else { return }
        unsafe remove(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func append(
        _ name: UnsafeRawBufferPointer, valueCount: Int,
        _ write: (UnsafeMutableRawBufferPointer) -> Void
    ) {
        let nameStart = used + Self.prefixBytes
        let end = nameStart + name.count + valueCount
        if end > bytes.count { grow(to: end) }
        let start = used
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(of: name.count, toByteOffset: start, as: Int.self)
            unsafe bytes.storeBytes(
                of: valueCount, toByteOffset: start + MemoryLayout<Int>.size, as: Int.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[nameStart..<end]).copyMemory(
                from: name)
            unsafe write(UnsafeMutableRawBufferPointer(rebasing: bytes[end - valueCount..<end]))
        }
        used = end
        count += 1
    }

    @inline(never)
    private mutating func grow(to byteCount: Int) {
        let capacity = max(byteCount, 2 * bytes.count, 256)
        let used = used
        unsafe bytes = [UInt8](unsafeUninitializedCapacity: capacity) { grown, count in
            let raw = UnsafeMutableRawBufferPointer(grown)
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe raw.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<used]))
            }
            unsafe raw.baseAddress!.advanced(by: used)
                .initializeMemory(as: UInt8.self, repeating: 0, count: capacity - used)
            count = capacity
        }
    }

    private mutating func remove(_ name: UnsafeRawBufferPointer) {
        var offset = 0
        var used = used
        var removed = 0
        while offset < used {
            let line = unsafe bytes.withUnsafeBytes { unsafe Self.line(at: offset, of: $0) }
            let next = offset + line.byteCount
            let isSame = unsafe bytes.withUnsafeBytes { bytes in
                unsafe HeaderName.isSame(line.name(in: bytes), name)
            }
            guard isSame else {
                offset = next
                continue
            }
            unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: bytes[next..<used]))
            }
            used -= line.byteCount
            removed += 1
        }
        self.used = used
        count -= removed
    }

    // MARK: Reading

    /// Where a line is.
    private struct Line {
        var nameStart: Int
        var nameCount: Int
        var valueCount: Int

        @inline(__always)
        var byteCount: Int { HeaderBuffer.prefixBytes + nameCount + valueCount }

        @inline(__always)
        func name(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            unsafe UnsafeRawBufferPointer(rebasing: bytes[nameStart..<nameStart + nameCount])
        }

        @inline(__always)
        func value(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            let start = nameStart + nameCount
            return unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + valueCount])
        }
    }

    @inline(__always)
    private static func line(at offset: Int, of bytes: UnsafeRawBufferPointer) -> Line {
        Line(
            nameStart: offset + prefixBytes,
            nameCount: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: Int.self),
            valueCount: unsafe bytes.loadUnaligned(
                fromByteOffset: offset + MemoryLayout<Int>.size, as: Int.self))
    }

    /// Calls `body` with each line's name and value, in order.
    @inline(__always)
    func forEachLine(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
        let used = used
        unsafe bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < used {
                let line = unsafe Self.line(at: offset, of: bytes)
                unsafe body(line.name(in: bytes), line.value(in: bytes))
                offset += line.byteCount
            }
        }
    }

    /// Calls `body` with the value of each line of that name, given in lower case, in order.
    @inline(__always)
    func forEachValue(of name: StaticString, _ body: (UnsafeRawBufferPointer) -> Void) {
        let wanted = unsafe UnsafeRawBufferPointer(
            start: name.utf8Start, count: name.utf8CodeUnitCount)
        unsafe forEachLine { name, value in
            if unsafe HeaderName.isSame(name, wanted) { unsafe body(value) }
        }
    }

    /// The value of the first line of that name, whatever its case; nil when there is none.
    public func first(_ name: String) -> String? { values(of: name).first }

    /// The values of all lines of that name, whatever its case, in order. Bytes that are not UTF-8 are
    /// replaced (U+FFFD).
    public func values(of name: String) -> [String] {
        var name = name
        var values: [String] = []
        name.withUTF8 { wanted in
            unsafe forEachLine { name, value in
                if unsafe HeaderName.isSame(name, UnsafeRawBufferPointer(wanted)) {
                    unsafe values.append(String(decoding: value, as: UTF8.self))
                }
            }
        }
        return values
    }

    /// The lines as text, in order: for showing, and for propagators that go by a name's beginning.
    public var headers: [(name: String, value: String)] {
        var lines: [(name: String, value: String)] = []
        unsafe forEachLine { name, value in
            unsafe lines.append(
                (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return lines
    }
}
