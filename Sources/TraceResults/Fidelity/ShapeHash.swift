// The shape of a trace as a number: which operation calls which, how often, in any order.

/// An order-free hash of a tree: a span's is made from its operation and the sum of its children's, so
/// that neither the order of calls nor their times count. Sums wrap.
enum ShapeHash {
    /// Of a service and a name; the same in every process.
    static func operation(service: String, name: String) -> UInt64 {
        // FNV-1a with the services' names ended by a byte that no UTF-8 has.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in service.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return mix(hash)
    }

    /// A span's, from its operation's and the sum of its children's.
    @inline(__always)
    static func span(_ operation: UInt64, children: UInt64) -> UInt64 {
        mix(operation &+ mix(children))
    }

    /// What a span without a parent in sight adds to the trace: one whose parent is missing is told from
    /// a root.
    @inline(__always)
    static func top(_ span: UInt64, isOrphan: Bool) -> UInt64 {
        mix(span ^ (isOrphan ? 0x6F72_7068_616E : 0x726F_6F74))
    }

    /// The finaliser of SplitMix64.
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ x &>> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x &>> 27) &* 0x94D0_49BB_1331_11EB
        return x ^ x &>> 31
    }
}

/// Works out the shapes of the traces of one arrival. Used again and again: it allocates while it grows.
struct ShapeWork {
    /// By number of the span: the sum of its children's.
    private var children: [UInt64] = []
    /// By number of the trace within the arrival.
    private(set) var shapes: [UInt64] = []

    /// Fills ``shapes``.
    ///
    /// - Parameters:
    ///   - isPresent: of a span's number: whether it is there to be seen.
    @inline(__always)
    mutating func run(
        _ spans: ArraySlice<TruthSpan>, firstTrace: UInt32, traceCount: Int,
        operationHashes: [UInt64], isPresent: (Int) -> Bool
    ) {
        let first = spans.startIndex
        let count = spans.count
        if children.count < count {
            children += repeatElement(0, count: count - children.count)
        }
        for number in 0..<count { children[number] = 0 }
        shapes.removeAll(keepingCapacity: true)
        shapes += repeatElement(0, count: traceCount)
        // Parents have lower numbers than their children.
        for number in stride(from: count - 1, through: 0, by: -1) where isPresent(number) {
            let span = spans[first + number]
            let hash = ShapeHash.span(
                operationHashes[Int(span.operation)], children: children[number])
            let parent = Int(span.parent)
            let isTop = span.parent == TruthSpan.noParent
            if !isTop, isPresent(parent) {
                children[parent] &+= hash
            } else {
                shapes[Int(span.trace &- firstTrace)] &+= ShapeHash.top(hash, isOrphan: !isTop)
            }
        }
    }
}
