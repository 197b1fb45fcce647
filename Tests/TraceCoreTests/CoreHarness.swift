import Glibc
import Synchronization
import TestSupport
import TraceCore

/// A recorder with one tracer, and a consumer that reads every span back.
struct CoreHarness {
    let recorder: SpanRecorder
    let provider: TracerProvider
    let tracer: Tracer

    init(
        sampler: Sampler = .alwaysOn, limits: SpanLimits = SpanLimits(),
        _ configure: (inout RecorderOptions) -> Void = { _ in }
    ) throws {
        var options = RecorderOptions()
        configure(&options)
        recorder = try Self.recorder(options)
        provider = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "core tests"), sampler: sampler,
            limits: limits)
        tracer = provider.tracer(name: "core tests")
    }

    /// Waits its turn where tests run on so many threads that recorders are all in use.
    private static func recorder(_ options: RecorderOptions) throws(RecorderError) -> SpanRecorder {
        while true {
            do throws(RecorderError) {
                return try SpanRecorder(options: options)
            } catch .tooManyRecorders {
                yieldProcessor()
            }
        }
    }

    /// Everything that is pending, decoded, in the order of the requests.
    func drain(spans: Int = 512, bodyBytes: Int = 64 << 20) throws -> [ReadSpan] {
        var body = ExportBody(capacityBytes: bodyBytes)
        var found: [ReadSpan] = []
        while recorder.queue.fill(&body, spans: spans) > 0 {
            found += try Self.spans(in: body)
        }
        return found
    }

    /// The one span that `record` ends.
    static func one(
        limits: SpanLimits = SpanLimits(), _ configure: (inout RecorderOptions) -> Void = { _ in },
        _ record: (Tracer) throws -> Void
    ) throws -> ReadSpan {
        // Small: a recorder's memory stays as long as the process runs.
        let harness = try CoreHarness(limits: limits) {
            $0.liveSpansMax = 16
            $0.blocksMax = 64
            $0.queueBytesMax = 1 << 20
            configure(&$0)
        }
        try record(harness.tracer)
        let spans = try harness.drain()
        guard spans.count == 1 else {
            throw WireError(what: "\(spans.count) spans instead of one", offset: 0)
        }
        return spans[0]
    }

    static func messages(in body: borrowing ExportBody) throws -> [[UInt8]] {
        let bytes = unsafe Array(body.bytes)
        var found: [[UInt8]] = []
        for resource in try wireFields(bytes) where resource.number == 1 {
            for scope in try wireFields(resource.bytes) where scope.number == 2 {
                for span in try wireFields(scope.bytes) where span.number == 2 {
                    found.append(span.bytes)
                }
            }
        }
        guard found.count == body.spanCount else {
            throw WireError(what: "\(found.count) spans, not \(body.spanCount)", offset: 0)
        }
        return found
    }

    /// The marks of the spans in a body, without copying their bytes.
    static func marks(in body: borrowing ExportBody) throws -> [SpanMark] {
        let bytes = unsafe body.bytes
        var found: [SpanMark] = []
        /// Calls `visit` with the payload of each field of that number.
        func fields(_ range: Range<Int>, number: UInt8, _ visit: (Range<Int>) throws -> Void)
            rethrows
        {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let tag = unsafe bytes[offset]
                offset += 1
                var length = 0
                var shift = 0
                while true {
                    let byte = unsafe bytes[offset]
                    offset += 1
                    length |= Int(byte & 0x7f) << shift
                    shift += 7
                    if byte < 0x80 { break }
                }
                if tag == number << 3 | 2 { try visit(offset..<offset + length) }
                offset += length
            }
        }
        try fields(0..<bytes.count, number: 1) { resource in
            try fields(resource, number: 2) { scope in
                try fields(scope, number: 2) { span in
                    let head = span.lowerBound..<min(span.upperBound, span.lowerBound + 32)
                    found.append(try SpanMark(message: unsafe Array(bytes[head])))
                }
            }
        }
        return found
    }

    static func spans(in body: borrowing ExportBody) throws -> [ReadSpan] {
        try messages(in: body).map { try ReadSpan(message: $0) }
    }
}

/// Which thread made a span and which of its spans it is, told by the ids.
struct SpanMark: Hashable {
    var producer: Int
    var number: Int

    var identity: SpanIdentity {
        SpanIdentity(
            traceID: TraceID(high: UInt64(producer) + 1, low: 0xABCD),
            spanID: SpanID(rawValue: UInt64(number) + 1))
    }

    var identityHash: UInt64 {
        LedgerOracle.identity(
            traceHigh: UInt64(producer) + 1, traceLow: 0xABCD, spanID: UInt64(number) + 1)
    }

    init(producer: Int, number: Int) {
        self.producer = producer
        self.number = number
    }

    /// From a Span message: trace id and span id come first.
    init(message: [UInt8]) throws {
        guard message.count > 28, message[0] == 0x0a, message[1] == 16, message[18] == 0x12 else {
            throw WireError(what: "a span that does not begin with its ids", offset: 0)
        }
        func number(_ offset: Int) -> UInt64 {
            message[offset..<offset + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard number(10) == 0xABCD else { throw WireError(what: "trace id", offset: 10) }
        self.init(producer: Int(number(2)) - 1, number: Int(number(20)) - 1)
    }
}

/// What a consumer saw: each span at most once, each producer's in order.
struct SpanTally {
    private(set) var count = 0
    private(set) var identitySum: UInt64 = 0
    private(set) var contentSum: UInt64 = 0
    private(set) var problems: [String] = []
    private var last: [Int: Int] = [:]
    private(set) var seen: Set<SpanMark> = []

    /// Adds one span, in whatever order.
    mutating func note(_ mark: SpanMark) {
        if !seen.insert(mark).inserted { problems.append("\(mark) came twice") }
        count += 1
    }

    /// Adds a filled body.
    /// - Parameter checksContents: whether to hash the spans' bytes, which takes its time in a debug build.
    mutating func add(_ body: borrowing ExportBody, checksContents: Bool = true) throws {
        var identities: UInt64 = 0
        var contents: UInt64 = 0
        for message in try CoreHarness.messages(in: body) {
            let mark = try SpanMark(message: message)
            if !seen.insert(mark).inserted { problems.append("\(mark) came twice") }
            if let before = last[mark.producer], before >= mark.number {
                problems.append("\(mark) came after \(before)")
            }
            last[mark.producer] = mark.number
            count += 1
            identities &+= mark.identityHash
            if checksContents { contents &+= LedgerOracle.content(message) }
        }
        if identities != body.identitySum { problems.append("identity sum of a body is wrong") }
        if checksContents, contents != body.contentSum {
            problems.append("content sum of a body is wrong")
        }
        identitySum &+= identities
        contentSum &+= contents
    }
}

/// A number that threads share.
final class SharedNumber: Sendable {
    private let atomic: Atomic<Int>
    init(_ value: Int = 0) { atomic = Atomic(value) }
    var value: Int { atomic.load(ordering: .acquiring) }
    @discardableResult func add(_ amount: Int = 1) -> Int {
        atomic.add(amount, ordering: .acquiringAndReleasing).newValue
    }
    /// Waits, giving the processor away, until the number is at least `least`.
    func wait(for least: Int) {
        while value < least { sched_yield() }
    }
}

/// Gives the processor to another thread.
func yieldProcessor() { sched_yield() }

/// A value behind a pthread mutex: the thread sanitizer does not see the standard library's `Mutex`.
@safe final class Locked<Value>: @unchecked Sendable {
    // Safe because the value is only reached with the mutex held.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: Value) {
        self.value = value
        unsafe mutex = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
