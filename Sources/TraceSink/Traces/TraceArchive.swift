// Traces that can be asked for: every span that came, until the oldest give way. Not thread-safe; the
// sink's state guards it.

import TraceResults

/// What a list of traces tells of one.
public struct TraceSummary: Codable, Sendable, Equatable {
    /// 32 hexadecimal digits.
    public var traceId: String
    /// Service of the first root, or of the first span while there is none.
    public var serviceName: String
    /// Name of the same span.
    public var name: String
    /// Whether a root has come.
    public var hasRoot: Bool
    /// Start of the earliest span, Unix time in nanoseconds.
    @DecimalText public var startTimeUnixNano: UInt64 = 0
    /// From there to the latest end.
    public var durationNs: UInt64
    /// Spans that came, those sent again counted again.
    public var spans: Int
    /// Spans with an error.
    public var errors: Int
    /// Services with a span in it, sorted.
    public var services: [String]
}

/// What ``TraceArchive`` is asked for in a list.
struct TraceFilter: Equatable {
    var limit = 20
    var service: String?
    var durationNsMin: UInt64 = 0
    var onlyErrors = false
}

/// Traces by identifier, as they came.
struct TraceArchive {
    private struct Entry {
        var places: [ArchivePlace] = []
        var bytes = 0
        var spans = 0
        var errors = 0
        var start = UInt64.max
        var end: UInt64 = 0
        var service: Int32 = NameTable.other
        var name = ""
        var hasRoot = false
        var services: [Int32] = []
        /// Pieces of it were too much, or have given way.
        var isCut = false
        /// Monotonic time of the last piece.
        var lastNs: UInt64 = 0
    }

    private static let nameBytesMax = 200
    private let settings: SinkConfiguration.StoreSettings
    private var segments: ArchiveSegments
    private var entries: [TraceKey: Entry] = [:]
    /// Traces in the order they began; some may have gone.
    private var order: [TraceKey] = []
    private var traces: [Int: [TraceKey]] = [:]
    private var names = NameTable(namesMax: 1_000)
    /// Why the last piece could not be written; nil when it could.
    private(set) var failure: String?
    /// Pieces that could not be written.
    private(set) var lostPieces = 0

    /// - Throws: ``TraceStoreError`` when the folder cannot be used.
    init(_ settings: SinkConfiguration.StoreSettings) throws(TraceStoreError) {
        self.settings = settings
        segments = try ArchiveSegments(folder: settings.folder, bytesMax: settings.bytesMax)
        var segments = segments
        unsafe segments.forEachRecord { trace, _, place, document in
            guard let request = try? unsafe RequestVerifier.verify(document) else { return }
            enter(trace, request, Array(request.spans.indices), place, nowNs: 0)
        }
        self.segments = segments
        giveWay()
    }

    /// Traces that can be asked for.
    var count: Int { entries.count }

    /// Keeps the spans of a first delivery.
    /// - Parameters:
    ///   - cameUnixNs: the wall clock.
    ///   - nowNs: the monotonic clock.
    /// - Returns: what there is to say of the store, once for each change for the worse or the better.
    mutating func add(_ request: VerifiedRequest, cameUnixNs: UInt64, nowNs: UInt64) -> String? {
        let before = failure
        for piece in ArchiveRecord.records(of: request, cameUnixNs: cameUnixNs) {
            if let known = entries[piece.trace], known.bytes + piece.bytes.count > traceBytesMax {
                entries[piece.trace]?.isCut = true
                continue
            }
            switch segments.append(piece.bytes) {
            case .success(let place):
                failure = nil
                enter(piece.trace, request, piece.spans, place, nowNs: nowNs)
            case .failure(let error):
                failure = error.reason
                lostPieces += 1
            }
        }
        giveWay()
        guard before != failure else { return nil }
        if let failure {
            return
                "traces cannot be kept: \(failure); receiving goes on without, and what comes is "
                + "kept again once there is room"
        }
        return "traces are kept again; \(NumberText.grouped(lostPieces)) pieces of traces are lost"
    }

