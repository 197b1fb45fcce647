// What becomes of spans that nobody ends (the Erlang SDK's span sweeper, with its names and defaults).

/// What the sweeper does with a live span that is too old.
public enum SweeperStrategy: Sendable {
    /// The span is discarded and counted.
    case drop
    /// The span is ended as it is, and exported when it is sampled.
    case endSpan
    /// The same, with the attribute `finished_by_sweeper` = true.
    case failedAttributeAndEndSpan
    /// The span is taken out and given whole to the closure, on the sweeper's thread; it is not
    /// exported.
    case hand(@Sendable (SpanData) -> Void)

    /// The names of OTEL_SPAN_SWEEPER_STRATEGY. A closure has no name: it is set in code.
    public static let names = ["drop", "end_span", "failed_attribute_and_end_span"]

    /// A strategy by its name, in any case; nil for a name that is none.
    public init?(name: String) {
        switch name.lowercased() {
        case "drop": self = .drop
        case "end_span": self = .endSpan
        case "failed_attribute_and_end_span": self = .failedAttributeAndEndSpan
        default: return nil
        }
    }
}

/// When spans that live too long are swept, and how.
///
/// While live spans hold `storageBytes` or more the age falls to a tenth of `spanTTLMs`; at twice the
/// size all live spans go.
public struct SweeperSettings: Sendable {
    /// From one look to the next, milliseconds (OTEL_SPAN_SWEEPER_INTERVAL); nil is never. 1 or more.
    public var intervalMs: Int? = 600_000
    /// What happens to the spans found (OTEL_SPAN_SWEEPER_STRATEGY).
    public var strategy = SweeperStrategy.drop
    /// The age that is too old, milliseconds (OTEL_SPAN_SWEEPER_SPAN_TTL); nil is never. 1 or more.
    public var spanTTLMs: Int? = 1_800_000
    /// Bytes that live spans may hold before younger ones are swept
    /// (OTEL_SPAN_SWEEPER_STORAGE_SIZE); nil is without limit. 1 or more.
    public var storageBytes: Int?

    /// About 24 days: what a timer can wait.
    static let milliseconds = 1...Int(Int32.max)

    public init() {}

    public func validate() throws(ConfigurationError) {
        for (name, value, range) in [
            ("intervalMs", intervalMs, Self.milliseconds),
            ("spanTTLMs", spanTTLMs, Self.milliseconds),
            ("storageBytes", storageBytes, 1...Int.max),
        ] {
            guard let value, !range.contains(value) else { continue }
            throw .invalidSetting(
                name: "sweeper.\(name)",
                reason: "\(value) is not from \(range.lowerBound) to \(range.upperBound); "
                    + "nil is without limit")
        }
    }
}
