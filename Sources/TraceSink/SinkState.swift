// What all connections share: the books, the faults still to come, the traces. Event loops and whoever
// asks for the ledger meet here, under one lock held for a microsecond a request in count mode, and a
// few hundred nanoseconds more for each span that is looked into.

import NIOConcurrencyHelpers
import TraceResults

/// The sink's memory. Thread-safe.
final class SinkState: Sendable {
    private let guarded: NIOLockedValueBox<Books>
    private let connectionsMax: Int
    /// Whether spans are listed.
    let listsSpans: Bool
    /// What closes the port for a while; the server sets it.
    let outage = SinkOutage()
    private let onNotice: (@Sendable (String) -> Void)?

    private struct Books {
        var ledger: SinkLedger
        var batches: RunLedgers
        var faults: SinkFaultSchedule
        var study: TraceStudy
        var verified: VerifiedBooks?
        var archive: TraceArchive?
        var kept: KeptSpanList?
        var connectionsOpen = 0
    }

    /// - Throws: ``TraceStoreError`` when the folder for traces cannot be used.
    init(_ configuration: SinkConfiguration) throws(TraceStoreError) {
        connectionsMax = configuration.limits.connectionsMax
        onNotice = configuration.onNotice
        listsSpans = configuration.keptSpansMax > 0
        let verifies = configuration.mode == .verify
        let archive = try configuration.storeInForce.map {
            (settings) throws(TraceStoreError) in try TraceArchive(settings)
        }
        let books = Books(
            ledger: SinkLedger(mode: configuration.mode),
            batches: RunLedgers(
                openMax: configuration.limits.openBatchesMax,
                runsMax: configuration.limits.runsMax),
            faults: configuration.faults,
            study: TraceStudy(
                verifies ? configuration.study.forVerifying() : configuration.study),
            verified: verifies ? VerifiedBooks() : nil, archive: archive,
            kept: listsSpans ? KeptSpanList(spansMax: configuration.keptSpansMax) : nil)
        guarded = NIOLockedValueBox(books)
    }

    // MARK: Connections

    /// Whether another connection may stay; counts it if so.
    func openConnection() -> Bool {
        guarded.withLockedValue { books in
            guard books.connectionsOpen < connectionsMax else {
                books.ledger.connectionsRefused += 1
                return false
            }
            books.connectionsOpen += 1
            books.ledger.connections += 1
            return true
        }
    }

    /// Gives back what `openConnection` counted.
    func closeConnection() {
        guarded.withLockedValue { $0.connectionsOpen -= 1 }
    }

    // MARK: Requests to /v1/traces

    /// A request has arrived; says which fault strikes it.
    func arrive() -> SinkFault? {
        guarded.withLockedValue { books in
            books.ledger.requests += 1
            let nowNs = ProcessUsage.monotonicNs()
            let fault = books.faults.next(nowNs: nowNs)
            if fault != nil {
                books.ledger.faultsInjected += 1
                if books.faults.lastStrikePasses { books.ledger.lastFaultNs = nowNs }
            }
            return fault
        }
    }

    /// A connection to a sink with TLS has come; says what is wrong with its handshake, if anything.
    func shakeHands() -> SinkFault.TLSFault? {
        guarded.withLockedValue { books in
            let nowNs = ProcessUsage.monotonicNs()
            let fault = books.faults.nextHandshake(nowNs: nowNs)
            if fault != nil {
                books.ledger.faultsInjected += 1
                if books.faults.lastStrikePasses { books.ledger.lastFaultNs = nowNs }
            }
            return fault
        }
    }

    /// A request has come in plain text where TLS is expected.
    func countPlainRequest() {
        guarded.withLockedValue { $0.ledger.plainRequests = ($0.ledger.plainRequests ?? 0) + 1 }
    }

    /// A fault that lasts is over.
    func endFault() {
        guarded.withLockedValue { $0.ledger.lastFaultNs = ProcessUsage.monotonicNs() }
    }

    /// Tells the owner what it should know.
    func notify(_ text: String) { onNotice?(text) }

    /// A request was refused, or something that is no request arrived.
    func refuse() {
        guarded.withLockedValue { $0.ledger.badRequests += 1 }
    }

    /// A body has ended, or was broken off, after so many bytes.
    func countBody(received: Int, inflated: Int) {
        guarded.withLockedValue { books in
            books.ledger.bytesReceived += received
            books.ledger.bytesInflated += inflated
        }
    }

