import Foundation
import Testing

@testable import TraceLoad

@Suite struct ScenarioMutationTests {
    private let mutations = 120

    /// Damage of the kinds that editing makes: bytes changed, lines dropped, doubled, indented, and
    /// values swapped for troublesome ones.
    private func mutate(_ text: String, _ random: inout RandomStream) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let troublesome = [
            "-1", "0", "1e308", "99999999999999999999", "24h", "0ms", "{}", "[]", "\"\"", "~",
            "max",
            "100%", "1e-300", "{uniform: [0ms, 24h]}", "{exponential: {mean: 24h}}", "\u{0}", "é",
            "{pareto: {min: 1ms, shape: 0.01}}",
        ]
        for _ in 0...random.below(3) {
            let line = Int(random.below(UInt64(lines.count)))
            switch random.below(6) {
            case 0: lines.remove(at: line)
            case 1: lines.insert(lines[line], at: line)
            case 2: lines[line] = "  " + lines[line]
            case 3:
                var bytes = Array(lines[line].utf8)
                guard !bytes.isEmpty else { break }
                bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(32 + random.below(95))
                lines[line] = String(decoding: bytes, as: UTF8.self)
            default:
                guard let colon = lines[line].lastIndex(of: ":") else { break }
                let value = troublesome[Int(random.below(UInt64(troublesome.count)))]
                lines[line] = String(lines[line][...colon]) + " " + value
            }
            if lines.isEmpty { lines = ["version: 1"] }
        }
        return lines.joined(separator: "\n")
    }

    @Test(arguments: [EveryKey.text, "checkout", "realtime"], [1, 2, 3] as [UInt64])
    func `A damaged file is refused with places, or planned without a trap`(
        _ source: String, _ seed: UInt64
    ) throws {
        var text = source
        if let scenario = RepositoryScenario(rawValue: source) {
            let url = RepositoryScenario.folder.appending(path: "\(scenario.rawValue).yaml")
            text = try String(contentsOf: url, encoding: .utf8)
        }
        var random = RandomStream(seed: seed, position: 77)
        var accepted = 0
        for _ in 0..<mutations {
            do throws(ScenarioErrors) {
                let scenario = try Scenario.parse(mutate(text, &random))
                accepted += 1
                _ = Topology(scenario).text()
                let batch = plans(CompiledScenario(scenario), count: 3)
                for plan in batch.traces { #expect(plan.eventCount >= 2 * plan.spanCount) }
            } catch {
                for issue in error.issues {
                    #expect(issue.position.line >= 1 && issue.position.column >= 1)
                    #expect(!issue.message.isEmpty)
                }
            }
        }
        // The file of every key is so dense that little damage passes.
        #expect(accepted > 0 || source == EveryKey.text)
    }
}
