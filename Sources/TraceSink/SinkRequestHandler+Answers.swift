// What a connection writes: answers to exports, to control requests, refusals, and the ways of
// closing.

import FoundationEssentials
import Glibc
import NIOCore
import NIOHTTP1

extension SinkRequestHandler {
    private static let exportedHeaders = HTTPHeaders([
        ("content-type", BodyEncoding.protobuf.contentType), ("content-length", "0"),
    ])

    /// Answers an export with an empty `ExportTraceServiceResponse`.
    func answerExported() {
        guard head.encoding == .protobuf else {
            answer(.ok, body: OTLPMessages.empty(head.encoding))
            return
        }
        write(.ok, Self.exportedHeaders, body: nil)
    }

    /// Answers with a body, in the encoding of the request when no type is given.
    func answer(
        _ status: HTTPResponseStatus, type: String? = nil, headers: [(String, String)] = [],
        body: [UInt8]
    ) {
        var all = HTTPHeaders([
            ("content-type", type ?? head.encoding.contentType),
            ("content-length", String(body.count)),
        ])
        all.add(contentsOf: headers)
        write(status, all, body: body.isEmpty ? nil : ByteBuffer(bytes: body))
    }

    /// Refuses a request that was read to its end, and counts that.
    func answer(_ refusal: SinkRefusal) {
        state.refuse()
        answer(
            refusal.status, headers: refusal.allow.map { [("allow", $0)] } ?? [],
            body: OTLPMessages.status(code: 3, message: refusal.message, head.encoding))
    }

    /// Refuses a request before its end, and counts that; the connection is closed afterwards.
    func refuseAtOnce(_ refusal: SinkRefusal) {
        state.refuse()
        keepAlive = false
        let body = OTLPMessages.status(code: 3, message: refusal.message, head.encoding)
        write(
            refusal.status,
            HTTPHeaders([
                ("content-type", head.encoding.contentType),
                ("content-length", String(body.count)),
            ]),
            body: ByteBuffer(bytes: body))
    }

    /// Tells a client that waits for it to send its body.
    func writeContinue() {
        guard let context else { return }
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Answers a control request.
    func answerControl(_ route: SinkRoute) {
        switch route {
        case .ledger:
            answerJSON(state.ledger())
        case .batches(let run, let last):
            var text = ""
            for (number, entry) in state.unsettledBatches(of: run, through: last) {
                let summary = entry.summary
                text += "\(number) \(summary.spans) \(Hex.text(summary.identitySum))"
                text += " \(Hex.text(summary.contentSum)) \(entry.deliveries)\n"
            }
            answer(.ok, type: "text/plain; charset=utf-8", body: Array(text.utf8))
        case .settle(let run, let last):
            let folded = state.settle(run, through: last)
            answer(.ok, type: "text/plain; charset=utf-8", body: Array("\(folded)\n".utf8))
        case .kept(let first, let count):
            guard let bytes = state.keptSpans(from: first, count: count) else {
                answer(
                    SinkRefusal(
                        .notFound,
                        "no spans are listed here: only the sink of a run with --fidelity does"))
                return
            }
            answer(.ok, type: "application/octet-stream", body: bytes)
        case .trace(let key, let wait):
            answerTrace(key, wait)
        case .traceList(let filter):
            answerTraces(filter)
        case .graph(let format):
            answerGraph(format)
        case .quality:
            answerJSON(state.study().quality)
        case .examples:
            answerJSON(state.exampleTraces())
        case .refused(let refusal):
            answer(refusal)
        case .traces:
            preconditionFailure("an export is not a control request")
        }
    }

    func answerJSON(_ value: some Encodable, headers: [(String, String)] = []) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if let json = try? encoder.encode(value) {
            answer(.ok, type: "application/json", headers: headers, body: Array(json))
        } else {
            answer(SinkRefusal(.internalServerError, "the answer cannot be written as JSON"))
        }
    }

    // MARK: Writing

    /// Writes a whole answer.
    func write(_ status: HTTPResponseStatus, _ headers: HTTPHeaders, body: ByteBuffer?) {
        writeHead(status, headers)
        if let body {
            context?.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        writeEnd()
    }

    /// Writes the head of an answer, which says whether the connection stays open.
    func writeHead(_ status: HTTPResponseStatus, _ headers: HTTPHeaders) {
        var headers = headers
        if !keepAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Ends an answer, and with it the request or the connection.
    func writeEnd() {
        guard let context, phase != .closed else { return }
        // A client that sends ahead and does not read is answered no further than the system takes it.
        if !context.channel.isWritable { context.flush() }
        guard context.channel.isWritable else {
            waitToEnd()
            return
        }
        // The end lets the next request in, if it was sent ahead, before this returns; many small
        // ones would take up the stack.
        guard endsNested < 16 else {
            context.eventLoop.assumeIsolated().execute { self.writeEnd() }
            return
        }
        endsNested += 1
        defer { endsNested -= 1 }
        let closes = !keepAlive
        if closes { linger() } else { becomeIdle() }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if closes { context.close(mode: .output, promise: nil) }
    }

    // MARK: Closing

    /// Closes at once, in good order.
    func close() {
        context?.close(promise: nil)
    }

    /// Breaks the connection with a TCP reset: SO_LINGER of zero, then close.
    func reset() {
        phase = .closed
        guard let context else { return }
        if let socket = context.channel as? any SocketOptionProvider {
            _ = socket.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
        }
        context.close(promise: nil)
    }
}

/// Numbers in hexadecimal, as the control endpoints write them.
enum Hex {
    /// Sixteen digits.
    static func text(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
