import Testing

@testable import TraceLoad

/// Files that ask for too much: deep, wide, large, or full of aliases. And the words that errors suggest.
@Suite struct ScenarioBoundsTests {
    @Test func `Calls nested too deep are refused, in whatever order they are written`() {
        for isReversed in [false, true] {
            var names = Array(0..<150)
            if isReversed { names.reverse() }
            let operations = names.map {
                $0 == 149 ? "o149: {self: 1ms}" : "o\($0): {script: [{call: s/o\($0 + 1)}]}"
            }
            let text = """
                version: 1
                name: deep
                services: {s: {operations: {\(operations.joined(separator: ", "))}}}
                traffic: [{root: s/o0, stages: [{duration: 1s, rate: 1}]}]
                """
            #expect(errors(text).contains { $0.message.contains("nested more than 100 deep") })
        }
    }

    @Test func `A bomb of aliases is refused before anything is composed`() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        text += "? *a11\n: boom\n"
        // Composing it would take all memory there is.
        #expect(errors(text).map(\.kind) == [.anchor])
    }

    @Test(arguments: [
        "description: \"a & b, *not an alias*\"", "description: 'it''s *fine*'",
        "description: a * b & c", "description: |\n  * a list\n  & more",
        "description: >-\n  *x*\n",
        "description: plain # *comment &x", "description: \"\\\" *x\"",
    ])
    func `Ampersands and asterisks in texts are no anchors`(_ line: String) {
        #expect(firstAnchorOrAlias(in: "version: 1\n\(line)\nname: x\n") == nil)
    }

    @Test func `Sizes are bounded`() throws {
        let long = "version: 1\nname: " + String(repeating: "x", count: 1 << 20)
        #expect(errors(long).map(\.kind) == [.tooLarge])
        let wide = "a: [" + String(repeating: "1,", count: 100_001) + "1]\n"
        #expect(errors(wide).map(\.kind) == [.tooLarge])
        let nested = String(repeating: "[", count: 100_000)
        #expect(errors(nested).first?.kind == .notYAML)
        let binary = ScenarioDocumentProbe.read(bytes: [0xFF, 0xFE, 0x00])
        #expect(binary == .notYAML)
        #expect(ScenarioDocumentProbe.readMissing() == .unreadable)
    }

    @Test func `More instances than plans can number are refused`() {
        let services = (0..<7).map { "s\($0): {instances: 9000, operations: {o: {}}}" }
        let text = """
            version: 1
            name: wide
            services: {\(services.joined(separator: ", "))}
            traffic: [{root: s0/o, stages: [{duration: 1s, rate: 1}]}]
            """
        #expect(errors(text).map(\.kind) == [.tooLarge])
    }

    @Test func `The nearest word is found within reason`() {
        #expect(nearestWord(to: "instnaces", among: ["instances", "resource"]) == "instances")
        #expect(nearestWord(to: "Rate", among: ["rate"]) == "rate")
        #expect(nearestWord(to: "abcdefgh", among: ["rate", "shape"]) == nil)
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
        #expect(editDistance(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(editDistance([], Array("abc".utf8)) == 3)
    }
}
