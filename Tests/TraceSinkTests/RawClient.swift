// A blocking socket client that sends exactly the bytes it is told to.

import Glibc
import Testing
import TraceResults

@testable import TraceSink

/// One connection to the sink.
final class RawClient {
    /// What a read found.
    enum Failure: Error, Equatable {
        case closed
        case reset
        case timeout
    }

    /// An answer.
    struct Answer {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? {
            headers.first { $0.name == name }?.value
        }

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let descriptor: Int32
    private var buffered: [UInt8] = []
    private var wasReset = false

    /// - Parameter receiveBytes: about so many bytes may lie unread at this side; nil: as the system has it.
    init(_ server: SinkServer, receiveBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        // Only so that a broken test fails rather than hangs.
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        // Head and body are sent apart: without this each body waits for a delayed ACK.
        var noDelay: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay,
            socklen_t(MemoryLayout<Int32>.size))
        if var receiveBytes {
            unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes,
                socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(server.port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // Thrown and not recorded: there are tests in which nobody listens for a while.
        guard status == 0 else { throw ConnectionFailure(errorNumber: errno) }
    }

    struct ConnectionFailure: Error {
        var errorNumber: Int32
    }

    deinit {
        close(descriptor)
    }

    /// Sends all of `bytes`; stops without an error when the other side has closed.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                // The system tells of a reset once, here or when reading.
                if errno == ECONNRESET { wasReset = true }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    func send(_ text: String) {
        send(Array(text.utf8))
    }

    /// Sends the head of an export with these header lines.
    func sendHead(_ lines: [String]) {
        let all = ["POST /v1/traces HTTP/1.1", "host: test"] + lines
        send(all.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Sends an export.
    func export(
        _ body: [UInt8], batch: UInt64? = nil, type: String = "application/x-protobuf",
        lines: [String] = []
    ) {
        var lines = lines
        lines.append("content-type: \(type)")
        lines.append("content-length: \(body.count)")
        if let batch { lines.append("tracemill-batch: \(batch)") }
        sendHead(lines)
        send(body)
    }

    /// Ends what this side sends.
    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    private func fill() throws {
        if wasReset { throw Failure.reset }
        var room = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe room.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        if count > 0 {
            buffered += room[..<count]
        } else if count == 0 {
            throw Failure.closed
        } else {
            throw errno == ECONNRESET ? Failure.reset : Failure.timeout
        }
    }

    private func line() throws -> String {
        while true {
            if let end = buffered.firstIndex(of: 0x0A) {
                let line = buffered[..<end].filter { $0 != 0x0D }
                buffered.removeFirst(end + 1)
                return String(decoding: line, as: UTF8.self)
            }
            try fill()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffered.count < count { try fill() }
        defer { buffered.removeFirst(count) }
        return Array(buffered[..<count])
    }

    /// Whether the other side has said something, or has closed. Does not wait.
    var hasWord: Bool {
        if wasReset || !buffered.isEmpty { return true }
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count < 0, errno == ECONNRESET { wasReset = true }
        return count >= 0 || (errno != EAGAIN && errno != EINTR)
    }

    /// Reads an answer with a content length, with chunks, or without a body.
    func answer() throws -> Answer {
        var answer = try head()
        if let length = answer.header("content-length").flatMap({ Int($0) }) {
            answer.body = try take(length)
        } else if answer.header("transfer-encoding") == "chunked" {
            while let count = Int(try line(), radix: 16) {
                answer.body += try take(count)
                _ = try line()
                if count == 0 { break }
            }
        }
        return answer
    }

    /// Reads the head of an answer alone.
    func head() throws -> Answer {
        let status = try line().split(separator: " ")
        var answer = Answer(status: Int(status[1]) ?? 0, headers: [], body: [])
        while true {
            let next = try line()
            guard let colon = next.firstIndex(of: ":") else { return answer }
            let value = next[next.index(after: colon)...].drop { $0 == " " }
            answer.headers.append((next[..<colon].lowercased(), String(value)))
        }
    }

    /// Reads until the other side is done; says how it ended.
    func ending() -> Failure {
        while true {
            do {
                try fill()
            } catch {
                return (error as? Failure) ?? .timeout
            }
        }
    }

    /// Asks a question with no body.
    func ask(_ method: String, _ path: String) throws -> Answer {
        send("\(method) \(path) HTTP/1.1\r\nhost: test\r\n\r\n")
        return try answer()
    }
}

/// Runs `body` with a sink of its own.
func withSink(
    _ configure: (inout SinkConfiguration) -> Void = { _ in },
    _ body: (SinkServer) throws -> Void
) throws {
    var configuration = SinkConfiguration()
    configure(&configuration)
    let server = try SinkServer.start(configuration)
    defer { server.shutdown() }
    try body(server)
}

/// A request of `count` spans whose identifiers begin at `first`.
func spans(_ count: Int, from first: UInt64 = 1) -> [UInt8] {
    exportRequest(
        (0..<UInt64(count)).map { WrittenSpan(traceLow: first + $0, spanID: first + $0).message })
}
