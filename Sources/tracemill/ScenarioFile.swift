import Glibc
import TraceLoad
import TraceResults

/// Reading scenario files for the commands.
enum ScenarioFile {
    /// The scenario, checked and resolved; every error at once.
    static func compiled(_ path: String, seed: UInt64? = nil) throws -> CompiledScenario {
        CompiledScenario(try loaded(path, seed: seed))
    }

    static func loaded(_ path: String, seed: UInt64? = nil) throws -> Scenario {
        do {
            var scenario = try Scenario.load(path: path)
            if let seed { scenario.seed = seed }
            return scenario
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }
}

/// Where results go.
enum ResultPath {
    /// `results/<scenario>-<time>.json`, the name fit for a file.
    static func standard(for name: String) -> String {
        let fit = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let time = HostClock.timestamp(wallNs: HostClock.wallNs())
            .prefix(19).filter { $0 != "-" && $0 != ":" }
        return "results/\(String(fit))-\(time).json"
    }

    /// Makes the folder where it is missing, and sees that a file can be made in it.
    static func check(_ path: String) throws {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if unsafe !folder.isEmpty && access(folder, F_OK) != 0 && mkdir(folder, 0o777) != 0 {
            throw CommandFailure.usage(
                "cannot make the results folder \(folder): \(reason); write another place with "
                    + "--output FILE")
        }
        if unsafe access(folder.isEmpty ? "/" : folder, W_OK | X_OK) != 0 {
            throw CommandFailure.usage(
                "cannot write to the results folder \(folder): \(reason); write another place with "
                    + "--output FILE")
        }
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}

/// A result file's document around a run.
enum RunDocument {
    static func result(_ record: RunRecord, of compiled: CompiledScenario) -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: Build.version, commit: "")
        result.scenario = ScenarioFacts(
            name: compiled.scenario.name, seed: compiled.scenario.seed,
            resolved: compiled.scenario.canonicalText)
        result.environment = HostReader().environment()
        result.design.kind = .single
        result.runs = [record]
        return result
    }
}
