// What the connections of one event loop share: memory for bodies and the watch over deadlines.
// Touched on that loop only.

import NIOCore

/// One event loop's connections.
// Safe because everything in it is touched on `eventLoop` only, which each method checks in debug.
final class SinkLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let bodies: BodyPool
    /// What is looked into of the request being received.
    let sample = SpanSample()
    /// What is listed of it.
    let collector = KeptSpanCollector()
    private var connections: [ObjectIdentifier: SinkRequestHandler] = [:]
    private var sweep: RepeatedTask?

    init(_ eventLoop: any EventLoop, heldBodyBytesMax: Int) {
        self.eventLoop = eventLoop
        bodies = BodyPool(heldMax: heldBodyBytesMax)
    }

    func add(_ connection: SinkRequestHandler) {
        eventLoop.assertInEventLoop()
        connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: SinkRequestHandler) {
        eventLoop.assertInEventLoop()
        connections[ObjectIdentifier(connection)] = nil
    }

    /// Begins to close connections that have missed a deadline. One pass over all connections
    /// every so often is cheaper than a timer for each request. Any thread.
    func startSweep(everyNs interval: Int64) {
        eventLoop.execute {
            self.sweep = self.eventLoop.scheduleRepeatedTask(
                initialDelay: .nanoseconds(interval), delay: .nanoseconds(interval)
            ) { _ in
                let now = ProcessUsage.monotonicNs()
                for connection in Array(self.connections.values) {
                    connection.checkDeadline(nowNs: now)
                }
            }
        }
    }

    /// Resets every connection, as the end of the process would. Any thread.
    func resetAll() {
        eventLoop.execute {
            for connection in Array(self.connections.values) { connection.reset() }
        }
    }

    /// Closes every connection and ends the sweep. Any thread but the loop's own; blocks.
    func closeAll() {
        try? eventLoop.submit {
            self.sweep?.cancel()
            self.sweep = nil
            for connection in Array(self.connections.values) { connection.close() }
        }.wait()
    }
}

/// Stands before the HTTP decoder and tells the handler behind it when bytes arrive, so that a head
/// that never ends has a deadline too.
final class ByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let handler: SinkRequestHandler

    init(_ handler: SinkRequestHandler) {
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handler.bytesArrived(unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }
}
