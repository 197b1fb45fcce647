/// The activations of a simulation: instead of a call stack, records in a pool that name who waits for
/// them, so that any number of traces can be under way at once. Plain values.

struct SimulationFrame: Sendable {
    enum Kind: UInt8 {
        /// A span of an operation and what it does; also a message on its way to one.
        case operation
        /// A list of steps that is gone through.
        case script
        /// A step `call`, with all its attempts and repetitions.
        case call
        /// A step `parallel`, while branches run.
        case parallel
    }

    var kind = Kind.operation
    /// Changes whenever what has been scheduled for the frame is no longer true.
    var generation: UInt32 = 0
    /// Place of its trace.
    var trace: UInt32 = 0
    /// The frame that waits for this one, −1 when none does, or no longer.
    var parent: Int32 = -1
    /// The operation on whose behalf it runs; its own number for operations.
    var owner: Int32 = -1
    /// The message of the first failure that reached it, −1 for none.
    var failure: Int64 = -1

    // Operations.
    var operation: Int32 = 0
    var entry = PlanEvent.Kind.start
    var isRemote = false
    var isBroken = false
    var failsItself = false
    /// Its end depends on others: it has a script that runs.
    var hasScript = false
    /// Calls and databases: the caller gave up.
    var isTimeout = false
    /// The span; for calls that of the client, valid with `hasClient`.
    var span: UInt16 = 0
    var instance: UInt16 = 0
    /// Whose child it is, or whose carrier it comes by.
    var parentSpan: UInt16 = PlanEvent.noParent
    /// The span that begins the trace it belongs to.
    var rootSpan: UInt16 = 0
    /// Simulated time of the span's start.
    var startNs: UInt64 = 0
    /// Own work after the script. Databases, before they are entered: time in the network.
    var restNs: UInt64 = 0
    var deadlineNs = UInt64.max

    // Scripts: steps. Parallel: branches.
    var next: Int32 = 0
    var end: Int32 = 0
    /// Calls and parallel: the step. Messages with a batch: the step `publish`.
    var step: Int32 = -1
    /// Parallel: running branches. Calls: the operation that was called, −1 when it has answered.
    var pending: Int32 = -1
    /// Parallel: branches are still being begun. Scripts: a message is being sent.
    var isBusy = false
    var hasClient = false
    /// Calls: attempts of this repetition so far, and repetitions left.
    var attempt: Int32 = 0
    var remaining: Int32 = 0
    /// Calls: the breaker's when it let this attempt through.
    var epoch: UInt32 = 0
}

/// What a simulation keeps of a trace that is under way.
struct SimulatedTrace: Sendable {
    /// Number of the arrival.
    var index: UInt64 = 0
    var startNs: UInt64 = 0
    var random = RandomStream(seed: 0, position: 0)
    var spanCount = 0
    var rootCount = 1
    /// Operations, messages and held back ends that are left.
    var activities = 0
    /// Orders what is scheduled for one instant.
    var sequence: UInt32 = 0
    var lastEndNs: UInt64 = 0
    var traffic = 0
    /// Closed model: who waits for it. −1: nobody.
    var user = -1
    /// How many traces began before it.
    var ordinal: UInt64 = 0
    /// Spans with something odd about them.
    var oddCount = 0
    /// Whether this shard shows it, and where.
    var isShown = true
    var worker = 0
    /// Its place with that worker.
    var slot: UInt32 = 0
}

/// What is odd about a span, for as long as its trace lives.
struct SpanOddity: Sendable {
    var span: UInt16
    /// A second span with the same identity.
    var double: UInt16?
    var isMissing = false
    var neverEnds = false
    /// Held back for so long after its end.
    var lateNs: UInt64?
    var endNs: UInt64 = 0
}
