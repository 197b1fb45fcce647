import Foundation
import Testing

/// Files that stand for far more than they are, read by a process that may neither take much memory
/// nor much time: 64 MiB of data, two seconds of CPU time for a build without optimisation.
@Suite("Hostile scenario files")
struct HostileFileTests {
    struct File: CustomTestStringConvertible, Sendable {
        var name: String
        var text: String
        var expected: String
        var testDescription: String { name }
    }

    private static func scenario(_ operation: String, rate: String = "1") -> String {
        """
        version: 1
        name: hostile
        services: {a: {operations: {o: {\(operation)}, p: {}}}}
        traffic: [{root: a/o, stages: [{duration: 1s, rate: \(rate)}]}]
        """
    }

    private static let bomb: String = {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1..<8 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        return text + "? *a7\n: boom, for those who hash keys\n"
    }()

    static let files = [
        File(name: "aliases", text: bomb, expected: "x.yaml:1:5: "),
        File(
            name: "nesting", text: String(repeating: "[", count: 1 << 20),
            expected: "x.yaml:1:1026: "),
        File(
            name: "nested keys", text: String(repeating: "{{a: 1}: ", count: 100_000),
            expected: "x.yaml:1:2: "),
        File(
            name: "values", text: "[" + String(repeating: "a,", count: 500_000) + "]",
            expected: "x.yaml:1:200000: "),
        File(name: "not a number", text: scenario("self: .nan"), expected: "x.yaml:3:39: "),
        File(name: "infinity", text: scenario("self: 1e999999999s"), expected: "x.yaml:3:39: "),
        File(name: "a negative rate", text: scenario("", rate: "-5"), expected: "x.yaml:4:53: "),
        File(
            name: "repeats", text: scenario("script: [{call: {to: a/p, repeat: 1000000000000}}]"),
            expected: "x.yaml:3:67: "),
        File(
            name: "the same key", text: "{" + String(repeating: "a: 1,", count: 200_000) + "}",
            expected: "x.yaml:1:7: "),
        File(
            name: "NUL bytes", text: "version: 1\nname: " + String(repeating: "\0", count: 9999),
            expected: "x.yaml:2:7: "),
        File(name: "size", text: String(repeating: "#", count: 3 << 20), expected: "x.yaml:1:1: "),
        File(
            name: "references",
            text: scenario(
                "script: ["
                    + (0..<20_000).map { "{call: a/x\($0)}" }.joined(separator: ", ") + "]"),
            expected: "x.yaml:3:49: "),
    ]

    @Test("are refused with the place, in little memory and time", arguments: files)
    func file(_ file: File) throws {
        let scratch = try Scratch()
        _ = try scratch.file("x.yaml", file.text)
        let command = try Command.run(
            shell: "ulimit -d 65536; ulimit -t 20; exec \"$TRACEMILL\" validate x.yaml",
            folder: scratch.url)
        #expect(command.exitCode == 2)
        #expect(command.errors.hasPrefix("tracemill: " + file.expected), "\(command.errors)")
        #expect(command.output.isEmpty)
    }

    @Test(
        "that are no files are refused at once",
        arguments: [
            "mkfifo x.yaml", "mkdir x.yaml", "ln -s /dev/zero x.yaml", "ln -s x.yaml x.yaml",
        ])
    func special(make: String) throws {
        let scratch = try Scratch()
        let command = try Command.run(
            shell: "\(make); ulimit -d 65536; ulimit -t 20; exec \"$TRACEMILL\" validate x.yaml",
            folder: scratch.url)
        #expect(command.exitCode == 2)
        #expect(
            command.errors.hasPrefix("tracemill: x.yaml:1:1: cannot read the scenario file"),
            "\(command.errors)")
    }

    @Test("of which some are good are told apart, each with all of its mistakes")
    func several() throws {
        let scratch = try Scratch()
        _ = try scratch.file("good.yaml", Scenarios.shop())
        _ = try scratch.file("bad.yaml", Self.scenario("slef: 1ms, kind: sever"))
        _ = try scratch.file("worse.yaml", "a: b: c")
        let command = try Command.run(
            ["validate", "bad.yaml", "good.yaml", "worse.yaml"], folder: scratch.url)
        #expect(command.exitCode == 2)
        #expect(command.output.hasPrefix("good.yaml: ok"))
        for part in [
            "bad.yaml:3:33: unknown key `slef`", "did you mean `self`?", "bad.yaml:3:50: ",
            "did you mean `server`?", "worse.yaml:1:5: not YAML", "2 of 3 files",
        ] {
            #expect(command.errors.contains(part), "\(part) is not in: \(command.errors)")
        }
    }
}
