// What all connections share: the books, the faults still to come, the kept traces. Event loops and
// whoever asks for the ledger meet here, under one lock held for well under a microsecond a request
// in count mode.

import Synchronization
import TraceResults

/// The sink's memory. Thread-safe.
final class SinkState: Sendable {
    private let guarded: Mutex<Books>
    private let connectionsMax: Int

    private struct Books {
        var ledger: SinkLedger
        var batches: RunLedgers
        var faults: SinkFaultSchedule
        var traces: TraceStore?
        var connectionsOpen = 0
    }

    init(_ configuration: SinkConfiguration) {
        connectionsMax = configuration.limits.connectionsMax
        let books = Books(
            ledger: SinkLedger(mode: configuration.mode),
            batches: RunLedgers(
                openMax: configuration.limits.openBatchesMax,
                runsMax: configuration.limits.runsMax),
            faults: configuration.faults,
            traces: configuration.mode == .verify
                ? TraceStore(limits: configuration.traceLimits) : nil)
        guarded = Mutex(books)
    }

    // MARK: Connections

    /// Whether another connection may stay; counts it if so.
    func openConnection() -> Bool {
        guarded.withLock { books in
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
        guarded.withLock { $0.connectionsOpen -= 1 }
    }

    // MARK: Requests to /v1/traces

    /// A request has arrived; says which fault strikes it.
    func arrive() -> SinkFault? {
        guarded.withLock { books in
            books.ledger.requests += 1
            let fault = books.faults.next(nowNs: ProcessUsage.monotonicNs())
            if fault != nil { books.ledger.faultsInjected += 1 }
            return fault
        }
    }

    /// A request was refused, or something that is no request arrived.
    func refuse() {
        guarded.withLock { $0.ledger.badRequests += 1 }
    }

    /// A body has ended, or was broken off, after so many bytes.
    func countBody(received: Int, inflated: Int) {
        guarded.withLock { books in
            books.ledger.bytesReceived += received
            books.ledger.bytesInflated += inflated
        }
    }

    /// Enters the spans of a request that arrived whole.
    /// - Parameters:
    ///   - number: its batch number, nil for none.
    ///   - run: the run that numbered it, empty when it named none.
    ///   - rejected: how many of its spans the answer will call rejected.
    ///   - verified: what verify mode found in it; nil in count mode.
    func receive(
        _ summary: BatchSummary, batch number: UInt64?, of run: String, rejected: Int,
        verified: VerifiedRequest?
    ) {
        guarded.withLock { books in
            books.ledger.spansTotal += summary.spans
            if let number {
                switch books.batches.record(run: run, number, summary) {
                case .first: break
                case .mismatch:
                    books.ledger.mismatchedDeliveries += 1
                    fallthrough
                case .duplicate:
                    books.ledger.spansDuplicate += summary.spans
                    return
                }
            } else {
                books.ledger.unnumberedSpans += summary.spans
            }
            books.ledger.spansDistinct += summary.spans
            books.ledger.spansRejected += min(rejected, summary.spans)
            books.ledger.identitySum &+= summary.identitySum
            books.ledger.contentSum &+= summary.contentSum
            if summary.isTranslated {
                books.ledger.jsonSpans = (books.ledger.jsonSpans ?? 0) + summary.spans
            }
            if let verified { books.traces?.add(verified) }
        }
    }

    // MARK: Questions

    /// The books as they stand, with what the process has used so far.
    func ledger() -> SinkLedger {
        var ledger = guarded.withLock { books in
            var ledger = books.ledger
            ledger.batches = books.batches.batches
            ledger.openBatches = books.batches.openCount
            books.traces?.report(into: &ledger)
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
        guarded.withLock { $0.batches.unsettled(run: run, through: last) }
    }

    /// Folds the batches of a run up to and including `last`; returns how many.
    func settle(_ run: String, through last: UInt64) -> Int {
        guarded.withLock { $0.batches.settle(run: run, through: last) }
    }

    /// The kept trace with this identifier, nil when there is none or in count mode.
    func trace(_ key: TraceKey) -> SinkTrace? {
        let kept = guarded.withLock { $0.traces?.trace(key) }
        return kept.flatMap { $0.decoded(key) }
    }
}
