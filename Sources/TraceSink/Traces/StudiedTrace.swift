// A trace as far as it has arrived, in the little that judging it takes, and the numbers that its names
// are told by.

/// A span of a trace under study: 48 bytes.
struct StudiedSpan {
    var spanID: UInt64
    var parentSpanID: UInt64
    var startUnixNano: UInt64
    /// 0 for a span that ends before it starts.
    var durationNs: UInt64
    /// Number of its `service.name`.
    var service: Int32
    /// Number of what it talks to; that of no name when it does not say.
    var peerName: Int32
    /// Number of its name among the operations.
    var operation: Int32 = NameTable.other
    var kind: SpanKind
    var peer: SpanPeer
    var isError: Bool
}

/// The spans of a trace that have come so far.
struct StudiedTrace {
    var spans: [StudiedSpan] = []
    /// More spans came than are looked into.
    var isCut = false
    /// When the last span came, in ticks of the study.
    var lastTick: UInt64 = 0
}

/// Names by number, as many as there is room for; further ones are all `other`.
struct NameTable {
    static let other: Int32 = 0
    private static let bytesMax = 200
    private let namesMax: Int
    private var numbers: [String: Int32] = [:]
    private var hashedNumbers: [UInt64: Int32] = [:]
    private(set) var names = ["other"]
    /// Whether a resource has this name, by number.
    private(set) var isService = [false]

    init(namesMax: Int) {
        self.namesMax = namesMax
    }

    mutating func number(ofService name: String) -> Int32 {
        let number = number(of: name)
        if number != Self.other { isService[Int(number)] = true }
        return number
    }

    mutating func number(of name: String) -> Int32 {
        let name = name.utf8.count > Self.bytesMax ? Self.cut(name) : name
        if let known = numbers[name] { return known }
        guard names.count < namesMax else { return Self.other }
        let number = Int32(names.count)
        names.append(name)
        isService.append(false)
        numbers[name] = number
        return number
    }

    func name(_ number: Int32) -> String { names[Int(number)] }

    /// The number of a name in UTF-8, told by its hash so that a known one makes no string: 64 bits, of which
    /// two names among so few share one about never, and a shared one only mislabels a picture.
    @safe
    mutating func number(hashed bytes: UnsafeRawBufferPointer) -> Int32 {
        let hash = unsafe LedgerHash.content(bytes)
        if let known = hashedNumbers[hash] { return known }
        let number = number(of: unsafe String(decoding: bytes, as: UTF8.self))
        if number != Self.other { hashedNumbers[hash] = number }
        return number
    }

    private static func cut(_ name: String) -> String {
        var bytes = 0
        return String(
            name.prefix {
                bytes += $0.utf8.count
                return bytes <= bytesMax
            })
    }
}
