// Takes in arrivals one after another, in any order, and makes the truth of them.

/// One span of an arrival, as its plan has it.
public struct PlannedSpanTruth: Sendable {
    /// As the builder numbers it.
    public var operation: UInt16 = 0
    /// Number of the parent within the arrival; ``TruthSpan/noParent`` for none.
    public var parent = TruthSpan.noParent
    /// It has a trace identifier of its own.
    public var beginsTrace = false
    /// Its parent's identifier names no span.
    public var isOrphan = false
    /// Only a number: no span with it ever comes.
    public var isAbsent = true
    public var isError = false
    public var byteCount: UInt32 = 0
    /// Since the beginning of the arrival, ns.
    public var startNs: UInt64 = 0
    public var endNs: UInt64 = 0

    /// A number without a span.
    public init() {}
}

/// Why plans are too many.
public enum TruthTooLarge: Error, CustomStringConvertible {
    case spans(max: Int)
    case operations

    public var description: String {
        switch self {
        case .spans(let max):
            "the traces have more than \(NumberText.grouped(UInt64(max))) spans, which are kept in memory: "
                + "write fewer with --traces"
        case .operations:
            "the traces have more than 65,000 operations, too many to tell apart: give spans names of low "
                + "cardinality"
        }
    }
}

/// Makes a ``TraceTruth``. One thread at a time.
public struct TruthBuilder: Sendable {
    private var truth: TraceTruth
    private let spansMax: Int
    private var shapePlaces: [UInt64: UInt32] = [:]
    private var work = ShapeWork()
    private var operationPlaces: [TraceTruth.Operation: UInt16] = [:]

    /// - Parameters:
    ///   - spansMax: numbers of spans that it takes.
    public init(services: [String], spansMax: Int) {
        truth = TraceTruth(services: services)
        self.spansMax = spansMax
    }

    /// The number of an operation until ``finish()``.
    public mutating func number(
        of operation: TraceTruth.Operation
    ) throws(TruthTooLarge) -> UInt16 {
        if let place = operationPlaces[operation] { return place }
        guard truth.operations.count < 65_000 else { throw .operations }
        let place = UInt16(truth.operations.count)
        operationPlaces[operation] = place
        truth.operations.append(operation)
        truth.operationSpans.append(0)
        truth.operationErrors.append(0)
        truth.operationHashes.append(
            ShapeHash.operation(
                service: truth.services[operation.service], name: operation.name))
        return place
    }

    public var spanCount: Int { truth.spans.count }

    /// Takes in an arrival.
    ///
    /// - Parameters:
    ///   - number: of the arrival; each comes once.
    ///   - startNs: simulated time of its beginning.
    ///   - planned: its spans by number, parents before children.
    public mutating func add(
        arrival number: Int, startNs: UInt64, _ planned: [PlannedSpanTruth]
    ) throws(TruthTooLarge) {
        guard truth.spans.count + planned.count <= spansMax else {
            throw .spans(max: spansMax)
        }
        let firstSpan = truth.spans.count
        let firstTrace = truth.traces.count
        for (number, span) in planned.enumerated() {
            let trace = enter(span, number, firstSpan: firstSpan, startNs)
            let parent = span.parent
            // What is no span cannot be looked for.
            let isParentSeen =
                parent != TruthSpan.noParent && !span.isOrphan && !span.beginsTrace
                && !planned[Int(parent)].isAbsent
            truth.spans.append(
                TruthSpan(
                    durationNs: span.endNs - min(span.startNs, span.endNs), isError: span.isError,
                    isAbsent: span.isAbsent, trace: trace, byteCount: span.byteCount,
                    operation: span.operation,
                    parent: isParentSeen ? parent : TruthSpan.noParent))
        }
        finishTraces(firstSpan: firstSpan, firstTrace: firstTrace, startNs)
        if truth.arrivals.count <= number {
            truth.arrivals += repeatElement(
                TraceTruth.Arrival(), count: number + 1 - truth.arrivals.count)
        }
        truth.arrivals[number] = TraceTruth.Arrival(
            firstSpan: UInt32(firstSpan), spanCount: UInt32(planned.count),
            firstTrace: UInt32(firstTrace), traceCount: UInt32(truth.traces.count - firstTrace))
    }

