// Files and lines that people write: scenarios, samplers, faults, results.
@testable import TraceCore
@testable import TraceLoad
@testable import TracePipeline
@testable import TraceResults
@testable import TraceSink

enum FileTargets {
    /// Whatever is taken as a scenario can be compiled.
    static let scenario: FuzzTarget = { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let scenario = try? Scenario.parse(text) else { return }
        demand(!scenario.canonicalText.isEmpty, "a scenario that says nothing")
        _ = CompiledScenario(scenario)
    }

    static let samplerText: FuzzTarget = { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? Sampler(text: text)
        guard let tail = try? TailSampling(text: text) else { return }
        // As it is shown, it reads the same.
        let again = try? TailSampling(text: "\(tail)")
        demand(again.map { "\($0)" } == "\(tail)", "'\(text)' is shown as '\(tail)'")
    }

    static let faultText: FuzzTarget = { bytes in
        _ = try? SinkFaultRule(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// What is read can be written, and reads the same.
    static let result: FuzzTarget = { bytes in
        guard let result = try? ResultFile.result(fromText: Array(bytes)) else { return }
        guard let text = try? ResultFile.text(of: result) else { fatalError("read, not written") }
        let again = try? ResultFile.result(fromText: Array(text.utf8))
        demand(again.flatMap { try? ResultFile.text(of: $0) } == text, "another result")
    }

    /// The payload under zlib and base64, which a fuzzer would never get past.
    static let histogram: FuzzTarget = { bytes in
        guard let histogram = try? LatencyHistogram(payload: Array(bytes)) else { return }
        let again = try? LatencyHistogram(base64: histogram.base64Encoded())
        demand(
            again?.count == histogram.count && again?.maxNs == histogram.maxNs,
            "another histogram")
    }
}
