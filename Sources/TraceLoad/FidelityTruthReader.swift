import TraceCore
import TraceResults

/// The truth from plans, as the simulation hands them out: what is a span, whose child, how long, failed or
/// not, how large. It looks at the same events as the replay and at nothing that a tracer did. One thread.
struct FidelityTruthReader {
    private struct LiveArrival {
        var index: UInt64 = 0
        var startNs: UInt64 = 0
        var spans: [PlannedSpanTruth] = []
    }

    private let instanceServices: [Int]
    private let shapeNames: [String]
    private let sizes: PlanSizes
    /// Whether a context gets from one service to the next at all.
    private let propagates: Bool
    private let serviceCount: Int
    /// By shape and service; `none` where it was not met yet.
    private var operations: [UInt16]
    private var builder: TruthBuilder
    /// By worker and slot.
    private var live: [[LiveArrival]]
    /// By worker: the slot in hand.
    private var slots: [Int]
    /// By worker: what was said of the next start.
    private var pending: [(kind: PlanEvent.Kind, oddity: PlanOddity, identity: UInt16)]
    /// CPU time spent here, ns.
    private(set) var cpuNs: UInt64 = 0

    private static let none = UInt16.max

    /// - Parameter spansMax: numbers of spans that are taken.
    init(_ compiled: CompiledScenario, workers: Int, spansMax: Int) {
        instanceServices = compiled.instances.map(\.service)
        shapeNames = compiled.shapes.map(\.name)
        sizes = PlanSizes(compiled)
        propagates = Self.propagates(compiled)
        let services = compiled.scenario.services.map(\.name)
        serviceCount = services.count
        operations = Array(repeating: Self.none, count: shapeNames.count * serviceCount)
        builder = TruthBuilder(services: services, spansMax: spansMax)
        live = Array(repeating: [], count: workers)
        slots = Array(repeating: 0, count: workers)
        pending = Array(repeating: (.none, [], 0), count: workers)
    }

    private static func propagates(_ compiled: CompiledScenario) -> Bool {
        let propagation = ReplayPropagation(compiled)
        var carrier = HeaderBuffer()
        propagation.inject(
            SpanContext(
                traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3),
                flags: [.sampled, .random]), into: &carrier)
        return propagation.extract(from: carrier)?.isValid ?? false
    }

    /// Takes in the next piece of a worker's stream.
    mutating func read(_ chunk: PlanChunk, worker: Int) throws(TruthTooLarge) {
        let before = ReplayThread.cpuNs
        defer { cpuNs += ReplayThread.cpuNs - before }
        var slot = slots[worker]
        // Out of the arrays while they are changed.
        var arrivals: [LiveArrival] = []
        swap(&arrivals, &live[worker])
        var spans: [PlannedSpanTruth] = []
        /// Takes the spans of the slot in hand out, or puts them back.
        func turn(_ arrivals: inout [LiveArrival], _ spans: inout [PlannedSpanTruth]) {
            if slot < arrivals.count { swap(&spans, &arrivals[slot].spans) }
        }
        turn(&arrivals, &spans)
        defer {
            turn(&arrivals, &spans)
            slots[worker] = slot
            swap(&arrivals, &live[worker])
        }
        for event in chunk.events {
            switch event.kind {
            case .begin:
                turn(&arrivals, &spans)
                slot = Int(event.operand)
                while arrivals.count <= slot { arrivals.append(LiveArrival()) }
                let head = chunk.heads[Int(event.value)]
                arrivals[slot].index = head.index
                arrivals[slot].startNs = head.startNs
                turn(&arrivals, &spans)
                spans.removeAll(keepingCapacity: true)
            case .resume:
                turn(&arrivals, &spans)
                slot = Int(event.operand)
                turn(&arrivals, &spans)
            case .finish:
                turn(&arrivals, &spans)
                slot = Int(event.operand)
                // `defer` turns once more, whatever is thrown.
                defer { turn(&arrivals, &spans) }
                try finish(&arrivals[slot])
            case .prepare:
                pending[worker] = (
                    PlanEvent.Kind(rawValue: UInt8(event.operand & 0xFF)) ?? .start,
                    PlanOddity(rawValue: event.operand & ~0xFF), event.span
                )
            case .start, .startExtracted, .startLinked, .startSpecial, .forge:
                let operation = try operation(of: event)
                Self.start(event, operation, pending[worker], propagates: propagates, &spans)
                spans[Int(event.span)].byteCount = sizes.bytes(ofShape: event.shape)
            case .end, .endLate:
                spans[Int(event.span)].endNs = event.timeNs
            case .errorStatus:
                spans[Int(event.span)].isError = true
                spans[Int(event.span)].byteCount += sizes.bytes(of: event)
            case .attributeText, .attributeInteger, .attributeDouble, .attributeBoolean,
                .attributeBaggage, .event, .pastEvent, .exception:
                spans[Int(event.span)].byteCount += sizes.bytes(of: event)
            case .none, .inject, .injectForged, .baggage, .eventAttribute, .link: break
            }
        }
    }

    private mutating func operation(of start: PlanEvent) throws(TruthTooLarge) -> UInt16 {
        let service = instanceServices[start.instance]
        let place = start.shape * serviceCount + service
        if operations[place] == Self.none {
            operations[place] = try builder.number(
                of: TraceTruth.Operation(service: service, name: shapeNames[start.shape]))
        }
        return operations[place]
    }

    private static func start(
        _ event: PlanEvent, _ operation: UInt16,
        _ pending: (kind: PlanEvent.Kind, oddity: PlanOddity, identity: UInt16),
        propagates: Bool, _ spans: inout [PlannedSpanTruth]
    ) {
        let number = Int(event.span)
        while spans.count <= number { spans.append(PlannedSpanTruth()) }
        var span = PlannedSpanTruth()
        span.operation = operation
        span.startNs = event.timeNs
        span.parent = event.parent
        // Until it has ended.
        span.endNs = .max
        let isSpecial = event.kind == .startSpecial
        let kind = isSpecial ? pending.kind : event.kind
        let oddity = isSpecial ? pending.oddity : []
        span.isAbsent = event.kind == .forge
        span.isOrphan = oddity.contains(.orphan)
        switch kind {
        case .startExtracted: span.beginsTrace = !propagates || oddity.contains(.broken)
        case .startLinked: span.beginsTrace = true
        default: span.beginsTrace = event.parent == PlanEvent.noParent
        }
        if isSpecial, pending.identity != event.span {
            // A second copy of a span comes under the first one's number.
            span.isAbsent = true
            span.beginsTrace = false
            span.parent = pending.identity
        }
        spans[number] = span
    }

    private mutating func finish(_ arrival: inout LiveArrival) throws(TruthTooLarge) {
        for number in arrival.spans.indices where arrival.spans[number].endNs == .max {
            // Nobody ended it: it never comes.
            arrival.spans[number].isAbsent = true
            arrival.spans[number].endNs = arrival.spans[number].startNs
        }
        try builder.add(
            arrival: Int(arrival.index), startNs: arrival.startNs, arrival.spans)
    }

    /// The truth of all that was read.
    consuming func truth() -> TraceTruth { builder.finish() }
}

