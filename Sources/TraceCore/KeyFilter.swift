// Which keys a live span surely has not got: 512 bits a span, a bit of its own for each of the first 512 keys of the
// process, three shared ones for each that comes later.
import Synchronization

/// What stands for a key in a span's `KeyFilter`: bits of one of its eight words.
struct FilterBit: Hashable {
    let word: Int
    let mask: UInt64

    /// A bit of its own. - Parameter number: 0..<512.
    init(number: Int) {
        word = number >> 6 & 7
        mask = 1 &<< UInt64(number & 63)
    }

    /// Three bits in one word (a blocked Bloom filter; Putze, Sanders and Singler, "Cache-, hash- and space-efficient
    /// Bloom filters", 2007). - Parameter hash: its lowest 21 bits count.
    init(hash: UInt64) {
        word = Int(hash & 7)
        mask = 1 &<< (hash >> 3) | 1 &<< (hash >> 9) | 1 &<< (hash >> 15)
    }
}

/// 512 bits that say which keys a span surely has not got. Twice as many would make lists of attributes too large to be
/// passed on in registers.
struct KeyFilter: Sendable {
    static let bitCount = 512
    private var words = InlineArray<8, UInt64>(repeating: 0)

    @inline(__always)
    func mayContain(_ bit: FilterBit) -> Bool {
        unsafe words[unchecked: bit.word] & bit.mask == bit.mask
    }

    @inline(__always)
    mutating func insert(_ bit: FilterBit) { unsafe words[unchecked: bit.word] |= bit.mask }

    /// Clears a filter in place: as a value it would be made elsewhere and copied.
    @inline(__always)
    static func clear(_ filter: UnsafeMutablePointer<KeyFilter>) {
        let bytes = UnsafeMutableRawPointer(filter)
        unsafe bytes.storeBytes(of: .zero, as: SIMD64<UInt8>.self)
    }
}

/// The numbers of keys. The first 512 that the process interns get one each, and those that are data are interned as long
/// as there are numbers, so that a text has the same bits wherever it comes from: a number for ever, or its hash for
/// ever. Any thread; reading takes no lock.
enum KeyNumbers {
    /// Twice as many places as numbers, so that a search ends soon. Each the address of a record, or 0.
    // Safe because it is never freed, and its places are atomic and set once.
    nonisolated(unsafe) private static let places: UnsafeMutablePointer<Atomic<UInt>> = {
        let places = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: placeCount)
        for place in 0..<placeCount { unsafe (places + place).initialize(to: Atomic(0)) }
        return unsafe places
    }()
    private static let placeCount = 2 * KeyFilter.bitCount
    /// How many numbers are given out; written with the lock of `InternTable` held.
    private static let given = Atomic<Int>(0)

    /// The bits of a key about to be interned. With the lock of `InternTable` held.
    static func nextBit(for key: [UInt8]) -> FilterBit {
        let number = given.load(ordering: .relaxed)
        if number < KeyFilter.bitCount { return FilterBit(number: number) }
        return unsafe key.withUnsafeBytes { unsafe hashedBit(of: $0) }
    }

    /// Makes an interned key known, if there was a number for it. With the lock of `InternTable` held.
    static func add(_ record: UnsafePointer<InternedText>) {
        let number = given.load(ordering: .relaxed)
        guard number < KeyFilter.bitCount else { return }
        let key = unsafe UnsafeRawBufferPointer(
            start: InternedText.bytes(record), count: record.pointee.count)
        var place = unsafe Int(truncatingIfNeeded: hash(key) >> 32) & (placeCount - 1)
        while unsafe places[place].load(ordering: .relaxed) != 0 {
            place = (place + 1) & (placeCount - 1)
        }
        // release: the record is whole; pairs with the acquire in `find`
        unsafe places[place].store(UInt(bitPattern: record), ordering: .releasing)
        // release: whoever sees the last number given out finds every key that has one
        given.store(number + 1, ordering: .releasing)
    }

    /// The record of a key that is data; nil for one that is not interned and never will have a number.
    static func record(of key: UnsafeRawBufferPointer) -> UnsafePointer<InternedText>? {
        let areAllGiven = given.load(ordering: .acquiring) == KeyFilter.bitCount
        if let record = unsafe find(key) { return unsafe record }
        if areAllGiven { return nil }
        return unsafe InternTable.field(Wire.keyValueKeyTag, Array(key))
    }

    /// The bits of a key that has no record, or came after the numbers were given out.
    static func hashedBit(of key: UnsafeRawBufferPointer) -> FilterBit {
        unsafe FilterBit(hash: hash(key))
    }

    /// The bits of a key wherever it comes from.
    static func filterBit(of key: UnsafeRawBufferPointer) -> FilterBit {
        unsafe record(of: key)?.pointee.filterBit ?? hashedBit(of: key)
    }

    private static func find(_ key: UnsafeRawBufferPointer) -> UnsafePointer<InternedText>? {
        var place = unsafe Int(truncatingIfNeeded: hash(key) >> 32) & (placeCount - 1)
        while true {
            let bits = unsafe places[place].load(ordering: .acquiring)
            guard let record = unsafe UnsafePointer<InternedText>(bitPattern: bits) else {
                return nil
            }
            if unsafe record.pointee.count == key.count,
                unsafe EntryWalker.isEqual(
                    InternedText.bytes(record), key.baseAddress.unsafelyUnwrapped, key.count)
            {
                return unsafe record
            }
            place = (place + 1) & (placeCount - 1)
        }
    }

    /// A cheap hash of a key: its length, its first and its last eight bytes, folded by one multiplication to 128
    /// bits, so that keys that differ in one character only still part ways.
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var head: UInt64 = 0
        var tail: UInt64 = 0
        if key.count >= 8 {
            head = unsafe key.loadUnaligned(as: UInt64.self)
            tail = unsafe key.loadUnaligned(fromByteOffset: key.count &- 8, as: UInt64.self)
        } else {
            for index in key.indices { head = unsafe head << 8 | UInt64(key[index]) }
        }
        let length = UInt64(truncatingIfNeeded: key.count) &* 0x1656_67B1_9E37_79F9
        let product = (head ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
            by: tail ^ 0xC2B2_AE3D_27D4_EB4F ^ length)
        let folded = (product.high ^ product.low) &* 0x9E37_79B9_7F4A_7C15
        return folded ^ folded >> 32
    }
}
