import Testing

@testable import TracePipeline

/// Variables and files as nobody should write them.
@Suite("Damaged input")
struct DamagedInputTests {
    @Test(
        "Whatever the variables hold, only an endpoint is an error, and nothing steers a terminal")
    func anyValue() {
        var random = LinearGenerator(state: 7)
        let names = Array(Set(ConfigurationSetting.all.flatMap(\.variables))).sorted()
        let pieces = [
            "", " ", ",", "=", "%", "%4", "%zz", "%00", "%0a", "\u{1B}[2J", "\u{202E}", "\0", "é",
            "-", "1", "0", "9223372036854775808", "1e308", "nan", "infinity", "none", "all", "true",
            "otlp", "b3", "host", "drop", "traceidratio", "http://", "://", "@", "?", "#", "a=b",
        ]
        for _ in 0..<400 {
            var values: [String: String] = [:]
            for _ in 0..<4 {
                let name = names.randomElement(using: &random)!
                values[name] = (0..<Int.random(in: 1...4, using: &random))
                    .map { _ in pieces.randomElement(using: &random)! }.joined()
            }
            do {
                let effective = try TracingConfiguration.fromEnvironment(
                    values, logger: LogCapture().logger()
                ).effective
                let isHarmless = effective.table.unicodeScalars.allSatisfy {
                    $0 == "\n" || $0.properties.generalCategory != .control
                }
                #expect(isHarmless, "\(values)")
                for row in effective.rows {
                    guard case .environment(let variable) = row.origin else { continue }
                    #expect(values[variable] != nil, "\(row)")
                }
            } catch ConfigurationError.invalidEndpoint {
                #expect(values.keys.contains { $0.hasSuffix("ENDPOINT") })
            } catch {
                Issue.record("\(error) of \(values)")
            }
        }
    }

    @Test("Files with damage in any place cost attributes, never the program")
    func damage() {
        var random = LinearGenerator(state: 11)
        let samples = [
            ResourceDetectorTests.stat("shop ) (x", start: 12_345), ContainerDetectorTests.docker,
            ContainerDetectorTests.controlGroups.map(\.text).joined(separator: "\n"),
            "NAME=\"a \\\"b\\\" c\"\nVERSION_ID='1'\n# c\nX=\nY", "a=\"b\\\"\"\nc=\"\"\nd=\"",
        ].map { Array($0.utf8) }
        for _ in 0..<1_000 {
            var bytes = samples.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch UInt8.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(place...)
                default: bytes.remove(at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if let stat = ProcessDetector.Stat(text) { #expect(text.contains("\(stat.pid)")) }
            if let id = ContainerDetector.containerID(controlGroups: text) {
                #expect(text.contains(id))
            }
            if let id = ContainerDetector.containerID(mounts: text) { #expect(text.contains(id)) }
            #expect(OperatingSystemDetector.fields(of: text).keys.allSatisfy(text.contains))
            #expect(KubernetesDetector.labels(of: text).map(\.key).allSatisfy(text.contains))
        }
    }
}

/// Knuth's MMIX generator: the same sequence on every machine.
struct LinearGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}
