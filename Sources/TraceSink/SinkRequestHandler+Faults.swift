// Where in the life of a request each fault strikes.

import NIOCore
import NIOHTTP1

extension SinkRequestHandler {
    /// Strikes when the head is read. Returns true when the request is over with that.
    func strikesAtHead(_ fault: SinkFault?) -> Bool {
        switch fault {
        case .reset(.before):
            reset()
            return true
        case .hang(.reading):
            _ = context?.channel.setOption(.autoRead, value: false)
            beSilent()
            return true
        case .down(let nanoseconds):
            reset()
            state.outage.begin(nanoseconds)
            return true
        case .tls:
            reset()
            state.outage.resetConnections()
            return true
        case .stop(let nanoseconds):
            // Nothing else of this process runs meanwhile either.
            ProcessStop.stop(nanoseconds: nanoseconds)
            state.endFault()
            return false
        default:
            return false
        }
    }

    /// Whether the connection is to be reset now that some of the body is read.
    func strikesInBody(_ fault: SinkFault?) -> Bool {
        fault == .reset(.body)
    }

    /// Whether the spans of a request count as received, given the fault: nil for no, else how many
    /// of them the answer will call rejected.
    func countsAsReceived(_ fault: SinkFault?) -> Int? {
        switch fault {
        case .status(let status): status.code < 300 ? 0 : nil
        case .partialSuccess(let rejected, _): rejected
        case .reset(.before), .reset(.body), .hang(.reading), .down, .tls: nil
        case nil, .reset(.after), .hang(.answer), .latency, .latencies, .trickle, .reply, .stop: 0
        }
    }

    /// Answers an export that was read and understood.
    func answerExport(_ fault: SinkFault?) {
        switch fault {
        case nil, .stop:
            answerExported()
        case .status(let status):
            answer(
                HTTPResponseStatus(statusCode: status.code), headers: status.headers(),
                body: status.code < 300
                    ? OTLPMessages.empty(head.encoding)
                    : OTLPMessages.status(code: 14, message: "injected fault", head.encoding))
        case .partialSuccess(let rejected, let message):
            answer(
                .ok,
                body: OTLPMessages.partialSuccess(
                    rejected: rejected, message: message, head.encoding))
        case .reset, .down, .tls:
            // Before and during the body were seen to earlier; an empty body has no middle.
            reset()
        case .hang:
            beSilent()
        case .latency(let nanoseconds):
            later(nanoseconds) { $0.answerExported() }
        case .latencies(let quantiles):
            later(Self.draw(quantiles, at: .random(in: 0..<1))) { $0.answerExported() }
        case .trickle(let interval):
            trickle(intervalNs: interval)
        case .reply(let reply):
            answerStrangely(reply)
        }
    }

    /// The value of that rank, 0 ..< 1.
    static func draw(_ quantiles: [Int64], at rank: Double) -> Int64 {
        let place = rank * Double(quantiles.count - 1)
        let index = Int(place)
        let (low, high) = (Double(quantiles[index]), Double(quantiles[index + 1]))
        return Int64(low + (high - low) * (place - Double(index)))
    }

    /// Runs `action` on the loop after a while, unless the connection has gone.
    func later(
        _ nanoseconds: Int64, _ action: @escaping (SinkRequestHandler) -> Void
    ) {
        guard let context else { return }
        context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(nanoseconds)) {
            if self.phase == .answer { action(self) }
        }
    }

    // An unknown field of 120 bytes: a valid response, and time enough for any timeout.
    private func trickle(intervalNs: Int64) {
        let body =
            OTLPMessages.unknownFieldHead(count: 120, head.encoding) + Self.filler(head.encoding)
        writeHead(
            .ok,
            HTTPHeaders([
                ("content-type", head.encoding.contentType), ("content-length", "\(body.count)"),
            ]))
        context?.flush()
        trickle(body[...], intervalNs: intervalNs)
    }

    /// What makes a head of an unknown field of 120 bytes a valid answer.
    private static func filler(_ encoding: BodyEncoding) -> [UInt8] {
        switch encoding {
        case .protobuf: Array(repeating: 0, count: 120)
        case .json: Array(repeating: 0x20, count: 118) + Array("\"}".utf8)
        }
    }

    private func trickle(_ rest: ArraySlice<UInt8>, intervalNs: Int64) {
        later(intervalNs) { handler in
            guard let byte = rest.first, let context = handler.context else {
                handler.writeEnd()
                return
            }
            let buffer = ByteBuffer(bytes: [byte])
            context.writeAndFlush(
                handler.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
            handler.trickle(rest.dropFirst(), intervalNs: intervalNs)
        }
    }

    private func answerStrangely(_ reply: SinkFault.ReplyFault) {
        switch reply {
        case .html:
            answer(
                .ok, type: "text/html",
                body: Array("<!doctype html><title>Sign in</title>".utf8))
        case .truncated:
            answer(.ok, body: OTLPMessages.unknownFieldHead(count: 120, head.encoding))
        case .flood(let bytes):
            writeHead(.ok, HTTPHeaders([("content-type", head.encoding.contentType)]))
            let start = ByteBuffer(
                bytes: OTLPMessages.unknownFieldHead(count: bytes, head.encoding))
            context?.write(wrapOutboundOut(.body(.byteBuffer(start))), promise: nil)
            flood(bytes)
        case .bomb(let bytes):
            let start = OTLPMessages.unknownFieldHead(count: bytes, head.encoding)
            answer(
                .ok, headers: [("content-encoding", "gzip")],
                body: GzipBomb.bytes(head: start, zeros: bytes))
        case .headers(let count):
            answer(
                .ok, headers: (0..<count).map { ("x-filler-\($0)", "0") }, body: [])
        }
    }

    // A piece is written when the one before it has left, so that a client that does not read does
    // not fill our memory.
    private func flood(_ left: Int) {
        guard let context else { return }
        let size = min(left, 1 << 16)
        guard size > 0 else {
            writeEnd()
            return
        }
        let piece = ByteBuffer(repeating: 0, count: size)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess {
            if self.phase == .answer { self.flood(left - size) }
        }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))), promise: written)
    }
}

extension SinkFault.StatusFault {
    /// The headers this answer adds.
    func headers() -> [(String, String)] {
        var headers = retryAfter.map { ("retry-after", $0.headerValue()) }
        if let location { headers.append(("location", location)) }
        return headers
    }
}

extension SinkFault.RetryAfter {
    func headerValue() -> String {
        switch self {
        case .text(let text): text
        case .dateFromNow(let seconds): HTTPDate.text(secondsFromNow: seconds)
        }
    }
}
