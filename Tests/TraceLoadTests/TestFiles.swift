import Foundation

@testable import TraceLoad

/// Files that only tests write.
enum ScenarioDocumentProbe {
    static func read(bytes: [UInt8]) -> ScenarioIssue? {
        let url = FileManager.default.temporaryDirectory.appending(
            path: "tracemill-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: url) }
        do {
            try Data(bytes).write(to: url)
            _ = try Scenario.load(path: url.path)
            return nil
        } catch let errors as ScenarioErrors {
            return errors.issues[0]
        } catch {
            return nil
        }
    }

    static func readMissing() -> ScenarioIssue.Kind? {
        do throws(ScenarioErrors) {
            _ = try Scenario.load(path: "/nonexistent/\(UUID().uuidString).yaml")
            return nil
        } catch {
            return error.issues[0].kind
        }
    }
}

/// The scenarios of the repository.
enum RepositoryScenario: String, CaseIterable {
    case checkout, realtime, minimal, propagation

    static let folder: URL = {
        // Found from this file, through links: Tests/TraceLoadTests/TestFiles.swift.
        let here = URL(filePath: #filePath).resolvingSymlinksInPath()
        return here.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "scenarios")
    }()

    func compiled() throws(ScenarioErrors) -> CompiledScenario {
        try CompiledScenario(path: Self.folder.appending(path: "\(rawValue).yaml").path)
    }
}

/// A compiled scenario with these services and one constant stage of 100 traces a second.
func compiled(
    services: String, root: String, top: String = "",
    traffic: String = "arrival: constant, stages: [{duration: 100s, rate: 100}]"
) throws(ScenarioErrors) -> CompiledScenario {
    let text = """
        version: 1
        name: test
        \(top)
        services:
        \(services.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))
        traffic: [{root: \(root), \(traffic)}]
        """
    return CompiledScenario(try Scenario.parse(text, file: "test.yaml"))
}

/// The first plans of a scenario.
func plans(_ compiled: CompiledScenario, count: Int) -> PlanBatch {
    var simulation = TraceSimulation(compiled, output: .batch)
    return simulation.plans(arrivals: count)
}
