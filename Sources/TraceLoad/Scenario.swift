import TraceCore

/// A scenario as its file declares it, after every value has been checked: what the services do,
/// where traffic comes from, which pipeline carries the spans. Names are resolved in
/// `CompiledScenario`. A value type; any thread.
public struct Scenario: Sendable {
    public enum IdentifierMode: String, Sendable { case salted, fixed }
    public enum ClockMode: String, Sendable { case simulated, realtime }

    public var file: String
    public var name: String
    public var description: String
    public var seed: UInt64
    public var identifiers: IdentifierMode
    public var clock: ClockMode
    /// In file order, as are their operations.
    public var services: [ServiceDeclaration]
    public var traffic: [TrafficDeclaration]
    /// In order of `atNs`; no two of them touch the same operation at the same time.
    public var incidents: [IncidentDeclaration]
    public var pathology: PathologyDeclaration
    public var pipeline: PipelineDeclaration
    /// In file order.
    public var variants: [VariantDeclaration]
    public var sink: SinkDeclaration
    public var run: RunDeclaration
    public var budgets: [BudgetDeclaration]
}

public struct ServiceDeclaration: Sendable {
    public var name: String
    public var position: SourcePosition
    public var instances: Int
    public var resource: [AttributeDeclaration]
    /// How far the clock of an instance is ahead, ns; below 0 it is behind. Drawn once an instance.
    public var clockSkew: Distribution = .constant(0)
    /// Of the service's own; nil: the pipeline's.
    public var sampler: SamplerDeclaration?
    public var operations: [OperationDeclaration]
}

public struct OperationDeclaration: Sendable {
    public enum Category: String, Sendable { case `internal`, http, grpc, database, messaging }
    public enum Kind: String, Sendable { case `internal`, server, client, producer, consumer }

    public var name: String
    public var position: SourcePosition
    public var category: Category
    public var spanName: String?
    public var kind: Kind?
    /// Own work, ns.
    public var ownWork: Distribution
    public var attributes: [AttributeDeclaration]
    /// What the operation adds to the baggage of its trace, which all it calls receive.
    public var baggage: [AttributeDeclaration]
    public var events: [EventDeclaration]
    public var links: [LinkDeclaration] = []
    public var error: ErrorDeclaration?
    public var script: [StepDeclaration]
}

public struct EventDeclaration: Sendable {
    public var name: String
    public var probability: Double
    /// Fraction of the span, 0…1.
    public var at: Double
    public var attributes: [AttributeDeclaration]
}

/// Links of an operation's spans to the roots of other traces.
public struct LinkDeclaration: Hashable, Sendable {
    public enum Target: String, Sendable {
        /// The trace that arrived just before this one.
        case previousTrace = "previous_trace"
        /// Any of the traces that arrived before.
        case random
    }

    public var to: Target
    public var count = 1
    public var position: SourcePosition
}

public struct ErrorDeclaration: Sendable {
    public var rate: Double = 0
    public var statusMessage = "error"
    public var recordsException = false
    public var httpStatus: Int?
    public var propagate: Double = 1
    public var shortCircuits = false
}

public struct StepDeclaration: Sendable {
    public enum Action: Sendable {
        /// ns
        case work(Distribution)
        case call(CallDeclaration)
        case parallel([StepDeclaration], limit: Int?)
        case choose([(weight: Double, script: [StepDeclaration])])
        case publish(PublishDeclaration)
    }

    public var action: Action
    public var position: SourcePosition
}

/// `service/operation` and where it is written.
public struct OperationReference: Hashable, Sendable {
    public var text: String
    public var position: SourcePosition
}

public struct CallDeclaration: Sendable {
    public var to: OperationReference
    public var probability: Double = 1
    public var repeats: Distribution = .constant(1)
    /// ns, each way.
    public var network: Distribution = .constant(0)
    public var timeoutNs: Double?
    public var retries = 0
    public var backoffNs: Double = 10e6
    public var hasClientSpan = true
    public var circuitBreaker: CircuitBreakerDeclaration?
}

public struct CircuitBreakerDeclaration: Hashable, Sendable {
    public var failures: Int
    public var windowNs: Double
    public var openForNs: Double
    public var halfOpenCalls: Int
}

public struct PublishDeclaration: Sendable {
    public enum Relation: String, Sendable { case parent, link }

    public var to: OperationReference
    /// ns
    public var delay: Distribution = .constant(0)
    public var relation: Relation = .parent
    /// Messages that one consumer span takes.
    public var batch = 1
    public var loss: Double = 0
}

public struct TrafficDeclaration: Sendable {
    public enum Arrival: String, Sendable { case constant, poisson }

    public enum Model: String, Sendable {
        /// Traces arrive by the stages' rates, whatever becomes of them.
        case open
        /// So many users, each of whom waits for a trace to end and thinks before the next.
        case closed
    }

    /// What becomes of an arrival above `maxInFlight`.
    public enum Overload: String, Sendable {
        case drop
        /// It waits until another trace ends.
        case queue
    }

