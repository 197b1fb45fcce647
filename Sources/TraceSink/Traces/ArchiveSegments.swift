// Where the archive's records are: one after another in segments, in memory or in the files of a folder.
// The oldest segment goes as a whole when there are too many bytes. Not thread-safe.

import FoundationEssentials
import Glibc
import TraceResults

/// Why a folder cannot be used for traces.
public struct TraceStoreError: Error, CustomStringConvertible {
    /// What is wrong, where, and what to do.
    public let description: String
}

/// Where a record is.
struct ArchivePlace {
    /// Number of the segment.
    var segment: Int
    var offset: Int
    /// Bytes of the whole record.
    var count: Int
}

/// Segments of records.
struct ArchiveSegments {
    /// What a segment file begins with.
    static let mark = Array("TRACEMILL-SEG-1\n".utf8)

    /// The records of one segment: bytes, or a file.
    private struct Segment {
        var number: Int
        var count = 0
        var bytes: [UInt8] = []
        var file: SegmentFile?
    }

    private let folder: SegmentFolder?
    private let segmentBytesMax: Int
    private var segments: [Segment] = []
    /// Bytes of all segments.
    private(set) var byteCount = 0

    /// - Throws: ``TraceStoreError`` when the folder cannot be used.
    init(folder path: String?, bytesMax: Int) throws(TraceStoreError) {
        segmentBytesMax = max(4096, bytesMax / 16)
        folder = try path.map { path throws(TraceStoreError) in try SegmentFolder(path) }
        for file in try folder?.files() ?? [] {
            segments.append(Segment(number: file.number, count: file.count, file: file))
            byteCount += file.count
        }
    }

    /// Calls `body` with every record that is whole, in the order they were written. What is behind the
    /// last whole one of a file, torn when a process or a machine went down, is cut off.
    mutating func forEachRecord(
        _ body: (TraceKey, _ cameUnixNs: UInt64, ArchivePlace, _ document: UnsafeRawBufferPointer)
            -> Void
    ) {
        for index in segments.indices {
            guard let file = segments[index].file, let bytes = file.read(0, segments[index].count)
            else { continue }
            var offset = Self.mark.count
            unsafe bytes.withUnsafeBytes { bytes in
                while let record = unsafe ArchiveRecord.read(bytes, at: offset) {
                    let count = record.document.upperBound - offset
                    let place = ArchivePlace(
                        segment: segments[index].number, offset: offset, count: count)
                    unsafe body(
                        record.trace, record.cameUnixNs, place,
                        UnsafeRawBufferPointer(rebasing: bytes[record.document]))
                    offset += count
                }
            }
            if offset < segments[index].count {
                file.truncate(offset)
                byteCount -= segments[index].count - offset
                segments[index].count = offset
            }
        }
    }

    /// Writes a record.
    /// - Returns: where it is, or the system's error number; then nothing of it is there.
    mutating func append(_ record: [UInt8]) -> Result<ArchivePlace, ArchiveWriteError> {
        if segments.isEmpty || segments[segments.count - 1].count >= segmentBytesMax {
            do throws(ArchiveWriteError) { try begin() } catch { return .failure(error) }
        }
        let last = segments.count - 1
        let offset = segments[last].count
        if let file = segments[last].file {
            if let error = file.append(record, at: offset) { return .failure(error) }
        } else {
            segments[last].bytes += record
        }
        segments[last].count += record.count
        byteCount += record.count
        return .success(
            ArchivePlace(segment: segments[last].number, offset: offset, count: record.count))
    }

    /// Begins a further segment.
    mutating func begin() throws(ArchiveWriteError) {
        var segment = Segment(number: (segments.last?.number ?? 0) + 1)
        if let folder {
            segment.file = try folder.newFile(segment.number)
            segment.count = Self.mark.count
            byteCount += segment.count
        }
        segments.append(segment)
    }

    /// Lets the oldest segment go.
    /// - Returns: its number; nil when there is only the one being written.
    mutating func removeOldest() -> Int? {
        guard segments.count > 1 else { return nil }
        let oldest = segments.removeFirst()
        byteCount -= oldest.count
        oldest.file?.remove()
        return oldest.number
    }

    /// The document of a record; nil when it cannot be read any more.
    func document(_ place: ArchivePlace) -> [UInt8]? {
        guard let segment = segments.first(where: { $0.number == place.segment }) else {
            return nil
        }
        let record: [UInt8]
        if let file = segment.file {
            guard let read = file.read(place.offset, place.count) else { return nil }
            record = read
        } else {
            record = Array(segment.bytes[place.offset..<place.offset + place.count])
        }
        return unsafe record.withUnsafeBytes { bytes in
            unsafe ArchiveRecord.read(bytes, at: 0).map { unsafe Array(bytes[$0.document]) }
        }
    }
}

