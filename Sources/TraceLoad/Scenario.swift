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
    public var pipeline: PipelineDeclaration
    public var sink: SinkDeclaration
    public var run: RunDeclaration
}

public struct ServiceDeclaration: Sendable {
    public var name: String
    public var position: SourcePosition
    public var instances: Int
    public var resource: [AttributeDeclaration]
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
    public var error: ErrorDeclaration?
    public var script: [StepDeclaration]
}

public struct EventDeclaration: Sendable {
    public var name: String
    public var probability: Double
    /// Fraction of the span, 0…1.
    public var at: Double
    public var attributes: [(key: String, value: AttributeLiteral)]
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
    public var loss: Double = 0
}

public struct TrafficDeclaration: Sendable {
    public enum Arrival: String, Sendable { case constant, poisson }

    public var root: OperationReference
    public var arrival: Arrival
    public var stages: [StageDeclaration]
    /// Arrivals above so many live traces are dropped and counted; nil for no bound.
    public var maxInFlight: Int?
    public var position: SourcePosition
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
    public var processor = Processor()
    public var exporter = Exporter()
}

/// Rules for the embedded sink, passed on as written; `latency` is the last of them.
public struct SinkDeclaration: Sendable {
    public var faults: [[(key: String, value: String)]] = []
}

public struct RunDeclaration: Hashable, Sendable {
    public var warmupNs: Double = 2e9
    public var drainNs: Double = 30e9
    public var repeats = 5
    /// Nil: cores − 1, at least 1.
    public var workers: Int?
}
