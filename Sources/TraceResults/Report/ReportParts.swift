// What a report's page is put together from: cards, charts with what belongs to them, tables.

extension ReportPageWriter {
    func card(_ body: inout Markup, _ write: (inout Markup) -> Void) {
        body.element("div", ["class": "card"], write)
    }

    func figures(_ figures: [ReportFigure], _ body: inout Markup) {
        guard !figures.isEmpty else { return }
        body.element("div", ["class": "figures"]) { list in
            for figure in figures { self.figure(figure, &list) }
        }
    }

    func figure(_ figure: ReportFigure, _ body: inout Markup) {
        body.element("figure", ["id": figure.id, "aria-labelledby": "\(figure.id)-heading"]) {
            markup in
            markup.element("figcaption") { caption in
                caption.element("h3", ["id": "\(figure.id)-heading"], text: figure.title)
                caption.element("p", ["class": "muted"], text: figure.says)
                caption.element(
                    "p", ["class": "conclusion \(figure.tone.rawValue)"], text: figure.concludes)
            }
            if figure.legend.count > 1 || figure.legend.first.map({ $0.series > 0 }) == true {
                markup.element("ul", ["class": "legend"]) { list in
                    for (series, name) in figure.legend {
                        list.element("li") { item in
                            item.append(
                                ChartFrame.legendSign(series, isArea: figure.hasAreas))
                            item.element("span", text: name)
                        }
                    }
                }
            }
            for drawing in figure.drawings { markup.append(drawing) }
            if let data = figure.table, !data.rows.isEmpty {
                markup.element("details") { details in
                    details.element("summary", text: "The numbers behind it")
                    table(data, &details)
                }
            }
        }
        body.writeOwn("\n")
    }

    func table(_ table: ReportTable, _ body: inout Markup) {
        let shown = table.rows.prefix(ReportTable.rowsMax)
        body.element(
            "div",
            ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": table.caption]
        ) { region in
            region.element("table") { markup in
                markup.element("caption", text: table.caption)
                markup.element("thead") { head in
                    head.element("tr") { row in
                        for column in table.columns {
                            row.element(
                                "th",
                                ["scope": "col", "class": column.isNumber ? "number" : "words"],
                                text: column.title)
                        }
                    }
                }
                markup.element("tbody") { rows in
                    for cells in shown { self.row(cells, table.columns, &rows) }
                }
            }
        }
        let left = table.rows.count - shown.count
        if left > 0 {
            body.element(
                "p", ["class": "muted"],
                text:
                    "\(GateText.count(left, "row")) left out; a report written to a .csv file has every run."
            )
        }
    }

    func row(
        _ cells: [ReportTable.Cell], _ columns: [ReportTable.Column], _ body: inout Markup
    ) {
        body.element("tr") { row in
            for (place, cell) in cells.enumerated() {
                let isNumber = columns.indices.contains(place) && columns[place].isNumber
                var style = isNumber ? "number" : "words"
                if cell.text.utf8.count > 60 { style += " long" }
                if cell.tone != .plain { style += " \(cell.tone.rawValue)" }
                if place == 0 {
                    row.element("th", ["scope": "row", "class": style], text: cell.text)
                } else {
                    row.element("td", ["class": style], text: cell.text)
                }
            }
        }
        body.writeOwn("\n")
    }
}
