// What names and values of header lines are made of, on bytes.

/// Names of header lines: ASCII, without case. Source: RFC 9110, section 5.1.
enum HeaderName {
    /// Whether two names differ in the case of ASCII letters at most.
    @inline(__always)
    static func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let count = left.count
        guard count == right.count else { return false }
        guard count >= 8 else {
            for index in 0..<count
            where unsafe lowercased(left[index]) != lowercased(right[index]) { return false }
            return true
        }
        // Words of eight; the last one overlaps its neighbour.
        var offset = 0
        while true {
            guard
                unsafe isSame(
                    left.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                    right.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            else { return false }
            if offset == count - 8 { return true }
            offset = min(offset + 8, count - 8)
        }
    }

    /// The same, for a name known beforehand.
    @inline(__always)
    static func isSame(_ name: UnsafeRawBufferPointer, _ wanted: StaticString) -> Bool {
        unsafe isSame(
            name, UnsafeRawBufferPointer(start: wanted.utf8Start, count: wanted.utf8CodeUnitCount))
    }

    /// The same, for text.
    static func isSame(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        var left = left
        var right = right
        return left.withUTF8 { left in
            right.withUTF8 { right in
                unsafe isSame(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right))
            }
        }
    }

    @inline(__always)
    private static func isSame(_ left: UInt64, _ right: UInt64) -> Bool {
        left == right || lowercased(left) == lowercased(right)
    }

    @inline(__always)
    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Eight bytes at once: bit 7 of `upper` is set where a byte is `A`…`Z`.
    @inline(__always)
    private static func lowercased(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low = word & (0x7f &* ones)
        let upper = (low &+ (0x80 - 0x41) &* ones) & ~(low &+ (0x80 - 0x5b) &* ones) & ~word
        return word | (upper & (0x80 &* ones)) >> 2
    }
}

/// What values of header lines have in common. Source: RFC 9110, section 5.6.3.
enum HeaderValue {
    /// Without the blanks (OWS) around it.
    @inline(__always)
    static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = value.count
        while start < end, unsafe isBlank(value[start]) { start += 1 }
        while end > start, unsafe isBlank(value[end - 1]) { end -= 1 }
        return unsafe UnsafeRawBufferPointer(rebasing: value[start..<end])
    }

    /// The same, for text.
    static func trimmed(_ text: String) -> String {
        var text = text
        return text.withUTF8 {
            unsafe String(decoding: trimmed(UnsafeRawBufferPointer($0)), as: UTF8.self)
        }
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
