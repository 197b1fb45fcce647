// A thousand clients that send a byte a second (the attack is known as Slowloris), half of them in the head of
// a request and half in its body, and a few honest ones beside them: are those served, and as soon as without?
import Glibc
import Synchronization
import TraceLoad
import TraceResults

/// The sink under slow clients, in one process with them and the honest ones; the sink in another.
struct SlowClientStudy {
    /// Slow connections held open, below the sink's cap of 1,024.
    private static let connections = 1_000
    /// Honest clients that keep their connection, and one more that makes a new one for each request.
    private static let honestClients = 4
    /// p99 of the honest may be so many times that without the slow ones.
    private static let ratioMax = 2.0
    /// Long enough for the sink's deadline of a body, 30 s, to pass; without slow ones before and after.
    private static let slowS: UInt64 = 40
    private static let quietS: UInt64 = 15

    let executable: String
    let shouldStop: @Sendable () -> Bool

    /// What one thread saw.
    private struct Seen: Sendable {
        var latenciesNs: [UInt64] = []
        var refused = 0
        /// Slow connections that the sink gave up.
        var givenUp = 0

        static func + (left: Seen, right: Seen) -> Seen {
            Seen(
                latenciesNs: left.latenciesNs + right.latenciesNs,
                refused: left.refused + right.refused, givenUp: left.givenUp + right.givenUp)
        }

        /// Nearest rank.
        var p99Ns: Double {
            let sorted = latenciesNs.sorted()
            guard !sorted.isEmpty else { return .nan }
            return Double(sorted[min(sorted.count - 1, sorted.count * 99 / 100)])
        }
    }

    /// Runs it; blocks for 70 s.
    func run() throws -> StudyResult {
        DescriptorLimit.allow(Self.connections + 256)
        let process = try SinkProcess(
            executable: executable, arguments: ["--embedded", "--port", "0"])
        defer { process.stop() }
        guard let port = process.baseURL.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw CommandFailure(
                message: "the sink listens on \(process.baseURL)", code: .invalidRun)
        }
        let before = try phase(port, seconds: Self.quietS, slow: 0)
        let slow = try phase(port, seconds: Self.slowS, slow: Self.connections)
        let quiet = try before + phase(port, seconds: Self.quietS, slow: 0)
        let books = try SinkControl(baseURL: process.baseURL).ledger()
        let ratio = slow.p99Ns / quiet.p99Ns
        let served = quiet.latenciesNs.count + slow.latenciesNs.count
        var result = StudyResult(
            study: .slowClients,
            summary: "\(NumberText.grouped(Self.connections)) slow connections, "
                + "\(NumberText.grouped(slow.givenUp)) times given up; honest p99 "
                + "\(NumberText.duration(ns: slow.p99Ns)) against "
                + "\(NumberText.duration(ns: quiet.p99Ns)) without (× \(NumberText.short(ratio))), "
                + "\(NumberText.grouped(served)) requests served")
        let refused = quiet.refused + slow.refused
        if refused > 0 { result.broken.append("\(refused) honest requests were not served") }
        if books.spansTotal != served {
            result.broken.append("\(books.spansTotal) spans arrived of \(served)")
        }
        if slow.givenUp < Self.connections { result.broken.append("slow ones were not given up") }
        if !(ratio <= Self.ratioMax) { result.exceeded.append("more than × 2") }
        return result
    }

    /// Honest clients for so long, after so many slow ones have connected.
    private func phase(_ port: UInt16, seconds: UInt64, slow: Int) throws -> Seen {
        let isReady = Atomic(false)
        let done = Atomic(0)
        let stop = shouldStop
        let seen = try ProducerThreads.run(Self.honestClients + 2) { thread in
            guard thread > 0 else {
                let crowd = SlowCrowd(port: port, count: slow)
                isReady.store(true, ordering: .releasing)
                while done.load(ordering: .acquiring) <= Self.honestClients, !stop() {
                    crowd.trickle()
                    usleep(SlowCrowd.tickUs)
                }
                return Seen(givenUp: crowd.givenUp)
            }
            // acquiring: pairs with the release above: all of the crowd have connected.
            while !isReady.load(ordering: .acquiring) { usleep(1_000) }
            defer { done.add(1, ordering: .releasing) }
            return Self.beHonest(
                port, untilNs: HostClock.monotonicNs() + seconds * 1_000_000_000,
                keepsConnection: thread > 1, stop)
        }
        return seen.reduce(Seen(), +)
    }

    /// A request every 8 ms on one connection, or every 40 ms on a new one each.
    private static func beHonest(
        _ port: UInt16, untilNs: UInt64, keepsConnection: Bool, _ stop: () -> Bool
    ) -> Seen {
        let request = HonestRequest.bytes(keepsConnection: keepsConnection)
        let pauseNs: UInt64 = keepsConnection ? 8_000_000 : 40_000_000
        var seen = Seen()
        var kept: LoopbackClient?
        var nextNs = HostClock.monotonicNs()
        while nextNs < untilNs, !stop() {
            let nowNs = HostClock.monotonicNs()
            if nowNs < nextNs { usleep(UInt32((nextNs - nowNs) / 1_000)) }
            let startNs = HostClock.monotonicNs()
            let client = kept ?? LoopbackClient(port: port)
            if let client, client.send(request), client.answer() == 200 {
                seen.latenciesNs.append(HostClock.monotonicNs() - startNs)
                kept = keepsConnection ? client : nil
            } else {
                seen.refused += 1
                kept = nil
            }
            nextNs += pauseNs
        }
        return seen
    }
}

