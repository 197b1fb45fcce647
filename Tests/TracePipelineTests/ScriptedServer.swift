// A raw-socket HTTP server on 127.0.0.1 that does what a script says, one thread a connection: also
// what no decent server does. Requests are kept for the test to look at.

import Foundation
import Glibc
import TraceCore

/// What the server does with one request.
enum ScriptedReply {
    case answer(status: Int, headers: [String] = [], body: [UInt8] = [])
    /// These bytes and then the end of the connection.
    case raw([UInt8])
    /// A chunked answer of so many chunks of 64 KiB, or until the client goes away.
    case flood(status: Int, chunks: Int)
    /// So many header lines of 100 bytes.
    case headerFlood(lines: Int)
    /// A connection reset once this much of the body was read; nil: all of it.
    case reset(afterBodyBytes: Int?)
    /// The end of the connection after the body, in good order but without an answer.
    case close
    /// Reads the body and never answers.
    case hang
    /// Answers 200 with a long body, a byte every few milliseconds.
    case trickle
    /// Never reads the body.
    case neverRead
    /// Answers 200 once `ScriptedServer.release()` was called.
    case hold
}

struct ReceivedRequest {
    var line: String
    var headers: [(name: String, value: String)]
    var body: [UInt8]
    var connection: Int
    var monotonicNs: UInt64

    func values(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
}

final class ScriptedServer: @unchecked Sendable {
    // Safe because everything that changes is guarded by `condition`.
    let port: UInt16
    private let listener: Int32
    private let condition = NSCondition()
    private var script: [ScriptedReply]
    private let standing: ScriptedReply
    private var received: [ReceivedRequest] = []
    private var connections: [Int32] = []
    private var connectionCount = 0
    private var isReleased = false
    private var isStopped = false
    private var openThreads = 0

    /// - Parameters:
    ///   - script: replies in the order in which requests arrive.
    ///   - standing: the reply once the script is at its end.
    ///   - port: 0 for any that is free.
    init(
        _ script: [ScriptedReply] = [], then standing: ScriptedReply = .answer(status: 200),
        port: UInt16 = 0
    ) {
        self.script = script
        self.standing = standing
        (listener, self.port) = ScriptedServer.listenOnLoopback(port: port)
        startThread { [self] in acceptConnections() }
    }

    var endpoint: String { "http://127.0.0.1:\(port)/v1/traces" }

    var requests: [ReceivedRequest] {
        condition.lock()
        defer { condition.unlock() }
        return received
    }

    var connectionsAccepted: Int {
        condition.lock()
        defer { condition.unlock() }
        return connectionCount
    }

    /// Blocks until so many requests have come in whole.
    func waitForRequests(_ count: Int) {
        condition.lock()
        while received.count < count { condition.wait() }
        condition.unlock()
    }

    /// Lets held requests be answered, those to come too.
    func release() {
        condition.lock()
        isReleased = true
        condition.broadcast()
        condition.unlock()
    }

    /// Ends every connection and waits for the threads.
    func stop() {
        condition.lock()
        isStopped = true
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
        condition.broadcast()
        while openThreads > 0 { condition.wait() }
        condition.unlock()
        close(listener)
    }

    /// A bound and listening socket, and its port.
    static func listenOnLoopback(port: UInt16 = 0) -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var reuse: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_port = port.bigEndian
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                precondition(unsafe bind(descriptor, raw, length) == 0, "no loopback socket")
                precondition(listen(descriptor, 64) == 0)
                unsafe getsockname(descriptor, raw, &length)
            }
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A port of 127.0.0.1 on which nobody listens.
    static func closedPort() -> UInt16 {
        let (descriptor, port) = listenOnLoopback()
        close(descriptor)
        return port
    }

    /// Whether somebody listens at this port of 127.0.0.1, by the system's own list: to connect would be felt.
    static func isListening(port: UInt16) -> Bool {
        let list = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
        let number = String(port, radix: 16, uppercase: true)
        let address = "0100007F:" + String(repeating: "0", count: 4 - number.count) + number
        // The state 0A is LISTEN.
        return list.split(separator: "\n").contains {
            $0.contains(" \(address) ") && $0.contains(" 00000000:0000 0A ")
        }
    }

    private func startThread(_ body: @escaping @Sendable () -> Void) {
        condition.lock()
        openThreads += 1
        condition.unlock()
        let thread = Thread { [self] in
            body()
            condition.lock()
            openThreads -= 1
            condition.broadcast()
            condition.unlock()
        }
        thread.start()
    }

