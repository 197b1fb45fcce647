// A live span: its identity, its counts, and its OTLP bytes as they grow.
// Any thread may hold a ticket; `SlotHold` lets one at a time in.
import CThread
import Glibc
import Synchronization

/// What the queue and the end have to know of a span, in one word: it is looked at whole, and goes into the
/// record's prefix as it is.
struct SpanTraits {
    /// Stream in bits 0…31, status in 32…39, then a bit each: root 40, sampled 48, dirty 56, start time given
    /// 57, name not interned 58.
    private var bits: UInt64

    init(stream: UInt32, isRoot: Bool) { bits = UInt64(stream) | (isRoot ? 1 << 40 : 0) }

    /// The traits of one span, from its tracer's.
    @inline(__always)
    func with(isSampled: Bool, isStartGiven: Bool, isNameInterned: Bool) -> SpanTraits {
        var traits = self
        traits.bits |=
            (isSampled ? 1 << 48 : 0) | (isStartGiven ? 1 << 57 : 0)
            | (isNameInterned ? 0 : 1 << 58)
        return traits
    }

    /// Number of resource and scope.
    @inline(__always)
    var stream: Int { Int(bits & 0xffff_ffff) }
    /// OTLP's number.
    var status: UInt8 {
        get { UInt8(truncatingIfNeeded: bits >> 32) }
        set { bits = bits & ~(0xff << 32) | UInt64(newValue) << 32 }
    }
    var isRoot: Bool { bits & 1 << 40 != 0 }
    @inline(__always)
    var isSampled: Bool { bits & 1 << 48 != 0 }
    /// Something rare happened: blocks, events, links, a status, a name set later, something dropped. The end
    /// writes more than usual then, and leaves the slot clean.
    @inline(__always)
    var isDirty: Bool { bits & 1 << 56 != 0 }
    @inline(__always)
    mutating func setDirty() { bits |= 1 << 56 }
    /// Whether the end is of the usual kind: sampled, the name interned, nothing rare happened, and the start
    /// time the clock's unless the end time is given, too.
    @inline(__always)
    func isUsual(isEndGiven: Bool) -> Bool {
        let end = bits >> 48
        return (isEndGiven ? end & ~(1 << 9) : end) == 1
    }
}

@safe struct SpanSlot: ~Copyable {
    /// Free-list words, see `NodeHeader`; unused while the span lives. Not the atomic first: the thread
    /// sanitizer takes any change of the struct for a change of its first byte.
    var next: UnsafeMutableRawPointer?
    var batchCount: Int
    /// See `SlotState`.
    let state: Atomic<UInt64>
    var chain: ByteChain
    var filter: KeyFilter
    /// Monotonic ticks at start; 0 when the caller gave the start time. This and the next two are atomic for
    /// the sweeper, which looks at live slots that it is not in.
    let startTicks: Atomic<UInt64>
    let startUnixNano: Atomic<UInt64>
    /// The producer of the thread that started the span.
    let starter: Atomic<UInt>
    /// The name, unless it is in the chain.
    var name: NameBytes
    var traits: SpanTraits
    /// Never freed.
    var limits: UnsafePointer<PackedLimits>
    /// Set on the slot's first life and the same ever after.
    var coreBits: UInt

    // Zero and nil in every slot whose traits are not dirty.
    var droppedAttributeCount: UInt32
    var eventCount: UInt32
    var droppedEventCount: UInt32
    var linkCount: UInt32
    var droppedLinkCount: UInt32
    var statusMessageCount: Int
    /// Blocks of their own for a status message and for a name set later; at most a block each.
    var statusMessage: UnsafeMutableRawPointer?
    var nameBlock: UnsafeMutableRawPointer?

    /// The recorder this slot belongs to.
    @inline(__always)
    var core: CorePointer { unsafe CorePointer(bitPattern: coreBits).unsafelyUnwrapped }

    /// Where in the chain the fields begin that not every span has.
    var headerBytes: Int {
        traits.isRoot ? SlotLayout.headerBytes : SlotLayout.childHeaderBytes
    }

    /// How many attributes the span has.
    var attributeCount: Int { unsafe Int(limits.pointee.attributeCount) - chain.attributesLeft }
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
    /// The same with a parent.
    static let childHeaderBytes = 64

