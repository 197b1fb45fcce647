import Testing

@testable import TraceResults

@Suite("Declared against seen")
struct GraphComparisonTests {
    /// A graph of `(from, to, calls for each trace)`.
    private func graph(
        _ calls: [(String, String, Double)], traces: UInt64 = 10_000
    ) -> ServiceGraph {
        var graph = ServiceGraph()
        graph.traces = traces
        for (from, to, rate) in calls {
            for name in [from, to] where !graph.nodes.contains(where: { $0.name == name }) {
                graph.nodes.append(ServiceGraph.Node(.service, name))
            }
            var edge = ServiceGraph.Edge()
            edge.from = graph.nodes.firstIndex { $0.name == from } ?? 0
            edge.to = graph.nodes.firstIndex { $0.name == to } ?? 0
            edge.callsPerTrace = rate
            graph.edges.append(edge)
        }
        return graph
    }

    private func findings(
        _ declared: [(String, String, Double)], _ seen: [(String, String, Double)],
        traces: UInt64 = 10_000
    ) -> [GraphComparison.Row.Finding] {
        GraphComparison(
            declared: graph(declared), seen: graph(seen, traces: traces), isDeclaredExact: true
        ).rows.map(\.finding)
    }

    @Test("what is missing, what nobody declared and what differs is told apart")
    func findings() {
        let declared = [("a", "b", 1.0), ("a", "c", 0.5), ("b", "d", 2.0)]
        #expect(
            findings(declared, [("a", "b", 1.02), ("b", "d", 1.0), ("b", "e", 0.1)])
                == [.asDeclared, .missing, .differs, .undeclared])
        #expect(findings(declared, declared) == [.asDeclared, .asDeclared, .asDeclared])
    }

    @Test("chance is no difference: few traces may be off by much, many by little")
    func chance() {
        // 100 traces of which half should call: 50 ± 7.
        #expect(findings([("a", "b", 0.5)], [("a", "b", 0.3)], traces: 100) == [.asDeclared])
        #expect(findings([("a", "b", 0.5)], [("a", "b", 0.3)], traces: 10_000) == [.differs])
        #expect(findings([("a", "b", 0.5)], [("a", "b", 0.47)], traces: 10_000) == [.asDeclared])
        // One call in a thousand traces need not be seen in a thousand.
        #expect(findings([("a", "b", 0.001)], [], traces: 1_000) == [.asDeclared])
        #expect(findings([("a", "b", 0.001)], [], traces: 100_000) == [.missing])
    }

    @Test("nodes of one name and two kinds are two")
    func kinds() {
        let declared = graph([("a", "b", 1)])
        var seen = graph([("a", "b", 1)])
        seen.nodes[1].kind = .database
        let comparison = GraphComparison(declared: declared, seen: seen, isDeclaredExact: false)
        #expect(comparison.rows.map(\.finding) == [.missing, .undeclared])
        #expect(comparison.text().contains("a → b (database)"))
        #expect(comparison.text().contains("1 missing, 1 not declared; declared rates leave out"))
        #expect(!comparison.holds)
    }

    @Test("names cannot reach the terminal, and a table is as wide as its longest name at most")
    func hostile() {
        let name = "\u{1B}[2J" + String(repeating: "x", count: 300)
        let text = GraphComparison(
            declared: graph([(name, "b", 1)]), seen: graph([]), isDeclaredExact: true
        ).text()
        #expect(!text.contains("\u{1B}"))
        #expect(text.split(separator: "\n").allSatisfy { TerminalText.width($0) < 120 })
    }

    @Test("a graph whose edges lead nowhere is told")
    func defect() {
        var broken = graph([("a", "b", 1)])
        #expect(broken.defect == nil)
        broken.edges[0].to = 7
        #expect(broken.defect != nil)
        broken.edges[0].to = -1
        #expect(broken.defect != nil)
    }

    @Test("sorting keeps every edge between its nodes")
    func sort() {
        var graph = graph([("z", "b", 1), ("a", "z", 2), ("b", "a", 3)])
        graph.sort()
        #expect(graph.nodes.map(\.name) == ["a", "b", "z"])
        let pairs = graph.edges.map { edge in
            graph.nodes[edge.from].name + graph.nodes[edge.to].name
        }
        #expect(pairs == ["az", "ba", "zb"])
        #expect(graph.edges.map(\.callsPerTrace) == [2, 3, 1])
    }
}
