// One connection's requests: reads heads and bodies, decides, and hands over to the answers. Lives
// on its connection's event loop.

import NIOCore
import NIOHTTP1
import TraceResults

/// The last handler of a connection's pipeline.
final class SinkRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Where the connection stands.
    enum Phase {
        /// Between requests.
        case idle
        /// Bytes of a head have arrived, not all of them.
        case head
        /// The head is read, the body is being read.
        case body
        /// The request is read, its answer is not written.
        case answer
        /// An answer was written before the request was read; the rest is read and dropped.
        case lingering
        /// A fault keeps the connection silent.
        case silent
        /// Closed.
        case closed
    }

    let configuration: SinkConfiguration
    let state: SinkState
    let loop: SinkLoop
    var phase = Phase.idle
    var context: ChannelHandlerContext?
    var keepAlive = true
    /// Whether a fault has left out the TLS that its client expects.
    var isPlainWhereTLSIs = false
    /// Answers whose ends are being written inside each other.
    var endsNested = 0
    /// Whether an answer is written but for its end, and its client has yet to read.
    private var endIsDue = false
    private var deadlineNs = UInt64.max
    private var bytesWaiting = false
    /// Bytes that came since the head or the last piece of the body.
    private var framingBytes = 0

    // The request being read.
    var route = SinkRoute.traces
    private(set) var head = ExportHead.none
    private var refusal: SinkRefusal?
    private var fault: SinkFault?
    var wireBytes = 0
    // The body, if one buffer brought all of it; else it is put together in `body`.
    var whole: ByteBuffer?
    var body: BodyBuffer?
    var inflater: GzipInflater?

    init(configuration: SinkConfiguration, state: SinkState, loop: SinkLoop) {
        self.configuration = configuration
        self.state = state
        self.loop = loop
    }

    // MARK: Connection

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        loop.add(self)
        // The first head has to come as soon as the connection is there.
        phase = .head
        setDeadline(configuration.limits.headerDeadlineNs)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase == .body { endBody() }
        phase = .closed
        loop.remove(self)
        releaseBody()
        self.context = nil
        context.fireChannelInactive()
    }

    /// Called for every read, before it is decoded.
    func bytesArrived(_ count: Int) {
        switch phase {
        case .body:
            // The size of a chunk may have extensions and the last one trailers, which nobody here reads:
            // bounded as a head is. What came with the last read is looked at with this one, since it may
            // have been body.
            if framingBytes > configuration.limits.headerBytesMax {
                endBody()
                refuseAtOnce(SinkRefusal(.badRequest, "too much between two pieces of the body"))
            }
            framingBytes += count
        case .idle:
            phase = .head
            setDeadline(configuration.limits.headerDeadlineNs)
        case .answer: bytesWaiting = true
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            close()
            return
        }
        switch phase {
        case .lingering, .silent, .closed: return
        case .idle, .head, .body, .answer: break
        }
        if phase == .body { endBody() }
        refuseAtOnce(
            error == .headerOverflow
                ? SinkRefusal(.requestHeaderFieldsTooLarge, "the head is too large")
                : SinkRefusal(.badRequest, "not a valid HTTP/1 request"))
    }

    // MARK: Deadlines

    private func setDeadline(_ nanoseconds: Int64) {
        deadlineNs = ProcessUsage.monotonicNs() &+ UInt64(clamping: nanoseconds)
    }

    /// Called every now and then: gives up on a client that is too slow.
    func checkDeadline(nowNs: UInt64) {
        guard nowNs >= deadlineNs else { return }
        deadlineNs = .max
        if phase == .body {
            endBody()
            refuseAtOnce(SinkRefusal(.requestTimeout, "the body took too long"))
        } else {
            close()
        }
    }

    /// The request is answered: the next one may come.
    func becomeIdle() {
        fault = nil
        if bytesWaiting {
            bytesWaiting = false
            phase = .head
            setDeadline(configuration.limits.headerDeadlineNs)
        } else {
            phase = .idle
            setDeadline(configuration.limits.idleDeadlineNs)
        }
    }

    /// Ends the answer once its client has read enough of it, and closes if that takes too long.
    func waitToEnd() {
        endIsDue = true
        // Also where a request is refused before its end: the rest of it is dropped.
        phase = .answer
        setDeadline(configuration.limits.bodyDeadlineNs)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if endIsDue, context.channel.isWritable {
            endIsDue = false
            writeEnd()
        }
        context.fireChannelWritabilityChanged()
    }

    /// Reads and drops what still comes, for a second at most: closing at once would reset the
    /// connection, and the client might never see the answer.
    func linger() {
        phase = .lingering
        setDeadline(1_000_000_000)
    }

    /// Stays open without a word for as long as an idle connection may.
    func beSilent() {
        phase = .silent
        setDeadline(configuration.limits.idleDeadlineNs)
    }

    // MARK: Request

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(let part): read(part)
        case .end: end()
        }
    }

    private func begin(_ request: HTTPRequestHead) {
        guard phase == .idle || phase == .head else { return }
        phase = .body
        setDeadline(configuration.limits.bodyDeadlineNs)
        keepAlive = request.isKeepAlive
        route = SinkRoute(request)
        refusal = nil
        fault = nil
        head = .none
        wireBytes = 0
        framingBytes = 0
        if let refusal = SinkRefusal(codingsOf: request) {
            refuseAtOnce(refusal)
            return
        }
        if case .refused(let reason) = route { refusal = reason }
        if route == .traces {
            if isPlainWhereTLSIs { state.countPlainRequest() }
            fault = state.arrive()
            guard !strikesAtHead(fault) else { return }
            do {
                head = try ExportHead(request, limits: configuration.limits)
            } catch {
                refusal = error
            }
        }
        let expectsContinue =
            request.headers.first(name: "expect")?.lowercased() == "100-continue"
        if let refusal, refusal.status == .payloadTooLarge || expectsContinue {
            refuseAtOnce(refusal)
        } else if expectsContinue {
            writeContinue()
        }
    }

    private func read(_ part: ByteBuffer) {
        guard phase == .body else { return }
        wireBytes += part.readableBytes
        framingBytes = 0
        if wireBytes > configuration.limits.bodyBytesMax {
            endBody()
            refuseAtOnce(.tooLarge(configuration.limits.bodyBytesMax))
            return
        }
        if strikesInBody(fault) {
            endBody()
            reset()
            return
        }
        guard refusal == nil, route == .traces else { return }
        if !head.isGzip, wireBytes == head.contentLength, part.readableBytes == wireBytes {
            whole = part
            return
        }
        let body = body ?? takeBody()
        do {
            try store(part, in: body)
        } catch {
            refusal = error
            if error.status != .badRequest {
                endBody()
                refuseAtOnce(error)
            }
        }
    }

    private func end() {
        guard phase == .body else { return }
        phase = .answer
        deadlineNs = .max
        defer { releaseBody() }
        guard route == .traces else {
            if let refusal { answer(refusal) } else { answerControl(route) }
            return
        }
        var inflated = wireBytes
        if head.isGzip {
            inflated = body?.count ?? 0
            if refusal == nil {
                do throws(InflateError) {
                    guard let inflater else { throw InflateError.incomplete }
                    try inflater.finish()
                } catch {
                    refusal = SinkRefusal(error, bytesMax: configuration.limits.inflatedBytesMax)
                }
            }
        }
        state.countBody(received: wireBytes, inflated: inflated)
        if let refusal {
            answer(refusal)
            return
        }
        if let whole {
            unsafe whole.withUnsafeReadableBytes { unsafe receive($0) }
        } else if let body {
            unsafe receive(body.bytes)
        } else {
            unsafe receive(UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        guard head.encoding == .json else {
            unsafe receive(protobuf: bytes)
            return
        }
        let translated = loop.bodies.take()
        defer { loop.bodies.give(translated) }
        do {
            unsafe try OTLPJSONTranslator.translate(bytes, into: translated)
            unsafe receive(protobuf: translated.bytes)
        } catch {
            answer(
                error.problem == .noMemory
                    ? .noMemory
                    : SinkRefusal(
                        .badRequest, "not an ExportTraceServiceRequest in JSON: \(error)"))
        }
    }

    private func receive(protobuf bytes: UnsafeRawBufferPointer) {
        do {
            var summary: BatchSummary
            let content: ReceivedContent
            switch configuration.mode {
            case .count:
                loop.sample.begin(hashMax: state.hashMax)
                summary = unsafe try CountScanner.scan(bytes, sample: loop.sample)
                content = .sampled(loop.sample)
            case .verify:
                let result = unsafe try RequestVerifier.verify(bytes)
                summary = result.summary
                content = .verified(result)
            }
            summary.isTranslated = head.encoding != .protobuf
            if state.listsSpans { unsafe try loop.collector.collect(bytes) }
            if let rejected = countsAsReceived(fault) {
                state.receive(
                    summary, batch: head.batch, of: head.run, rejected: rejected, content,
                    listing: state.listsSpans ? loop.collector : nil)
            }
            answerExport(fault)
        } catch {
            answer(SinkRefusal(.badRequest, "not an ExportTraceServiceRequest: \(error)"))
        }
    }
}
