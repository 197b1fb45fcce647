import OTLPDefinition
import TestSupport
import Testing
import TraceCore

/// Spans go in through the public API and come out as swift-protobuf reads them: whatever the core
/// wrote, somebody else's decoder has to find in it exactly what was said.
@Suite struct EncodingOracleTests {
    /// Two services with two libraries each, so that bodies hold several resources and scopes.
    struct Services {
        let recorder: SpanRecorder
        let resources: [[SampleAttribute]]
        let tracers: [(resource: Int, scope: String, tracer: Tracer)]

        init(
            seed: UInt64, limits: SampleLimits = SampleLimits(),
            configure: (inout RecorderOptions) -> Void = { _ in }
        ) throws {
            var generator = SeededGenerator(seed: seed)
            var options = RecorderOptions()
            options.queueSpans = 1 << 16
            options.queueBytesMax = 1 << 30
            options.sumsChecked = true
            configure(&options)
            let recorder = try SpanRecorder(options: options)
            self.recorder = recorder
            let resources = (0..<2).map { service in
                [SampleAttribute("service.name", .string("service \(service)"))]
                    + SampleAttribute.randomList(count: service * 5, using: &generator)
            }
            self.resources = resources
            tracers = resources.indices.flatMap { service in
                let provider = TracerProvider(
                    recorder: recorder,
                    resource: Resource(attributes: SpanAttributes(resources[service])),
                    sampler: .alwaysOn, limits: SpanLimits(limits))
                return ["alpha", "βeta"].map { scope in
                    (
                        service, scope,
                        provider.tracer(
                            name: scope, version: "1.\(service)",
                            schemaURL: "https://schema/\(scope)")
                    )
                }
            }
        }

        /// Everything that is pending, in bodies of at most `maxSpans`, each checked against the
        /// ledger's arithmetic.
        func drain(maxSpans: Int) throws -> [DecodedRequest.Entry] {
            var body = ExportBody(capacityBytes: 64 << 20)
            var entries: [DecodedRequest.Entry] = []
            while true {
                let spans = recorder.queue.fill(&body, spans: maxSpans)
                guard spans > 0 else { return entries }
                entries += try Self.check(body, spans: spans)
            }
        }

        /// Decodes a body and compares what it says of itself with what is in it.
        static func check(
            _ body: borrowing ExportBody, spans: Int
        ) throws -> [DecodedRequest.Entry] {
            let bytes = unsafe Array(body.bytes)
            let (spanCount, identitySum, contentSum) = (
                body.spanCount, body.identitySum, body.contentSum
            )
            let request = try DecodedRequest(bytes: bytes)
            #expect(request.envelopeProblems == [])
            #expect(request.entries.count == spans && spanCount == spans)
            let identities = request.spans.map {
                LedgerOracle.identity(
                    traceHigh: $0.traceID.prefix(8).bigEndianNumber,
                    traceLow: $0.traceID.suffix(8).bigEndianNumber,
                    spanID: $0.spanID.bigEndianNumber)
            }
            #expect(identitySum == identities.reduce(0, &+))
            let contents = try SpanMessages.payloads(in: bytes).map(LedgerOracle.content)
            #expect(contentSum == contents.reduce(0, &+))
            return request.entries
        }

