import TraceCore
import Yams

/// The pipeline under test from its node.
extension ScenarioReader {
    func pipeline(_ node: Node?, blocksByDefault: Bool) -> PipelineDeclaration {
        var pipeline = PipelineDeclaration()
        pipeline.processor.onFull = blocksByDefault ? .block : .drop
        guard let node, let fields = fields(of: node, .pipeline) else { return pipeline }
        if let node = fields["propagators"], let elements = list(node, "propagators") {
            pipeline.propagators = elements.compactMap { propagator($0) }
            if elements.isEmpty {
                report(
                    .badValue, at: node.position,
                    "without a propagator no trace would cross a service; write `[tracecontext]`")
            }
        }
        if let node = fields["sampler"] { pipeline.sampler = sampler(node) }
        if let node = fields["limits"] { pipeline.limits = limits(node) }
        if let node = fields["processor"] {
            pipeline.processor = processor(node, pipeline.processor)
        }
        if let node = fields["exporter"] { pipeline.exporter = exporter(node) }
        return pipeline
    }

    private func propagator(_ node: Node) -> String? {
        guard let name = text(node, "a propagator") else { return nil }
        if ["baggage", "b3", "b3multi"].contains(name) {
            report(
                .notSupported, at: node.position,
                "the propagator `\(name)` is not supported in this version; write `tracecontext`")
            return nil
        }
        return choice(node, ["tracecontext"])
    }

    private func sampler(_ node: Node) -> PipelineDeclaration.Sampler {
        let sampler = samplerDeclaration(node)
        do throws(SamplerError) {
            _ = try Sampler(name: sampler.name, argument: sampler.argument)
        } catch {
            let hint: String
            if case .unknownName(let name) = error,
                let nearest = nearestWord(to: name, among: Sampler.names)
            {
                hint = "; did you mean `\(nearest)`?"
            } else {
                hint = ""
            }
            report(.badValue, at: sampler.position, "\(error)\(hint)")
        }
        return sampler
    }

    private func samplerDeclaration(_ node: Node) -> PipelineDeclaration.Sampler {
        var sampler = PipelineDeclaration.Sampler()
        sampler.position = node.position
        if case .scalar(let scalar) = node {
            sampler.name = scalar.string
            return sampler
        }
        guard let fields = fields(of: node, .sampler) else { return sampler }
        sampler.position = fields["name"]?.position ?? node.position
        sampler.name = fields.string("name") ?? sampler.name
        if let node = fields["argument"], let text = text(node, "a number or text") {
            // A share may be written as a percentage here; samplers know plain numbers only.
            if text.hasSuffix("%") {
                sampler.argument = probability(node).map { "\($0)" }
            } else {
                sampler.argument = text
            }
        }
        return sampler
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
        if let node = fields["encoding"], choice(node, ["protobuf", "json"]) == "json" {
            report(
                .notSupported, at: node.position,
                "the JSON encoding is not supported in this version; write `protobuf`")
        }
        if let endpoint = fields.string("endpoint"), let node = fields["endpoint"] {
            exporter.endpoint = endpoint
            if !endpoint.hasPrefix("http://"), !endpoint.hasPrefix("https://") {
                report(
                    .badValue, at: node.position,
                    "an endpoint is a URL; write for example `http://localhost:4318/v1/traces`")
            }
        }
        if let node = fields["headers"] {
            exporter.headers = entries(node, "headers").compactMap { entry in
                // The value is left out of messages: it may be a secret.
                text(entry.value, "a header value").map { .init(name: entry.name, value: $0) }
            }
        }
        if let node = fields["retry"], let retry = self.fields(of: node, .retry) {
            exporter.retryInitialNs = retry.duration("initial") ?? exporter.retryInitialNs
            exporter.retryMaxNs = retry.duration("max") ?? exporter.retryMaxNs
            exporter.retryMaxElapsedNs = retry.duration("max_elapsed") ?? exporter.retryMaxElapsedNs
        }
        return exporter
    }
}
