// Which traces are kept: every sampler there is. Source: OpenTelemetry specification, "Sampling", "Built-in
// samplers", and "TraceState: Probability Sampling" (56-bit thresholds: keep when R ≥ T).

/// The samplers. Two are equal when their descriptions are.
///
/// What a sampler keeps between decisions (a bucket of tokens, counts by operation) belongs to the provider
/// that was made with it, not to this value.
public indirect enum Sampler: Sendable, Equatable, CustomStringConvertible {
    /// Keeps everything, and passes the parent's tracestate on.
    case alwaysOn
    /// Keeps nothing.
    case alwaysOff
    /// Keeps this share of traces, decided by the trace id (or the tracestate's `rv`). Writes nothing
    /// into the tracestate.
    case traceIDRatio(Double)
    /// Follows the parent; `root` decides where there is none.
    case parentBased(
        root: Sampler, remoteParentSampled: Sampler = .alwaysOn,
        remoteParentNotSampled: Sampler = .alwaysOff, localParentSampled: Sampler = .alwaysOn,
        localParentNotSampled: Sampler = .alwaysOff)
    /// Keeps this share of traces as `traceIDRatio` does, and says so in the tracestate (`ot=th:…`), so
    /// that everybody knows how many traces a kept one stands for. Whatever the parent decided.
    /// - Parameter precision: hexadecimal digits of the threshold, 1…14.
    case probability(Double, precision: Int = ProbabilityThreshold.defaultPrecision)
    /// Records what the other drops, without sampling it: processors see it, exporters do not.
    case alwaysRecord(Sampler)
    /// Consistent probability sampling, put together.
    case composite(ComposableSampler)
    /// Keeps at most so many a second: a bucket that starts full, refills at this rate and holds
    /// `max(1, rate)`. 0 and below keep nothing; above 10⁹ is as 10⁹.
    case rateLimiting(tracesPerS: Double)
    /// Keeps about so many a second of every operation.
    case adaptive(AdaptiveSettings)
    /// Keeps a share as another SDK computes it.
    case foreign(ForeignRatioAlgorithm, Double)
    /// Somebody else's rule.
    case custom(any CustomSampler)

    public static func == (left: Sampler, right: Sampler) -> Bool {
        left.description == right.description
    }

    public var description: String {
        switch self {
        case .alwaysOn: "AlwaysOnSampler"
        case .alwaysOff: "AlwaysOffSampler"
        case .traceIDRatio(let ratio): "TraceIdRatioBased{\(DecimalText.of(ratio))}"
        case .parentBased(
            let root, let remoteSampled, let remoteNotSampled, let localSampled, let localNotSampled
        ):
            "ParentBased{root:\(root),remoteParentSampled:\(remoteSampled),"
                + "remoteParentNotSampled:\(remoteNotSampled),localParentSampled:\(localSampled),"
                + "localParentNotSampled:\(localNotSampled)}"
        case .probability(let probability, let precision):
            "ConsistentProbabilitySampler{\(DecimalText.of(probability))"
                + "\(DecimalText.suffix(precision: precision))}"
        case .alwaysRecord(let sampler): "AlwaysRecordSampler{\(sampler)}"
        case .composite(let sampler): "CompositeSampler{\(sampler)}"
        case .rateLimiting(let rate): "RateLimitingSampler{\(DecimalText.of(rate, places: 2))}"
        case .adaptive(let settings): "AdaptiveSampler{\(settings)}"
        case .foreign(let algorithm, let ratio):
            "ForeignRatioSampler{\(algorithm.rawValue),\(DecimalText.of(ratio))}"
        case .custom(let sampler): sampler.description
        }
    }
}

/// Numbers in descriptions: as many decimals as it takes to tell them apart.
enum DecimalText {
    /// At least `places` decimals, more where so few would show another number, 20 at most.
    static func of(_ value: Double, places: Int = 6) -> String {
        guard value >= 0, value < 1e15 else { return "\(value)" }
        for count in places..<20 {
            let text = fixed(value, places: count)
            if Double(text) == value { return text }
        }
        return fixed(value, places: 20)
    }

    /// Nothing for the default precision of thresholds.
    static func suffix(precision: Int) -> String {
        precision == ProbabilityThreshold.defaultPrecision ? "" : ",precision=\(precision)"
    }

    private static func fixed(_ value: Double, places: Int) -> String {
        var rest = value
        let whole = Int(rest)
        rest -= Double(whole)
        var digits: [UInt8] = []
        for _ in 0..<places {
            rest *= 10
            let digit = min(9, Int(rest))
            digits.append(UInt8(digit))
            rest -= Double(digit)
        }
        var carry = rest >= 0.5
        var index = digits.count - 1
        while carry, index >= 0 {
            carry = digits[index] == 9
            digits[index] = carry ? 0 : digits[index] + 1
            index -= 1
        }
        return "\(carry ? whole + 1 : whole)." + digits.map { String($0) }.joined()
    }
}
