// Spans a second, as a bucket of tokens in whole numbers: the same on every machine, and as the reference says.

/// A bucket that starts full and holds a second's worth, at least one span. Exporter thread only.
final class SpanBudget {
    /// Rates that a budget may have, spans a second.
    static let rates = Double.leastNonzeroMagnitude...1e9
    /// A span in the bucket's unit: a millionth of a span a second, for a nanosecond.
    private static let span: Int128 = 1_000_000_000_000_000

    private let inflowPerNs: Int128
    private let capacity: Int128
    private var level: Int128
    private var filledNs: UInt64?

    /// - Parameter spansPerS: kept to a millionth, and at least that.
    init(spansPerS: Double) {
        inflowPerNs = max(1, Int128((min(spansPerS, 1e9) * 1e6).rounded()))
        capacity = max(Self.span, inflowPerNs * 1_000_000_000)
        level = capacity
    }

    /// Whether a trace of so many spans has room. Time that goes back fills nothing.
    func admits(_ spans: UInt32, atNs nowNs: UInt64) -> Bool {
        fill(nowNs)
        return level >= min(Int128(spans) * Self.span, capacity)
    }

    /// Takes the spans out; a trace larger than the bucket leaves it in debt.
    func spend(_ spans: UInt32) { level -= Int128(spans) * Self.span }

    private func fill(_ nowNs: UInt64) {
        let passed = nowNs - min(nowNs, filledNs ?? nowNs)
        filledNs = max(nowNs, filledNs ?? nowNs)
        level = min(capacity, level + Int128(passed) * inflowPerNs)
    }
}
