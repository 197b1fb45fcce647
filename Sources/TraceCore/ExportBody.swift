// A finished request body: reusable, backed by pages that cost nothing until touched.

/// One OTLP ExportTraceServiceRequest and what the ledger needs to know of it. One owner at a time.
/// Safe because it is not copyable: whoever has it is the only one to touch its pages.
@safe public struct ExportBody: ~Copyable, @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
    private let allocatedBytes: Int
    private let pages: any PageSource
    /// The most bytes that a body may have.
    public let capacityBytes: Int
    /// Bytes of the request.
    public internal(set) var byteCount = 0
    /// Spans in the request.
    public internal(set) var spanCount = 0
    /// Whether the next span did not fit any more.
    public internal(set) var isFull = false
    /// Sum of `SpanChecksum.identity` over the spans, when the recorder keeps sums.
    public internal(set) var identitySum: UInt64 = 0
    /// Sum of `SpanChecksum.content` over the spans, when the recorder keeps sums.
    public internal(set) var contentSum: UInt64 = 0
    /// Cycle counter at the end of each timed span.
    public internal(set) var timedEndCycles: [UInt64] = []

    /// Bytes of a body's memory that no request takes: copies go by words.
    public static let spareBytes = Wire.slackBytes

    /// Bytes that a body of that capacity takes of `pages`.
    public static func footprintBytes(capacityBytes: Int, pages: some PageSource) -> Int {
        pages.footprintBytes(of: capacityBytes + spareBytes)
    }

    /// - Parameter capacityBytes: largest request; pages are touched only as far as requests go.
    public init(capacityBytes: Int = 64 << 20, pages: some PageSource = MappedPageSource()) {
        self.capacityBytes = capacityBytes
        self.pages = pages
        allocatedBytes = (capacityBytes + Self.spareBytes + 4095) & ~4095
        guard let memory = unsafe pages.allocate(byteCount: allocatedBytes) else {
            fatalError("tracemill: no memory for a request body of \(capacityBytes) bytes")
        }
        unsafe self.memory = unsafe memory
        timedEndCycles.reserveCapacity(64)
    }

    deinit { unsafe pages.release(memory, byteCount: allocatedBytes) }

    /// The request's bytes, valid until the body is filled again or goes away.
    public var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: memory, count: byteCount)
    }

    /// Flips one bit of the body: what the ledger's own test injects to see the run fail.
    package mutating func flipBit(atByte offset: Int) {
        let old = unsafe memory.load(fromByteOffset: offset, as: UInt8.self)
        unsafe memory.storeBytes(of: old ^ 1, toByteOffset: offset, as: UInt8.self)
    }

    mutating func clear() {
        byteCount = 0
        spanCount = 0
        isFull = false
        identitySum = 0
        contentSum = 0
        timedEndCycles.removeAll(keepingCapacity: true)
    }
}
