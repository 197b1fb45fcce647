// Protobuf written where a JSON body is turned into it: appended to a body buffer, lengths filled in when
// a message ends. Lives on one event loop.

import Glibc

/// Appends protobuf to a ``BodyBuffer``. What does not fit is noted, not written.
@safe
struct ProtobufBuilder {
    private let buffer: BodyBuffer
    /// The buffer's budget was used up; what is in it is of no use.
    private(set) var isFull = false

    init(_ buffer: BodyBuffer) {
        self.buffer = buffer
    }

    /// Where a message begins that `end(_:)` will end.
    struct Mark {
        fileprivate var lengthOffset: Int
    }

    /// Begins a message in a field: the tag, and room for a length of one byte.
    mutating func begin(_ field: UInt32) -> Mark {
        varint(UInt64(WireTag.bytes(field).rawValue))
        let mark = Mark(lengthOffset: buffer.count)
        byte(0)
        return mark
    }

    /// Ends a message: its length takes as many bytes as it needs, the contents move up for them.
    mutating func end(_ mark: Mark) {
        guard !isFull else { return }
        let count = buffer.count - mark.lengthOffset - 1
        let extra = Self.varintBytes(UInt64(count)) - 1
        for _ in 0..<extra { byte(0) }
        guard !isFull else { return }
        unsafe buffer.withContents { contents in
            let start = unsafe contents.baseAddress.unsafelyUnwrapped + mark.lengthOffset
            if extra > 0 { unsafe memmove(start + 1 + extra, start + 1, count) }
            var rest = UInt64(count)
            for index in 0...extra {
                let more: UInt8 = index < extra ? 0x80 : 0
                unsafe start.storeBytes(
                    of: UInt8(truncatingIfNeeded: rest) & 0x7F | more, toByteOffset: index,
                    as: UInt8.self)
                rest >>= 7
            }
        }
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(rest))
    }

    mutating func fixed64(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            byte(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    mutating func fixed32(_ value: UInt32) {
        for shift in stride(from: 0, to: 32, by: 8) {
            byte(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }

    mutating func byte(_ value: UInt8) {
        guard !isFull, buffer.append(value) else {
            isFull = true
            return
        }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard !isFull, unsafe buffer.append(bytes) else {
            isFull = true
            return
        }
    }

    private static func varintBytes(_ value: UInt64) -> Int {
        max(1, (64 - value.leadingZeroBitCount + 6) / 7)
    }
}