    public var root: OperationReference
    public var model: Model = .open
    public var arrival: Arrival
    /// Under the closed model every rate is 0: the stages give the time.
    public var stages: [StageDeclaration]
    /// Users of the closed model.
    public var concurrency = 1
    /// Pause of a user between two traces, ns.
    public var think: Distribution = .constant(0)
    /// Live traces of this entry; nil for no bound.
    public var maxInFlight: Int? = maxInFlightStandard
    public var overload: Overload = .drop
    public var position: SourcePosition

    public static let maxInFlightStandard = 10_000
}

public struct StageDeclaration: Sendable {
    public enum Shape: String, Sendable { case step, linear }

    public enum Rate: Hashable, Sendable {
        case tracesPerSecond(Double)
        /// As fast as the machine goes.
        case max
    }

    public var durationNs: Double
    public var rate: Rate
    public var shape: Shape
    public var position: SourcePosition
}

/// A head sampler, as it will decide; each instance of a service makes its own from it.
public struct SamplerDeclaration: Equatable, Sendable {
    public var sampler = Sampler.parentBased(root: .alwaysOn)
    public var position = SourcePosition(line: 1, column: 1)
}

public struct PipelineDeclaration: Sendable {
    /// Nil where the file says nothing: the pipeline's own default holds.
    public struct Limits: Hashable, Sendable {
        public var attributeCount: Int?
        public var attributeValueLength: Int?
        public var eventCount: Int?
        public var linkCount: Int?
        public var attributesPerEvent: Int?
        public var attributesPerLink: Int?
    }

    public struct Processor: Hashable, Sendable {
        public enum Category: String, Sendable { case batch, simple }
        public enum OnFull: String, Sendable { case drop, block }

        public var category = Category.batch
        public var queueSpans = 2048
        public var batchSpans = 512
        public var delayNs: Double = 5e9
        public var timeoutNs: Double = 30e9
        public var onFull = OnFull.drop
    }

    public struct Exporter: Hashable, Sendable {
        public enum Category: String, Sendable { case otlp, console, none }
        public enum Encoding: String, Sendable { case protobuf, json }
        public enum Compression: String, Sendable { case none, gzip }

        public var category = Category.otlp
        /// Nil: the embedded sink.
        public var endpoint: String?
        public var encoding = Encoding.protobuf
        public var compression = Compression.none
        /// As written, `${ENV}` not yet replaced, so that no secret ends up in a dump.
        public var headers: [Header] = []
        public var tls = TLS()
        public var timeoutNs: Double = 10e9
        public var connections = 1
        public var retryInitialNs: Double = 1e9
        public var retryMaxNs: Double = 5e9
        public var retryMaxElapsedNs: Double = 30e9
    }

    /// Paths of PEM files, as written: relative ones count from where the command is run.
    public struct TLS: Hashable, Sendable {
        /// The certificates to trust instead of the system's.
        public var authority: String?
        public var certificate: String?
        public var key: String?
    }

    /// What becomes of spans that nobody ends. Real time only: simulated spans have no age.
    public struct Sweeper: Hashable, Sendable {
        /// The names of OTEL_SPAN_SWEEPER_STRATEGY.
        public enum Strategy: String, Sendable {
            case drop
            case endSpan = "end_span"
            case failedAttributeAndEndSpan = "failed_attribute_and_end_span"
        }

        /// Nil: never.
        public var intervalNs: Double? = 600e9
        public var strategy = Strategy.drop
        /// Nil: never.
        public var spanTTLNs: Double? = 1800e9
        /// Nil: without limit.
        public var storageBytes: Int?
    }

    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: String
    }

    public static let propagatorNames = ["tracecontext", "baggage", "b3", "b3multi"]

    /// Of `propagatorNames`, each once, one that carries a trace's identifiers among them.
    public var propagators = ["tracecontext", "baggage"]
    public var sampler = SamplerDeclaration()
    public var limits = Limits()
    public var sweeper = Sweeper()
    /// Nil: what the head samplers keep is kept.
    public var tail: TailDeclaration?
    public var processor = Processor()
    public var exporter = Exporter()
}

/// How the embedded sink behaves.
public struct SinkDeclaration: Sendable {
    /// Added to each reply that no fault meets, ns.
    public var latency: Distribution = .constant(0)
    /// Whether it serves https, with certificates that the run trusts.
    public var speaksTLS = false
    /// Rules, passed on as written; the first that applies decides.
    public var faults: [[(key: String, value: String)]] = []
}

public struct RunDeclaration: Hashable, Sendable {
    /// How rounds of several variants follow each other.
    public enum Order: String, Sendable { case interleaved, sequential }

    public var warmupNs: Double = 2e9
    public var drainNs: Double = 30e9
    public var repeats = 5
    public var order: Order = .interleaved
    /// Nil: cores − 1, at least 1.
    public var workers: Int?
    /// In real time: how long before an event is due a worker wakes up and spins, ns.
    public var spinNs: Double = 0
    /// In real time: a trace that begins later than this is late, and too many of them make the run
    /// invalid, ns.
    public var lagMaxNs: Double = 10e6
}
