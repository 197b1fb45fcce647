// Reading small files whole: result files, and /proc, whose files have no size to ask for.

import Glibc

/// Reads files.
enum FileBytes {
    /// Why a file could not be read.
    enum Failure: Error {
        case failed(reason: String)
        case tooLarge(byteCount: Int)
    }

    /// The bytes of a file; more than `limit` of them are an error.
    static func read(_ path: String, atMost limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            bytes.append(contentsOf: piece.prefix(count))
            guard bytes.count <= limit else { throw .tooLarge(byteCount: bytes.count) }
        }
    }

    /// The first bytes of a file, fewer of a shorter one; nil when it cannot be read.
    static func beginning(of path: String, count: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let read = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress! + filled, count - filled)
            }
            if read < 0, errno == EINTR { continue }
            guard read >= 0 else { return nil }
            if read == 0 { break }
            filled += read
        }
        return Array(bytes.prefix(filled))
    }

    /// The text of a small file; nil when it cannot be read.
    static func text(_ path: String) -> String? {
        guard let bytes = try? read(path, atMost: 4 << 20) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func failure() -> Failure {
        unsafe .failed(reason: String(cString: strerror(errno)))
    }
}