    @inline(__always)
    static func bytes(_ slot: UnsafeMutablePointer<SpanSlot>) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(slot) + inlineOffset
    }

    /// Prepares a slot for its first life; what is set here no life changes, or leaves as it was.
    static func initialize(_ slot: UnsafeMutablePointer<SpanSlot>, core: CorePointer) {
        unsafe slot.pointee.coreBits = UInt(bitPattern: core)
        unsafe slot.pointee.chain = unsafe ByteChain(inline: bytes(slot), capacity: inlineBytes)
        unsafe clean(slot)
        unsafe writeTags(bytes(slot))
    }

    /// Makes a slot as one whose traits are not dirty has to be. The blocks are gone.
    static func clean(_ slot: UnsafeMutablePointer<SpanSlot>) {
        unsafe slot.pointee.droppedAttributeCount = 0
        unsafe slot.pointee.eventCount = 0
        unsafe slot.pointee.droppedEventCount = 0
        unsafe slot.pointee.linkCount = 0
        unsafe slot.pointee.droppedLinkCount = 0
        unsafe slot.pointee.statusMessageCount = 0
        unsafe slot.pointee.statusMessage = nil
        unsafe slot.pointee.nameBlock = nil
    }

    /// The tags of the fields that every span has, which stay in the slot from life to life.
    /// Fields: trace_id 1, span_id 2, kind 6, start 7, end 8, flags 16.
    private static func writeTags(_ start: UnsafeMutableRawPointer) {
        unsafe start.storeBytes(of: UInt16(0x100a).littleEndian, as: UInt16.self)
        unsafe start.storeBytes(of: UInt16(0x0812).littleEndian, toByteOffset: 18, as: UInt16.self)
        unsafe start.storeBytes(
            of: UInt32(0x39_00_30).littleEndian, toByteOffset: 28, as: UInt32.self)
        unsafe start.storeBytes(of: UInt8(0x41), toByteOffset: 39, as: UInt8.self)
        unsafe start.storeBytes(of: UInt16(0x0185).littleEndian, toByteOffset: 48, as: UInt16.self)
    }

    /// Writes the values of the fields that every span has, all at fixed offsets, but for the
    /// times.
    @inline(__always)
    static func writeHeader(
        _ start: UnsafeMutableRawPointer, context: SpanContext, isParentRemote: Bool,
        kind: SpanKind
    ) {
        unsafe start.storeBytes(
            of: context.traceID.high.bigEndian, toByteOffset: 2, as: UInt64.self)
        unsafe start.storeBytes(
            of: context.traceID.low.bigEndian, toByteOffset: 10, as: UInt64.self)
        unsafe start.storeBytes(
            of: context.spanID.rawValue.bigEndian, toByteOffset: 20, as: UInt64.self)
        unsafe start.storeBytes(of: kind.rawValue, toByteOffset: 29, as: UInt8.self)
        let flags = UInt32(context.flags.onWire) | 0x100 | (isParentRemote ? 0x200 : 0)
        unsafe start.storeBytes(of: flags.littleEndian, toByteOffset: 50, as: UInt32.self)
    }

    /// Sets the start time, in both forms. - Parameter ticks: 0 when the caller gave the time.
    @inline(__always)
    static func setStart(
        _ slot: UnsafeMutablePointer<SpanSlot>, ticks: UInt64, unixNano: UInt64
    ) {
        unsafe slot.pointee.startTicks.store(ticks, ordering: .relaxed)
        unsafe slot.pointee.startUnixNano.store(unixNano, ordering: .relaxed)
        unsafe bytes(slot).storeBytes(of: unixNano.littleEndian, toByteOffset: 31, as: UInt64.self)
    }

    /// Writes parent_span_id (4) behind the header.
    @inline(__always)
    static func writeParent(_ start: UnsafeMutableRawPointer, _ parent: SpanID) {
        unsafe start.storeBytes(of: UInt16(0x0822).littleEndian, toByteOffset: 54, as: UInt16.self)
        unsafe start.storeBytes(of: parent.rawValue.bigEndian, toByteOffset: 56, as: UInt64.self)
    }
}
