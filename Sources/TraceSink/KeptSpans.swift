// The list of spans received: which they were and what their trace state says they stand for. Kept only
// when asked for, up to a bound; read out in pieces over the control endpoint.

import Glibc

/// A span of the list: 16 bytes.
struct KeptSpan: Equatable, Sendable {
    var spanID: UInt64
    /// T of `ot=th:…` in 56 bits; ``noThreshold`` when there is none that is well formed.
    var threshold: UInt64

    static let noThreshold = UInt64.max
}

/// Takes the spans of one request, before the books know whether it came before. Belongs to one event loop
/// and is used again for each request.
final class KeptSpanCollector {
    private(set) var spans: [KeptSpan] = []
    /// CPU time that reading them took, in this request.
    private(set) var cpuNs: UInt64 = 0

    /// Reads all spans of a request that has been found to be one.
    func collect(_ request: UnsafeRawBufferPointer) throws(WireError) {
        let before = Self.threadCPUNs()
        spans.removeAll(keepingCapacity: true)
        try unsafe Self.forEach(2, in: request, of: 1) { (bytes) throws(WireError) in
            unsafe spans.append(try KeptSpan(encoded: bytes))
        }
        cpuNs = Self.threadCPUNs() - before
    }

    /// Calls `body` with each span message: field 2 of the scopes in field 2 of the resources in field 1.
    private static func forEach(
        _ depth: Int, in message: UnsafeRawBufferPointer, of field: UInt32,
        _ body: (UnsafeRawBufferPointer) throws(WireError) -> Void
    ) throws(WireError) {
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == .bytes(field) else {
                try reader.skip(tag, depth: 3 - depth)
                continue
            }
            let bytes = unsafe try reader.bytes()
            if depth == 0 {
                unsafe try body(bytes)
            } else {
                try unsafe forEach(depth - 1, in: bytes, of: 2, body)
            }
        }
    }

    private static func threadCPUNs() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension KeptSpan {
    /// Reads the identifier and the trace state of an encoded span, in whatever order its fields stand.
    init(encoded message: UnsafeRawBufferPointer) throws(WireError) {
        spanID = 0
        threshold = Self.noThreshold
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(2): spanID = unsafe try Identifier.span(reader.bytes())
            case .bytes(3): threshold = unsafe Self.threshold(ofState: try reader.bytes())
            default: try reader.skip(tag, depth: 4)
            }
        }
    }

    /// T of the `th` in a trace state's `ot` member; ``noThreshold`` for none. One to fourteen lower-case
    /// digits, zeros behind them left out; of members and keys that come twice the first counts.
    /// Source: OpenTelemetry specification, "TraceState: Probability Sampling".
    static func threshold(ofState state: UnsafeRawBufferPointer) -> UInt64 {
        var text = StateText(start: 0, end: state.count)
        while let member = unsafe text.next(before: UInt8(ascii: ","), in: state) {
            guard var pairs = unsafe member.trimmed(in: state).dropping("ot=", in: state) else {
                continue
            }
            while let pair = unsafe pairs.next(before: UInt8(ascii: ";"), in: state) {
                guard let digits = unsafe pair.dropping("th:", in: state) else { continue }
                return unsafe threshold(ofDigits: digits, in: state)
            }
            return noThreshold
        }
        return noThreshold
    }

    private static func threshold(
        ofDigits digits: StateText, in state: UnsafeRawBufferPointer
    ) -> UInt64 {
        guard (1...14).contains(digits.count) else { return noThreshold }
        var value: UInt64 = 0
        for place in digits.start..<digits.end {
            let byte = unsafe state[place]
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return noThreshold
            }
        }
        return value << UInt64(4 * (14 - digits.count))
    }
}

/// A piece of a trace state, by its places.
private struct StateText {
    var start: Int
    var end: Int
    /// All of it was given away.
    var isOver = false

    var count: Int { end - start }

    /// Takes what stands before the next separator, or the rest; nil when nothing is left.
    mutating func next(before separator: UInt8, in state: UnsafeRawBufferPointer) -> StateText? {
        guard !isOver else { return nil }
        var place = start
        while place < end, unsafe state[place] != separator { place += 1 }
        defer {
            isOver = place == end
            start = min(place + 1, end)
        }
        return StateText(start: start, end: place)
    }

    /// Without blanks at its ends.
    func trimmed(in state: UnsafeRawBufferPointer) -> StateText {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
        }
        var text = self
        while text.count > 0, unsafe isBlank(state[text.start]) { text.start += 1 }
        while text.count > 0, unsafe isBlank(state[text.end - 1]) { text.end -= 1 }
        return text
    }

    /// What stands behind the prefix; nil when it does not begin so.
    func dropping(_ prefix: StaticString, in state: UnsafeRawBufferPointer) -> StateText? {
        let size = prefix.utf8CodeUnitCount
        guard count >= size else { return nil }
        for place in 0..<size where unsafe state[start + place] != prefix.utf8Start[place] {
            return nil
        }
        return StateText(start: start + size, end: end)
    }
}

/// The list of all requests. Not thread-safe; the sink's state guards it.
struct KeptSpanList {
    private static let chunkSpans = 1 << 16

    private let spansMax: Int
    private var chunks: [[KeptSpan]] = []
    private(set) var count = 0
    /// Spans for which there was no room.
    private(set) var overflowCount: UInt64 = 0
    private(set) var cpuNs: UInt64 = 0

    /// - Parameter spansMax: of 16 bytes each.
    init(spansMax: Int) { self.spansMax = spansMax }

    /// Adds a request's spans but for the last ones, which the answer will call rejected.
    mutating func add(_ collector: KeptSpanCollector, rejected: Int) {
        cpuNs += collector.cpuNs
        let taken = collector.spans.dropLast(rejected)
        let room = taken.prefix(spansMax - count)
        overflowCount += UInt64(taken.count - room.count)
        for span in room {
            if count % Self.chunkSpans == 0 {
                chunks.append([])
                chunks[chunks.count - 1].reserveCapacity(Self.chunkSpans)
            }
            chunks[chunks.count - 1].append(span)
            count += 1
        }
    }

    /// Spans from one on, at most so many, as little-endian pairs of identifier and threshold. In front of
    /// them how many there are in all, how many found no room, and the CPU time spent on them in ns.
    func bytes(from first: Int, count most: Int) -> [UInt8] {
        let range = min(first, count)..<min(first + most, count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24 + 16 * range.count)
        func append(_ number: UInt64) {
            unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
        }
        append(UInt64(count))
        append(overflowCount)
        append(cpuNs)
        var place = range.lowerBound
        while place < range.upperBound {
            let chunk = chunks[place / Self.chunkSpans]
            let start = place % Self.chunkSpans
            let end = min(chunk.count, start + range.upperBound - place)
            for span in chunk[start..<end] {
                append(span.spanID)
                append(span.threshold)
            }
            place += end - start
        }
        return bytes
    }
}
