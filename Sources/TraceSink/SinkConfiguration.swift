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
    /// Whether it speaks TLS, with certificates of its own making: see ``SinkServer/authorityPath``.
    public var isTLS = false
    /// Event loop threads. One keeps the most of the machine for what is measured.
    public var threads = 1
    /// What to refuse.
    public var limits = Limits()
    /// How whole traces are looked into.
    public var study = StudySettings()
    /// Where verify mode keeps traces to be asked for; nil for in memory. Count mode keeps none.
    public var store: StoreSettings?
    /// Spans whose identifiers and thresholds are listed for `GET /tracemill/v1/kept`, 16 bytes each; 0 for
    /// none.
    public var keptSpansMax = 0
    /// What to do wrong, and when.
    public var faults = SinkFaultSchedule()
    /// Told what its owner should know while it runs, such as that traces cannot be kept any more.
    /// Called on an event loop.
    public var onNotice: (@Sendable (String) -> Void)?

    /// The default settings.
    public init() {}

    /// Where traces are kept, nil for nowhere. Only what is decoded can be kept.
    var storeInForce: StoreSettings? {
        mode == .verify ? store ?? StoreSettings() : nil
    }

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
        /// From the end of the head to the end of the body, and for a client to read an answer that the system
        /// does not take at once, in nanoseconds.
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

    /// How whole traces are looked into, and what that may take.
    public struct StudySettings: Sendable {
        /// A trace is judged when no span of it has come for so long, in nanoseconds: what a span that
        /// is sent again, or a tail sampler that waits, may take.
        public var quietNs: UInt64 = 30_000_000_000
        /// Spans that count mode looks into in a second; nil for all. When there are more, every second
        /// trace is let go.
        public var spansPerSMax: Int? = 16_384
        /// Spans of traces that are not judged yet, 48 bytes each.
        public var spansMax = 1 << 17
        /// Traces told from new ones when a span of them comes after they were judged.
        public var judgedMax = 1 << 15
        /// Names of services, databases, queues and callees told apart.
        public var namesMax = 1_000
        /// Pairs of caller and callee told apart, 37 KiB each.
        public var edgesMax = 512

        /// The default settings.
        public init() {}

        /// Verify mode decodes every span anyway.
        func forVerifying() -> StudySettings {
            var settings = self
            settings.spansPerSMax = nil
            settings.spansMax = max(spansMax, 1_000_000)
            return settings
        }
    }

    /// Where traces are kept to be asked for.
    public struct StoreSettings: Sendable {
        /// A folder; nil for memory.
        public var folder: String?
        /// Bytes kept; the oldest give way.
        public var bytesMax = 256 << 20
        /// Traces kept; the oldest give way.
        public var tracesMax = 1_000_000

        /// In memory, with the default bounds.
        public init() {}
    }
}
