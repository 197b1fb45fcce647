// The commit that a program was built from, read out of the program itself: `make build` has the linker write
// it into the ELF build ID, behind a mark of ours. So it goes along with every copy, is gone after a link
// without it, and is never that of a repository in whose folder the program happens to run.
// Source: System V gABI, "Program Header" and "Note Section"; gcc and lld, `--build-id=0x…`.

/// Reads the commit of a program.
package enum BuildCommit {
    /// What the build ID begins with, so that one which a linker made up is not taken for a commit.
    static let mark = Array("tracemill".utf8)
    /// Program headers and notes stand at the beginning of a program.
    private static let byteCountMax = 256 << 10

    /// The commit of the running program in hexadecimal; empty when it has none.
    package static let current: String =
        FileBytes.beginning(of: "/proc/self/exe", count: byteCountMax)
        .flatMap(commit(inProgram:)) ?? ""

    /// The commit in the beginning of an ELF file (64 bits, little-endian); nil for one without, and for
    /// whatever is no such file.
    static func commit(inProgram bytes: [UInt8]) -> String? {
        let reader = Reader(bytes: bytes)
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]),
            let table = reader.number(at: 32, width: 8), let size = reader.number(at: 54, width: 2),
            let count = reader.number(at: 56, width: 2), size >= 56
        else { return nil }
        for entry in 0..<count {
            let header = table + entry * size
            // PT_NOTE
            guard reader.number(at: header, width: 4) == 4,
                let start = reader.number(at: header + 8, width: 8),
                let length = reader.number(at: header + 32, width: 8)
            else { continue }
            if let commit = reader.commit(inNotesFrom: start, length: length) { return commit }
        }
        return nil
    }

    private struct Reader {
        var bytes: [UInt8]

        /// nil for what lies beyond the bytes, and for more than a file can be long.
        func number(at place: Int, width: Int) -> Int? {
            guard place >= 0, place <= bytes.count - width else { return nil }
            let value = bytes[place..<place + width].reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            return value <= 1 << 40 ? Int(value) : nil
        }

        func commit(inNotesFrom start: Int, length: Int) -> String? {
            let end = start + length
            var place = start
            while place + 12 <= end, let nameSize = number(at: place, width: 4),
                let size = number(at: place + 4, width: 4),
                let kind = number(at: place + 8, width: 4)
            {
                let content = place + 12 + padded(nameSize)
                guard content + size <= min(end, bytes.count) else { return nil }
                let name = bytes[place + 12..<content].prefix(nameSize)
                // NT_GNU_BUILD_ID
                if kind == 3, name.elementsEqual("GNU\0".utf8),
                    let commit = commit(inIdentifier: bytes[content..<content + size])
                {
                    return commit
                }
                place = content + padded(size)
            }
            return nil
        }

        private func padded(_ size: Int) -> Int { (size + 3) / 4 * 4 }

        private func commit(inIdentifier identifier: ArraySlice<UInt8>) -> String? {
            guard identifier.starts(with: mark) else { return nil }
            let commit = identifier.dropFirst(mark.count)
            // SHA-1 or SHA-256.
            guard commit.count == 20 || commit.count == 32 else { return nil }
            return commit.map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }
    }
}
