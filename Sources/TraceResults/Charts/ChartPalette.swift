// The colours of charts and pages, for a light and a dark background. Text has a contrast of at least
// 4.5 to 1 with what is behind it, marks at least 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11); a test computes it.

/// A set of colours.
public struct ChartPalette: Sendable {
    /// Colours in `#rrggbb`, by name.
    public var colours: KeyValuePairs<String, String>
    /// The series' colours.
    public var series: [String]

    /// Series told apart by colour; stroke and shape repeat sooner.
    public static let seriesCount = 8

    /// Names of what is read: on `page`, `card` and `stripe` alike.
    static let textNames = ["text", "muted", "link", "good", "bad", "unsure"]
    /// Names of what lies behind text and marks.
    static let backgroundNames = ["page", "card", "stripe"]

    public static let light = ChartPalette(
        colours: [
            "page": "#f4f5f7", "card": "#ffffff", "stripe": "#f2f4f7", "edge": "#d3d9e0",
            "grid": "#e3e7ec", "axis": "#7a8491", "text": "#1a1f26", "muted": "#545d69",
            "link": "#0a57b0", "good": "#116b2e", "bad": "#b8141f", "unsure": "#7a5200",
            "zone": "#dff2e3",
        ],
        series: [
            "#0b62c4", "#b34a00", "#157a36", "#7b46d6", "#c01f5f", "#08737f", "#7c5a12", "#4f5b6b",
        ])

    public static let dark = ChartPalette(
        colours: [
            "page": "#0e1116", "card": "#161b22", "stripe": "#1c222b", "edge": "#323a45",
            "grid": "#272e38", "axis": "#858f9c", "text": "#e8ecf1", "muted": "#a3adb9",
            "link": "#7cb7ff", "good": "#5fd07a", "bad": "#ff8880", "unsure": "#e6b84f",
            "zone": "#16301f",
        ],
        series: [
            "#6cb0ff", "#f5a25a", "#5fd07a", "#c09cff", "#ff8fbb", "#52d0d8", "#d9b877", "#aab6c4",
        ])

    /// A colour by its name; black for a name that is not there.
    func colour(_ name: String) -> String {
        colours.first { $0.key == name }?.value ?? "#000000"
    }

    /// `--name: #rrggbb;` for every colour.
    var variables: String {
        (colours.map { "--\($0.key):\($0.value);" }
            + series.enumerated().map { "--s\($0.offset):\($0.element);" }).joined()
    }

    /// The rules for what ``ChartFrame`` draws, on variables that ``variables`` sets.
    static let chartRules: String = {
        let strokes = ["", "7 4", "2 3", "10 3 2 3"]
        let series = (0..<seriesCount).map { number in
            let stroke = strokes[(number / 2) % strokes.count]
            let dashes = stroke.isEmpty ? "" : ".line.c\(number){stroke-dasharray:\(stroke)}"
            return ".c\(number){--ink:var(--s\(number))}" + dashes
        }.joined(separator: "\n")
        return """
            \(series)
            .chart{display:block;width:100%;height:auto;overflow:visible}
            .chart text{font:12px/1 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;\
            fill:var(--text)}
            .chart .tick,.chart .axis{fill:var(--muted)}
            .chart .strong{font-weight:600}
            .chart .good{fill:var(--good)}
            .chart .bad{fill:var(--bad)}
            .chart .unsure{fill:var(--unsure)}
            .chart .small{font-size:11px;fill:var(--muted)}
            .grid{stroke:var(--grid);stroke-width:1}
            .zero{stroke:var(--axis);stroke-width:1.5}
            .limit{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 4}
            .zone{fill:var(--zone)}
            .line{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
            .line.faint{stroke-width:1.2;stroke-opacity:.75}
            .band{fill:var(--ink);fill-opacity:.16}
            .dot{fill:var(--ink);stroke:var(--card);stroke-width:1}
            .dot.hollow{fill:var(--card);stroke:var(--ink);stroke-width:2}
            .bar{fill:var(--ink)}
            .whisker{stroke:var(--ink);stroke-width:2;stroke-linecap:round}
            .front{fill:none;stroke:var(--muted);stroke-width:1.5;stroke-dasharray:2 4}
            .node{fill:var(--card);stroke:var(--ink);stroke-width:1.5}
            .edge{fill:none;stroke:var(--axis)}
            .edge.failing{stroke:var(--bad)}
            .tip{fill:var(--axis)}
            .tip.failing{fill:var(--bad)}
            .failed{fill:var(--bad)}
            """
    }()
}
