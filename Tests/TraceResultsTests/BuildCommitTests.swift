import Testing

@testable import TraceResults

/// The commit in a program's build ID: read where it is, and nothing else taken for it.
@Suite("Build commit")
struct BuildCommitTests {
    private static let commit = "0123456789abcdef0123456789abcdef01234567"

    private static func bytes(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func note(_ name: String, kind: Int, _ content: [UInt8]) -> [UInt8] {
        let name = Array(name.utf8) + [0]
        func padded(_ bytes: [UInt8]) -> [UInt8] {
            bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        return bytes(name.count, 4) + bytes(content.count, 4) + bytes(kind, 4) + padded(name)
            + padded(content)
    }

    /// An ELF file with a segment that is no note, and one of notes.
    private static func program(_ notes: [UInt8], identification: [UInt8] = [2, 1]) -> [UInt8] {
        var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46] + identification
        header += [UInt8](repeating: 0, count: 26) + bytes(64, 8) + bytes(0, 14)
        header += bytes(56, 2) + bytes(2, 2) + bytes(0, 6)
        func segment(_ kind: Int, at place: Int, length: Int) -> [UInt8] {
            bytes(kind, 4) + bytes(4, 4) + bytes(place, 8) + bytes(0, 16) + bytes(length, 8)
                + bytes(0, 16)
        }
        return header + segment(1, at: 0, length: 176) + segment(4, at: 176, length: notes.count)
            + notes
    }

    private static var identifier: [UInt8] {
        BuildCommit.mark
            + stride(from: 0, to: commit.count, by: 2).map { place in
                let start = commit.index(commit.startIndex, offsetBy: place)
                return UInt8(commit[start..<commit.index(start, offsetBy: 2)], radix: 16) ?? 0
            }
    }

    @Test("found among other notes, and given as git writes it")
    func found() {
        let notes =
            Self.note("Linux", kind: 3, Array(repeating: 1, count: 29))
            + Self.note("GNU", kind: 1, [1, 2, 3]) + Self.note("GNU", kind: 3, Self.identifier)
        #expect(BuildCommit.commit(inProgram: Self.program(notes)) == Self.commit)
    }

    @Test("a build ID that a linker made up, of another length or without the mark, is no commit")
    func others() {
        for content in [
            Array(Self.identifier.dropFirst(BuildCommit.mark.count)), Self.identifier + [0],
            Array(Self.identifier.dropLast()), BuildCommit.mark, [],
        ] {
            let notes = Self.note("GNU", kind: 3, content)
            #expect(BuildCommit.commit(inProgram: Self.program(notes)) == nil)
        }
        let notes = Self.note("GNU", kind: 3, Self.identifier)
        // 32 bits, and the other order of bytes.
        #expect(BuildCommit.commit(inProgram: Self.program(notes, identification: [1, 1])) == nil)
        #expect(BuildCommit.commit(inProgram: Self.program(notes, identification: [2, 2])) == nil)
        #expect(BuildCommit.commit(inProgram: Array("#!/bin/sh\n".utf8)) == nil)
    }

    @Test("a file that is cut off or lies about its lengths is read without a trap")
    func damaged() {
        let whole = Self.program(Self.note("GNU", kind: 3, Self.identifier))
        // The last three bytes fill up the note.
        for length in 0..<whole.count - 3 {
            #expect(BuildCommit.commit(inProgram: Array(whole.prefix(length))) == nil)
        }
        for place in whole.indices {
            var damaged = whole
            for value in [0x00, 0x7F, 0xFF] as [UInt8] {
                damaged[place] = value
                _ = BuildCommit.commit(inProgram: damaged)
            }
        }
    }

    @Test("these tests have none: only `make build` puts it in")
    func current() {
        #expect(BuildCommit.current.isEmpty)
    }
}
