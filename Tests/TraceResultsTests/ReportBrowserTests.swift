import Foundation
import Testing

@testable import TraceResults

/// The page as a browser shows it.
@Suite("The report in a browser", .enabled(if: Chromium.isWanted), .serialized)
struct ReportBrowserTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-report-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func page(name: String = "shop") throws -> URL {
        let inputs = [SampleReport.gate(name: name), SampleReport.comparison(name: name)]
            .enumerated().map { ReportInput(path: "\($0).json", result: $1) }
        return try file(
            "report.html", ReportPage.html(of: inputs, courses: SampleReport.courses(name: name)))
    }

    private func file(_ name: String, _ text: String) throws -> URL {
        let file = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file
    }

    private func clean() { try? FileManager.default.removeItem(at: folder) }

    /// A page that shows another one in a frame of a given width, for no window is as narrow as a telephone, and
    /// that looks into it when it is there.
    private func frame(_ page: URL, width: Int, height: Int = 1200) throws -> URL {
        try file(
            "frame-\(width).html",
            """
            <!DOCTYPE html><html><body style="margin:0">
            <iframe id="frame" width="\(width)" height="\(height)" style="border:0"
            src="\(page.lastPathComponent)"></iframe><pre id="found"></pre>
            <script>
            document.getElementById('frame').onload = event => {
              const page = event.target.contentDocument, found = {};
              found.elements = page.querySelectorAll('*').length;
              found.active = page.querySelectorAll('script,img,iframe,object,embed,link,form,input').length;
              found.handlers = [...page.querySelectorAll('*')].flatMap(element => [...element.attributes])
                .filter(attribute => /^on|^style$|href$/.test(attribute.name) && !/^#/.test(attribute.value)).length;
              found.requests = event.target.contentWindow.performance.getEntriesByType('resource').length;
              found.width = page.documentElement.scrollWidth;
              const drawn = [...page.querySelectorAll('svg.chart')].filter(chart => chart.getClientRects().length);
              found.charts = drawn.length;
              found.overlaps = []; found.clipped = [];
              for (const chart of drawn) {
                const edge = chart.getBoundingClientRect();
                const texts = [...chart.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
                texts.forEach(([words, box], place) => {
                  if (box.left < edge.left - 2 || box.right > edge.right + 2 || box.top < edge.top - 2 || box.bottom > edge.bottom + 2)
                    found.clipped.push(words);
                  for (const [other, beside] of texts.slice(place + 1))
                    if (box.left < beside.right - 1 && beside.left < box.right - 1 && box.top < beside.bottom - 4 && beside.top < box.bottom - 4)
                      found.overlaps.push(words + ' / ' + other);
                });
              }
              found.styled = event.target.contentWindow.getComputedStyle(page.body).marginTop === '0px';
              document.getElementById('found').textContent = JSON.stringify(found);
            };
            </script></body></html>
            """)
    }

    private struct Found: Decodable {
        var elements: Int
        var active: Int
        var handlers: Int
        var requests: Int
        var width: Int
        var charts: Int
        var overlaps: [String]
        var clipped: [String]
        var styled: Bool
    }

    private func look(_ page: URL, width: Int) throws -> Found {
        let visit = try Chromium.required().visit(try frame(page, width: width))
        #expect(visit.console.isEmpty)
        let start = try #require(visit.document.firstRange(of: "<pre id=\"found\">")).upperBound
        let end = try #require(visit.document.firstRange(of: "</pre>")).lowerBound
        let text = visit.document[start..<end].replacing("&lt;", with: "<")
            .replacing("&gt;", with: ">").replacing("&amp;", with: "&")
        return try JSONDecoder().decode(Found.self, from: Data(text.utf8))
    }

    @Test("at both widths every chart is there, no label runs into another or out of its chart")
    func layout() throws {
        defer { clean() }
        let page = try page()
        for width in [360, 1440] {
            let found = try look(page, width: width)
            #expect(found.charts >= 10)
            #expect(found.width <= width, "the page is wider than its window")
            #expect(found.overlaps.isEmpty, "\(width) px: \(found.overlaps)")
            #expect(found.clipped.isEmpty, "\(width) px: \(found.clipped)")
            #expect(found.styled && found.requests == 0)
        }
    }

    @Test(
        "pictures at both widths in both themes have the theme's background and something on it",
        arguments: Chromium.Theme.allCases)
    func pictures(theme: Chromium.Theme) throws {
        defer { clean() }
        let page = try page()
        let palette = theme == .dark ? ChartPalette.dark : ChartPalette.light
        let background = UInt32(palette.colour("page").dropFirst(), radix: 16)
        for width in [360, 1440] {
            let shown = width < 500 ? try frame(page, width: width) : page
            let (picture, console) = try Chromium.required().picture(
                of: shown, width: max(500, width), height: 1200, theme: theme)
            #expect(console.isEmpty)
            #expect(picture.background == background, "\(width) px")
            #expect(picture.colourCount > 60, "\(width) px: nearly blank")
            #expect((0.1...0.95).contains(picture.inkShare), "\(width) px")
        }
    }

    @Test("without scripts it is the same page, to the pixel")
    func withoutScripts() throws {
        defer { clean() }
        let page = try page()
        let chromium = try Chromium.required()
        // A frame in a sandbox runs none.
        let pictures = try ["", "sandbox=\"\""].map { attribute in
            let frame = try file(
                "plain.html",
                "<!DOCTYPE html><html><body style=\"margin:0\"><iframe \(attribute) width=\"900\" "
                    + "height=\"700\" style=\"border:0\" src=\"\(page.lastPathComponent)\"></iframe>"
                    + "</body></html>")
            return try chromium.picture(of: frame, width: 900, height: 700, theme: .light).picture
        }
        #expect(pictures[0].pixels == pictures[1].pixels)
        #expect(pictures[1].colourCount > 60)
    }

    @Test("names that are markup, handlers and escapes make no element, run nothing, load nothing")
    func hostile() throws {
        defer { clean() }
        let page = try page(name: SampleReport.hostile)
        let found = try look(page, width: 1440)
        #expect(found.active == 0)
        #expect(found.handlers == 0)
        #expect(found.requests == 0)
        let visit = try Chromium.required().visit(page)
        #expect(visit.console.isEmpty)
        #expect(!visit.document.contains("<img"))
        #expect(visit.document.contains("&lt;img src=x onerror=alert(1)&gt;"))
    }

    @Test(
        "what these tests look for would be seen: refused styles, script errors, elements, overlaps"
    )
    func detects() throws {
        defer { clean() }
        let text = try String(contentsOf: page(), encoding: .utf8)
        let label = "<text class=\"tick\" x=\"40\" y=\"40\">one</text>"
        let spoilt = text.replacing("</main>", with: "<img src=\"x.png\" onerror=\"1\"/></main>")
            .replacing("<desc", with: label + label + "<desc", maxReplacements: 40)
            .replacing("<style>", with: "<style> ")
        let page = try file("spoilt.html", spoilt)
        let visit = try Chromium.required().visit(page)
        #expect(!visit.console.isEmpty)
        let frame = try Chromium.required().visit(try frame(page, width: 1440)).document
        #expect(frame.contains("one / one"))
        #expect(frame.contains("\"active\":1") && frame.contains("\"styled\":false"))
    }
}
