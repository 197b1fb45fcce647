// What libFuzzer calls: one program for all targets; TRACEMILL_FUZZ names the one.
import Glibc

/// A target: gets bytes, traps when something is wrong.
typealias FuzzTarget = @Sendable (UnsafeRawBufferPointer) -> Void

enum FuzzTargets {
    static let all: [String: FuzzTarget] = [
        "otlp-protobuf": WireTargets.protobuf,
        "otlp-json": WireTargets.json,
        "gzip": WireTargets.gzip,
        "http": HTTPTarget.run,
        "trace-context": HeaderTargets.traceContext,
        "baggage": HeaderTargets.baggage,
        "b3": HeaderTargets.b3,
        "retry-after": AnswerTargets.retryAfter,
        "response": AnswerTargets.response,
        "scenario": FileTargets.scenario,
        "sampler-text": FileTargets.samplerText,
        "fault-text": FileTargets.faultText,
        "result": FileTargets.result,
        "histogram": FileTargets.histogram,
    ]

    static let chosen: FuzzTarget = {
        let name = getenv("TRACEMILL_FUZZ").map { String(cString: $0) } ?? ""
        guard let target = all[name] else {
            fatalError(
                "TRACEMILL_FUZZ is '\(name)'; write one of \(all.keys.sorted().joined(separator: ", "))"
            )
        }
        return target
    }()
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTargets.chosen(UnsafeRawBufferPointer(start: data, count: count))
    return 0
}

/// What must hold, in every build.
func demand(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
