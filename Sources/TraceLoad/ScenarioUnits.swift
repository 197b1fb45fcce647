/// Numbers with units as scenario files write them. Pure functions, any thread.

public enum ScenarioUnits {
    /// Longest duration a scenario may name: 24 hours. Plans keep simulated time in 48 bits of
    /// nanoseconds (78 hours), so a day leaves room for sums of durations.
    static let longestDurationNs = 86_400.0 * 1e9

    private static let durationUnits: [(suffix: String, ns: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9),
        ("h", 3600e9),
    ]

    /// Nanoseconds of `250us`, `5ms`, `2s`, `1.5m`, `1h`; a bare `0` needs no unit. Nil for
    /// anything else, negative numbers included.
    public static func durationNs(_ text: String) -> Double? {
        if text == "0" { return 0 }
        // Longest suffix first, since `5ms` ends in `s` too.
        for unit in durationUnits.sorted(by: { $0.suffix.count > $1.suffix.count })
        where text.hasSuffix(unit.suffix) {
            guard let number = plainNumber(text.dropLast(unit.suffix.count)), number >= 0 else {
                return nil
            }
            let ns = number * unit.ns
            return ns <= longestDurationNs ? ns : nil
        }
        return nil
    }

    /// Bytes of `512`, `64KiB`, `1.5MiB` or `2GiB`: whole, from 1 to 2^53. Nil for anything else.
    static func bytes(_ text: String) -> Int? {
        let units: [(suffix: String, bytes: Double)] = [
            ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("", 1),
        ]
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let number = plainNumber(text.dropLast(unit.suffix.count))
        else { return nil }
        let bytes = number * unit.bytes
        return bytes >= 1 && bytes <= 0x1p53 && bytes == bytes.rounded() ? Int(bytes) : nil
    }

    /// A share between 0 and 1, written as `0.25` or `25%`.
    static func probability(_ text: String) -> Double? {
        let isPercent = text.hasSuffix("%")
        guard let number = plainNumber(isPercent ? text.dropLast() : text[...]) else { return nil }
        let share = isPercent ? number / 100 : number
        return (0...1).contains(share) ? share : nil
    }

    /// Digits with an optional sign, fraction and exponent; no hexadecimal, infinity or blanks,
    /// which `Double.init` would take.
    static func plainNumber(_ text: Substring) -> Double? {
        guard let first = text.utf8.first, !text.isEmpty else { return nil }
        let digit = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard
            digit.contains(first) || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
                || first == UInt8(ascii: "."),
            text.utf8.contains(where: { digit.contains($0) }),
            text.utf8.allSatisfy({
                digit.contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E")
            }), let number = Double(text), number.isFinite
        else { return nil }
        return number
    }
}
