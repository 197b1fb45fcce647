// What an https sink shows its clients: a certificate that its own authority vouches for, and those that a
// fault shows instead. All are made when it starts.

import COpenSSL
import Glibc

/// Certificates and contexts of one sink. Thread-safe.
final class SinkTLS: Sendable {
    /// A server's settings: its certificate and the versions it speaks.
    /// Safe because the pointer is set once, and OpenSSL lets any number of threads use a context.
    @safe final class Context: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ certificate: SinkCertificate, isOld: Bool = false) throws(SinkStartError) {
            guard
                let pointer = unsafe tracemill_ssl_new_context(
                    certificate.certificate, certificate.key,
                    isOld ? TLS1_VERSION : TLS1_2_VERSION, isOld ? TLS1_VERSION : TLS1_3_VERSION,
                    isOld ? 0 : 2)
            else {
                throw SinkStartError(
                    description: "OpenSSL refuses a server with \(isOld ? "TLS 1.0" : "TLS")")
            }
            unsafe self.pointer = pointer
        }

        deinit { unsafe SSL_CTX_free(pointer) }
    }

    /// A file with the authority's certificate in PEM, what clients have to trust. It is in memory, and
    /// gone with the process, however that ends.
    let authorityPath: String
    private let authorityFile: Int32
    private let good: Context
    private let faulty: [SinkFault.TLSFault: Context]

    /// Makes them for a sink that listens on `host`.
    init(host: String) throws(SinkStartError) {
        let authority = try SinkCertificate.make(.init(name: "tracemill sink authority"))
        let names = Self.alternativeNames(host)
        let leaf = try SinkCertificate.make(
            .init(name: "tracemill sink", alternativeNames: names), signedBy: authority)
        good = try Context(leaf)
        faulty = [
            .expired: try Context(
                try .make(
                    .init(
                        name: "tracemill sink, expired", alternativeNames: names, days: -30 ... -1),
                    signedBy: authority)),
            .wrongHost: try Context(
                try .make(
                    .init(
                        name: "tracemill sink, elsewhere",
                        alternativeNames: "DNS:elsewhere.invalid"),
                    signedBy: authority)),
            .selfSigned: try Context(
                try .make(.init(name: "tracemill sink, alone", alternativeNames: names))),
            .old: try Context(leaf, isOld: true),
        ]
        let text = try authority.pem()
        let file = unsafe tracemill_memory_file("tracemill-authority.pem")
        let count = unsafe text.withUnsafeBytes {
            unsafe write(file, $0.baseAddress, $0.count)
        }
        guard file >= 0, count == text.count else {
            throw SinkStartError(
                description:
                    "cannot keep the authority's certificate: \(unsafe String(cString: strerror(errno)))"
            )
        }
        authorityFile = file
        authorityPath = "/proc/\(getpid())/fd/\(file)"
    }

    deinit { close(authorityFile) }

    /// What a connection is met with; nil for plain text.
    func context(_ fault: SinkFault.TLSFault?) -> Context? {
        guard let fault else { return good }
        return faulty[fault]
    }

    private static func alternativeNames(_ host: String) -> String {
        var names = ["IP:127.0.0.1", "IP:::1", "DNS:localhost"]
        var address = in6_addr()
        let isAddress = [AF_INET, AF_INET6].contains {
            unsafe inet_pton($0, host, &address) == 1
        }
        let name = (isAddress ? "IP:" : "DNS:") + host
        if !names.contains(name) { names.append(name) }
        return names.joined(separator: ",")
    }
}
