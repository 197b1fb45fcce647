// The two accounts of one batch that L3 compares: the exporter's record once it is settled, and
// the sink's line about what it received under that number.

/// How an export request ended.
public enum BatchOutcome: String, Codable, Sendable, CaseIterable {
    /// Answered with success; `rejectedSpans` may still tell of a partial one.
    case acknowledged
    /// Refused for good.
    case refused
    /// Given up after the last attempt.
    case retriesExhausted
    /// Given up at the shutdown.
    case shutdown
}

/// What the exporter knows of a batch that is settled: it will not be sent again.
public struct BatchRecord: Sendable, Equatable {
    /// The number sent along with every attempt.
    public var number: UInt64
    /// Spans in it.
    public var spans: Int
    /// Sum of the identity hashes of its spans.
    public var identitySum: UInt64
    /// Sum of the content hashes of its spans.
    public var contentSum: UInt64
    /// How it ended.
    public var outcome: BatchOutcome
    /// Spans that a partial success rejected.
    public var rejectedSpans: Int
    /// Whether an attempt may have arrived without an answer telling so: a timeout, a reset, a 502
    /// or 504 after the body was sent.
    public var isIndeterminate: Bool
    /// How often it was sent, the first time included.
    public var attempts: Int

    /// A settled batch.
    public init(
        number: UInt64, spans: Int, identitySum: UInt64, contentSum: UInt64,
        outcome: BatchOutcome, rejectedSpans: Int = 0, isIndeterminate: Bool = false,
        attempts: Int = 1
    ) {
        self.number = number
        self.spans = spans
        self.identitySum = identitySum
        self.contentSum = contentSum
        self.outcome = outcome
        self.rejectedSpans = rejectedSpans
        self.isIndeterminate = isIndeterminate
        self.attempts = attempts
    }
}

/// What a sink says about a batch it received: one line of its batch list.
public struct BatchLine: Sendable, Equatable {
    /// The batch's number.
    public var number: UInt64
    /// Spans in its first delivery.
    public var spans: Int
    /// Sum of the identity hashes, by the sink's own decode.
    public var identitySum: UInt64
    /// Sum of the content hashes, by the sink's own decode.
    public var contentSum: UInt64
    /// How often it came.
    public var deliveries: Int

    /// A line.
    public init(
        number: UInt64, spans: Int, identitySum: UInt64, contentSum: UInt64, deliveries: Int
    ) {
        self.number = number
        self.spans = spans
        self.identitySum = identitySum
        self.contentSum = contentSum
        self.deliveries = deliveries
    }

    /// Reads `batch spans identitySum contentSum deliveries`, the sums in hexadecimal.
    public init(text: some StringProtocol) throws(BatchLineError) {
        try self.init(utf8: Array(text.utf8)[...])
    }

    /// The same from UTF-8, about a hundred nanoseconds: a run has thousands of batches a second.
    init(utf8 line: ArraySlice<UInt8>) throws(BatchLineError) {
        var fields = LineFields(rest: line)
        guard let number = fields.next(radix: 10), number < .max,
            let spans = fields.next(radix: 10).flatMap(Int.init(exactly:)),
            let identitySum = fields.next(radix: 16),
            let contentSum = fields.next(radix: 16),
            let deliveries = fields.next(radix: 10).flatMap(Int.init(exactly:)), deliveries > 0,
            fields.rest.isEmpty
        else { throw BatchLineError(text: String(decoding: line.prefix(120), as: UTF8.self)) }
        self.init(
            number: number, spans: spans, identitySum: identitySum, contentSum: contentSum,
            deliveries: deliveries)
    }
}

/// The numbers of a line, one after the other, between single spaces.
private struct LineFields {
    var rest: ArraySlice<UInt8>

    /// The next number; nil when there is none, or it does not fit 64 bits.
    mutating func next(radix: UInt64) -> UInt64? {
        var value: UInt64 = 0
        var index = rest.startIndex
        while index < rest.endIndex, rest[index] != UInt8(ascii: " ") {
            let digit: UInt64
            switch rest[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digit = UInt64(rest[index] - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                digit = UInt64(rest[index] - UInt8(ascii: "a")) + 10
            default: return nil
            }
            let (shifted, isTooLarge) = value.multipliedReportingOverflow(by: radix)
            let (sum, isTooLargeNow) = shifted.addingReportingOverflow(digit)
            guard digit < radix, !isTooLarge, !isTooLargeNow else { return nil }
            value = sum
            index += 1
        }
        guard index > rest.startIndex else { return nil }
        rest = rest[min(index + 1, rest.endIndex)...]
        return value
    }
}

/// A line of a sink's batch list that is not one.
public struct BatchLineError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line, at most its first 120 characters.
    public var text: String

    public var description: String {
        "the sink's batch list has the line \"\(TerminalText.neutralised(text))\" where "
            + "\"batch spans identitySum contentSum deliveries\" belongs: is this a sink of the "
            + "same version?"
    }
}
