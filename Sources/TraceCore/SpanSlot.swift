// A live span: its identity, its counts, and its OTLP bytes as they grow.
// Any thread may hold a ticket; `SlotHold` lets one at a time in.
import CThread
import Glibc
import Synchronization

@safe struct SpanSlot: ~Copyable {
    /// Free-list words, see `NodeHeader`; unused while the span lives. Not the atomic first: the thread
    /// sanitizer takes any change of the struct for a change of its first byte.
    var next: UnsafeMutableRawPointer?
    var batchCount: Int
    /// See `SlotState`.
    let state: Atomic<UInt64>
    /// Set on the slot's first life and the same ever after.
    var coreBits: UInt
    var chain: ByteChain
    /// Monotonic ticks at start; 0 when the caller gave the start time. This and the next two are atomic for
    /// the sweeper, which looks at live slots that it is not in.
    let startTicks: Atomic<UInt64>
    let startUnixNano: Atomic<UInt64>
    /// The producer of the thread that started the span.
    let starter: Atomic<UInt>
    /// The name's bytes, which live as long as the process; nil when the name is in the chain.
    var name: UnsafeRawPointer?
    var nameCount: Int
    /// Where attributes, events and links begin in the chain: behind header and inline name.
    var streamOffset: Int
    var filter: KeyFilter
    var limits: PackedLimits
    var stream: UInt32
    var attributeCount: UInt32
    var droppedAttributeCount: UInt32
    var eventCount: UInt32
    var droppedEventCount: UInt32
    var linkCount: UInt32
    var droppedLinkCount: UInt32
    var statusMessageCount: Int
    /// Blocks of their own for a status message and for a name set later; at most a block each.
    var statusMessage: UnsafeMutableRawPointer?
    var nameBlock: UnsafeMutableRawPointer?
    var status: UInt8
    var isRoot: Bool
    var isSampled: Bool

    /// The recorder this slot belongs to.
    @inline(__always)
    var core: CorePointer { unsafe CorePointer(bitPattern: coreBits).unsafelyUnwrapped }
}

/// A slot's memory: the struct, then the inline part of its bytes.
enum SlotLayout {
    /// Not a power of two, so that neighbours do not share cache sets.
    static let strideBytes = 1088
    static let inlineOffset = 320
    static let inlineBytes = strideBytes - inlineOffset - Wire.slackBytes

    // The span message begins the same way for every span; these are offsets in it, see `writeHeader`.
    static let traceIDOffset = 2
    static let spanIDOffset = 20
    static let endOffset = 40
    /// Ids, kind, times and flags: what every span has.
    static let headerBytes = 54

    @inline(__always)
    static func bytes(_ slot: UnsafeMutablePointer<SpanSlot>) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(slot) + inlineOffset
    }

    /// Writes the fields that every span has, all at fixed offsets, and the optional parent.
    /// Fields: trace_id 1, span_id 2, kind 6, start 7, end 8, flags 16, parent_span_id 4.
    @inline(__always)
    static func writeHeader(
        _ start: UnsafeMutableRawPointer, context: SpanContext, parent: SpanID,
        isParentRemote: Bool,
        kind: SpanKind, startUnixNano: UInt64
    ) -> UnsafeMutableRawPointer {
        unsafe start.storeBytes(of: UInt16(0x100a).littleEndian, as: UInt16.self)
        unsafe start.storeBytes(
            of: context.traceID.high.bigEndian, toByteOffset: 2, as: UInt64.self)
        unsafe start.storeBytes(
            of: context.traceID.low.bigEndian, toByteOffset: 10, as: UInt64.self)
        unsafe start.storeBytes(of: UInt16(0x0812).littleEndian, toByteOffset: 18, as: UInt16.self)
        unsafe start.storeBytes(
            of: context.spanID.rawValue.bigEndian, toByteOffset: 20, as: UInt64.self)
        // kind and the start time's tag in one word
        unsafe start.storeBytes(
            of: (UInt32(0x39_00_30) | UInt32(kind.rawValue) << 8).littleEndian, toByteOffset: 28,
            as: UInt32.self)
        unsafe start.storeBytes(of: startUnixNano.littleEndian, toByteOffset: 31, as: UInt64.self)
        unsafe start.storeBytes(of: UInt8(0x41), toByteOffset: 39, as: UInt8.self)
        unsafe start.storeBytes(of: UInt16(0x0185).littleEndian, toByteOffset: 48, as: UInt16.self)
        let flags = UInt32(context.flags.onWire) | 0x100 | (isParentRemote ? 0x200 : 0)
        unsafe start.storeBytes(of: flags.littleEndian, toByteOffset: 50, as: UInt32.self)
        guard parent.isValid else { return unsafe start + headerBytes }
        unsafe start.storeBytes(of: UInt16(0x0822).littleEndian, toByteOffset: 54, as: UInt16.self)
        unsafe start.storeBytes(of: parent.rawValue.bigEndian, toByteOffset: 56, as: UInt64.self)
        return unsafe start + headerBytes + 10
    }
}
