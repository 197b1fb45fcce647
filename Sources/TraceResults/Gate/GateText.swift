// Figures, changes and intervals as every rendering of a gate shows them.

import Glibc

/// Words and numbers of a gate.
enum GateText {
    /// A figure in its unit: `1.20 µs`, `64.0 KiB`, `199k/s`.
    static func value(_ value: Double, unit: String) -> String {
        guard value.isFinite else { return "–" }
        return switch unit {
        case "ns": NumberText.duration(ns: value)
        case "B": NumberText.size(bytes: value)
        case "1/s": "\(NumberText.compact(value))/s"
        case "1" where value == value.rounded() && abs(value) >= 2 && abs(value) < 1e15:
            NumberText.fixed(value, decimals: 0)
        default: NumberText.short(value)
        }
    }

    /// A figure that is compared exactly, to its last digit.
    static func exactValue(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15
            ? NumberText.grouped(Int64(value)) : value.description
    }

    /// A ratio as a change: `+5.0%`, `-12.3%`.
    static func change(_ ratio: Double) -> String {
        guard ratio.isFinite else { return ratio > 0 ? "+∞" : "–" }
        let percent = (ratio - 1) * 100
        guard abs(percent) < 1000 else { return "× \(NumberText.short(ratio))" }
        let text = NumberText.fixed(percent, decimals: 1)
        return (text.hasPrefix("-") ? "" : "+") + text + "%"
    }

    /// A change with its interval: `+5.0% [+3.1%, +6.9%]`.
    static func change(_ ratio: IntervalEstimate) -> String {
        guard ratio.upper.isFinite, ratio.lower > 0 else { return change(ratio.estimate) + " [–]" }
        return "\(change(ratio.estimate)) [\(change(ratio.lower)), \(change(ratio.upper))]"
    }

    /// A share with one decimal: `97.5%`.
    static func percent(_ share: Double) -> String {
        let percent = share * 100
        return percent > 99.9 && percent < 100
            ? "\(NumberText.fixed(percent, decimals: 3))%"
            : "\(NumberText.fixed(percent, decimals: 1))%"
    }

    static func count(_ number: Int, _ noun: String) -> String {
        "\(NumberText.grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }
}