/// About how many bytes in protobuf an event adds to its span.
struct PlanSizes {
    private let shapes: [UInt32]
    private let keys: [UInt32]
    private let events: [UInt32]
    private let messages: [UInt32]

    /// Bytes of a span with nothing in it: identifiers, kind, times, flags, and what frames them.
    private static let emptySpanBytes: UInt32 = 76
    /// An event's time and frame.
    private static let emptyEventBytes: UInt32 = 13
    /// A key's and a value's frames.
    private static let attributeFrameBytes: UInt32 = 6
    /// Two attributes of an exception event: keys and frames.
    private static let exceptionBytes = UInt32(
        13 + 9 + 14 + 17 + 16 + CompiledScenario.exceptionType.utf8.count)

    init(_ compiled: CompiledScenario) {
        shapes = compiled.shapes.map { shape in
            shape.attributes.reduce(Self.emptySpanBytes + UInt32(shape.name.utf8.count)) {
                $0 + Self.bytes(of: $1)
            }
        }
        events = compiled.eventShapes.map { shape in
            shape.attributes.reduce(Self.emptyEventBytes + UInt32(shape.name.utf8.count)) {
                $0 + Self.bytes(of: $1)
            }
        }
        keys = compiled.keys.map { UInt32($0.utf8.count) + Self.attributeFrameBytes }
        messages = compiled.messages.map { UInt32($0.utf8.count) }
    }

    private static func bytes(of attribute: CompiledScenario.Attribute) -> UInt32 {
        let key = UInt32(attribute.key.utf8.count) + attributeFrameBytes
        switch attribute.value {
        case .string(let text): return key + 2 + UInt32(text.utf8.count)
        case .integer(let number): return key + 1 + varint(UInt64(bitPattern: Int64(number)))
        case .double: return key + 9
        case .boolean: return key + 2
        }
    }

    private static func varint(_ number: UInt64) -> UInt32 {
        UInt32(max(1, (64 - number.leadingZeroBitCount + 6) / 7))
    }

    func bytes(ofShape shape: Int) -> UInt32 { shapes[shape] }

    func bytes(of event: PlanEvent) -> UInt32 {
        switch event.kind {
        case .attributeText:
            keys[Int(event.operand)] + 2 + UInt32(PlanText(bits: event.value).byteCount)
        case .attributeInteger: keys[Int(event.operand)] + 1 + Self.varint(event.value)
        case .attributeDouble: keys[Int(event.operand)] + 9
        case .attributeBoolean: keys[Int(event.operand)] + 2
        case .attributeBaggage: keys[Int(event.operand)] + 2
        case .event, .pastEvent: events[Int(event.operand)]
        case .exception: Self.exceptionBytes + messages[Int(event.operand)]
        case .errorStatus: 6 + messages[Int(event.operand)]
        default: 0
        }
    }
}
