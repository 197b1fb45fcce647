// Writing a file so that its reader sees the old one or the new one, whole, and nothing between:
// a new file beside it, synced, renamed over it, the folder synced. Any thread; blocks on the disk.

import FoundationEssentials
import Glibc

/// Why a file could not be written.
public struct FileWriteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    public enum Step: String, Hashable, Sendable {
        case examine = "look at"
        case create = "create a new file beside"
        case write = "write the new file beside"
        case synchronise = "sync the new file beside"
        case rename = "rename the new file over"
        case synchroniseFolder = "sync the folder of"
    }

    /// What was being done.
    public var step: Step
    /// The file that was to be written.
    public var path: String
    /// The system's error number.
    public var errorNumber: Int32
    /// What is in the way where the error number says too little, or an empty string.
    public var detail = ""

    public var description: String {
        let reason =
            detail.isEmpty ? unsafe String(cString: strerror(errorNumber)) : detail
        let path = TerminalText.neutralised(path)
        return "cannot \(step.rawValue) '\(path)': \(reason). \(advice)"
    }

    private var advice: String {
        guard step != .synchroniseFolder else {
            return "The new file is in place, but might not survive a power failure."
        }
        let kept = "What was there before is untouched."
        switch errorNumber {
        case ENOSPC, EDQUOT:
            return "Free some space there or name another folder. \(kept)"
        case EFBIG:
            return "Raise the limit on file sizes (ulimit -f) or name another folder. \(kept)"
        case EACCES, EPERM, EROFS:
            return "Name a folder you may write to. \(kept)"
        case ENOENT, ENOTDIR:
            return "Make its folder first or name another one."
        case ELOOP, EISDIR, EEXIST:
            return "Name a plain file, or one that does not exist yet."
        case EIO:
            return "The disk fails: name a folder on another one. \(kept)"
        default:
            return kept
        }
    }
}

/// Atomic file replacement.
public enum AtomicFile {
    /// Replaces the file at `path` by one with `bytes`, readable by its owner only.
    ///
    /// The path itself may not be a symbolic link nor anything but a plain file; links on the way
    /// to its folder are followed. On any error the old file stays as it was and the new one is
    /// removed. A process killed in between leaves at most a hidden `.tmp` file. A file-size limit
    /// is reported as an error too, not as the signal SIGXFSZ.
    public static func write(_ bytes: [UInt8], to path: String) throws(FileWriteError) {
        try examine(path)
        let (folder, name) = split(path)
        let (descriptor, temporary) = try create(in: folder, for: name, path: path)
        var failure = FileSizeSignal.held { fill(descriptor, with: bytes, path: path) }
        if close(descriptor) != 0, failure == nil {
            failure = FileWriteError(step: .write, path: path, errorNumber: errno)
        }
        if failure == nil, unsafe rename(temporary, path) != 0 {
            failure = FileWriteError(step: .rename, path: path, errorNumber: errno)
        }
        if let failure {
            unsafe unlink(temporary)
            throw failure
        }
        try synchronise(folder: folder, of: path)
    }

    /// Finds out beforehand whether ``write(_:to:)`` would be let: a run of an hour should not end
    /// with a folder that may not be written to. Leaves nothing behind.
    public static func probe(_ path: String) throws(FileWriteError) {
        try examine(path)
        let (folder, name) = split(path)
        let (descriptor, temporary) = try create(in: folder, for: name, path: path)
        close(descriptor)
        unsafe unlink(temporary)
    }

    /// Refuses what a rename would replace without asking: a link, a device, a folder.
    private static func examine(_ path: String) throws(FileWriteError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw FileWriteError(
                step: .examine, path: path, errorNumber: EINVAL, detail: "it is not a path")
        }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw FileWriteError(step: .examine, path: path, errorNumber: errno)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFLNK:
            throw FileWriteError(
                step: .examine, path: path, errorNumber: ELOOP, detail: "it is a symbolic link")
        case S_IFDIR:
            throw FileWriteError(
                step: .examine, path: path, errorNumber: EISDIR, detail: "it is a folder")
        default:
            throw FileWriteError(
                step: .examine, path: path, errorNumber: EEXIST, detail: "it is not a plain file")
        }
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, String(path[path.index(after: slash)...]))
    }

    private static func create(
        in folder: String, for name: String, path: String
    ) throws(FileWriteError) -> (descriptor: Int32, path: String) {
        var errorNumber: Int32 = 0
        // A name is taken only by what another process left or is writing: a few tries suffice.
        for _ in 0..<8 {
            let mark = String(UInt64.random(in: .min ... .max), radix: 36)
            let temporary = "\(folder)/.\(name.prefix(80)).\(mark).tmp"
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            let descriptor = unsafe open(temporary, flags, 0o600)
            if descriptor >= 0 { return (descriptor, temporary) }
            errorNumber = errno
            guard errorNumber == EEXIST || errorNumber == EINTR else { break }
        }
        throw FileWriteError(step: .create, path: path, errorNumber: errorNumber)
    }

    private static func fill(
        _ descriptor: Int32, with bytes: [UInt8], path: String
    ) -> FileWriteError? {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                return FileWriteError(
                    step: .write, path: path, errorNumber: count == 0 ? ENOSPC : errno)
            }
        }
        // EINVAL: the file system has nothing to sync.
        if fsync(descriptor) != 0, errno != EINVAL {
            return FileWriteError(step: .synchronise, path: path, errorNumber: errno)
        }
        return nil
    }

    private static func synchronise(folder: String, of path: String) throws(FileWriteError) {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            // A folder that may be written but not read cannot be synced; the file is in place.
            if errno == EACCES { return }
            throw FileWriteError(step: .synchroniseFolder, path: path, errorNumber: errno)
        }
        defer { close(descriptor) }
        if fsync(descriptor) != 0, errno != EINVAL {
            throw FileWriteError(step: .synchroniseFolder, path: path, errorNumber: errno)
        }
    }
}

/// Keeps SIGXFSZ from ending the process while the calling thread writes: the write fails with
/// EFBIG instead.
private enum FileSizeSignal {
    static func held<Result>(_ body: () -> Result) -> Result {
        var only = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&only)
        unsafe sigaddset(&only, SIGXFSZ)
        unsafe pthread_sigmask(SIG_BLOCK, &only, &before)
        let result = body()
        // One that is pending now would strike as soon as it is let through: take it away.
        var none = timespec(tv_sec: 0, tv_nsec: 0)
        while unsafe sigtimedwait(&only, nil, &none) > 0 {}
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return result
    }
}