    /// Enters the spans of a request that arrived whole.
    /// - Parameters:
    ///   - number: its batch number, nil for none.
    ///   - run: the run that numbered it, empty when it named none.
    ///   - rejected: how many of its spans the answer will call rejected.
    ///   - content: what was decoded of it.
    ///   - collector: its spans for the list; nil when there is none.
    func receive(
        _ summary: BatchSummary, batch number: UInt64?, of run: String, rejected: Int,
        _ content: ReceivedContent, listing collector: KeptSpanCollector? = nil
    ) {
        let notice = guarded.withLockedValue { books -> String? in
            books.ledger.spansTotal += summary.spans
            if let number {
                switch books.batches.record(run: run, number, summary) {
                case .first: break
                case .mismatch:
                    books.ledger.mismatchedDeliveries += 1
                    fallthrough
                case .duplicate:
                    books.ledger.spansDuplicate += summary.spans
                    return nil
                }
            } else {
                books.ledger.unnumberedSpans += summary.spans
            }
            books.ledger.spansDistinct += summary.spans
            if let collector { books.kept?.add(collector, rejected: rejected) }
            books.ledger.spansRejected += min(rejected, summary.spans)
            books.ledger.identitySum &+= summary.identitySum
            books.ledger.contentSum &+= summary.contentSum
            if summary.isTranslated {
                books.ledger.jsonSpans = (books.ledger.jsonSpans ?? 0) + summary.spans
            }
            return Self.enter(content, into: &books)
        }
        if let notice { onNotice?(notice) }
    }

    /// Returns what there is to say of the store, if anything.
    private static func enter(_ content: ReceivedContent, into books: inout Books) -> String? {
        let nowNs = ProcessUsage.monotonicNs()
        switch content {
        case .sampled(let sample):
            books.study.noteServices(sample.newServices)
            books.study.add(
                sample.spans, services: sample.services, undecodable: sample.undecodable,
                nowNs: nowNs)
            return nil
        case .verified(let request):
            books.verified?.add(request)
            books.study.noteServices(request.services)
            books.study.add(
                request.spans.map(\.observed), services: request.services, undecodable: 0,
                nowNs: nowNs)
            return books.archive?.add(
                request, cameUnixNs: ProcessUsage.wallNs(), nowNs: nowNs)
        }
    }

    /// What of the next request is to be looked into.
    var hashMax: UInt64 { guarded.withLockedValue { $0.study.hashMax } }

    // MARK: Questions

    /// The books as they stand, with what the process has used so far.
    func ledger() -> SinkLedger {
        var ledger = guarded.withLockedValue { books in
            var ledger = books.ledger
            ledger.batches = books.batches.batches
            ledger.openBatches = books.batches.openCount
            if let verified = books.verified {
                verified.report(
                    into: &ledger, books.study.figures(nowNs: ProcessUsage.monotonicNs()))
            }
            return ledger
        }
        ledger.cpuNs = ProcessUsage.cpuNs()
        ledger.peakResidentBytes = ProcessUsage.peakResidentBytes()
        return ledger
    }

    /// Unsettled batches of a run with numbers up to and including `last`, in ascending order.
    func unsettledBatches(
        of run: String, through last: UInt64
    ) -> [(number: UInt64, entry: BatchLedger.Entry)] {
        guarded.withLockedValue { $0.batches.unsettled(run: run, through: last) }
    }

    /// Folds the batches of a run up to and including `last`; returns how many.
    func settle(_ run: String, through last: UInt64) -> Int {
        guarded.withLockedValue { $0.batches.settle(run: run, through: last) }
    }

    /// A piece of the list of spans; nil when none is kept.
    func keptSpans(from first: Int, count: Int) -> [UInt8]? {
        guarded.withLockedValue { $0.kept?.bytes(from: first, count: count) }
    }

    // MARK: Questions about traces

    /// The quality of the traces so far, and the graph of who calls whom in them.
    func study() -> (quality: TraceQualityFigures, graph: ServiceGraph) {
        guarded.withLockedValue { $0.study.report(nowNs: ProcessUsage.monotonicNs()) }
    }

    /// A usual trace and the slowest.
    func exampleTraces() -> ExampleTraces {
        guarded.withLockedValue { $0.study.exampleTraces() }
    }

    /// Whether traces are kept to be asked for.
    var keepsTraces: Bool { guarded.withLockedValue { $0.archive != nil } }

    /// Traces that fit the filter, latest first, and why further ones cannot be kept, if so.
    func traces(_ filter: TraceFilter) -> (traces: [TraceSummary], failure: String?) {
        guarded.withLockedValue { ($0.archive?.list(filter) ?? [], $0.archive?.failure) }
    }

    /// How many pieces of a trace there are and when the last one came; nil when there are none.
    func state(of key: TraceKey) -> (pieces: Int, lastNs: UInt64)? {
        guarded.withLockedValue { $0.archive?.state(of: key) }
    }

    /// A trace, and whether parts of it have given way; nil when it is not kept.
    func trace(_ key: TraceKey) -> (document: OTLPTraces, isCut: Bool)? {
        let kept = guarded.withLockedValue { $0.archive?.document(key) }
        guard let kept else { return nil }
        let document = unsafe kept.bytes.withUnsafeBytes { unsafe try? OTLPTraces(protobuf: $0) }
        return document.map { ($0, kept.isCut) }
    }
}

/// What was decoded of a request, as good as its bytes.
enum ReceivedContent {
    /// Count mode: the spans that are looked into.
    case sampled(SpanSample)
    /// Verify mode: all.
    case verified(VerifiedRequest)
}
