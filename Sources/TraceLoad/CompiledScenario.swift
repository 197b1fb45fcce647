/// A scenario with every name resolved to a number: tables that plans refer to. Made once before a
/// run and shared by planner and workers. Immutable; any thread.
public struct CompiledScenario: Sendable {
    /// What spans of one kind have in common, known before any of them starts.
    public struct SpanShape: Sendable {
        public var name: String
        /// OTLP numbers: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
        public var kind: UInt8
        /// Passed to the start of the span, so samplers see them.
        public var attributes: [Attribute]
    }

    public struct Attribute: Hashable, Sendable {
        public var key: String
        public var value: AttributeLiteral
    }

    public struct EventShape: Hashable, Sendable {
        public var name: String
        public var attributes: [Attribute]
    }

    /// One instance of a service: a resource, and so a tracer provider, of its own.
    public struct Instance: Sendable {
        public var service: Int
        public var serviceName: String
        /// `service.name` and `service.instance.id` included.
        public var resource: [Attribute]
        /// How far its clock is ahead, ns.
        public var clockSkewNs: Int64 = 0
    }

    public let scenario: Scenario
    /// Index: the shape of a start event.
    public let shapes: [SpanShape]
    /// Index: the operand of an event.
    public let eventShapes: [EventShape]
    /// Index: the instance of a start event.
    public let instances: [Instance]
    /// Index: the operand of an attribute event.
    public let keys: [String]
    /// Index: the operand of an exception or status event.
    public let messages: [String]
    /// Index: the operand of a baggage event.
    public let baggageNames: [String]
    /// Type of every recorded exception.
    public static let exceptionType = "tracemill.SimulatedError"
    /// Texts known ahead of the run.
    public let text: [UInt8]
    let model: SimulationModel

    /// Resolves a scenario that has passed its checks. Linear in the scenario; a Zipf generator
    /// costs its cardinality.
    public init(_ scenario: Scenario) {
        var compiler = ScenarioCompiler(scenario)
        compiler.compile()
        model = compiler.model()
        self.scenario = scenario
        shapes = compiler.shapes
        eventShapes = compiler.eventShapes
        instances = compiler.instances
        keys = compiler.keys.elements
        messages = compiler.messages.elements
        baggageNames = compiler.baggageNames.elements
        text = compiler.tables.text
    }

    /// Reads, checks and resolves a scenario file.
    public init(path: String) throws(ScenarioErrors) {
        self.init(try Scenario.load(path: path))
    }
}

/// What the simulation reads: plain values in flat arrays, ranges instead of references.
struct SimulationModel: Sendable {
    /// Texts known ahead.
    var text: [UInt8]
    var operations: [CompiledOperation]
    var steps: [CompiledStep]
    /// Parallel steps: the range of each branch. Choices: the range of each script.
    var branches: [CompiledBranch]
    var attributes: [CompiledAttribute]
    var baggage: [CompiledBaggage] = []
    var inheritedLiterals: [InheritedLiteral]
    var events: [CompiledEvent]
    var generators: [CompiledGenerator]
    var values: [PlanValue]
    var aliases: [AliasCell]
    var samplers: [CompiledSampler]
    var distributions: [Distribution]
    /// Tables of samplers.
    var quantiles: [Double]
    var breakers: [CompiledBreaker]
    var links: [CompiledLink] = []
    /// Queues of messages that are consumed in batches.
    var batchCount = 0
    var pathology = CompiledPathology()
    /// By traffic entry: samplers of the pauses of its users.
    var thinkSamplers: [Int] = []
    /// In order of time, the first from 0: which operations there are, as incidents come and go.
    var stretches: [CompiledStretch] = []
    /// By service: first instance and how many.
    var instanceRanges: [IndexRange]
    var errorTypeKey: UInt32
    var timeoutType: PlanText
    var resendCountKey: UInt32
    var inheritSlotCount: Int
    var traceScopedCount: Int
    var sequenceCount: Int
    /// By traffic entry.
    var roots: [Int]
}

struct IndexRange: Sendable {
    var first: Int32
    var count: Int32

    init(first: Int, count: Int) {
        self.first = Int32(first)
        self.count = Int32(count)
    }

    var indices: Range<Int> { Int(first)..<Int(first + count) }
}

