import Foundation
import Glibc
import Testing
import TraceCore

@testable import TracePipeline

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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["-m", "true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}

/// What a name server can do to an exporter: libcurl asks in a thread of its own, and used to wait for
/// it however long it took.
@Suite struct NameServerTests {
    /// The resolver would ask for 150 s; giving up in a minute is not to have waited for it.
    static let resolverOptions = "timeout:30 attempts:5"
    static let boundNs: UInt64 = 60_000_000_000

    @Test(
        "A name server that swallows the question holds up neither an attempt nor the end",
        .enabled(
            if: SilentNameServer.isPermitted,
            "needs port 53 of a loopback address and a mount namespace: run it as root"))
    func swallowedQuestion() async {
        await #expect(processExitsWith: .success) {
            let server = try #require(SilentNameServer.socket())
            let file = NSTemporaryDirectory() + "tracemill-resolv-\(getpid())"
            defer { unsafe unlink(file) }
            try
                "nameserver \(SilentNameServer.address)\noptions \(NameServerTests.resolverOptions)\n"
                .write(toFile: file, atomically: false, encoding: .utf8)
            // This thread's own view of the files; the resolver's thread is started by it.
            #expect(unshare(CLONE_NEWNS) == 0)
            #expect(unsafe mount("none", "/", nil, UInt(MS_REC) | UInt(MS_PRIVATE), nil) == 0)
            #expect(unsafe mount(file, "/etc/resolv.conf", nil, UInt(MS_BIND), nil) == 0)
            let startedNs = TraceClock.monotonicNs
            do {
                let harness = try ExporterHarness(endpoint: "http://collector.test/v1/traces") {
                    $0.timeoutMs = 300
                }
                let finished = harness.send(deadlineMs: 1_000)
                #expect(finished.outcome == .dropped(.retriesExhausted))
                #expect(!finished.indeterminate)
            }
            // The harness is gone with its handles: nothing waited for the resolver.
            #expect(TraceClock.monotonicNs - startedNs < NameServerTests.boundNs)
            // The question was asked: there is something in the socket.
            var byte: UInt8 = 0
            #expect(unsafe recv(server, &byte, 1, Int32(MSG_DONTWAIT.rawValue)) == 1)
        }
    }
}
