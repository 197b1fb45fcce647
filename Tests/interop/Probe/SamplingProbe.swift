// Trace ids and ratios in; our decisions out, by the rule of this SDK and by the one that it knows for
// Python's.

import TraceCore

/// `interop-probe sample`.
enum SamplingProbe {
    struct Question: Decodable {
        var id: Int
        /// 32 hexadecimal digits.
        var trace: String
        var ratio: Double
    }

    struct Answer: Encodable {
        var id: Int
        /// `Sampler.foreign(.python, ratio)`.
        var python: Bool
        /// `Sampler.traceIDRatio(ratio)`.
        var own: Bool
    }

    static func run() throws {
        let recorder = try SpanRecorder()
        var tracers: [Double: (python: Tracer, own: Tracer)] = [:]
        func tracer(_ sampler: Sampler) -> Tracer {
            TracerProvider(
                recorder: recorder, resource: Resource(attributes: SpanAttributes()),
                sampler: sampler
            ).tracer(name: "interop")
        }
        try JSONLines.answer { (question: Question) in
            guard let traceID = TraceID(hex: question.trace) else {
                throw ProbeError("\(question.trace): write 32 hexadecimal digits")
            }
            let ratio = question.ratio
            let pair =
                tracers[ratio]
                ?? (tracer(.foreign(.python, ratio)), tracer(.traceIDRatio(ratio)))
            tracers[ratio] = pair
            return Answer(
                id: question.id,
                python: pair.python.decide(parent: nil, traceID: traceID) == .recordAndSample,
                own: pair.own.decide(parent: nil, traceID: traceID) == .recordAndSample)
        }
    }
}
