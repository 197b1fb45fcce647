// A connection's bytes through the sink's own handlers, the HTTP decoder among them, without a socket.
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import TraceResults
@testable import TraceSink

enum HTTPTarget {
    private static let configuration: SinkConfiguration = {
        var configuration = SinkConfiguration()
        configuration.mode = .verify
        return configuration
    }()

    /// The first byte says in which pieces the rest arrives.
    static let run: FuzzTarget = { bytes in
        guard bytes.count > 1 else { return }
        guard let state = try? SinkState(configuration) else { fatalError("no sink") }
        let channel = EmbeddedChannel()
        let loop = SinkLoop(channel.eventLoop, heldBodyBytesMax: 16 << 20)
        do {
            try SinkServer.addHandlers(to: channel, configuration, state, loop)
        } catch {
            fatalError("\(error)")
        }
        demand(state.openConnection(), "refused")
        channel.pipeline.fireChannelActive()
        let piece = bytes[0] == 0 ? Int.max / 2 : Int(bytes[0])
        var start = 1
        while start < bytes.count, channel.isActive || start == 1 {
            let end = min(bytes.count, start + piece)
            let part = ByteBuffer(bytes: bytes[start..<end])
            // A refused request is no defect.
            _ = try? channel.writeInbound(part)
            start = end
        }
        while let answer = try? channel.readOutbound(as: IOData.self) {
            guard case .byteBuffer(let buffer) = answer else { continue }
            // Whatever is answered is HTTP.
            if buffer.readableBytes >= 5,
                let head = buffer.getString(at: buffer.readerIndex, length: 5),
                head.hasPrefix("HTTP")
            {
                demand(head == "HTTP/", "an answer that begins with \(head)")
            }
        }
        state.closeConnection()
        _ = try? channel.finish(acceptAlreadyClosed: true)
        let ledger = state.ledger()
        demand(
            ledger.spansTotal >= ledger.spansDistinct,
            "\(ledger.spansDistinct) distinct of \(ledger.spansTotal) spans")
    }
}