    private func acceptConnections() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { return }
            condition.lock()
            if isStopped {
                condition.unlock()
                close(connection)
                return
            }
            connections.append(connection)
            let index = connectionCount
            connectionCount += 1
            condition.unlock()
            startThread { [self] in
                serve(connection, index)
                condition.lock()
                connections.removeAll { $0 == connection }
                close(connection)
                condition.unlock()
            }
        }
    }

    private func nextReply() -> ScriptedReply {
        condition.lock()
        defer { condition.unlock() }
        return script.isEmpty ? standing : script.removeFirst()
    }

    private func record(_ request: ReceivedRequest) {
        condition.lock()
        received.append(request)
        condition.broadcast()
        condition.unlock()
    }

    private func waitUntilStopped() {
        condition.lock()
        while !isStopped { condition.wait() }
        condition.unlock()
    }

    private func serve(_ connection: Int32, _ index: Int) {
        var buffer: [UInt8] = []
        while true {
            guard let head = readHead(connection, &buffer) else { return }
            var lines = head.split(separator: "\r\n").map(String.init)
            let line = lines.removeFirst()
            let headers = lines.map { text -> (name: String, value: String) in
                let colon = text.firstIndex(of: ":") ?? text.endIndex
                return (
                    String(text[..<colon]),
                    text[colon...].dropFirst().trimmingCharacters(in: .whitespaces)
                )
            }
            var request = ReceivedRequest(
                line: line, headers: headers, body: [], connection: index,
                monotonicNs: TraceClock.monotonicNs)
            let length = Int(request.values("content-length").first ?? "0") ?? 0
            let reply = nextReply()
            if case .neverRead = reply {
                record(request)
                return waitUntilStopped()
            }
            var wanted = length
            if case .reset(let limit?) = reply { wanted = min(limit, length) }
            guard readBody(connection, &buffer, wanted) else { return }
            request.body = Array(buffer.prefix(wanted))
            buffer.removeFirst(wanted)
            record(request)
            guard act(reply, connection) else { return }
        }
    }

    /// - Returns: whether the connection goes on.
    private func act(_ reply: ScriptedReply, _ connection: Int32) -> Bool {
        switch reply {
        case .answer(let status, let headers, let body):
            var head = "HTTP/1.1 \(status) Scripted\r\nContent-Length: \(body.count)\r\n"
            for header in headers { head += header + "\r\n" }
            return send(connection, Array((head + "\r\n").utf8) + body)
        case .raw(let bytes):
            _ = send(connection, bytes)
            return false
        case .flood(let status, let chunks):
            let head = "HTTP/1.1 \(status) Scripted\r\nTransfer-Encoding: chunked\r\n\r\n"
            guard send(connection, Array(head.utf8)) else { return false }
            let chunk =
                Array("10000\r\n".utf8) + [UInt8](repeating: 0x61, count: 65_536)
                + Array("\r\n".utf8)
            for _ in 0..<chunks {
                guard send(connection, chunk) else { return false }
            }
            return send(connection, Array("0\r\n\r\n".utf8))
        case .headerFlood(let lines):
            guard send(connection, Array("HTTP/1.1 200 Scripted\r\n".utf8)) else { return false }
            let line = Array(("x: " + String(repeating: "y", count: 95) + "\r\n").utf8)
            for _ in 0..<lines {
                guard send(connection, line) else { return false }
            }
            return send(connection, Array("\r\n".utf8))
        case .trickle:
            let head = "HTTP/1.1 200 Scripted\r\nContent-Length: 1000000\r\n\r\n"
            guard send(connection, Array(head.utf8)) else { return false }
            while send(connection, [0x0A]) { usleep(2_000) }
            return false
        case .reset:
            var lingering = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(
                connection, SOL_SOCKET, SO_LINGER, &lingering,
                socklen_t(MemoryLayout<linger>.size))
            return false
        case .close:
            return false
        case .hang, .neverRead:
            waitUntilStopped()
            return false
        case .hold:
            condition.lock()
            while !isReleased && !isStopped { condition.wait() }
            condition.unlock()
            return act(.answer(status: 200), connection)
        }
    }

    private func readHead(_ connection: Int32, _ buffer: inout [UInt8]) -> String? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let place = buffer.firstRange(of: end) {
                let head = String(decoding: buffer[..<place.lowerBound], as: UTF8.self)
                buffer.removeFirst(place.upperBound)
                return head
            }
            guard receive(connection, &buffer) else { return nil }
        }
    }

    private func readBody(_ connection: Int32, _ buffer: inout [UInt8], _ count: Int) -> Bool {
        while buffer.count < count {
            guard receive(connection, &buffer) else { return false }
        }
        return true
    }

    private func receive(_ connection: Int32, _ buffer: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe chunk.withUnsafeMutableBytes {
            unsafe recv(connection, $0.baseAddress, $0.count, 0)
        }
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }

    private func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
