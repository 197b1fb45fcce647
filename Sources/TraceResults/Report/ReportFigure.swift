// A chart with everything that belongs to it: what it shows, what to conclude, and the numbers behind it.

/// How something is to be taken; told by a word or sign as well as by its colour.
package enum ReportTone: String, Sendable {
    case plain
    case good
    case bad
    case unsure
}

/// A table with a name.
package struct ReportTable: Sendable {
    package struct Column: Sendable {
        package var title: String
        package var isNumber = false

        package static func text(_ title: String) -> Column { Column(title: title) }
        package static func number(_ title: String) -> Column {
            Column(title: title, isNumber: true)
        }
    }

    package struct Cell: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
        package var text: String
        package var tone = ReportTone.plain

        package init(_ text: String, _ tone: ReportTone = .plain) {
            self.text = text
            self.tone = tone
        }

        package init(stringLiteral text: String) { self.init(text) }
    }

    /// Rows beyond this are counted, not shown.
    static let rowsMax = 1_000

    package var caption: String
    package var columns: [Column]
    /// The first cell of each names its row.
    package var rows: [[Cell]] = []

    package init(caption: String, columns: [Column], rows: [[Cell]] = []) {
        self.caption = caption
        self.columns = columns
        self.rows = rows
    }
}

/// A chart.
struct ReportFigure: Sendable {
    /// Unique in the page.
    var id: String
    var title: String
    /// What it shows.
    var says: String
    /// What to conclude, from the data.
    var concludes: String
    var tone = ReportTone.plain
    var legend: [(series: Int, name: String)] = []
    /// Whether its marks are bars and boxes, not lines and points.
    var hasAreas = false
    /// The drawing for each width.
    var drawings: [Markup]
    /// The numbers behind it.
    var table: ReportTable?

    /// Draws a chart at both widths.
    init(
        _ id: String, _ title: String, says: String, concludes: String,
        tone: ReportTone = .plain, legend: [(series: Int, name: String)] = [],
        table: ReportTable? = nil, draw: (ChartFrame.Width) -> ChartFrame
    ) {
        self.init(
            id, title, says: says, concludes: concludes, tone: tone, legend: legend,
            table: table,
            drawings: ChartFrame.Width.allCases.map { width in
                draw(width).svg(
                    id: "\(id)-\(width.rawValue)", title: title,
                    description: "\(says) \(concludes)")
            })
    }

    init(
        _ id: String, _ title: String, says: String, concludes: String,
        tone: ReportTone = .plain, legend: [(series: Int, name: String)] = [],
        table: ReportTable? = nil, drawings: [Markup]
    ) {
        self.id = id
        self.title = title
        self.says = says
        self.concludes = concludes
        self.tone = tone
        self.legend = legend
        self.table = table
        self.drawings = drawings
    }
}

/// Numbers and words of a report.
enum ReportText {
    /// A number at an axis: without zeros behind the point.
    static func tick(_ value: Double, unit: String) -> String {
        let text = GateText.value(value, unit: unit)
        guard let dot = text.firstIndex(of: ".") else { return text }
        let end = text[text.index(after: dot)...].firstIndex { !$0.isNumber } ?? text.endIndex
        var digits = text[..<end]
        while digits.last == "0" { digits.removeLast() }
        if digits.last == "." { digits.removeLast() }
        return String(digits) + text[end...]
    }

    /// A figure by its name: shares as percentages.
    static func value(_ value: Double, of name: String, unit: String) -> String {
        let isShare =
            unit == "1"
            && ["Share", "Recall", "Precision", "Coverage", "Agreement", "Error", "Bias"].contains {
                name.hasSuffix($0)
            }
        if unit == "ms" || unit == "bit" { return "\(NumberText.short(value)) \(unit)" }
        return isShare && (-1...1).contains(value)
            ? signedPercent(value) : GateText.value(value, unit: unit)
    }

    static func signedPercent(_ share: Double) -> String {
        share < 0 ? "-" + NumberText.percent(share: -share) : NumberText.percent(share: share)
    }

    /// `spanEndNsP99` as `span end ns p99`.
    static func words(_ name: String) -> String {
        var words = ""
        for character in name {
            if character.isUppercase { words += " " }
            words += character.lowercased()
        }
        return words
    }

    /// `a, b and c`; of many the first ones and how many more.
    static func list(_ names: [String], max: Int = 4) -> String {
        guard names.count > 1 else { return names.first ?? "" }
        guard names.count <= max else {
            return names.prefix(max - 1).joined(separator: ", ")
                + " and \(names.count - max + 1) more"
        }
        return names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    }
}
