// TLS between the socket and the HTTP decoder: OpenSSL over two memory BIOs, which knows nothing of
// sockets and never blocks. One handler a connection, on its event loop.

import COpenSSL
import NIOCore

/// Decrypts what comes and encrypts what goes. The first handler of an https connection.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Decrypted bytes that are handed on at once.
    private static let pieceBytes = 1 << 16
    private var session: TLSSession?
    private var isShaken = false

    init(_ context: SinkTLS.Context) throws(SinkStartError) {
        session = try TLSSession(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let session else { return }
        let isTaken = unsafe unwrapInboundIn(data).withUnsafeReadableBytes {
            unsafe session.take($0)
        }
        guard isTaken, shake(context, session) else {
            end(context, session)
            return
        }
        guard isShaken else { return }
        // Whoever is told of bytes may close the connection with them.
        while self.session === session {
            var plain = context.channel.allocator.buffer(capacity: Self.pieceBytes)
            var step = TLSSession.Step.done
            while step == .done, plain.writableBytes >= TLSSession.recordBytesMax {
                step = session.read(into: &plain)
            }
            if plain.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plain)) }
            switch step {
            case .done: continue
            case .wantsMore: return
            case .over:
                if self.session === session { end(context, session) }
                return
            }
        }
    }

    /// Goes on with the handshake. Returns false when it has failed.
    private func shake(_ context: ChannelHandlerContext, _ session: TLSSession) -> Bool {
        guard !isShaken else { return true }
        let step = session.shake()
        isShaken = step == .done
        send(context, session)
        return step != .over
    }

    /// The client has ended it, or there is no going on: what there is to say is said.
    private func end(_ context: ChannelHandlerContext, _ session: TLSSession) {
        send(context, session)
        context.close(promise: nil)
    }

    private func send(_ context: ChannelHandlerContext, _ session: TLSSession) {
        let bytes = session.outgoing(context.channel.allocator)
        if bytes.readableBytes > 0 {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let plain = unwrapOutboundIn(data)
        guard let session, isShaken,
            unsafe plain.withUnsafeReadableBytes({ unsafe session.write($0) })
        else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bytes = session.outgoing(context.channel.allocator)
        context.write(wrapOutboundOut(bytes), promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // A connection that is closed whole is broken off, as without TLS; a half says its farewell.
        if mode == .output, isShaken, let session {
            session.endSending()
            send(context, session)
        }
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        session = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        session = nil
    }
}

/// One connection's state in OpenSSL. On its event loop.
@safe final class TLSSession {
    enum Step {
        /// The handshake is over, or bytes were read.
        case done
        /// Nothing to do until more comes.
        case wantsMore
        /// The client has ended the session, or broken its rules.
        case over
    }

    /// What one record can hold (RFC 8446, section 5.1), bytes.
    static let recordBytesMax = 1 << 14

    private let connection: OpaquePointer
    // Both belong to the connection.
    private let input: OpaquePointer
    private let output: OpaquePointer

    init(_ context: SinkTLS.Context) throws(SinkStartError) {
        guard let connection = unsafe SSL_new(context.pointer), let input = unsafe Self.memory(),
            let output = unsafe Self.memory()
        else { throw SinkStartError(description: "no memory for a TLS connection") }
        unsafe self.connection = connection
        unsafe self.input = input
        unsafe self.output = output
        unsafe SSL_set_bio(connection, input, output)
        unsafe SSL_set_accept_state(connection)
    }

    deinit { unsafe SSL_free(connection) }

    private static func memory() -> OpaquePointer? { unsafe BIO_new(BIO_s_mem()) }

    /// Takes bytes that have come. Returns false when there is no memory for them.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = unsafe BIO_write(input, bytes.baseAddress, Int32(bytes.count))
        return count == Int32(bytes.count)
    }

    /// Goes on with the handshake.
    func shake() -> Step {
        ERR_clear_error()
        return step(after: unsafe SSL_do_handshake(connection))
    }

    /// Appends decrypted bytes: one record's at most.
    func read(into buffer: inout ByteBuffer) -> Step {
        ERR_clear_error()
        var status: Int32 = 0
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.recordBytesMax) {
            room in
            status = unsafe SSL_read(connection, room.baseAddress, Int32(room.count))
            return Int(max(0, status))
        }
        return step(after: status)
    }

    /// Encrypts bytes for ``outgoing(_:)``. Returns false when the session is over.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard unsafe !bytes.isEmpty else { return true }
        ERR_clear_error()
        // Memory takes all of it, so there is no part of a write to be repeated.
        return unsafe SSL_write(connection, bytes.baseAddress, Int32(bytes.count))
            == Int32(bytes.count)
    }

    /// Says that nothing more will be sent.
    func endSending() {
        ERR_clear_error()
        unsafe SSL_shutdown(connection)
    }

    /// Takes what is to be sent.
    func outgoing(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        let count = Int(unsafe BIO_ctrl_pending(output))
        var buffer = allocator.buffer(capacity: count)
        guard count > 0 else { return buffer }
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            Int(max(0, unsafe BIO_read(output, room.baseAddress, Int32(count))))
        }
        return buffer
    }

    private func step(after status: Int32) -> Step {
        if status > 0 { return .done }
        return unsafe SSL_get_error(connection, status) == SSL_ERROR_WANT_READ ? .wantsMore : .over
    }
}
