import Foundation
import Testing

/// Disks that are full, files that may not grow, folders that may not be written to: an error that says what
/// and where, exit code 2, the old file as it was, and nothing beside it.
@Suite("Disks", .serialized)
struct DiskTests {
    /// A command that writes `disk/old`; the files beside it are there for it.
    struct Writer: CustomTestStringConvertible, Sendable {
        var line: String
        /// The ending that the file has, since that says what to write.
        var ending = "json"
        var testDescription: String { line }
    }

    static let writers = [
        Writer(line: "run shop.yaml --quiet --output OLD"),
        Writer(line: "merge one.json two.json --output OLD"),
        Writer(line: "report one.json -o OLD", ending: "html"),
        Writer(line: "report one.json two.json -o OLD", ending: "md"),
        Writer(line: "compare one.json two.json --svg OLD", ending: "svg"),
        Writer(line: "compare one.json two.json --csv OLD", ending: "csv"),
        Writer(line: "gate --results gate.json --markdown OLD", ending: "md"),
        Writer(line: "gate --results gate.json --html OLD", ending: "html"),
        Writer(line: "history add one.json --database OLD", ending: "sqlite"),
    ]

    /// Result files to write from, made once.
    private static let source: Result<Scratch, any Error> = Result {
        let scratch = try Scratch()
        let text = Scenarios.shop(
            rate: "200",
            extra:
                "ids: fixed\nvariants: {plain: {}, half: {sampler: \"parentbased_traceidratio:50%\"}}"
        )
        _ = try scratch.file("shop.yaml", text)
        for line in [
            "run shop.yaml --quiet --shard 0/2 --output one.json",
            "run shop.yaml --quiet --shard 1/2 --output two.json",
            "gate shop.yaml --quiet --variant-base plain --variant-head half --rounds 1 "
                + "--calibration-share 0 --budget 'keptSpans exact' --output gate.json",
            "history add two.json --quiet --database old.sqlite",
        ] {
            let made = try Command.run(shell: "\"$TRACEMILL\" \(line)", folder: scratch.url)
            // The variants keep different spans: a verdict, and a result.
            try #require(made.exitCode == (line.hasPrefix("gate") ? 1 : 0), "\(made.errors)")
        }
        return scratch
    }

    /// Runs `line` in a folder `disk` that `prepare` makes what it is to be, once the old file is in it;
    /// `limit` goes before the command.
    private func attempt(
        _ writer: Writer, prepare: String, limit: String = ""
    ) throws -> Command {
        let scratch = try Self.source.get()
        let folder = try Scratch()
        for name in scratch.fileNames where !name.hasPrefix(".") {
            try FileManager.default.copyItem(
                at: scratch.url.appendingPathComponent(name),
                to: folder.url.appendingPathComponent(name))
        }
        if writer.ending != "sqlite" {
            _ = try folder.file("old.\(writer.ending)", "what was there before\n")
        }
        let old = "disk/old.\(writer.ending)"
        _ = try folder.file(
            "try.sh",
            """
            set -e
            mkdir disk
            \(prepare.replacing("OLD", with: "old.\(writer.ending)"))
            # Beside a history SQLite keeps files of its own, which whoever opens it next puts away.
            ls -A disk | grep -v -e -wal -e -shm > before
            (\(limit) exec "$TRACEMILL" \(writer.line.replacing("OLD", with: old))) || code=$?
            ls -A disk | grep -v -e -wal -e -shm > after
            cmp old.\(writer.ending) \(old)
            cmp before after
            exit ${code:-0}
            """)
        return try Command.run(
            shell: prepare.contains("mount") ? "unshare -m sh try.sh" : "sh try.sh",
            folder: folder.url)
    }

    private func expectRefused(_ command: Command, _ writer: Writer, _ reasons: [String]) {
        #expect(command.exitCode == 2, "\(command.errors) \(command.output)")
        #expect(command.errors.contains("disk"), "no place in: \(command.errors)")
        #expect(
            reasons.contains { command.errors.contains($0) }, "no reason in: \(command.errors)")
        // `cmp` speaks on standard output, and `ls` on standard error.
        #expect(!command.output.contains("differ"), "\(command.output)")
        #expect(!command.errors.contains("EOF"), "\(command.errors)")
    }

    @Test(
        "that are full leave the old file as it was",
        .enabled(if: MountNamespace.isPermitted, "needs a mount namespace: run it as root"),
        arguments: writers)
    func full(_ writer: Writer) throws {
        let command = try attempt(
            writer,
            prepare: """
                mount -t tmpfs -o size=256k none disk
                cp OLD disk/OLD
                cat /dev/zero > disk/filler 2>filled || true
                """)
        expectRefused(
            command, writer, ["No space left on device", "the disk is full", "the disk fails"])
    }

    @Test(
        "that may only be read are told from the others beforehand",
        .enabled(if: MountNamespace.isPermitted, "needs a mount namespace: run it as root"),
        arguments: writers)
    func readOnly(_ writer: Writer) throws {
        let command = try attempt(
            writer,
            prepare: """
                mount -t tmpfs none disk
                cp OLD disk/OLD
                mount -o remount,ro disk
                """)
        expectRefused(command, writer, ["Read-only file system", "readonly", "read-only"])
        #expect(!command.errors.contains("acked"))
    }

    @Test(
        "with a limit on the size of files are no end of the process",
        // What a gate says in Markdown is shorter than the least limit.
        arguments: writers.filter { !$0.line.contains("--markdown") })
    func limited(_ writer: Writer) throws {
        let command = try attempt(writer, prepare: "cp OLD disk/OLD", limit: "ulimit -f 1;")
        expectRefused(command, writer, ["ulimit -f"])
    }

    @Test(
        "where standard output goes are an error as well",
        arguments: [
            "validate --schema", "--help", "run shop.yaml --quiet --json --output r.json",
            "report --help", "topology shop.yaml", "history list --database old.sqlite --json",
        ])
    func output(_ line: String) throws {
        let scratch = try Self.source.get()
        let folder = try Scratch()
        for name in ["shop.yaml", "old.sqlite"] {
            try FileManager.default.copyItem(
                at: scratch.url.appendingPathComponent(name),
                to: folder.url.appendingPathComponent(name))
        }
        let full = try Command.run(
            shell: "exec \"$TRACEMILL\" \(line) > /dev/full", folder: folder.url)
        #expect(full.exitCode == 2)
        #expect(
            full.errors.contains("cannot write to standard output: No space left on device"),
            "\(full.errors)")
        // A reader that has seen enough is none; nor is an output that nobody wants.
        let cut = try Command.run(
            shell: "(\"$TRACEMILL\" \(line); echo $? >&2) | true", folder: folder.url)
        #expect(cut.errors == "0\n")
        let closed = try Command.run(
            shell: "exec \"$TRACEMILL\" \(line) >&- 2>&- <&-", folder: folder.url)
        #expect(closed.exitCode == 0)
    }
}
