// Numbers for people: grouped digits, times and sizes in the unit that fits, always three or four
// significant digits, never a locale.

/// Numbers as text.
public enum NumberText {
    /// Digits in groups of three: `1,234,567`.
    public static func grouped(_ number: some BinaryInteger) -> String {
        let digits = String(number.magnitude)
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A number with `decimals` digits after the point and grouped digits before it.
    public static func fixed(_ number: Double, decimals: Int) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return number.description }
        let scale = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
        let scaled = UInt64((abs(number) * scale).rounded(.toNearestOrAwayFromZero))
        let whole = scaled / UInt64(scale)
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return sign + grouped(whole) }
        let rest = String(scaled % UInt64(scale))
        return sign + grouped(whole) + "."
            + String(repeating: "0", count: decimals - rest.count) + rest
    }

    /// A number to about three significant digits: `0.042`, `4.20`, `42.0`, `420`, `4,200`.
    public static func short(_ number: Double) -> String {
        switch abs(number) {
        case 0: "0"
        case ..<0.009_95: fixed(number, decimals: 4)
        case ..<0.9995: fixed(number, decimals: 3)
        // The bounds are those that rounding reaches: 9.996 is 10.0, not 10.00.
        case ..<9.995: fixed(number, decimals: 2)
        case ..<99.95: fixed(number, decimals: 1)
        default: fixed(number, decimals: 0)
        }
    }

    /// A time in the unit that fits: `42 ns`, `4.20 µs`, `420 ms`, `4.20 s`, `72.0 min`.
    public static func duration(ns: Double) -> String {
        switch abs(ns) {
        case ..<999.5:
            ns == ns.rounded() ? "\(fixed(ns, decimals: 0)) ns" : "\(short(ns)) ns"
        case ..<999_500: "\(short(ns / 1e3)) µs"
        case ..<999_500_000: "\(short(ns / 1e6)) ms"
        case ..<600e9: "\(short(ns / 1e9)) s"
        default: "\(short(ns / 60e9)) min"
        }
    }

    /// A size in binary units: `512 B`, `4.20 KiB`, `420 MiB`.
    public static func size(bytes: Double) -> String {
        var value = bytes
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if abs(value) < 1023.5 {
                return unit == "B" && value == value.rounded()
                    ? "\(fixed(value, decimals: 0)) B" : "\(short(value)) \(unit)"
            }
            value /= 1024
        }
        return "\(short(value)) TiB"
    }

    /// A share of one as a percentage with two decimals. What is not nothing and not everything is
    /// never rounded to it: `<0.01%`, `>99.99%`.
    public static func percent(share: Double) -> String {
        switch share * 100 {
        case let percent where percent > 0 && percent < 0.005: "<0.01%"
        case let percent where percent >= 99.995 && percent < 100: ">99.99%"
        case let percent: fixed(percent, decimals: 2) + "%"
        }
    }
}

extension NumberText {
    /// A count to three digits with a decimal prefix: `940`, `9.40k`, `142k`, `3.10M`, `12.0G`.
    public static func compact(_ number: Double) -> String {
        switch abs(number) {
        case ..<999.5: fixed(number, decimals: 0)
        case ..<999_500: "\(short(number / 1e3))k"
        case ..<999_500_000: "\(short(number / 1e6))M"
        default: "\(short(number / 1e9))G"
        }
    }
}
