// What a sink can be told: where to listen, how closely to look, what to refuse, what to do wrong.

public import TraceResults

/// The settings of a ``SinkServer``.
public struct SinkConfiguration: Sendable {
    /// The address to bind. Loopback by default: the sink has no authentication.
    public var host = "127.0.0.1"
    /// The port to bind; 0 for one that the system chooses.
    public var port = 0
    /// How closely to look at what arrives.
    public var mode = SinkLedger.Mode.count
    /// Event loop threads. One keeps the most of the machine for what is measured.
    public var threads = 1
    /// What to refuse.
    public var limits = Limits()
    /// What verify mode may keep.
    public var traceLimits = TraceLimits()
    /// What to do wrong, and when.
    public var faults = SinkFaultSchedule()

    /// The default settings.
    public init() {}

    /// Bounds on what clients can make the sink hold, and for how long.
    public struct Limits: Sendable {
        /// Largest body as it comes over the wire, in bytes.
        public var bodyBytesMax = 64 << 20
        /// Largest body once inflated, in bytes.
        public var inflatedBytesMax = 64 << 20
        /// Largest head of a request: names and values of its headers, in bytes.
        public var headerBytesMax = 16 << 10
        /// Connections open at a time.
        public var connectionsMax = 1024
        /// From accepting a connection, or the first byte of a later request, to the end of the
        /// head, in nanoseconds.
        public var headerDeadlineNs: Int64 = 5_000_000_000
        /// From the end of the head to the end of the body, in nanoseconds.
        public var bodyDeadlineNs: Int64 = 30_000_000_000
        /// How long a connection may be idle between requests, in nanoseconds.
        public var idleDeadlineNs: Int64 = 300_000_000_000
        /// Memory for bodies being received, all connections together, in bytes. Beyond it a
        /// request is answered 503.
        public var heldBodyBytesMax = 512 << 20
        /// Batches that may be open before the sink settles the lower half of them unasked.
        public var openBatchesMax = 1 << 20
        /// Runs whose batches are told apart; beyond it the one not heard of for longest is forgotten.
        public var runsMax = 256

        /// The default bounds.
        public init() {}
    }

    /// Bounds on the traces that verify mode keeps. When one is reached, half of the traces, chosen
    /// by their identifiers, are let go and no longer kept when they arrive.
    public struct TraceLimits: Sendable {
        /// Spans kept.
        public var spansMax = 1_000_000
        /// Bytes of encoded spans kept.
        public var bytesMax = 256 << 20
        /// Names of services told apart.
        public var servicesMax = 1_000

        /// The default bounds.
        public init() {}
    }
}