        /// Compares a sample recorded by tracer number `tracer` with what arrived under its id.
        func compare(
            _ sample: SampleSpan, tracer: Int, with entries: [UInt64: DecodedRequest.Entry]
        ) {
            guard let entry = entries[sample.spanID] else {
                Issue.record("span \(String(sample.spanID, radix: 16)) did not arrive")
                return
            }
            let (resource, scope, _) = tracers[tracer]
            #expect(sample.differences(from: entry.span) == [])
            #expect(
                SampleAttribute.differences(
                    of: resources[resource], from: entry.resource.attributes) == [])
            #expect(entry.scope.name == scope)
            #expect(entry.scope.version == "1.\(resource)")
            #expect(entry.scopeSchemaURL == "https://schema/\(scope)")
        }
    }

    /// The flags that a sample is expected to arrive with: a root's id is random.
    private func expected(_ sample: SampleSpan, limits: SampleLimits) -> SampleSpan {
        var sample = limits.applied(to: sample)
        if sample.parentSpanID == nil { sample.flags |= 2 }
        return sample
    }

    @Test(
        "Random spans of several resources and scopes arrive as they were recorded",
        arguments: 0..<8 as Range<UInt64>)
    func randomSpans(seed: UInt64) throws {
        let services = try Services(seed: seed)
        var driver = SpanDriver(seed: seed)
        var samples: [(span: SampleSpan, tracer: Int)] = []
        for _ in 0..<250 {
            let sample = SampleSpan.random(using: &driver.generator)
            let tracer = Int(driver.generator.next() % UInt64(services.tracers.count))
            let context = driver.record(sample, with: services.tracers[tracer].tracer)
            #expect(context.isSampled && context.spanID.rawValue == sample.spanID)
            samples.append((sample, tracer))
        }
        let entries = try services.drain(maxSpans: [1, 7, 64, 512][Int(seed % 4)])
        #expect(entries.count == samples.count)
        let byID = Dictionary(entries.map { ($0.span.spanID.bigEndianNumber, $0) }) { $1 }
        for (sample, tracer) in samples {
            services.compare(
                expected(sample, limits: SampleLimits()), tracer: tracer, with: byID)
        }
    }

    @Test(
        "What exceeds the limits is cut, dropped and counted, and a present key is overwritten",
        arguments: 100..<108 as Range<UInt64>)
    func limits(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let limits = SampleLimits(
            attributeCount: Int(generator.next() % 12),
            attributeValueLength: generator.oneIn(3) ? nil : Int(generator.next() % 40),
            eventCount: Int(generator.next() % 6), linkCount: Int(generator.next() % 4),
            attributesPerEvent: Int(generator.next() % 6),
            attributesPerLink: Int(generator.next() % 4))
        let services = try Services(seed: seed, limits: limits)
        var driver = SpanDriver(seed: seed, limits: limits)
        var samples: [SampleSpan] = []
        for _ in 0..<200 {
            let sample = SampleSpan.random(using: &driver.generator)
            driver.record(sample, with: services.tracers[0].tracer)
            samples.append(sample)
        }
        let entries = try services.drain(maxSpans: 100)
        let byID = Dictionary(entries.map { ($0.span.spanID.bigEndianNumber, $0) }) { $1 }
        for sample in samples {
            services.compare(expected(sample, limits: limits), tracer: 0, with: byID)
        }
    }

    @Test(
        "Spans recorded by four threads at once arrive, each with its own contents",
        arguments: [1, 2])
    func threads(seed: UInt64) throws {
        let services = try Services(seed: seed) {
            $0.queueSpans = 256
            $0.blocksWhenFull = true
        }
        let samples = (0..<4).map { thread in
            var generator = SeededGenerator(seed: seed &* 1000 &+ UInt64(thread))
            return (0..<300).map { _ in SampleSpan.random(using: &generator) }
        }
        let producers = samples.indices.map { thread in
            OSThreads.start {
                var driver = SpanDriver(seed: UInt64(thread))
                for sample in samples[thread] {
                    driver.record(sample, with: services.tracers[thread].tracer)
                }
            }
        }
        var body = ExportBody()
        var entries: [DecodedRequest.Entry] = []
        while entries.count < samples.joined().count {
            let spans = services.recorder.queue.fill(&body, spans: 100)
            if spans > 0 { entries += try Services.check(body, spans: spans) }
        }
        for producer in producers { OSThreads.join(producer) }
        #expect(services.recorder.queue.fill(&body, spans: 100) == 0)
        let byID = Dictionary(entries.map { ($0.span.spanID.bigEndianNumber, $0) }) { $1 }
        for (thread, samples) in samples.enumerated() {
            for sample in samples {
                services.compare(
                    expected(sample, limits: SampleLimits()), tracer: thread, with: byID)
            }
        }
    }

    @Test("A body too small for all takes what fits and leaves the rest for the next")
    func smallBody() throws {
        let services = try Services(seed: 5)
        var driver = SpanDriver(seed: 5)
        var samples: [SampleSpan] = []
        for _ in 0..<200 {
            var sample = SampleSpan.random(using: &driver.generator)
            sample.attributes = Array(sample.attributes.prefix(8))
            driver.record(sample, with: services.tracers[0].tracer)
            samples.append(sample)
        }
        var body = ExportBody(capacityBytes: 128 << 10)
        var entries: [DecodedRequest.Entry] = []
        var bodies = 0
        while true {
            let spans = services.recorder.queue.fill(&body, spans: 1000)
            guard spans > 0 else { break }
            #expect(body.byteCount <= 128 << 10)
            entries += try Services.check(body, spans: spans)
            bodies += 1
        }
        #expect(bodies > 1)
        let byID = Dictionary(entries.map { ($0.span.spanID.bigEndianNumber, $0) }) { $1 }
        for sample in samples {
            services.compare(expected(sample, limits: SampleLimits()), tracer: 0, with: byID)
        }
    }
}
