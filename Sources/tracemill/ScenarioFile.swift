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

extension ScenarioFile {
    /// The scenario with a variant's pipeline in place of its own.
    static func patched(_ scenario: Scenario, variant name: String) throws -> Scenario {
        guard let variant = scenario.variants.first(where: { $0.name == name }) else {
            throw CommandFailure.usage(noVariant(name, scenario))
        }
        return scenario.applying(variant)
    }

    /// A name without the spaces that a gate pads it with.
    static func trimmed(_ name: String) -> String {
        String(name.reversed().drop(while: \.isWhitespace).reversed())
    }

    /// What to say of a variant that is not there.
    static func noVariant(_ name: String, _ scenario: Scenario) -> String {
        let shown = TerminalText.neutralised(name.prefix(60))
        guard !scenario.variants.isEmpty else {
            return "the scenario has no variants, '\(shown)' is none: declare it under `variants`"
        }
        let names = scenario.variants.map(\.name).joined(separator: ", ")
        return "the scenario has no variant '\(shown)'; it has \(TerminalText.neutralised(names))"
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
    ///
    /// - Parameter option: what the place was named with.
    static func check(_ path: String, option: String = "--output") throws {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        // Another command may make it at the same moment.
        if unsafe !folder.isEmpty && access(folder, F_OK) != 0 && mkdir(folder, 0o777) != 0
            && errno != EEXIST
        {
            throw CommandFailure.usage(
                "cannot make the results folder \(folder): \(reason); write another place with "
                    + "\(option) FILE")
        }
        if unsafe access(folder.isEmpty ? "/" : folder, W_OK | X_OK) != 0 {
            throw CommandFailure.usage(
                "cannot write to the results folder \(folder): \(reason); write another place with "
                    + "\(option) FILE")
        }
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}

/// A result file's document around a run.
enum RunDocument {
    /// - Parameter scenario: as its file has it, whichever variant ran: variants of one file compare.
    static func result(_ record: RunRecord, of scenario: Scenario) -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: Build.version, commit: Build.commit)
        result.scenario = ScenarioFacts(scenario)
        result.environment = HostReader().environment()
        result.design.kind = .single
        result.runs = [record]
        return result
    }
}

extension ScenarioFacts {
    init(_ scenario: Scenario) {
        self.init(
            name: scenario.name, seed: scenario.seed, resolved: scenario.canonicalText,
            defaults: scenario.defaultsText)
    }
}
