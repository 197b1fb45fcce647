// Probabilities as 56-bit rejection thresholds, and their text form.
// Source: OpenTelemetry specification, "TraceState: Probability Sampling", "Algorithms".

/// Threshold arithmetic: of 2⁵⁶ traces, T are dropped; a trace with randomness R is kept when R ≥ T.
public enum ProbabilityThreshold {
    /// Above every R: nothing is kept. Has no text form.
    public static let never: UInt64 = 1 << 56

    /// How many hexadecimal digits of a threshold count unless said otherwise.
    public static let defaultPrecision = 4

    /// The 56 bits of a trace id that are randomness: bytes 9…15.
    @inline(__always)
    static func randomness(ofTraceLow low: UInt64) -> UInt64 { low & (never &- 1) }

    /// T = 2⁵⁶ − round(p·2⁵⁶), rounded to `precision` hexadecimal digits after leading f's, so that it has
    /// a short text form that everybody compares alike.
    ///
    /// Where that rounding would make a probability below one into one, the digits are counted after
    /// the leading zeros instead: 0.9999999 stays 0.9999999.
    /// - Parameters:
    ///   - probability: 0 and below, and not a number: `never`. Above 0 but below 2⁻⁵⁶: 2⁻⁵⁶. 1 and above: 0.
    ///   - precision: 1…14.
    public static func of(
        probability: Double, precision: Int = defaultPrecision
    ) -> UInt64 {
        guard probability > 0 else { return never }
        guard probability < 1 else { return 0 }
        let scaled = (probability * 0x1p56).rounded()
        guard scaled >= 1 else { return never - 1 }
        let exact = never - min(never, UInt64(scaled))
        let precision = min(max(precision, 1), 14)
        let rounded = rounding(exact, toDigits: leadingDigits(of: exact, equal: 0xf) + precision)
        if rounded > 0 || exact == 0 { return rounded }
        return rounding(exact, toDigits: leadingDigits(of: exact, equal: 0) + precision)
    }

    /// The share of traces that a threshold keeps: 0…1.
    public static func probability(of threshold: UInt64) -> Double {
        Double(never - min(threshold, never)) * 0x1p-56
    }

    /// How many traces a kept one stands for: 1…2⁵⁶, infinite for `never`.
    public static func adjustedCount(of threshold: UInt64) -> Double {
        0x1p56 / Double(never - min(threshold, never))
    }

    /// The value of `th`: hexadecimal digits without trailing zeros, `0` for zero; nil for `never`.
    public static func text(of threshold: UInt64) -> String? {
        guard threshold < never else { return nil }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { digits in
            let count = unsafe writeText(of: threshold, to: digits.baseAddress!)
            return unsafe String(decoding: UnsafeRawBufferPointer(digits)[..<count], as: UTF8.self)
        }
    }

    /// Reads the value of `th`: 1…14 lower-case hexadecimal digits, filled up with zeros on the right.
    /// Nil for anything else.
    public static func parse(_ text: some StringProtocol) -> UInt64? {
        unsafe Array(text.utf8).withUnsafeBufferPointer { unsafe parse($0[...]) }
    }

    /// Writes the value of `th` and up to 15 bytes beyond. The destination has room for 16 bytes.
    /// - Returns: how many digits count: 1…14.
    @inline(__always)
    static func writeText(
        of threshold: UInt64, to destination: UnsafeMutableRawPointer
    ) -> Int {
        unsafe Hexadecimal.write(threshold << 8, to: destination)
        return max(1, 14 &- threshold.trailingZeroBitCount / 4)
    }

    static func parse(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> UInt64? {
        guard (1...14).contains(unsafe digits.count) else { return nil }
        var value: UInt64 = 0
        for index in unsafe digits.indices {
            guard let digit = unsafe digit(digits[index]) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return unsafe value << UInt64(4 * (14 - digits.count))
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Half a unit of the last digit goes up; never as far as `never`.
    private static func rounding(_ threshold: UInt64, toDigits digits: Int) -> UInt64 {
        guard digits < 14 else { return threshold }
        let unit = UInt64(1) << UInt64(4 * (14 - digits))
        return min(never - 1, (threshold + unit / 2) / unit * unit)
    }

    private static func leadingDigits(of threshold: UInt64, equal digit: UInt64) -> Int {
        var count = 0
        while count < 14, threshold >> UInt64(52 - 4 * count) & 0xf == digit { count += 1 }
        return count
    }
}
