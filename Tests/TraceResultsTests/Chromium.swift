import CZlib
import Foundation
import Testing

/// A headless Chromium, as Debian's package brings it.
struct Chromium {
    /// What a page looked like and what the browser said about it.
    struct Visit {
        /// The document after it was loaded, as HTML.
        var document: String
        /// What the browser wrote about the page: script errors and refusals of its security policy.
        var console: [String]
    }

    enum Theme: String, CaseIterable {
        case light
        case dark
    }

    /// nil where there is none: a contributor's machine may lack it, continuous integration may not.
    static let installed: Chromium? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome"] {
            for folder in folders {
                let path = "\(folder)/\(name)"
                if FileManager.default.isExecutableFile(atPath: path) {
                    return Chromium(path: path)
                }
            }
        }
        return nil
    }()

    /// Whether tests that need it run: they do in continuous integration, and fail there without it.
    static var isWanted: Bool {
        installed != nil || ProcessInfo.processInfo.environment["CI"] == "true"
    }

    static func required() throws -> Chromium {
        try #require(
            installed,
            "no chromium on the PATH: `.ci/install chromium` brings it (Debian's package chromium)")
    }

    let path: String

    /// Loads a page and tells what became of it.
    func visit(_ page: URL) throws -> Visit {
        let (output, errors) = try run(
            page, ["--dump-dom", "--virtual-time-budget=4000"])
        return Visit(document: output, console: errors.filter { $0.contains("CONSOLE") })
    }

    /// Loads a page and takes a picture of its top.
    func picture(
        of page: URL, width: Int, height: Int, theme: Theme
    ) throws -> (picture: Picture, console: [String]) {
        let file = page.deletingLastPathComponent().appendingPathComponent("\(UUID()).png")
        defer { try? FileManager.default.removeItem(at: file) }
        let (_, errors) = try run(
            page,
            ["--screenshot=\(file.path)", "--window-size=\(width),\(height)"], theme: theme)
        let bytes = try [UInt8](Data(contentsOf: file))
        return (try Picture(png: bytes), errors.filter { $0.contains("CONSOLE") })
    }

    private func run(
        _ page: URL, _ arguments: [String], theme: Theme = .light
    ) throws -> (output: String, errors: [String]) {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-browser-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (output, errors) = (
            folder.appendingPathComponent("out"), folder.appendingPathComponent("err")
        )
        for file in [output, errors] { try Data().write(to: file) }
        let process = Process()
        // Nothing that hangs may outlive the test.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments =
            [
                "--kill-after=5", "120", path, "--headless=new", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-default-apps", "--disable-extensions", "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
                "--user-data-dir=\(folder.appendingPathComponent("profile").path)",
                "--enable-logging=stderr",
                "--blink-settings=preferredColorScheme=\(theme == .dark ? 0 : 1)",
            ] + arguments + [page.absoluteString]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        let said = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        try #require(process.terminationStatus == 0, "\(said.suffix(800))")
        return (
            String(decoding: try Data(contentsOf: output), as: UTF8.self),
            said.split(separator: "\n").map(String.init)
        )
    }
}

/// The pixels of a PNG file as a browser writes it: eight bits, three or four channels, not interlaced.
struct Picture {
    struct Damaged: Error {}

    let width: Int
    let height: Int
    /// 0xRRGGBB, row by row.
    private(set) var pixels: [UInt32] = []

    init(png bytes: [UInt8]) throws {
        func number(_ place: Int) -> Int {
            bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        guard bytes.count > 33, bytes[24] == 8, bytes[28] == 0, [2, 6].contains(bytes[25]) else {
            throw Damaged()
        }
        (width, height) = (number(16), number(20))
        let channels = bytes[25] == 6 ? 4 : 3
        var packed: [UInt8] = []
        var place = 8
        while place + 12 <= bytes.count {
            let length = number(place)
            if bytes[place + 4..<place + 8].elementsEqual("IDAT".utf8) {
                packed += bytes[place + 8..<place + 8 + length]
            }
            place += 12 + length
        }
        let stride = width * channels
        var raw = [UInt8](repeating: 0, count: (stride + 1) * height)
        var count = uLongf(raw.count)
        guard unsafe uncompress(&raw, &count, packed, uLong(packed.count)) == Z_OK,
            Int(count) == raw.count
        else { throw Damaged() }
        pixels.reserveCapacity(width * height)
        var above = [UInt8](repeating: 0, count: stride)
        var row = above
        for line in 0..<height {
            let start = line * (stride + 1)
            let filter = raw[start]
            for index in 0..<stride {
                let left = index >= channels ? Int(row[index - channels]) : 0
                let up = Int(above[index])
                let corner = index >= channels ? Int(above[index - channels]) : 0
                let guess =
                    switch filter {
                    case 1: left
                    case 2: up
                    case 3: (left + up) / 2
                    case 4: Self.paeth(left, up, corner)
                    default: 0
                    }
                row[index] = raw[start + 1 + index] &+ UInt8(truncatingIfNeeded: guess)
            }
            for index in Swift.stride(from: 0, to: stride, by: channels) {
                pixels.append(
                    UInt32(row[index]) << 16 | UInt32(row[index + 1]) << 8 | UInt32(row[index + 2]))
            }
            swap(&above, &row)
        }
    }

    /// The colour that most pixels of the leftmost columns have.
    var background: UInt32 {
        let edge = (0..<height).flatMap { row in pixels[row * width..<row * width + 4] }
        return Dictionary(grouping: edge) { $0 }.max { $0.value.count < $1.value.count }?.key ?? 0
    }

    /// How many different colours there are.
    var colourCount: Int { Set(pixels).count }

    /// Share of pixels that are not of the background.
    var inkShare: Double {
        let background = background
        return Double(pixels.count { $0 != background }) / Double(max(1, pixels.count))
    }

    private static func paeth(_ left: Int, _ up: Int, _ corner: Int) -> Int {
        let guess = left + up - corner
        let distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
        if distances.0 <= distances.1, distances.0 <= distances.2 { return left }
        return distances.1 <= distances.2 ? up : corner
    }
}
