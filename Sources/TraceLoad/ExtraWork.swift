import TracePipeline

/// Work that a pipeline need not do: so much for each span, on the thread that exports. With it a gate
/// can be asked whether it finds what is known to be there. Processor time, not sleep.
struct ExtraWork {
    private let stepsPerSpan: Int

    init(_ options: RunOptions) {
        stepsPerSpan = max(0, options.extraWorkPerSpan)
    }

    /// An observer that works for each span of a settled batch, then does what `observer` does.
    func around(_ observer: @escaping BatchObserver) -> BatchObserver {
        guard stepsPerSpan > 0 else { return observer }
        let stepsPerSpan = stepsPerSpan
        return { record in
            Self.mix(steps: record.spans * stepsPerSpan, seed: record.number)
            observer(record)
        }
    }

    /// Marsaglia's xorshift, a nanosecond or so a step.
    @inline(never)
    private static func mix(steps: Int, seed: UInt64) {
        var state = seed | 1
        for _ in 0..<steps {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
        }
        // Never true, which the optimiser does not know.
        precondition(state != 0, "xorshift never reaches zero")
    }
}
