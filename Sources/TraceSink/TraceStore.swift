// Verify mode's memory of traces: bounded, and fair about what it forgets. Not thread-safe; the
// sink's state guards it.

import TraceResults

/// A span of a kept trace.
struct KeptSpan {
    var spanID: UInt64
    var parentSpanID: UInt64
    /// Index in the store's table of services.
    var service: Int
    /// Where its encoded bytes are in `KeptTrace.messages`.
    var message: Range<Int>
}

/// A trace as far as it has arrived.
struct KeptTrace {
    var spans: [KeptSpan] = []
    /// The encoded spans, one after another.
    var messages: [UInt8] = []
    /// More spans came than one trace may have here; the rest was not kept.
    var isCut = false
    /// What was last made of it; nil since a span came.
    var quality: TraceQuality?

    /// Takes in a span, unless there are too many. Returns whether it did.
    mutating func append(
        _ span: VerifiedSpan, service: Int, spansMax: Int, bytesMax: Int
    ) -> Bool {
        quality = nil
        guard spans.count < spansMax, messages.count + span.messageCount <= bytesMax else {
            isCut = true
            return false
        }
        let start = messages.count
        unsafe messages.append(contentsOf: span.message)
        spans.append(
            KeptSpan(
                spanID: span.spanID, parentSpanID: span.parentSpanID, service: service,
                message: start..<messages.count))
        return true
    }
}

/// Traces by identifier.
///
/// When there is no more room, every second trace is let go, by a hash of its identifier, and from
/// then on only traces of the kept half are taken. What is kept is thus a fair sample of whole
/// traces, and its figures stay comparable.
struct TraceStore {
    private let limits: SinkConfiguration.TraceLimits
    private let spansPerTraceMax: Int
    private var traces: [TraceKey: KeptTrace] = [:]
    private var mask: UInt64 = 0
    private var spansKept = 0
    private var bytesKept = 0

    private var serviceNumbers: [String: Int] = [:]
    private var services: [(name: String, spans: Int)] = []
    private var otherServiceSpans = 0

    private var semanticSum: UInt64 = 0
    private var invalidSpans = 0
    private var negativeDurations = 0

    init(limits: SinkConfiguration.TraceLimits) {
        self.limits = limits
        spansPerTraceMax = max(1, limits.spansMax / 4)
    }

    /// Takes in a request's spans. O(spans), amortised.
    mutating func add(_ request: VerifiedRequest) {
        semanticSum &+= request.semanticSum
        invalidSpans += request.invalidSpans
        negativeDurations += request.negativeDurations
        let numbers = request.services.map { number(of: $0) }
        for span in request.spans {
            let service = numbers[span.service]
            if service >= 0 {
                services[service].spans += 1
            } else {
                otherServiceSpans += 1
            }
            if hash(span.trace) & mask == 0 { keep(span, service: service) }
        }
    }

    private mutating func keep(_ span: VerifiedSpan, service: Int) {
        let wasKept = traces[span.trace, default: KeptTrace()].append(
            span, service: service, spansMax: spansPerTraceMax, bytesMax: limits.bytesMax / 4)
        guard wasKept else { return }
        spansKept += 1
        bytesKept += span.messageCount
        while spansKept > limits.spansMax || bytesKept > limits.bytesMax { letHalfGo() }
    }

    private mutating func letHalfGo() {
        mask = mask << 1 | 1
        traces = traces.filter { hash($0.key) & mask == 0 }
        spansKept = traces.values.reduce(0) { $0 + $1.spans.count }
        bytesKept = traces.values.reduce(0) { $0 + $1.messages.count }
    }

    private func hash(_ key: TraceKey) -> UInt64 {
        LedgerHash.mix(key.low ^ LedgerHash.mix(key.high))
    }

    // -1 when there are too many names to tell this one apart.
    private mutating func number(of service: String) -> Int {
        if let number = serviceNumbers[service] { return number }
        guard services.count < limits.servicesMax else { return -1 }
        services.append((name: service, spans: 0))
        serviceNumbers[service] = services.count - 1
        return services.count - 1
    }

    /// A kept trace with the names of its services.
    func trace(_ key: TraceKey) -> TraceWithServices? {
        guard let trace = traces[key] else { return nil }
        let names = trace.spans.map { $0.service >= 0 ? services[$0.service].name : "other" }
        return TraceWithServices(trace: trace, services: names)
    }

    /// Writes the verify figures into `ledger`. O(spans of traces that grew since the last time)
    /// and O(traces log traces).
    mutating func report(into ledger: inout SinkLedger) {
        var total = TraceQuality()
        var complete = 0
        var sizes: [Int] = []
        sizes.reserveCapacity(traces.count)
        for key in Array(traces.keys) {
            guard let slot = traces.index(forKey: key) else { continue }
            let quality = traces.values[slot].quality ?? TraceQuality(traces.values[slot])
            traces.values[slot].quality = quality
            sizes.append(traces.values[slot].spans.count)
            if quality.isComplete { complete += 1 }
            total.orphans += quality.orphans
            total.repeatedIDs += quality.repeatedIDs
            total.depth = max(total.depth, quality.depth)
        }
        sizes.sort()
        ledger.semanticSum = semanticSum
        ledger.invalidSpans = invalidSpans
        ledger.negativeDurations = negativeDurations
        ledger.services = Dictionary(
            services.map { ($0.name, $0.spans) }, uniquingKeysWith: { $0 + $1 })
        if otherServiceSpans > 0 { ledger.services?["other", default: 0] += otherServiceSpans }
        ledger.tracesKeptOneIn = mask >= UInt64(Int.max) ? Int.max : Int(mask) + 1
        ledger.traces = traces.count
        ledger.tracesComplete = complete
        ledger.orphanSpans = total.orphans
        ledger.repeatedSpanIDs = total.repeatedIDs
        ledger.spansPerTraceP50 = sizes.isEmpty ? 0 : sizes[(sizes.count - 1) / 2]
        ledger.spansPerTraceMax = sizes.last ?? 0
        ledger.depthMax = total.depth
    }
}

/// A trace taken out of the store.
struct TraceWithServices {
    var trace: KeptTrace
    /// The service of each span.
    var services: [String]
}