struct CompiledOperation: Sendable {
    var service: Int
    var category: OperationDeclaration.Category
    /// As a child within its service, and as what a remote caller or a root enters by.
    var localShape: UInt16
    var remoteShape: UInt16
    var ownWork: Int
    var attributes: IndexRange
    var baggage: IndexRange
    var inheritedLiterals: IndexRange
    var events: IndexRange
    var script: IndexRange
    var errorRate: Double
    var propagate: Double
    var shortCircuits: Bool
    var recordsException: Bool
    var message: UInt32
    /// Key of the status code attribute; codes of success and failure.
    var statusCodeKey: UInt32
    var okCode: Int
    var failedCode: Int
    var hasStatusCode: Bool
    /// False when the author sets `error.type`.
    var hasErrorType: Bool
    /// `error.type` of a failed span.
    var errorType: PlanText
    var links = IndexRange(first: 0, count: 0)
    /// Its service is gone: it has no spans, and calls to it fail.
    var isDown = false
}

struct CompiledLink: Sendable {
    /// Any of the traces before, instead of the nearest ones.
    var isRandom: Bool
    var count: Int
}

struct CompiledPathology: Sendable {
    var isOn = false
    var lateRate = 0.0
    var lateDelay = 0
    var missingRoot = 0.0
    var orphan = 0.0
    var duplicate = 0.0
    var brokenPropagation = 0.0
    var neverEnded = 0.0
    var oversizeRate = 0.0
    /// By traffic entry: the step that makes its root's further spans.
    var oversizeSteps: [Int] = []
}

/// A stretch of time in which no incident begins or ends.
struct CompiledStretch: Sendable {
    var startNs: UInt64
    /// By number of an operation: what it is meanwhile.
    var operations: [Int32]
}

struct CompiledStep: Sendable {
    enum Action: UInt8 { case work, call, parallel, choose, publish }

    var action: Action
    /// Of `work`; network of calls; delay of messages.
    var sampler = 0
    /// Parallel branches, or choices.
    var branches = IndexRange(first: 0, count: 0)
    var limit = Int.max
    /// Sum of weights of choices.
    var totalWeight = 0.0
    // Calls and messages.
    var target = 0
    var isLocal = false
    var hasClientSpan = true
    var isLinked = false
    var probability = 1.0
    /// Nil draws none: once.
    var repeats = -1
    var mostRepeats = 1.0
    var timeoutNs = UInt64.max
    var retries = 0
    var backoffNs: UInt64 = 0
    var breaker = -1
    /// Client or producer span.
    var shape: UInt16 = 0
    var failureMessage: UInt32 = 0
    var timeoutMessage: UInt32 = 0
    var loss = 0.0
    /// The queue in which messages wait for a batch, −1 when each is consumed by itself.
    var batch = -1
    var batchSize = 1
}

struct CompiledBranch: Sendable {
    var weight: Double
    var steps: IndexRange
}

struct CompiledAttribute: Sendable {
    var key: UInt32
    var generator: Int32
    /// Where callees find the value, −1 when none asks for it.
    var slot: Int32
}

struct CompiledBaggage: Sendable {
    var name: UInt32
    var generator: Int32
}

struct InheritedLiteral: Sendable {
    var slot: Int32
    var value: PlanValue
}

struct CompiledEvent: Sendable {
    var shape: UInt32
    /// Those that are drawn.
    var attributes: IndexRange
    var probability: Double
    var at: Double
}

struct CompiledBreaker: Sendable {
    var failures: Int
    var windowNs: UInt64
    var openForNs: UInt64
    var halfOpenCalls: Int
    /// Event shapes.
    var rejected: UInt32
    var opened: UInt32
    var halfOpened: UInt32
    var closed: UInt32
    var rejectedMessage: UInt32

    /// Whether the other one opens and closes by the same rule.
    func hasRule(of other: CompiledBreaker) -> Bool {
        failures == other.failures && windowNs == other.windowNs
            && openForNs == other.openForNs && halfOpenCalls == other.halfOpenCalls
    }
}

/// The value of an attribute event: its kind, and its bits.
struct PlanValue: Hashable, Sendable {
    var kind: PlanEvent.Kind
    var bits: UInt64

    static let missing = PlanValue(kind: .none, bits: 0)
}
