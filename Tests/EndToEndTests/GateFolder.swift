import Foundation
import Testing

/// A folder with a scenario, and gates in it.
struct GateFolder {
    /// 200 traces with the same identifiers in every run.
    static func scenario(extra: String = "", stages: String = "{duration: 1s, rate: 200}")
        -> String
    {
        Scenarios.shop(
            extra: """
                ids: fixed
                variants:
                  plain: {}
                  half: {sampler: "parentbased_traceidratio:50%"}
                \(extra)
                """
        ).replacing("{duration: 300ms, rate: max}", with: stages)
    }

    /// The quickest gate: two pairs, a figure that follows from the seed.
    static let exact = ["--rounds", "2", "--budget", "keptSpans exact"]

    let scratch: Scratch
    let scenario: String

    init(_ text: String = GateFolder.scenario()) throws {
        scratch = try Scratch()
        scenario = try scratch.file("shop.yaml", text).path
    }

    func path(_ name: String) -> String { scratch.url.appendingPathComponent(name).path }

    func gate(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
        try Command.run(
            ["gate", "--quiet", "--json"] + arguments,
            environment: ["TMPDIR": scratch.url.path].merging(environment) { $1 },
            folder: scratch.url)
    }

    /// A gate of this build against itself, without the calibration kernel.
    func pairs(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
        try gate(
            [
                scenario, "--base", Command.executable.path, "--calibration-share", "0",
                "--output", path("gate.json"),
            ] + arguments, environment: environment)
    }

    /// A program that does what `script` says.
    func program(_ name: String, _ script: String) throws -> String {
        let file = try scratch.file(name, "#!/bin/sh\n" + script)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: file.path)
        return file.path
    }

    /// Changes the runs of a written result.
    func edit(_ name: String = "gate.json", _ change: (inout [String: Any]) -> Void) throws {
        let file = URL(fileURLWithPath: path(name))
        var document = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&document)
        try JSONSerialization.data(withJSONObject: document).write(to: file)
    }
}

extension Command {
    /// The JSON document that a gate wrote.
    func gateDocument() throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(errors)"
        )
    }

    /// The budgets of that document, judged.
    func gateRows() throws -> [[String: Any]] {
        try #require(try gateDocument()["rows"] as? [[String: Any]])
    }
}
