// Ratio sampling as other SDKs compute it: to show what a fleet of several languages loses when each side
// decides for itself. Facts from the sources of those SDKs, none of which look at `rv`.

/// How another SDK decides whether a trace belongs to its share.
public enum ForeignRatioAlgorithm: String, Sendable, CaseIterable {
    /// opentelemetry-erlang 1.7: the low 63 bits below p·(2⁶³ − 1).
    case erlang
    /// opentelemetry-go 1.45: the upper 63 bits of bytes 8…15 below p·2⁶³.
    case go
    /// opentelemetry-java: the absolute value of bytes 8…15 below p·(2⁶³ − 1).
    case java
    /// opentelemetry-python: bytes 8…15 below round(p·2⁶⁴).
    case python
    /// opentelemetry-js: the exclusive or of the id's four words below ⌊p·(2³² − 1)⌋.
    case js
}

/// A foreign rule for one ratio: a bound, and what is compared with it.
struct ForeignRatioRule: Sendable {
    private let algorithm: ForeignRatioAlgorithm
    private let bound: UInt64
    /// The rule that no comparison can say: everything, or nothing.
    private let constant: Bool?

    /// - Parameter ratio: below 0 and not a number are as 0, above 1 as 1.
    init(_ algorithm: ForeignRatioAlgorithm, ratio: Double) {
        let ratio = ratio >= 0 ? min(ratio, 1) : 0
        self.algorithm = algorithm
        switch algorithm {
        case .erlang:
            // An integer is compared with a float exactly: x < b is x < ⌈b⌉. The product is one of
            // floats, where 2⁶³ − 1 is 2⁶³; only 1 is spelled out.
            bound = ratio == 1 ? UInt64(Int64.max) : UInt64((ratio * 0x1p63).rounded(.up))
            constant = nil
        case .go:
            bound = ratio == 1 ? 0 : UInt64(ratio * 0x1p63)
            constant = ratio == 1 ? true : nil
        case .java:
            // A cast of a float to long saturates; the bound for 0 is below every number.
            let product = ratio * 0x1p63
            bound = product >= 0x1p63 ? UInt64(Int64.max) : UInt64(product)
            constant = ratio == 0 ? false : nil
        case .python:
            // Halves go to the even number; 2⁶⁴ does not fit.
            let product = (ratio * 0x1p64).rounded(.toNearestOrEven)
            bound = product >= 0x1p64 ? 0 : UInt64(product)
            constant = product >= 0x1p64 ? true : nil
        case .js:
            bound = UInt64(ratio * 0xffff_ffff)
            constant = nil
        }
    }

    func keeps(_ id: TraceID) -> Bool {
        if let constant { return constant }
        switch algorithm {
        case .erlang:
            return id.isValid && id.low & UInt64(Int64.max) < bound
        case .go:
            return id.low >> 1 < bound
        case .java:
            // In Java the absolute value of the smallest number is that number, below every bound.
            let number = Int64(bitPattern: id.low)
            return number == .min || number.magnitude < bound
        case .python:
            return id.low < bound
        case .js:
            let folded = id.high ^ id.low
            return (folded >> 32 ^ folded & 0xffff_ffff) < bound && id.isValid
        }
    }
}
