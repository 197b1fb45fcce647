import Foundation
import Glibc

/// A server on 127.0.0.1 that says in its answers what it was told: the head of each request, with the headers
/// and the query that were secrets.
final class EchoServer: @unchecked Sendable {
    // Safe because nothing changes once it listens.
    let port: UInt16
    private let listener: Int32
    private let answer: @Sendable (String) -> String

    /// - Parameter answer: from the head of a request to the whole of its answer.
    init(_ answer: @escaping @Sendable (String) -> String) {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.answer = answer
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                precondition(unsafe bind(descriptor, raw, length) == 0, "no loopback socket")
                precondition(listen(descriptor, 64) == 0)
                unsafe getsockname(descriptor, raw, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        Thread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread { [self] in serve(connection) }.start()
            }
        }.start()
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// A status with the head in its body, as JSON with everything escaped that JSON escapes.
    static func refusing(_ status: Int) -> EchoServer {
        EchoServer { head in
            reply("\(status) No", "{\"error\": \(quoted(head)), \"plain\": \(head)}")
        }
    }

    /// A partial success whose message is the head.
    static func rejecting() -> EchoServer {
        EchoServer { head in
            reply(
                "200 OK",
                "{\"partialSuccess\": {\"rejectedSpans\": \"1\", \"errorMessage\": \(quoted(head))}}"
            )
        }
    }

    private static func quoted(_ text: String) -> String {
        let data = try? JSONEncoder().encode(text)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    private static func reply(_ status: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var bytes: [UInt8] = []
        while let head = head(of: &bytes, connection) {
            let length =
                head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst(15).filter(\.isNumber)) } ?? 0
            while bytes.count < length { guard more(&bytes, connection) else { return } }
            bytes.removeFirst(length)
            var rest = Array(answer(head).utf8)[...]
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes {
                    unsafe Glibc.send(
                        connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func head(of bytes: inout [UInt8], _ connection: Int32) -> String? {
        let mark = Data("\r\n\r\n".utf8)
        while true {
            if let range = Data(bytes).range(of: mark) {
                let head = String(decoding: bytes[..<range.lowerBound], as: UTF8.self)
                bytes.removeFirst(range.upperBound)
                return head
            }
            guard more(&bytes, connection) else { return nil }
        }
    }

    private func more(_ bytes: inout [UInt8], _ connection: Int32) -> Bool {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe piece.withUnsafeMutableBytes {
            unsafe recv(connection, $0.baseAddress, $0.count, 0)
        }
        guard count > 0 else { return false }
        bytes += piece.prefix(count)
        return true
    }
}
