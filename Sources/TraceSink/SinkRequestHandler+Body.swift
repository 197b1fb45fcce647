// A request's body as it comes in parts: where it is put together, inflated, and let go.

import NIOCore
import TraceResults

extension SinkRequestHandler {
    func store(_ part: ByteBuffer, in body: BodyBuffer) throws(SinkRefusal) {
        let limits = configuration.limits
        let isGzip = head.isGzip
        let inflater = inflater
        let result: Result<Void, SinkRefusal> = unsafe part.withUnsafeReadableBytes { bytes in
            if isGzip {
                guard let inflater else { return .failure(.noMemory) }
                do throws(InflateError) {
                    unsafe try inflater.inflate(
                        bytes, into: body, sizeMax: limits.inflatedBytesMax)
                } catch {
                    return .failure(SinkRefusal(error, bytesMax: limits.inflatedBytesMax))
                }
                return .success(())
            }
            return unsafe body.append(bytes) ? .success(()) : .failure(.noMemory)
        }
        try result.get()
    }

    func takeBody() -> BodyBuffer {
        let taken = loop.bodies.take()
        body = taken
        if head.isGzip {
            if let inflater {
                inflater.reset()
            } else {
                inflater = try? GzipInflater()
            }
        } else if let contentLength = head.contentLength {
            // A length is only a promise: no more than this is set aside before bytes come.
            _ = taken.reserve(min(contentLength, 4 << 20))
        }
        return taken
    }

    func releaseBody() {
        whole = nil
        if let body { loop.bodies.give(body) }
        body = nil
    }

    /// The body ends before its end: what came of it is counted, not kept.
    func endBody() {
        if route == .traces {
            state.countBody(
                received: wireBytes, inflated: head.isGzip ? body?.count ?? 0 : wireBytes)
        }
        releaseBody()
    }
}
