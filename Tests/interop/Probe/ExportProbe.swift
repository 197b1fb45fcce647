// Spans of all shapes, made through the public tracer and exported over OTLP/HTTP; what they are is
// printed first, a line each.

import TraceCore
import TracePipeline

/// `--endpoint URL [--encoding protobuf|json] [--compression none|gzip] [--spans N] [--seed N]`.
struct ExportOptions {
    var endpoint = ""
    var encoding = "protobuf"
    var compression = OTLPCompression.none
    var spans = 300
    var seed: UInt64 = 1

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw ProbeError("\(option): no value") }
            switch option {
            case "--endpoint": endpoint = value
            case "--encoding": encoding = value
            case "--compression":
                guard let known = OTLPCompression(rawValue: value) else {
                    throw ProbeError("--compression \(value): none or gzip")
                }
                compression = known
            case "--spans": spans = try Self.number(option, value)
            case "--seed": seed = UInt64(try Self.number(option, value))
            default: throw ProbeError("\(option): not an option")
            }
        }
        guard !endpoint.isEmpty else { throw ProbeError("--endpoint is missing") }
    }

    private static func number(_ option: String, _ text: String) throws -> Int {
        guard let number = Int(text), number >= 0 else {
            throw ProbeError("\(option) \(text): not a number")
        }
        return number
    }
}

/// `interop-probe export`.
enum ExportProbe {
    /// The last line: what the exporter says became of the spans.
    struct Summary: Encodable {
        var ended: UInt64
        var acknowledged: UInt64
        var batches: UInt64
    }

    static func run(_ options: ExportOptions) throws {
        var settings = OTLPHTTPSettings(endpoint: options.endpoint)
        settings.compression = options.compression
        guard let encoding = OTLPEncoding(rawValue: options.encoding) else {
            throw ProbeError("--encoding \(options.encoding): protobuf or json")
        }
        settings.encoding = encoding
        settings.timeoutMs = 10_000
        var configuration = TracingConfiguration()
        configuration.exporter = .otlp(settings)
        configuration.batch.queueSpans = max(1, options.spans)
        configuration.batch.batchSpans = min(64, configuration.batch.queueSpans)
        let pipeline = try TracingPipeline(configuration)
        var maker = SpanMaker(recorder: pipeline.recorder, seed: options.seed)
        for _ in 0..<options.spans { try JSONLines.print(maker.make()) }
        let result = pipeline.shutdown(timeoutMs: 30_000)
        let ledger = pipeline.ledger
        guard result == .completed else { throw ProbeError("shutdown: \(result)") }
        try JSONLines.print(
            Summary(
                ended: ledger.endedSampled, acknowledged: ledger.acknowledged.spans,
                batches: ledger.acknowledged.batches))
    }
}
