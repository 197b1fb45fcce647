// The port: open, closed for a while, open again. Any thread.

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Owns the listening socket.
final class SinkListener: Sendable {
    private enum Phase {
        case open(any Channel)
        case closedForNow
        case closedForGood
    }

    private let host: String
    private let bootstrap: @Sendable () -> ServerBootstrap
    private let phase = NIOLockedValueBox(Phase.closedForNow)
    private let port = NIOLockedValueBox(0)
    private static let retryNs: Int64 = 20_000_000
    private static let attemptsMax = 500

    init(host: String, bootstrap: @escaping @Sendable () -> ServerBootstrap) {
        self.host = host
        self.bootstrap = bootstrap
    }

    /// Binds and listens; blocks. Not on an event loop.
    ///
    /// - Returns: the port, which the system chose where 0 was asked for.
    func open(port wanted: Int) throws -> Int {
        let channel = try bootstrap().bind(host: host, port: wanted).wait()
        let bound = channel.localAddress?.port ?? wanted
        port.withLockedValue { $0 = bound }
        phase.withLockedValue { $0 = .open(channel) }
        return bound
    }

    /// Closes the port, and opens it again after so long. Nothing when it is closed already.
    func close(for nanoseconds: Int64, on loop: any EventLoop, _ state: SinkState) {
        let channel = phase.withLockedValue { phase -> (any Channel)? in
            guard case .open(let channel) = phase else { return nil }
            phase = .closedForNow
            return channel
        }
        guard let channel else { return }
        channel.close(promise: nil)
        reopen(after: nanoseconds, on: loop, attempt: 1, state)
    }

    private func reopen(
        after nanoseconds: Int64, on loop: any EventLoop, attempt: Int, _ state: SinkState
    ) {
        loop.scheduleTask(in: .nanoseconds(nanoseconds)) {
            guard case .closedForNow = self.phase.withLockedValue({ $0 }) else { return }
            let port = self.port.withLockedValue { $0 }
            self.bootstrap().bind(host: self.host, port: port).whenComplete { result in
                switch result {
                case .success(let channel):
                    self.take(channel, state)
                case .failure(let error):
                    // Somebody else may have the port for a moment.
                    guard attempt < Self.attemptsMax else {
                        state.notify("the port \(port) cannot be opened again: \(error)")
                        return
                    }
                    self.reopen(after: Self.retryNs, on: loop, attempt: attempt + 1, state)
                }
            }
        }
    }

    private func take(_ channel: any Channel, _ state: SinkState) {
        let isWanted = phase.withLockedValue { phase -> Bool in
            guard case .closedForNow = phase else { return false }
            phase = .open(channel)
            return true
        }
        if isWanted { state.endFault() } else { channel.close(promise: nil) }
    }

    /// Closes the port and keeps it so; blocks. Not on an event loop.
    func closeForGood() {
        let channel = phase.withLockedValue { phase -> (any Channel)? in
            defer { phase = .closedForGood }
            guard case .open(let channel) = phase else { return nil }
            return channel
        }
        try? channel?.close().wait()
    }
}

/// From the connection that a fault strikes to the server that owns the port.
final class SinkOutage: Sendable {
    private let action = NIOLockedValueBox<(@Sendable (Int64?) -> Void)?>(nil)

    /// What an outage does: resets all connections and closes the port for so long, if at all; set
    /// once, before there is a connection.
    func onBegin(_ action: @escaping @Sendable (Int64?) -> Void) {
        self.action.withLockedValue { $0 = action }
    }

    /// There is no server any more, which the action would keep.
    func forget() {
        action.withLockedValue { $0 = nil }
    }

    /// Takes the receiver down for so long.
    func begin(_ nanoseconds: Int64) {
        action.withLockedValue { $0 }?(nanoseconds)
    }

    /// Resets all connections; the port stays open.
    func resetConnections() {
        action.withLockedValue { $0 }?(nil)
    }
}
