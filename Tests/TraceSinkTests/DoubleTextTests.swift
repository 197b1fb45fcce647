import FoundationEssentials
import Testing

@testable import TraceSink

/// Doubles on their way through the JSON that the sink answers with.
@Suite("A trace's doubles as text")
struct DoubleTextTests {
    @Test(
        "come back bit for bit",
        arguments: [
            0, -0.0, 1, -1.5, 0.1, 1.0 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e21,
            .infinity, -.infinity,
        ])
    func roundTrip(value: Double) throws {
        let json = try JSONEncoder().encode([OTLPTraces.DoubleText(value)])
        let back = try JSONDecoder().decode([OTLPTraces.DoubleText].self, from: json)
        #expect(back.map(\.value.bitPattern) == [value.bitPattern])
    }

    @Test("are what protobuf's JSON mapping has where JSON has no number")
    func strings() throws {
        let values = [-0.0, .infinity, -.infinity, .nan].map(OTLPTraces.DoubleText.init)
        let json = try JSONEncoder().encode(values)
        #expect(String(decoding: json, as: UTF8.self) == #"["-0","Infinity","-Infinity","NaN"]"#)
    }
}
