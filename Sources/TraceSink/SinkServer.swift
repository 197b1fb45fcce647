// The sink as a whole: binds, accepts, answers for its ledger, stops.

import Dispatch
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
public import TraceResults

/// Why a sink did not start.
public struct SinkStartError: Error, CustomStringConvertible {
    /// What went wrong, where, and what to do.
    public let description: String
}

/// A running OTLP/HTTP receiver. Thread-safe; its methods must not be called on its own event
/// loops, which only its own handlers run on.
public final class SinkServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let listener: SinkListener
    private let state: SinkState
    private let loops: [SinkLoop]
    private let isStopped = NIOLockedValueBox(false)
    // Signalled once when all is over; each waiter passes the signal on.
    private let stopped = DispatchSemaphore(value: 0)

    private let tls: SinkTLS?

    /// The address it listens on.
    public let host: String
    /// The port it listens on.
    public let port: Int

    private init(
        group: MultiThreadedEventLoopGroup, listener: SinkListener, state: SinkState,
        loops: [SinkLoop], tls: SinkTLS?, host: String, port: Int
    ) {
        self.tls = tls
        self.group = group
        self.listener = listener
        self.state = state
        self.loops = loops
        self.host = host
        self.port = port
    }

    /// Binds and begins to accept. Blocks until it listens.
    /// - Throws: ``SinkStartError`` when the address cannot be bound, or certificates cannot be made.
    public static func start(
        _ configuration: SinkConfiguration = SinkConfiguration()
    ) throws(SinkStartError) -> SinkServer {
        precondition(configuration.threads >= 1, "a sink needs at least one thread")
        let tls = configuration.isTLS ? try SinkTLS(host: configuration.host) : nil
        let handshakes = configuration.faults.rules.compactMap(\.fault.handshake)
        if tls == nil, let fault = handshakes.first {
            throw SinkStartError(
                description: "the fault tls=\(fault.rawValue) needs a sink with TLS: add --tls")
        }
        let state: SinkState
        do {
            state = try SinkState(configuration)
        } catch {
            throw SinkStartError(description: error.description)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let limits = configuration.limits
        let loops = group.makeIterator().map {
            SinkLoop($0, heldBodyBytesMax: limits.heldBodyBytesMax / configuration.threads)
        }
        do {
            let listener = SinkListener(host: configuration.host) {
                bootstrap(group, configuration, state, loops, tls)
            }
            let port = try listener.open(port: configuration.port)
            state.outage.onBegin { [weak listener] nanoseconds in
                for loop in loops { loop.resetAll() }
                if let nanoseconds {
                    listener?.close(for: nanoseconds, on: group.next(), state)
                }
            }
            let shortest = min(
                limits.headerDeadlineNs, limits.bodyDeadlineNs, limits.idleDeadlineNs)
            for loop in loops {
                loop.startSweep(everyNs: max(5_000_000, min(250_000_000, shortest / 4)))
            }
            return SinkServer(
                group: group, listener: listener, state: state, loops: loops, tls: tls,
                host: configuration.host, port: port)
        } catch {
            try? group.syncShutdownGracefully()
            throw SinkStartError(
                description:
                    "cannot listen on \(configuration.host):\(configuration.port): \(error); "
                    + "is the port taken? port 0 takes a free one")
        }
    }

    private static func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ configuration: SinkConfiguration,
        _ state: SinkState, _ loops: [SinkLoop], _ tls: SinkTLS?
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1 << 14, initial: 1 << 16, maximum: 1 << 20)
            )
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                guard state.openConnection() else { return channel.close() }
                channel.closeFuture.whenComplete { _ in state.closeConnection() }
                return channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop })
                    else { preconditionFailure("a connection on no loop of ours") }
                    try addHandlers(to: channel, configuration, state, loop, tls)
                }
            }
    }

    static func addHandlers(
        to channel: any Channel, _ configuration: SinkConfiguration, _ state: SinkState,
        _ loop: SinkLoop, _ tls: SinkTLS? = nil
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.limits.headerBytesMax
        limits.maxHeaderListSize = configuration.limits.headerBytesMax
        let handler = SinkRequestHandler(configuration: configuration, state: state, loop: loop)
        let pipeline = channel.pipeline.syncOperations
        if let tls {
            if let context = tls.context(state.shakeHands()) {
                try pipeline.addHandler(TLSHandler(context))
            } else {
                handler.isPlainWhereTLSIs = true
            }
        }
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(ByteWatch(handler))
        try pipeline.addHandler(
            ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)))
        // Holds back pipelined requests until the one before is answered.
        try pipeline.addHandler(HTTPServerPipelineHandler())
        try pipeline.addHandler(handler)
    }

    /// The line that tells a parent process, or a person, that the sink is ready.
    public var listeningLine: String {
        let address = host.contains(":") ? "[\(host)]" : host
        guard let authorityPath else {
            return "tracemill sink listening on http://\(address):\(port)"
        }
        return "tracemill sink listening on https://\(address):\(port) "
            + "(certificate authority: \(authorityPath))"
    }

    /// A PEM file with the certificate that clients have to trust; nil without TLS. It is in memory and
    /// lasts as long as the sink.
    public var authorityPath: String? { tls?.authorityPath }

    /// The books as they stand. Takes a lock that event loops want too: microseconds in count mode,
    /// up to a second in verify mode with a million spans kept.
    public func ledger() -> SinkLedger {
        state.ledger()
    }

    /// The quality of the traces so far, and the graph of who calls whom in them. As ``ledger()``.
    public func study() -> (quality: TraceQualityFigures, graph: ServiceGraph) {
        state.study()
    }

    /// A usual trace so far and the slowest. As ``ledger()``.
    public func exampleTraces() -> ExampleTraces {
        state.exampleTraces()
    }

    /// Stops listening, closes every connection, and ends the event loops. Blocks until that is
    /// done; a second call only waits for that too.
    public func shutdown() {
        let isFirst = isStopped.withLockedValue { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else {
            waitUntilStopped()
            return
        }
        listener.closeForGood()
        for loop in loops { loop.closeAll() }
        try? group.syncShutdownGracefully()
        state.outage.forget()
        stopped.signal()
    }

    /// Blocks until ``shutdown()`` is done, which another thread has to call.
    public func waitUntilStopped() {
        stopped.wait()
        stopped.signal()
    }
}
