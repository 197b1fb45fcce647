// Where a gate or a comparison keeps what its runs need: the programs, copied under names of equal length
// (how long a program's path is moves its stack, and with it what is measured), and the latest result.
import CZlib
import Glibc
import TraceResults

/// A folder for the time of a collection, gone with the value.
final class RunFolder {
    let path: String

    init() throws {
        var base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        var template = Array("\(base)/tracemill-runs-XXXXXX".utf8CString)
        let isMade = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe mkdtemp(buffer.baseAddress!) != nil
        }
        guard isMade else {
            throw CommandFailure.usage(
                "cannot make a folder in \(TerminalText.neutralised(base)): "
                    + "\(unsafe String(cString: strerror(errno))); set TMPDIR to one you may write to"
            )
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Two levels, made here: <arm>/tracemill, and the runs' result files.
        for name in ["base/tracemill", "head/tracemill", "run.json", "scenario.yaml"] {
            unsafe unlink("\(path)/\(name)")
        }
        for name in ["base", "head"] { unsafe rmdir("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    /// Where a scenario goes that comes from no file.
    var scenarioPath: String { "\(path)/scenario.yaml" }

    /// The copy that ``program(_:as:)`` made for a side.
    func copy(of role: ArmFacts.Role) -> String { "\(path)/\(role.rawValue)/tracemill" }

    /// Where the run's result goes.
    var resultPath: String { "\(path)/run.json" }

    /// A copy of a program.
    ///
    /// - Parameters:
    ///   - source: the program's path.
    ///   - name: `base` or `head`: equally long.
    /// - Returns: the copy's path and the CRC-32 of its bytes in hexadecimal.
    func program(_ source: String, as name: String) throws -> (path: String, checksum: String) {
        let shown = TerminalText.neutralised(source)
        let input = unsafe open(source, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard input >= 0, unsafe fstat(input, &status) == 0 else {
            throw CommandFailure.usage(
                "cannot read the \(name) program '\(shown)': "
                    + "\(unsafe String(cString: strerror(errno))); name a built tracemill")
        }
        defer { close(input) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else {
            throw CommandFailure.usage(
                "the \(name) program '\(shown)' is not an executable file: name a built tracemill")
        }
        let folder = "\(path)/\(name)"
        let target = "\(folder)/tracemill"
        unsafe mkdir(folder, 0o700)
        let output = unsafe open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o700)
        guard output >= 0 else { throw copyFailure(shown) }
        defer { close(output) }
        var checksum = crc32(0, nil, 0)
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes {
                unsafe read(input, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw copyFailure(shown) }
            if count == 0 { break }
            checksum = unsafe piece.withUnsafeBytes {
                unsafe crc32(
                    checksum, $0.bindMemory(to: UInt8.self).baseAddress, UInt32(count))
            }
            var rest = piece[..<count]
            while !rest.isEmpty {
                let written = unsafe rest.withUnsafeBytes {
                    unsafe write(output, $0.baseAddress, $0.count)
                }
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw copyFailure(shown) }
                rest = rest.dropFirst(written)
            }
        }
        return (target, String(checksum, radix: 16))
    }

    private func copyFailure(_ shown: String) -> CommandFailure {
        CommandFailure.usage(
            "cannot copy '\(shown)' to \(TerminalText.neutralised(path)): "
                + "\(unsafe String(cString: strerror(errno))); set TMPDIR to a folder with room")
    }
}
