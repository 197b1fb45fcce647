import Foundation
import Glibc
import Testing

/// A name server that takes questions and answers none, at an address of the loopback network that
/// nothing else uses.
private enum SilentNameServer {
    static let address = "127.0.77.53"

    /// A UDP socket on port 53 that nobody reads; nil where that is not permitted.
    static func socket() -> Int32? {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(53).bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_4D35).bigEndian
        let status = unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(descriptor, raw, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Whether this process may have a port below 1024 and a mount namespace.
    static let isPermitted: Bool = {
        guard let descriptor = socket() else { return false }
        close(descriptor)
        return MountNamespace.isPermitted
    }()
}

/// What a name server can do to an exporter: libcurl asks in a thread of its own, and waits for it
/// however long it takes unless it is told not to.
@Suite("Name server")
struct NameServerTests {
    /// The resolver would ask for 150 s each time; not to be ended before is not to have waited for it.
    private static let resolverOptions = "timeout:30 attempts:5"
    private static let boundS = 120

    @Test(
        "that swallows the question holds up neither an export nor the end of the process",
        .enabled(
            if: SilentNameServer.isPermitted,
            "needs port 53 of a loopback address and a mount namespace: run it as root"))
    func swallowedQuestion() throws {
        let server = try #require(SilentNameServer.socket())
        defer { close(server) }
        let scratch = try Scratch()
        _ = try scratch.file(
            "resolv.conf",
            "nameserver \(SilentNameServer.address)\noptions \(Self.resolverOptions)\n")
        _ = try scratch.file(
            "shop.yaml",
            Scenarios.shop(
                rate: "200", exporter: "timeout: 300ms, retry: {initial: 20ms, max: 50ms}"
            ).replacingOccurrences(of: "delay: 20ms}", with: "delay: 20ms, timeout: 1s}"))
        // A view of the files of its own: nobody else's resolv.conf changes.
        let line =
            "exec timeout \(Self.boundS) unshare -m sh -c 'mount --bind resolv.conf /etc/resolv.conf && exec \"$TRACEMILL\" run "
            + "shop.yaml --endpoint http://collector.test:4318/v1/traces --quiet --json --output r.json'"
        let run = try Command.run(shell: line, folder: scratch.url)
        #expect(run.exitCode == 4, "\(run.errors)")
        let ledger = try #require(try run.json()["ledger"] as? [String: Any])
        let delivery = try #require((ledger["deliveries"] as? [[String: Any]])?.first)
        func count(_ fate: String) -> Int {
            (delivery[fate] as? [String: Any])?["count"] as? Int ?? -1
        }
        #expect(count("acknowledged") == 0)
        #expect(count("droppedRetriesExhausted") > 0, "\(delivery)")
        #expect((ledger["violations"] as? [Any])?.isEmpty == true)
        // The question was asked: there is something in the socket.
        var byte: UInt8 = 0
        #expect(unsafe recv(server, &byte, 1, Int32(MSG_DONTWAIT)) == 1)
    }
}
