// A broken conservation law, in figures and in words. A run that has one is invalid.

/// The conservation laws of a run.
public enum Law: String, Codable, Sendable, CaseIterable {
    /// Every start call is not recorded, for a known reason, or recording.
    case startCalls = "L0"
    /// Every recording span is ended, by the caller or the sweeper, discarded, or live.
    case recording = "L1"
    /// Every ended and sampled span is queued, in flight, or left by one known fate.
    case delivery = "L2"
    /// What the sink received is what was sent, and nothing else.
    case receipt = "L3"
}

/// One way in which the books do not add up.
public struct LawViolation: ResultObject {
    /// The law that is broken.
    public var law = Law.startCalls
    /// What was compared, in a few words that stay the same from run to run.
    public var what = ""
    /// What the upstream side says.
    public var expected: UInt64 = 0
    /// What the downstream side says.
    public var found: UInt64 = 0
    /// `found − expected` where both are counts; nil where they are checksums.
    public var difference: Int64?
    /// The whole of it for a reader, the law's name first.
    public var message = ""
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<LawViolation>] = [
        .required("law", \.law),
        .required("what", \.what),
        .decimal("expected", \.expected),
        .decimal("found", \.found),
        .optional("difference", \.difference),
        .required("message", \.message),
    ]

    /// A violation between two counts; `message` is given without the law's name.
    static func counts(
        _ law: Law, _ what: String, expected: UInt64, found: UInt64, _ message: String
    ) -> LawViolation {
        var violation = LawViolation()
        violation.law = law
        violation.what = what
        violation.expected = expected
        violation.found = found
        violation.difference =
            found >= expected
            ? Int64(clamping: found - expected) : -Int64(clamping: expected - found)
        violation.message = "\(law.rawValue): \(message)"
        return violation
    }

    /// A violation between two checksums; `message` is given without the law's name and sums.
    static func checksums(
        _ law: Law, _ what: String, expected: UInt64, found: UInt64, _ message: String
    ) -> LawViolation {
        var violation = counts(law, what, expected: expected, found: found, "")
        violation.difference = nil
        violation.message =
            "\(law.rawValue): \(message) (expected 0x\(String(expected, radix: 16)), "
            + "found 0x\(String(found, radix: 16)))"
        return violation
    }
}
