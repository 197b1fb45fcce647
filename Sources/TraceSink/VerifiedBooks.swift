// What verify mode adds to the ledger. Not thread-safe; the sink's state guards it.

import TraceResults

/// Sums over the spans that verify mode decoded.
struct VerifiedBooks {
    private static let servicesMax = 1_000
    private var semanticSum: UInt64 = 0
    private var invalidSpans = 0
    private var negativeDurations = 0
    private var services: [String: Int] = [:]

    /// Takes in a request's spans.
    mutating func add(_ request: VerifiedRequest) {
        semanticSum &+= request.semanticSum
        invalidSpans += request.invalidSpans
        negativeDurations += request.negativeDurations
        var counts = Array(repeating: 0, count: request.services.count)
        for span in request.spans { counts[span.observed.service] += 1 }
        for (name, count) in zip(request.services, counts) {
            let isKnown = services[name] != nil || services.count < Self.servicesMax
            services[isKnown ? name : "other", default: 0] += count
        }
    }

    /// Writes the figures into `ledger`.
    func report(into ledger: inout SinkLedger, _ figures: TraceQualityFigures) {
        ledger.semanticSum = semanticSum
        ledger.invalidSpans = invalidSpans
        ledger.negativeDurations = negativeDurations
        ledger.services = services.filter { $0.value > 0 }
        ledger.tracesKeptOneIn = Int(clamping: figures.oneIn)
        ledger.traces = Int(clamping: figures.traces)
        ledger.tracesComplete = Int(clamping: figures.connectedTraces)
        ledger.orphanSpans = Int(clamping: figures.orphanSpans)
        ledger.repeatedSpanIDs = Int(clamping: figures.repeatedSpanIDs)
        ledger.spansPerTraceP50 = Int(clamping: figures.spansPerTraceP50)
        ledger.spansPerTraceMax = Int(clamping: figures.spansPerTraceMax)
        ledger.depthMax = Int(clamping: figures.depthMax)
    }
}
