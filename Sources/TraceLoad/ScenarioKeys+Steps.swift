/// The second half of the key table: steps, pipeline, run, distributions and generators.
extension ScenarioSection {
    var stepKeys: [ScenarioKey] {
        switch self {
        case .step:
            [
                .init("work", .durationDistribution, "Own work at this point."),
                .init(
                    "call", .either([.string, .section(.call)]),
                    "Calls `service/operation` and waits for it."),
                .init("parallel", .list(.section(.step)), "Steps that run at the same time."),
                .init(
                    "limit", .integer(minimum: 1),
                    "With `parallel` or `fan_out`: at most so many at once."),
                .init("choose", .list(.section(.choice)), "One of several scripts, by weight."),
                .init(
                    "publish", .either([.string, .section(.publish)]),
                    "Sends a message; a consumer span follows later."),
            ]
        case .call:
            [
                .init("to", .string, .required, "`service/operation`."),
                .init("probability", .probability, default: "1", "How often the call is made."),
                .init("repeat", .numberDistribution, default: "1", "How many times in a row."),
                .init(
                    "fan_out", .integer(minimum: 1), default: "1",
                    "How many times at once; `limit` beside `call` bounds how many run."),
                .init("network", .durationDistribution, default: "0ms", "Delay, each way."),
                .init("timeout", .duration, default: "none", "When the caller gives up."),
                .init(
                    "retries", .integer(minimum: 0), default: "0", "Further attempts on failure."),
                .init("backoff", .duration, default: "10ms", "First pause; doubles each time."),
                .init("client_span", .boolean, default: "true", "Whether the caller traces it."),
                .init("circuit_breaker", .section(.circuitBreaker), default: "none", "A breaker."),
            ]
        case .circuitBreaker:
            [
                .init("failures", .integer(minimum: 1), .required, "Failures that open it."),
                .init("window", .duration, .required, "Within what time."),
                .init("open_for", .duration, .required, "How long it refuses calls."),
                .init("half_open_calls", .integer(minimum: 1), default: "1", "Trials to close."),
            ]
        case .publish:
            [
                .init("to", .string, .required, "`service/operation` of type messaging."),
                .init("delay", .durationDistribution, default: "0ms", "Time in the queue."),
                .init(
                    "relation", .choice(["parent", "link"]), default: "parent",
                    "Child of the producer, or a trace of its own that links to it."),
                .init("batch", .integer(minimum: 1), default: "1", "Messages a consumer span."),
                .init("loss", .probability, default: "0", "Messages never consumed."),
            ]
        default:
            [
                .init("weight", .number, .required, "Relative frequency."),
                .init("script", .list(.section(.step)), .required, "Steps; may be empty."),
            ]
        }
    }

    var pipelineKeys: [ScenarioKey] {
        switch self {
        case .pipeline:
            [
                .init(
                    "propagators", .list(.choice(PipelineDeclaration.propagatorNames)),
                    default: "[tracecontext, baggage]", "Context formats, in order."),
                .init("sampler", .sampler, default: "parentbased_always_on", "The head sampler."),
                .init(
                    "service_samplers", .map(.sampler), default: "{}",
                    "Head samplers by service, instead of the services' own."),
                .init(
                    "tail",
                    .either([.string, .section(.tail), .list(.section(.tailPolicy))]),
                    default: "none", "Sampling of whole traces: a line, its policies, or all of it."
                ),
                .init("limits", .section(.limits), "Span limits."),
                .init("sweeper", .section(.sweeper), "Spans that are never ended."),
                .init("processor", .section(.processor), "What happens after a span's end."),
                .init("exporter", .section(.exporter), default: "the embedded sink", "Where to."),
            ]
        case .limits:
            [
                .init(
                    "attribute_count_limit", .integer(minimum: 0), default: "128",
                    "Attributes of a span."),
                .init(
                    "attribute_value_length_limit", .integer(minimum: 0), default: "infinity",
                    "Unicode scalars of a string value."),
                .init(
                    "event_count_limit", .integer(minimum: 0), default: "128", "Events of a span."),
                .init("link_count_limit", .integer(minimum: 0), default: "128", "Links of a span."),
                .init(
                    "attribute_per_event_limit", .integer(minimum: 0), default: "128",
                    "Attributes of an event."),
                .init(
                    "attribute_per_link_limit", .integer(minimum: 0), default: "128",
                    "Attributes of a link."),
            ]
        case .sweeper:
            [
                .init(
                    "interval", .either([.duration, .choice(["infinity"])]), default: "10m",
                    "From one look at the live spans to the next."),
                .init(
                    "strategy", .choice(["drop", "end_span", "failed_attribute_and_end_span"]),
                    default: "drop", "What happens to spans that are too old."),
                .init(
                    "span_ttl", .either([.duration, .choice(["infinity"])]), default: "30m",
                    "The age that is too old."),
                .init(
                    "storage_size", .either([.size, .choice(["infinity"])]), default: "infinity",
                    "Live bytes from which on younger spans are too old."),
            ]
        case .processor:
            [
                .init("type", .choice(["batch", "simple"]), default: "batch", "Batch or each."),
                .init("queue", .integer(minimum: 1), default: "2048", "Finished spans held."),
                .init("batch", .integer(minimum: 1), default: "512", "Spans an export."),
                .init("delay", .duration, default: "5s", "Longest wait for a full batch."),
                .init("timeout", .duration, default: "30s", "Longest export."),
                .init(
                    "on_full", .choice(["drop", "block"]),
                    default: "block under the simulated clock, else drop",
                    "What the end of a span does when the queue is full."),
            ]
        case .exporter:
            [
                .init(
                    "type", .choice(["otlp", "console", "none"]), default: "otlp", "The exporter."),
                .init("endpoint", .string, default: "the embedded sink", "URL of the receiver."),
                .init(
                    "encoding", .choice(["protobuf", "json"]), default: "protobuf", "On the wire."),
                .init("compression", .choice(["none", "gzip"]), default: "none", "Of bodies."),
                .init("headers", .map(.string), default: "{}", "Added to each request."),
                .init("tls", .section(.tls), "Certificates."),
                .init("timeout", .duration, default: "10s", "Of one request."),
                .init("connections", .integer(minimum: 1), default: "1", "Requests in flight."),
                .init("retry", .section(.retry), "Backoff of failed requests."),
            ]
        case .tls:
            [
                .init("ca", .string, default: "the system's", "PEM file of certificates to trust."),
                .init("cert", .string, default: "none", "PEM file of the client's certificate."),
                .init("key", .string, default: "none", "PEM file of the client's key."),
            ]
        default:
            [
                .init("initial", .duration, default: "1s", "First pause."),
                .init("max", .duration, default: "5s", "Longest pause."),
                .init("max_elapsed", .duration, default: "30s", "When to give up."),
            ]
        }
    }