    private var traceBytesMax: Int { max(4096, settings.bytesMax / 4) }

    private mutating func enter(
        _ key: TraceKey, _ request: VerifiedRequest, _ spans: [Int], _ place: ArchivePlace,
        nowNs: UInt64
    ) {
        if entries[key] == nil { order.append(key) }
        traces[place.segment, default: []].append(key)
        var entry = entries.removeValue(forKey: key) ?? Entry()
        entry.places.append(place)
        entry.bytes += place.count
        entry.lastNs = nowNs
        for span in spans {
            let verified = request.spans[span]
            let observed = verified.observed
            let service = names.number(ofService: request.services[observed.service])
            let isRoot = observed.parentSpanID == 0
            if entry.spans == 0 || (isRoot && !entry.hasRoot) {
                entry.service = service
                entry.name = unsafe String(
                    decoding: verified.name.prefix(Self.nameBytesMax), as: UTF8.self)
                entry.hasRoot = isRoot
            }
            entry.spans += 1
            entry.errors += observed.isError ? 1 : 0
            entry.start = min(entry.start, observed.startUnixNano)
            entry.end = max(entry.end, observed.endUnixNano)
            if !entry.services.contains(service) { entry.services.append(service) }
        }
        entries[key] = entry
    }

    /// Lets the oldest segments go until there are few enough bytes and traces.
    private mutating func giveWay() {
        while segments.byteCount > settings.bytesMax || entries.count > settings.tracesMax {
            guard let number = segments.removeOldest() else {
                // All is in the segment being written: another is begun, so that this one can go.
                guard entries.count > settings.tracesMax, (try? segments.begin()) != nil else {
                    return
                }
                continue
            }
            for key in traces.removeValue(forKey: number) ?? [] {
                guard let slot = entries.index(forKey: key) else { continue }
                entries.values[slot].places.removeAll { $0.segment == number }
                entries.values[slot].isCut = true
                if entries.values[slot].places.isEmpty { entries.remove(at: slot) }
            }
        }
        // Those that have gone are forgotten now and then.
        if order.count > 2 * entries.count + 64 { order.removeAll { entries[$0] == nil } }
    }

    // MARK: Questions

    /// When the last piece of a trace came and how many pieces there are; nil when there is none.
    func state(of key: TraceKey) -> (pieces: Int, lastNs: UInt64)? {
        entries[key].map { ($0.places.count, $0.lastNs) }
    }

    /// The trace's document in protobuf, and whether parts of it have gone; nil when it is not here.
    func document(_ key: TraceKey) -> (bytes: [UInt8], isCut: Bool)? {
        guard let entry = entries[key] else { return nil }
        var bytes: [UInt8] = []
        var isCut = entry.isCut
        for place in entry.places {
            if let part = segments.document(place) { bytes += part } else { isCut = true }
        }
        return (bytes, isCut)
    }

    /// Traces that fit the filter, those that began last first.
    func list(_ filter: TraceFilter) -> [TraceSummary] {
        var result: [TraceSummary] = []
        var met: Set<TraceKey> = []
        for key in order.reversed() {
            guard result.count < filter.limit else { break }
            // One that went and came again is in the order twice.
            guard let entry = entries[key], met.insert(key).inserted else { continue }
            let summary = summary(key, entry)
            guard summary.durationNs >= filter.durationNsMin,
                !filter.onlyErrors || summary.errors > 0,
                filter.service.map(summary.services.contains) ?? true
            else { continue }
            result.append(summary)
        }
        return result
    }

    private func summary(_ key: TraceKey, _ entry: Entry) -> TraceSummary {
        var summary = TraceSummary(
            traceId: key.hex, serviceName: names.name(entry.service), name: entry.name,
            hasRoot: entry.hasRoot,
            durationNs: entry.end > entry.start ? entry.end - entry.start : 0,
            spans: entry.spans, errors: entry.errors,
            services: entry.services.map(names.name).sorted())
        summary.startTimeUnixNano = entry.start
        return summary
    }
}