/// A record could not be written.
struct ArchiveWriteError: Error {
    var errorNumber: Int32
    var reason: String { unsafe String(cString: strerror(errorNumber)) }
}

/// A folder of segment files, one process at a time.
final class SegmentFolder: Sendable {
    private let path: String
    private let descriptor: Int32
    private let lock: Int32

    /// Opens the folder, or makes it for its owner only.
    init(_ path: String) throws(TraceStoreError) {
        let shown = TerminalText.neutralised(path)
        if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
            throw TraceStoreError(
                description: "cannot make the folder '\(shown)' for traces: \(Self.reason); name "
                    + "another one with --store DIR, or --store memory")
        }
        descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TraceStoreError(
                description: "cannot use '\(shown)' for traces: \(Self.reason); --store takes a "
                    + "folder, or memory")
        }
        self.path = path
        lock = unsafe openat(descriptor, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            close(descriptor)
            throw TraceStoreError(
                description: "cannot write to the folder '\(shown)': \(Self.reason); name another "
                    + "one with --store DIR, or --store memory")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            close(descriptor)
            throw TraceStoreError(
                description: "another sink keeps its traces in '\(shown)': end it, or name another "
                    + "folder")
        }
        // A file beyond the limit on sizes is an error to be said, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
    }

    deinit {
        close(lock)
        close(descriptor)
    }

    /// The segment files there are, oldest first. Files of other names, or that begin otherwise, are
    /// left alone.
    func files() throws(TraceStoreError) -> [SegmentFile] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw TraceStoreError(
                description: "cannot list the folder '\(TerminalText.neutralised(path))': \(error)")
        }
        var files: [SegmentFile] = []
        for number in names.compactMap(Self.number(ofFile:)).sorted() {
            let file = unsafe openat(
                descriptor, Self.name(number), O_RDWR | O_NOFOLLOW | O_CLOEXEC)
            guard file >= 0 else { continue }
            let segment = SegmentFile(number: number, file, folder: self)
            if let segment { files.append(segment) }
        }
        return files
    }

    func newFile(_ number: Int) throws(ArchiveWriteError) -> SegmentFile {
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = unsafe openat(descriptor, Self.name(number), flags, 0o600)
        guard file >= 0 else { throw ArchiveWriteError(errorNumber: errno) }
        let segment = SegmentFile(new: number, file, folder: self)
        if let error = segment.append(ArchiveSegments.mark, at: 0) {
            segment.remove()
            throw error
        }
        return segment
    }

    fileprivate func remove(_ number: Int) {
        _ = unsafe unlinkat(descriptor, Self.name(number), 0)
    }

    private static func name(_ number: Int) -> String {
        let digits = String(number)
        return "traces-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".seg"
    }

    private static func number(ofFile name: String) -> Int? {
        guard name.hasPrefix("traces-"), name.hasSuffix(".seg"),
            let number = Int(name.dropFirst(7).dropLast(4)), number > 0, Self.name(number) == name
        else { return nil }
        return number
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}

/// An open segment file, closed with the value.
final class SegmentFile: Sendable {
    let number: Int
    /// Bytes in it when it was opened.
    let count: Int
    private let descriptor: Int32
    private let folder: SegmentFolder

    fileprivate init(new number: Int, _ descriptor: Int32, folder: SegmentFolder) {
        self.number = number
        count = 0
        self.descriptor = descriptor
        self.folder = folder
    }

    /// Takes over the descriptor; nil when what it is open on is no segment.
    fileprivate init?(number: Int, _ descriptor: Int32, folder: SegmentFolder) {
        self.number = number
        self.descriptor = descriptor
        self.folder = folder
        var facts = stat()
        guard unsafe fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG,
            facts.st_size >= ArchiveSegments.mark.count, facts.st_size < 1 << 31
        else {
            count = 0
            return nil
        }
        count = Int(facts.st_size)
        guard read(0, ArchiveSegments.mark.count) == ArchiveSegments.mark else { return nil }
    }

    deinit { close(descriptor) }

    /// Writes all of `bytes`, or nothing.
    func append(_ bytes: [UInt8], at offset: Int) -> ArchiveWriteError? {
        var done = 0
        while done < bytes.count {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(
                    descriptor, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
                    off_t(offset + done))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let error = ArchiveWriteError(errorNumber: written < 0 ? errno : ENOSPC)
                truncate(offset)
                return error
            }
            done += written
        }
        return nil
    }

    func truncate(_ count: Int) {
        _ = ftruncate(descriptor, off_t(count))
    }

    func read(_ offset: Int, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe pread(
                    descriptor, $0.baseAddress.unsafelyUnwrapped + done, count - done,
                    off_t(offset + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return nil }
            done += got
        }
        return bytes
    }

    func remove() {
        folder.remove(number)
    }
}
