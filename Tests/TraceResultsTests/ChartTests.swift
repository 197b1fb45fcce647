import Glibc
import Testing

@testable import TraceResults

/// What charts are made of: axes that place values, an escape that nothing passes, colours that can be read.
@Suite("Charts")
struct ChartTests {
    @Test("a linear axis covers its values with even steps of 1, 2 or 5")
    func linear() {
        let axis = ChartAxis.linear("x", covering: [3, 17, 42], includesZero: true) { "\($0)" }
        #expect(axis.ticks.map(\.value) == [0, 10, 20, 30, 40, 50])
        #expect(axis.share(of: 0) == 0)
        #expect(axis.share(of: 25) == 0.5)
        #expect(axis.share(of: 50) == 1)
        #expect(axis.share(of: 99) == 1)
        let signed = ChartAxis.linear("x", covering: [-0.07, 0.03]) { _ in "" }
        #expect(abs(signed.share(of: 0) - 2.0 / 3) < 1e-12)
    }

    @Test("on a logarithmic axis equal ratios are equally far apart")
    func logarithmic() {
        let axis = ChartAxis.logarithmic("ns", covering: [45, 3_200_000]) { "\($0)" }
        #expect(axis.lower <= 45 && axis.upper >= 3_200_000)
        let (left, middle, right) = (
            axis.share(of: 100), axis.share(of: 1_000), axis.share(of: 10_000)
        )
        #expect(abs((middle - left) - (right - middle)) < 1e-12)
        // Over many decades only powers of ten are written.
        #expect(axis.ticks.contains { $0.value.rounded() == 1000 })
        #expect(!axis.ticks.contains { $0.value.rounded() == 2000 })
    }

    @Test("on the axis of percentiles each further nine takes the same room")
    func percentiles() {
        let axis = ChartAxis.percentiles("percentile", upTo: 0.9999)
        let shares = [0.9, 0.99, 0.999, 0.9999].map { axis.share(of: $0) }
        for (index, share) in shares.enumerated() {
            #expect(abs(share - Double(index + 1) / 4) < 1e-9)
        }
        // The median lies at log 2 of the way to the first nine.
        #expect(abs(axis.share(of: 0.5) - log10(2) / 4) < 1e-12)
        #expect(axis.ticks.map(\.label) == ["0%", "50%", "90%", "99%", "99.9%", "99.99%"])
    }

    @Test("an axis of nothing, of one value or of absurd ones still has room and ends")
    func degenerate() {
        let lists: [[Double]] = [
            [], [0], [7], [-7], [.nan, .infinity], [1e308, -1e308], [.leastNonzeroMagnitude],
            [1e15, 1e15 + 1],
        ]
        for values in lists {
            for axis in [
                ChartAxis.linear("", covering: values) { _ in "" },
                ChartAxis.linear("", covering: values, includesZero: true) { _ in "" },
                ChartAxis.logarithmic("", covering: values) { _ in "" },
                ChartAxis.percentiles("", upTo: values.first ?? .nan),
            ] {
                #expect(axis.upper > axis.lower, "\(values)")
                #expect(axis.ticks.count <= 64)
                for value in values + [0, 1, -1] {
                    #expect((0...1).contains(axis.share(of: value)), "\(values) \(value)")
                }
            }
        }
    }

    @Test("no text becomes markup, and none steers a terminal")
    func escaping() {
        var markup = Markup()
        let hostile = "</script><img src=x onerror=\"alert('1')\">&\u{1b}[31m\u{202e}\u{FFFE}"
        markup.element("p", ["title": hostile], text: hostile)
        let text = markup.text
        #expect(text.hasPrefix("<p title=\"&#60;/script&#62;"))
        #expect(text.filter { $0 == "<" }.count == 2)
        #expect(text.filter { $0 == "\"" }.count == 2)
        #expect(!text.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202E })
        #expect(EscapedText.markup("plain – ü 漢") == "plain – ü 漢")
    }

    @Test("coordinates have one decimal, and what is no number is harmless")
    func coordinates() {
        #expect(Markup.coordinate(12.34) == "12.3")
        #expect(Markup.coordinate(-0.26) == "-0.3")
        #expect(Markup.coordinate(-0.01) == "0")
        #expect(Markup.coordinate(100) == "100")
        #expect(Markup.coordinate(.nan) == "0")
        #expect(Markup.coordinate(1e300) == "0")
    }

    @Test(
        "text stands out by 4.5 to 1 and marks by 3 to 1, light and dark", arguments: [true, false])
    func contrast(isLight: Bool) {
        let palette = isLight ? ChartPalette.light : ChartPalette.dark
        for background in ChartPalette.backgroundNames {
            let behind = luminance(palette.colour(background))
            for name in ChartPalette.textNames {
                let ratio = contrast(luminance(palette.colour(name)), behind)
                #expect(ratio >= 4.5, "\(name) on \(background): \(ratio)")
            }
        }
        let card = luminance(palette.colour("card"))
        #expect(palette.series.count == ChartPalette.seriesCount)
        #expect(Set(palette.series).count == ChartPalette.seriesCount)
        for colour in palette.series + [palette.colour("axis")] {
            #expect(contrast(luminance(colour), card) >= 3, "\(colour)")
        }
        // Labels and marks also stand on the zone of the budget.
        let zone = luminance(palette.colour("zone"))
        #expect(contrast(luminance(palette.colour("text")), zone) >= 4.5)
        for colour in palette.series {
            #expect(contrast(luminance(colour), zone) >= 3, "\(colour)")
        }
    }

    /// Relative luminance by WCAG 2.2.
    private func luminance(_ colour: String) -> Double {
        let digits = Array(colour.dropFirst())
        let parts = stride(from: 0, to: 6, by: 2).map { place in
            Double(Int(String(digits[place...place + 1]), radix: 16) ?? 0) / 255
        }.map { $0 <= 0.04045 ? $0 / 12.92 : pow(($0 + 0.055) / 1.055, 2.4) }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }

    private func contrast(_ left: Double, _ right: Double) -> Double {
        (max(left, right) + 0.05) / (min(left, right) + 0.05)
    }
}
