import TraceCore
import Yams

/// The pipeline under test from its node.
extension ScenarioReader {
    func pipeline(_ node: Node?, clock: Scenario.ClockMode) -> PipelineDeclaration {
        var pipeline = PipelineDeclaration()
        pipeline.processor.onFull = clock == .simulated ? .block : .drop
        guard let node, let fields = fields(of: node, .pipeline) else { return pipeline }
        if let node = fields["propagators"], let elements = list(node, "propagators") {
            pipeline.propagators = propagators(elements, at: node.position)
        }
        if let node = fields["sampler"] { pipeline.sampler = sampler(node) ?? pipeline.sampler }
        if let node = fields["limits"] { pipeline.limits = limits(node) }
        if let node = fields["sweeper"] {
            if clock == .simulated {
                report(
                    .badCombination, at: fields.keyPosition("sweeper"),
                    "the sweeper goes by the age of spans, which simulated ones do not have; "
                        + "write `clock: realtime`, or remove it")
            }
            pipeline.sweeper = sweeper(node)
        }
        if let node = fields["processor"] {
            pipeline.processor = processor(node, pipeline.processor)
        }
        if let node = fields["exporter"] { pipeline.exporter = exporter(node) }
        pipeline.tail = fields["tail"].flatMap { tail($0) }
        return pipeline
    }

    private func propagators(_ elements: [Node], at position: SourcePosition) -> [String] {
        var names: [String] = []
        var isKnown = true
        for element in elements {
            guard let name = choice(element, PipelineDeclaration.propagatorNames) else {
                isKnown = false
                continue
            }
            if names.contains(name) {
                report(.badValue, at: element.position, "`\(name)` stands twice; keep one")
            } else {
                names.append(name)
            }
        }
        if isKnown, !names.contains(where: { $0 != "baggage" }) {
            report(
                .badValue, at: position,
                "no trace would cross a service; write `[tracecontext]`, or b3 or b3multi")
        }
        return names
    }

    private func sweeper(_ node: Node) -> PipelineDeclaration.Sweeper {
        var sweeper = PipelineDeclaration.Sweeper()
        guard let fields = fields(of: node, .sweeper) else { return sweeper }
        func limit<Value>(
            _ key: String, _ standard: Value?, _ read: (Node) -> Value?
        ) -> Value? {
            guard let node = fields[key] else { return standard }
            if case .scalar(let scalar) = node, scalar.string == "infinity" { return nil }
            return read(node)
        }
        sweeper.intervalNs = limit("interval", sweeper.intervalNs) { positiveDuration($0) }
        sweeper.strategy = fields.choice("strategy") ?? sweeper.strategy
        sweeper.spanTTLNs = limit("span_ttl", sweeper.spanTTLNs) { positiveDuration($0) }
        sweeper.storageBytes = limit("storage_size", sweeper.storageBytes) { size($0) }
        return sweeper
    }

    /// The sweeper counts milliseconds.
    private func positiveDuration(_ node: Node) -> Double? {
        guard let ns = duration(node) else { return nil }
        if ns >= 1e6 { return ns }
        report(
            .badDuration, at: node.position,
            "it must be 1ms at least; write for example `1s`, or `infinity`")
        return nil
    }

    private func limits(_ node: Node) -> PipelineDeclaration.Limits {
        var limits = PipelineDeclaration.Limits()
        guard let fields = fields(of: node, .limits) else { return limits }
        limits.attributeCount = fields.integer("attribute_count_limit")
        limits.attributeValueLength = fields.integer("attribute_value_length_limit")
        limits.eventCount = fields.integer("event_count_limit")
        limits.linkCount = fields.integer("link_count_limit")
        limits.attributesPerEvent = fields.integer("attribute_per_event_limit")
        limits.attributesPerLink = fields.integer("attribute_per_link_limit")
        return limits
    }

    private func processor(
        _ node: Node, _ defaults: PipelineDeclaration.Processor
    ) -> PipelineDeclaration.Processor {
        var processor = defaults
        guard let fields = fields(of: node, .processor) else { return processor }
        processor.category = fields.choice("type") ?? processor.category
        processor.queueSpans = fields.integer("queue") ?? processor.queueSpans
        processor.batchSpans = fields.integer("batch") ?? processor.batchSpans
        processor.delayNs = fields.duration("delay") ?? processor.delayNs
        processor.timeoutNs = fields.duration("timeout") ?? processor.timeoutNs
        processor.onFull = fields.choice("on_full") ?? processor.onFull
        if processor.batchSpans > processor.queueSpans {
            report(
                .badCombination,
                at: (fields["batch"] ?? fields["queue"])?.position ?? node.position,
                "a batch of \(processor.batchSpans) spans never fills from a queue of "
                    + "\(processor.queueSpans); make `batch` at most `queue`")
        }
        return processor
    }

    private func exporter(_ node: Node) -> PipelineDeclaration.Exporter {
        var exporter = PipelineDeclaration.Exporter()
        guard let fields = fields(of: node, .exporter) else { return exporter }
        exporter.category = fields.choice("type") ?? exporter.category
        exporter.compression = fields.choice("compression") ?? exporter.compression
        exporter.timeoutNs = fields.duration("timeout") ?? exporter.timeoutNs
        exporter.connections = fields.integer("connections") ?? exporter.connections
        exporter.encoding = fields.choice("encoding") ?? exporter.encoding
        if let endpoint = fields.string("endpoint"), let node = fields["endpoint"] {
            exporter.endpoint = endpoint
            if !endpoint.hasPrefix("http://"), !endpoint.hasPrefix("https://") {
                report(
                    .badValue, at: node.position,
                    "an endpoint is a URL; write for example `http://localhost:4318/v1/traces`")
            }
        }
        if let node = fields["headers"] {
            exporter.headers = entries(node, "headers", isSecret: true).compactMap { entry in
                // The value is left out of messages: it may be a secret.
                text(entry.value, "a header value").map { .init(name: entry.name, value: $0) }
            }
        }
        if let node = fields["tls"] { exporter.tls = tls(node, exporter) }
        if let node = fields["retry"], let retry = self.fields(of: node, .retry) {
            exporter.retryInitialNs = retry.duration("initial") ?? exporter.retryInitialNs
            exporter.retryMaxNs = retry.duration("max") ?? exporter.retryMaxNs
            exporter.retryMaxElapsedNs = retry.duration("max_elapsed") ?? exporter.retryMaxElapsedNs
        }
        return exporter
    }

    private func tls(
        _ node: Node, _ exporter: PipelineDeclaration.Exporter
    ) -> PipelineDeclaration.TLS {
        var tls = PipelineDeclaration.TLS()
        guard let fields = fields(of: node, .tls) else { return tls }
        tls.authority = fields.string("ca")
        tls.certificate = fields.string("cert")
        tls.key = fields.string("key")
        for key in fields.presentKeys where fields.string(key) == "" {
            report(
                .badValue, at: fields[key]?.position ?? node.position,
                "`\(key)` is the path of a PEM file; write one or remove the key")
        }
        if (tls.certificate == nil) != (tls.key == nil) {
            report(
                .badCombination, at: node.position,
                "`cert` and `key` go together; add the other, or write `ca` alone")
        }
        if exporter.category != .otlp || !(exporter.endpoint ?? "").hasPrefix("https://") {
            report(
                .badCombination, at: node.position,
                "certificates go with an `endpoint` that begins with https://; the embedded sink "
                    + "brings its own with `sink: {tls: true}`")
        }
        return tls
    }
}
