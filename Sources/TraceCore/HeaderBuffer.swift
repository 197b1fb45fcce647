// A list of header lines in flat, reusable memory: what a context is injected into and extracted from.

/// Header lines as they travel: names and values in one byte array, duplicates kept in order.
/// A value type; cleared and used again it does not allocate.
public struct HeaderBuffer: Sendable {
    private struct Line {
        var nameStart: Int
        var nameCount: Int
        var valueStart: Int
        var valueCount: Int
    }

    private var bytes: [UInt8] = []
    private var lines: [Line] = []

    public init() {}

    /// How many header lines there are.
    public var count: Int { lines.count }

    /// Forgets every line and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
    }

    /// Appends a line; one with the same name stays.
    public mutating func append(_ name: String, _ value: String) {
        let nameStart = bytes.count
        bytes.append(contentsOf: name.utf8)
        let valueStart = bytes.count
        bytes.append(contentsOf: value.utf8)
        lines.append(
            Line(
                nameStart: nameStart, nameCount: valueStart - nameStart, valueStart: valueStart,
                valueCount: bytes.count - valueStart))
    }

    /// Appends a line whose value is written in place.
    @inline(__always)
    mutating func append(
        _ name: StaticString, valueCount: Int, _ write: (UnsafeMutableRawPointer) -> Void
    ) {
        let nameStart = bytes.count
        let nameCount = name.utf8CodeUnitCount
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: nameCount))
        let valueStart = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: valueCount))
        unsafe bytes.withUnsafeMutableBytes { unsafe write($0.baseAddress! + valueStart) }
        lines.append(
            Line(
                nameStart: nameStart, nameCount: nameCount, valueStart: valueStart,
                valueCount: valueCount))
    }

    /// Calls `body` with the value of each line of that name, in order. Names compare without case.
    @inline(__always)
    func forEachValue(of name: StaticString, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        let wanted = unsafe UnsafeBufferPointer(
            start: name.utf8Start, count: name.utf8CodeUnitCount)
        unsafe bytes.withUnsafeBufferPointer { bytes in
            for line in lines where line.nameCount == wanted.count {
                var isSame = true
                for index in 0..<line.nameCount
                where unsafe lowercased(bytes[line.nameStart + index]) != wanted[index] {
                    isSame = false
                    break
                }
                guard isSame else { continue }
                unsafe body(
                    UnsafeBufferPointer(
                        rebasing: bytes[line.valueStart..<line.valueStart + line.valueCount]))
            }
        }
    }

    /// The lines as text, in order: for tests and for showing.
    public var headers: [(name: String, value: String)] {
        lines.map { line in
            (
                String(
                    decoding: bytes[line.nameStart..<line.nameStart + line.nameCount], as: UTF8.self
                ),
                String(
                    decoding: bytes[line.valueStart..<line.valueStart + line.valueCount],
                    as: UTF8.self)
            )
        }
    }

    @inline(__always)
    private func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
    }
}
