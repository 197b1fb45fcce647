// When a refused or unanswered request is tried again (OTLP specification, "Failures" and
// "Throttling"). Values only; the exporter keeps the state.

/// Exponential backoff with jitter, bounded by the batch's deadline.
public struct RetryPolicy: Sendable, Equatable {
    /// The wait before the first retry, milliseconds, before jitter.
    public var initialBackoffMs = 1_000
    /// The longest wait between two attempts, milliseconds, before jitter.
    public var maxBackoffMs = 10_000
    /// What each wait is multiplied by for the next one.
    public var multiplier = 2.0
    /// A wait is drawn evenly from `1 - jitter ... 1 + jitter` times its nominal length, so that
    /// exporters that failed together do not come back together. 0…1.
    public var jitter = 0.5
    /// Attempts for one batch at most; 0 means as many as fit before the deadline.
    public var maxAttempts = 0

    public init() {}

    func validate() throws(ConfigurationError) {
        guard initialBackoffMs > 0, maxBackoffMs >= initialBackoffMs else {
            throw .invalidSetting(
                name: "retry.initialBackoffMs",
                reason: "it must be above 0 and not above retry.maxBackoffMs")
        }
        guard multiplier >= 1, multiplier.isFinite else {
            throw .invalidSetting(name: "retry.multiplier", reason: "it must be 1 or more")
        }
        guard (0...1).contains(jitter) else {
            throw .invalidSetting(name: "retry.jitter", reason: "it must be from 0 to 1")
        }
        guard maxAttempts >= 0 else {
            throw .invalidSetting(name: "retry.maxAttempts", reason: "it must not be negative")
        }
    }

    /// Nanoseconds to wait after `attempts` (1 or more) failed attempts.
    func backoffNs(afterAttempts attempts: Int, using random: inout JitterSource) -> UInt64 {
        var nominalMs = Double(initialBackoffMs)
        for _ in 1..<max(1, attempts) where nominalMs < Double(maxBackoffMs) {
            nominalMs *= multiplier
        }
        nominalMs = min(nominalMs, Double(maxBackoffMs))
        let spread = 1 - jitter + 2 * jitter * random.nextUnit()
        return UInt64(max(1, nominalMs * spread * 1e6))
    }
}

/// splitmix64 seeded once from the system: jitter needs to differ between exporters, no more.
struct JitterSource {
    private var state: UInt64

    init(seed: UInt64 = .random(in: .min ... .max)) {
        state = seed
    }

    /// In 0..<1.
    mutating func nextUnit() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53
    }
}
