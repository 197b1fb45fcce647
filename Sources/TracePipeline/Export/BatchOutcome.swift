// What becomes of a batch in the end: the vocabulary that transport, processor and ledger share.

/// Why spans were dropped after their end; each span dropped is counted under one of these.
public enum DropReason: String, Sendable, CaseIterable {
    /// The server, or TLS, refused in a way that trying again does not change.
    case refused
    /// No acceptance before the deadline, or within the allowed attempts; an attempt that timed
    /// out after it was sent is not repeated and counts here.
    case retriesExhausted
    /// A request body above what OTLP/HTTP allows.
    case oversize
    /// The pipeline was shut down before they could be delivered.
    case shutdown
}

/// What became of a batch, once and for all.
public enum BatchOutcome: Sendable, Equatable {
    case acknowledged
    /// Taken, but for this many of its spans (partial success); never sent again.
    case rejected(spans: UInt64)
    case dropped(DropReason)
}

/// A batch that has been settled.
struct FinishedExport {
    var slot: Int
    var outcome: BatchOutcome
    /// An attempt may have been taken by the server without its acknowledgement having arrived. With
    /// an acknowledged outcome: the server may hold duplicates.
    var indeterminate: Bool
    /// Requests begun on a connection, and connects that failed; libcurl's own repeats included.
    var attempts: Int
    /// Monotonic nanoseconds; 0 when nothing was sent.
    var firstSentNs: UInt64
    var lastSentNs: UInt64
    var settledNs: UInt64
    /// Bytes of one request's body on the wire, after compression.
    var wireByteCount: Int
}