/// Slow connections, one thread's. Each gets a byte a second; one that the sink closes is made anew.
private final class SlowCrowd {
    static let tickUs: UInt32 = 100_000
    private static let ticksPerByte = 10
    private static let head = Array("POST /v1/traces HTTP/1.1\r\nhost: slow\r\nx-slow: ".utf8)
    private static let bodyHead = Array(
        ("POST /v1/traces HTTP/1.1\r\nhost: slow\r\ncontent-type: application/x-protobuf\r\n"
            + "content-length: 1000000\r\n\r\n").utf8)

    private let port: UInt16
    private var clients: [LoopbackClient?]
    private var tick = 0
    private(set) var givenUp = 0

    init(port: UInt16, count: Int) {
        self.port = port
        clients = []
        for index in 0..<count { clients.append(Self.connect(port, index)) }
    }

    private static func connect(_ port: UInt16, _ index: Int) -> LoopbackClient? {
        guard let client = LoopbackClient(port: port) else { return nil }
        _ = client.send(index % 2 == 0 ? head : bodyHead)
        return client
    }

    /// A tenth of a second's work.
    func trickle() {
        tick += 1
        for index in clients.indices {
            guard let client = clients[index], client.isSilent else {
                // Connected again at once: the crowd is never smaller for long.
                if clients[index] != nil { givenUp += 1 }
                clients[index] = nil
                clients[index] = Self.connect(port, index)
                continue
            }
            if index % Self.ticksPerByte == tick % Self.ticksPerByte {
                _ = client.send([UInt8(ascii: "a")])
            }
        }
    }
}

/// An export of one span, as any client might send it.
private enum HonestRequest {
    static func bytes(keepsConnection: Bool) -> [UInt8] {
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            [number << 3 | 2, UInt8(bytes.count)] + bytes
        }
        let span =
            field(1, Array(1...16)) + field(2, Array(1...8)) + field(5, Array("honest".utf8))
        // ExportTraceServiceRequest, ResourceSpans, ScopeSpans.
        let body = field(1, field(2, field(2, span)))
        let head = """
            POST /v1/traces HTTP/1.1\r
            host: honest\r
            content-type: application/x-protobuf\r
            connection: \(keepsConnection ? "keep-alive" : "close")\r
            content-length: \(body.count)\r
            \r

            """
        return Array(head.utf8) + body
    }
}
