// Which spans count mode looks into: all those of one trace in so many, by a hash of its identifier,
// so that what is looked at are whole traces. Belongs to one event loop.

/// The hash by which traces are chosen. A trace is chosen at `1 in 2^n` when the hash is at most
/// `UInt64.max >> n`, so that those chosen at a lower rate are among those chosen at a higher one.
enum TraceChoice {
    @inline(__always)
    static func hash(high: UInt64, low: UInt64) -> UInt64 {
        // The high bits of a product depend on every bit of its factor: enough for numbers that
        // count up as for random ones, at a nanosecond.
        let value = low &* 0x9E37_79B9_7F4A_7C15 ^ high &* 0xC2B2_AE3D_27D4_EB4F
        return (value ^ value &>> 32) &* 0xD6E8_FEB8_6659_FD93
    }

    static func hash(_ trace: TraceKey) -> UInt64 { hash(high: trace.high, low: trace.low) }
}

/// The spans of one request that are looked into, and what tells whose they are. Used again for
/// request after request: it does not allocate once it has grown.
@safe
final class SpanSample {
    /// Spans of a trace whose hash is above it are passed over.
    var hashMax: UInt64 = .max
    private(set) var spans: [ObservedSpan] = []
    /// `service.name` of the resources in which there are such spans.
    private(set) var services: [String] = []
    /// Services of resources that this loop had not met before.
    private(set) var newServices: [String] = []
    /// Spans that were to be looked into and are not what protobuf says.
    private(set) var undecodable = 0

    private static let knownResourcesMax = 8192
    private var messages = unsafe [UnsafeRawBufferPointer]()
    private var decoded = DecodedSpan()
    private var knownResources: Set<UInt64> = []
    private var lastResource: UInt64 = 0

    /// Forgets the request before.
    func begin(hashMax: UInt64) {
        self.hashMax = hashMax
        spans.removeAll(keepingCapacity: true)
        services.removeAll(keepingCapacity: true)
        newServices.removeAll(keepingCapacity: true)
        unsafe messages.removeAll(keepingCapacity: true)
        undecodable = 0
    }

    /// Takes a span of the resource that ``endResource(_:)`` will be told of.
    @inline(never)
    func take(_ message: UnsafeRawBufferPointer) {
        unsafe messages.append(message)
    }

    /// Decodes the spans taken since the last resource.
    /// - Parameter resource: the encoded `Resource`.
    func endResource(_ resource: UnsafeRawBufferPointer) {
        let digest = unsafe LedgerHash.content(resource)
        if digest != lastResource {
            lastResource = digest
            if knownResources.count >= Self.knownResourcesMax { knownResources.removeAll() }
            if knownResources.insert(digest).inserted {
                newServices.append(unsafe Self.serviceName(of: resource))
            }
        }
        guard unsafe !messages.isEmpty else { return }
        services.append(unsafe Self.serviceName(of: resource))
        for index in unsafe messages.indices {
            do {
                unsafe try decoded.decode(messages[index])
                spans.append(ObservedSpan(decoded, service: services.count - 1))
            } catch {
                undecodable += 1
            }
        }
        unsafe messages.removeAll(keepingCapacity: true)
    }

    private static func serviceName(of resource: UnsafeRawBufferPointer) -> String {
        guard let name = try? unsafe RequestVerifier.serviceName(ofResource: resource) else {
            return ""
        }
        return unsafe String(decoding: name, as: UTF8.self)
    }
}
