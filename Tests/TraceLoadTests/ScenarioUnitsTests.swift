import Testing

@testable import TraceLoad

@Suite struct ScenarioUnitsTests {
    @Test(arguments: [
        ("0", 0), ("250us", 250e3), ("5ms", 5e6), ("2s", 2e9), ("1m", 60e9), ("1h", 3600e9),
        ("3ns", 3), ("1.5ms", 1.5e6), ("1e3us", 1e6), ("12µs", 12e3), ("12μs", 12e3),
        (".5s", 0.5e9),
        ("24h", 86_400e9),
    ])
    func `Durations carry a unit`(_ text: String, _ ns: Double) {
        #expect(ScenarioUnits.durationNs(text) == ns)
    }

    @Test(arguments: [
        "", "5", "ms", "-1ms", "5 ms", "5mss", "0x5ms", "infs", "nans", "1e400s", "25h", "5MS",
        "1.2.3s",
    ])
    func `What is no duration is refused`(_ text: String) {
        #expect(ScenarioUnits.durationNs(text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("1", 1), ("0.25", 0.25), ("0.5%", 0.005), ("100%", 1), ("1e-3", 0.001),
        (".5", 0.5),
    ])
    func `Probabilities are shares or percentages`(_ text: String, _ share: Double) throws {
        let value = try #require(ScenarioUnits.probability(text))
        #expect(abs(value - share) < 1e-15)
    }

    @Test(arguments: ["", "%", "-0.1", "1.01", "101%", "half", "0x1", "nan", "1 %"])
    func `What is no probability is refused`(_ text: String) {
        #expect(ScenarioUnits.probability(text) == nil)
    }

    @Test func `Plain scalars become values by YAML's core schema, quoted ones stay texts`() throws
    {
        let compiled = try compiled(
            services: """
                s:
                  operations:
                    GET /a:
                      type: http
                      attributes: {a: 1, b: 1.5, c: true, d: yes, e: "1", f: text, g: 007x, h: -3}
                """, root: "s/GET /a")
        let shape = try #require(compiled.shapes.first { $0.kind == 2 })
        let values = shape.attributes
        func value(_ key: String) -> AttributeLiteral? { values.first { $0.key == key }?.value }
        #expect(value("a") == .integer(1))
        #expect(value("b") == .double(1.5))
        #expect(value("c") == .boolean(true))
        #expect(value("d") == .string("yes"))
        #expect(value("e") == .string("1"))
        #expect(value("f") == .string("text"))
        #expect(value("g") == .string("007x"))
        #expect(value("h") == .integer(-3))
    }
}
