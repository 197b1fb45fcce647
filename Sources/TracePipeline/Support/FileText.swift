// Small files read whole: what the kernel and the container runtime tell under /proc, /sys and /etc.

import Glibc

enum FileText {
    /// Far above any file that is read here; what is longer is cut.
    static let bytesMax = 1 << 20

    /// The text of a file; nil when it cannot be read. Never waits for a writer (a FIFO reads as
    /// empty).
    static func read(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // The kernel gives the size of such files as 0: read until there is no more.
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < bytesMax {
            let count = unsafe chunk.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes.prefix(bytesMax), as: UTF8.self)
    }

    /// Whether this process may read it, and it is no directory.
    static func isReadable(_ path: String) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            return false
        }
        return unsafe access(path, R_OK) == 0
    }

    /// Where a symbolic link leads, as it is written; nil when it is none.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe readlink(path, bytes.bindMemory(to: CChar.self).baseAddress!, bytes.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
