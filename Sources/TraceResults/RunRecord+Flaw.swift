// Whether the figures of a run may be used outside of its own file.

extension RunRecord {
    /// Why this run counts for nothing, whatever its file says of it; nil when it counts.
    package var flaw: String? { GateSamples.flaw(of: self) }

    /// The figure of a name; nil where the run has none, or its own distribution contradicts it.
    package func trustedMetric(_ name: String) -> Metric? {
        try? checkedMetric(name).get()
    }
}

/// Figures as text, for the modules beside this one.
package enum FigureText {
    /// A figure in its unit: `1.20 µs`, `64.0 KiB`, `199k/s`.
    package static func value(_ value: Double, unit: String) -> String {
        GateText.value(value, unit: unit)
    }

    /// A figure that is compared exactly, to its last digit.
    package static func exactValue(_ value: Double) -> String { GateText.exactValue(value) }

    /// A ratio as a change: `+5.0%`, `-12.3%`.
    package static func change(_ ratio: Double) -> String { GateText.change(ratio) }

    /// A number and its noun.
    package static func count(_ number: Int, _ noun: String) -> String {
        GateText.count(number, noun)
    }

    /// A field of CSV in which no spreadsheet sees a formula.
    package static func csvField(_ text: String) -> String { GateCSV.field(text) }
}