    /// Books a span with its trace, which it may begin; returns the trace's place.
    private mutating func enter(
        _ span: PlannedSpanTruth, _ number: Int, firstSpan: Int, _ startNs: UInt64
    ) -> UInt32 {
        let place: UInt32
        if span.beginsTrace || span.parent == TruthSpan.noParent {
            place = UInt32(truth.traces.count)
            // Start and end are relative until the arrival is through.
            truth.traces.append(
                TruthTrace(
                    startNs: .max, durationNs: 0, firstEndNs: .max, shape: 0, spanCount: 0,
                    errorCount: 0, rootSpan: UInt16(number), operation: span.operation))
        } else {
            place = truth.spans[firstSpan + Int(span.parent)].trace
        }
        guard !span.isAbsent else { return place }
        let trace = Int(place)
        if truth.traces[trace].spanCount == 0 { truth.traces[trace].operation = span.operation }
        truth.traces[trace].spanCount += 1
        truth.traces[trace].errorCount += span.isError ? 1 : 0
        truth.traces[trace].startNs = min(truth.traces[trace].startNs, span.startNs)
        truth.traces[trace].durationNs = max(truth.traces[trace].durationNs, span.endNs)
        truth.traces[trace].firstEndNs = min(truth.traces[trace].firstEndNs, span.endNs)
        truth.operationSpans[Int(span.operation)] += 1
        truth.operationErrors[Int(span.operation)] += span.isError ? 1 : 0
        truth.spanCount += 1
        truth.byteCount += UInt64(span.byteCount)
        return place
    }

    private mutating func finishTraces(firstSpan: Int, firstTrace: Int, _ startNs: UInt64) {
        let spans = truth.spans[firstSpan...]
        work.run(
            spans, firstTrace: UInt32(firstTrace), traceCount: truth.traces.count - firstTrace,
            operationHashes: truth.operationHashes,
            isPresent: { !spans[firstSpan + $0].isAbsent })
        for place in firstTrace..<truth.traces.count {
            guard truth.traces[place].spanCount > 0 else {
                truth.traces[place].startNs = startNs
                truth.traces[place].firstEndNs = 0
                continue
            }
            let beginNs = truth.traces[place].startNs
            truth.traces[place].startNs = startNs + beginNs
            truth.traces[place].durationNs -= beginNs
            truth.traces[place].firstEndNs -= beginNs
            truth.traces[place].shape = shapePlace(
                work.shapes[place - firstTrace], truth.traces[place])
        }
    }

    private mutating func shapePlace(_ hash: UInt64, _ trace: TruthTrace) -> UInt32 {
        if let place = shapePlaces[hash] {
            truth.shapes[Int(place)].traceCount += 1
            return place
        }
        let place = UInt32(truth.shapes.count)
        shapePlaces[hash] = place
        truth.shapes.append(
            TraceTruth.Shape(
                hash: hash, spanCount: trace.spanCount, operation: trace.operation, traceCount: 1))
        return place
    }

    /// The truth of all that came.
    public consuming func finish() -> TraceTruth {
        // Theirs among themselves was the order in which they were met, which is the simulation's.
        let order = truth.operations.indices.sorted { left, right in
            let (a, b) = (truth.operations[left], truth.operations[right])
            return (a.service, a.name) < (b.service, b.name)
        }
        var places = Array(repeating: UInt16(0), count: order.count)
        for (place, old) in order.enumerated() { places[old] = UInt16(place) }
        truth.operations = order.map { truth.operations[$0] }
        truth.operationSpans = order.map { truth.operationSpans[$0] }
        truth.operationErrors = order.map { truth.operationErrors[$0] }
        truth.operationHashes = order.map { truth.operationHashes[$0] }
        guard !order.isEmpty else { return truth }
        for place in truth.spans.indices {
            truth.spans[place].operation = places[Int(truth.spans[place].operation)]
        }
        for place in truth.traces.indices {
            truth.traces[place].operation = places[Int(truth.traces[place].operation)]
        }
        for place in truth.shapes.indices {
            truth.shapes[place].operation = places[Int(truth.shapes[place].operation)]
        }
        return truth
    }
}
