// Where a gate or a comparison keeps what its runs need: the programs, copied under names of equal length
// (how long a program's path is moves its stack, and with it what is measured), and the latest result.
import CZlib
import Glibc
import Synchronization
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
        announce()
    }

    deinit {
        Self.current.store(0, ordering: .relaxed)
        // Two levels, made here: <arm>/tracemill, the runs' result files, and what a run that was killed
        // while it wrote one left beside it.
        for name in ["base", "head"] { Self.remove("\(path)/\(name)") }
        Self.remove(path)
    }

    /// Removes a folder with the files in it.
    private static func remove(_ folder: String) {
        if let directory = unsafe opendir(folder) {
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                // Neither the folder itself nor the one above is a file that unlink takes.
                unsafe unlink("\(folder)/\(name)")
            }
            unsafe closedir(directory)
        }
        unsafe rmdir(folder)
    }

    // MARK: From a signal handler

    /// Where the texts are that name the files and folders of the latest folder, as a number: what a signal
    /// handler may read. 0 when there is no such folder.
    private static let current = Atomic<UInt>(0)
    private static let currentNames = [
        "base/tracemill", "head/tracemill", "run.json", "scenario.yaml", "base", "head", "",
    ]

    /// The texts stay for the life of the process: a handler may be at them at any time.
    private func announce() {
        let count = Self.currentNames.count
        let texts = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count + 1)
        for (index, name) in Self.currentNames.enumerated() {
            unsafe (texts + index).initialize(to: strdup("\(path)/\(name)"))
        }
        unsafe (texts + count).initialize(to: nil)
        Self.current.store(UInt(bitPattern: texts), ordering: .releasing)
    }

    /// Removes the folder of a collection, for a signal handler: no allocation, no lock.
    static func removeCurrent() {
        let address = current.load(ordering: .acquiring)
        guard
            var texts = unsafe UnsafePointer<UnsafeMutablePointer<CChar>?>(bitPattern: address)
        else { return }
        while let text = unsafe texts.pointee {
            // Files first, then the folders that they were in.
            if unsafe unlink(text) != 0 { unsafe rmdir(text) }
            unsafe texts += 1
        }
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
