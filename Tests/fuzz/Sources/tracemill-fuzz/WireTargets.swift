// Export requests as a receiver gets them: protobuf, JSON, gzip.
@testable import TraceResults
@testable import TraceSink

enum WireTargets {
    /// The quick scan and the whole decode have to agree on every request that the decode accepts.
    static let protobuf: FuzzTarget = { bytes in
        let verified = try? RequestVerifier.verify(bytes)
        let scanned = try? CountScanner.scan(bytes)
        guard let verified else { return }
        guard let scanned else { fatalError("decoded, and not scanned") }
        demand(
            scanned.spans == UInt64(verified.spans.count),
            "scanned \(scanned.spans) spans, decoded \(verified.spans.count)")
        _ = try? OTLPTraces(protobuf: bytes)
    }

    /// What is taken as JSON has to be a request in protobuf, no longer than the text.
    static let json: FuzzTarget = { bytes in
        let buffer = BodyBuffer(budget: BodyBudget(heldMax: 16 << 20))
        guard (try? OTLPJSONTranslator.translate(bytes, into: buffer)) != nil else { return }
        demand(buffer.count <= bytes.count, "\(bytes.count) bytes of JSON made \(buffer.count)")
        demand((try? CountScanner.scan(buffer.bytes)) != nil, "translated into no request")
    }

    /// The same bytes in pieces of any size are the same body, and no body grows beyond its bound.
    static let gzip: FuzzTarget = { bytes in
        guard bytes.count > 1 else { return }
        let sizeMax = 1 << 20
        func inflated(pieces: Int) -> [UInt8]? {
            guard let inflater = try? GzipInflater() else { fatalError("no inflater") }
            let buffer = BodyBuffer(budget: BodyBudget(heldMax: 16 << 20))
            var start = 1
            while start < bytes.count {
                let end = min(bytes.count, start + pieces)
                let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                guard (try? inflater.inflate(piece, into: buffer, sizeMax: sizeMax)) != nil else {
                    return nil
                }
                start = end
            }
            guard (try? inflater.finish()) != nil else { return nil }
            demand(buffer.count <= sizeMax, "\(buffer.count) bytes from a bound of \(sizeMax)")
            return Array(buffer.bytes)
        }
        let whole = inflated(pieces: .max - bytes.count)
        demand(whole == inflated(pieces: Int(bytes[0]) + 1), "another body in pieces")
        whole?.withUnsafeBytes { _ = try? CountScanner.scan($0) }
    }
}