    var runKeys: [ScenarioKey] {
        switch self {
        case .run:
            [
                .init("warmup", .duration, default: "2s", "Load before measuring."),
                .init("drain", .duration, default: "30s", "Longest wait for the last export."),
                .init("repeats", .integer(minimum: 1), default: "5", "Measured repetitions."),
                .init(
                    "order", .choice(["interleaved", "sequential"]), default: "interleaved",
                    "Whether the variants take turns or follow each other."),
                .init(
                    "workers", .integer(minimum: 1), default: "cores − 1, at least 1",
                    "Threads that create spans."),
                .init(
                    "spin", .duration, default: "0ms",
                    "In real time: how long before an event is due a worker wakes and spins."),
                .init(
                    "lag_max", .duration, default: "10ms",
                    "In real time: the run is invalid when more than 1% of the traces begin later."),
            ]
        case .budget:
            [
                .init(
                    "metric", .string, .required, "A figure of the result, such as `spanEndNsP99`."),
                .init("max", .amount, "It is at most this."),
                .init("min", .amount, "It is at least this."),
                .init(
                    "regress", .probability, "It is not worse than the base's by more than this."),
                .init(
                    "confidence", .probability, default: "0.95",
                    "How sure a comparison must be."),
            ]
        default:
            [
                .init("latency", .durationDistribution, default: "0ms", "Added to each reply."),
                .init(
                    "tls", .boolean, default: "false",
                    "Serve https, with certificates made on the spot that the exporter trusts."),
                .init(
                    "faults", .list(.either([.string, .map(.string)])), default: "[]",
                    "Rules as `tracemill sink --fault` takes them; the first that applies decides."),
            ]
        }
    }

    var distributionKeys: [ScenarioKey] {
        let either = ScenarioKeyType.either([.number, .duration])
        return switch self {
        case .distribution:
            [
                .init("uniform", .list(either), "`[min, max]`."),
                .init("normal", .section(.normal), "Mean and standard deviation, cut at 0."),
                .init("lognormal", .section(.lognormal), "By median and 99th percentile."),
                .init("exponential", .section(.exponential), "By its mean."),
                .init("pareto", .section(.pareto), "Least value and tail index."),
                .init("percentiles", .percentiles, "Piecewise linear, `p0` to `p100`."),
                .init("mix", .list(.section(.mixture)), "One of several, by weight."),
                .init("clamp", .list(either), "`[min, max]` laid on any of these."),
            ]
        case .normal:
            [
                .init("mean", either, .required, "Mean."),
                .init("stddev", either, .required, "Spread."),
            ]
        case .lognormal:
            [.init("p50", either, .required, "Median."), .init("p99", either, .required, "Tail.")]
        case .exponential: [.init("mean", either, .required, "Mean.")]
        case .pareto:
            [
                .init("min", either, .required, "Least value."),
                .init("shape", .number, .required, "Tail index; the mean is finite above 1."),
            ]
        default:
            [
                .init("weight", .number, .required, "Relative frequency."),
                .init("dist", .anything, .required, "A distribution."),
            ]
        }
    }

    var generatorKeys: [ScenarioKey] {
        switch self {
        case .generator:
            [
                .init("one_of", .list(.anything), "Literals to choose from."),
                .init("weights", .list(.number), default: "all equal", "With `one_of`."),
                .init("zipf", .section(.zipf), "Few frequent values, many rare ones."),
                .init("int", .list(.number), "`[min, max]`, both included."),
                .init("string", .section(.randomString), "Random letters and digits."),
                .init("sequence", .section(.sequence), "Counts up."),
                .init("unique", .string, "This prefix and 16 digits, never the same twice."),
                .init("inherit", .string, "The value of a key of the nearest caller that has it."),
                .init("baggage", .string, "The value under that name in the baggage that arrived."),
                .init(
                    "per", .choice(["span", "trace", "instance"]), default: "span",
                    "How often a new value is drawn."),
            ]
        case .zipf:
            [
                .init("cardinality", .integer(minimum: 1), .required, "Different values."),
                .init("s", .number, default: "1", "Exponent."),
                .init("prefix", .string, default: "empty", "Before the rank."),
            ]
        case .randomString: [.init("length", .numberDistribution, .required, "Characters.")]
        default: [.init("start", .integer(minimum: 0), default: "0", "First value.")]
        }
    }
}
