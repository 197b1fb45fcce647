import Testing

@testable import TraceLoad

/// A plan read back span by span.
struct PlannedSpan {
    var start: PlanEvent
    var endNs: UInt64?
    var attributes: [(key: String, value: AttributeLiteral)] = []
    var events: [(name: String, timeNs: UInt64)] = []
    var baggage: [(name: String, value: String)] = []
    /// Attributes that take their value from the baggage, with its name.
    var baggageAttributes: [(key: String, name: String)] = []
    var isFailed = false
    var message = ""
    var name = ""
    var service = ""

    func value(_ key: String) -> AttributeLiteral? { attributes.first { $0.key == key }?.value }
}

/// Reads a plan, checking on the way that nothing happens to a span before its start or after its
/// end, that times never go back, and that a carrier is filled before it is read.
func read(
    _ plan: TracePlan, _ batch: PlanBatch, _ compiled: CompiledScenario
) -> [UInt16: PlannedSpan] {
    var spans: [UInt16: PlannedSpan] = [:]
    var carriers: Set<UInt16> = []
    var lastNs: UInt64 = 0
    for event in batch.events[plan.events] {
        if event.isTimed {
            #expect(event.timeNs >= lastNs, "time goes back")
            lastNs = event.timeNs
        }
        if event.isStart {
            #expect(spans[event.span] == nil, "a span starts twice")
            if event.kind != .start { #expect(carriers.contains(event.parent)) }
            if event.kind == .start, event.parent != PlanEvent.noParent {
                #expect(spans[event.parent] != nil, "a parent starts after its child")
                #expect(spans[event.parent]?.endNs == nil, "a local parent has ended")
            }
            spans[event.span] = PlannedSpan(
                start: event, name: compiled.shapes[event.shape].name,
                service: compiled.instances[event.instance].serviceName)
            continue
        }
        #expect(spans[event.span] != nil && spans[event.span]?.endNs == nil, "\(event)")
        switch event.kind {
        case .inject: carriers.insert(event.span)
        case .end: spans[event.span]?.endNs = event.timeNs
        case .errorStatus:
            spans[event.span]?.isFailed = true
            spans[event.span]?.message = compiled.messages[Int(event.operand)]
        case .event, .pastEvent:
            let name = compiled.eventShapes[Int(event.operand)].name
            spans[event.span]?.events.append((name, event.timeNs))
        case .exception: spans[event.span]?.events.append(("exception", event.timeNs))
        case .attributeText:
            let text = PlanText(bits: event.value)
            let bytes = (text.isKnownAhead ? compiled.text : batch.text)[text.range]
            add(.string(String(decoding: bytes, as: UTF8.self)))
        case .attributeInteger: add(.integer(Int(truncatingIfNeeded: event.value)))
        case .attributeDouble: add(.double(Double(bitPattern: event.value)))
        case .attributeBoolean: add(.boolean(event.value != 0))
        case .attributeBaggage:
            spans[event.span]?.baggageAttributes.append(
                (compiled.keys[Int(event.operand)], compiled.baggageNames[Int(event.value)]))
        case .baggage:
            let text = PlanText(bits: event.value)
            let bytes = (text.isKnownAhead ? compiled.text : batch.text)[text.range]
            spans[event.span]?.baggage.append(
                (
                    compiled.baggageNames[Int(event.operand)],
                    String(decoding: bytes, as: UTF8.self)
                ))
        case .start, .startExtracted, .startLinked, .none, .eventAttribute, .endLate, .prepare,
            .link,
            .startSpecial, .forge, .injectForged, .begin, .resume, .finish:
            Issue.record("\(event)")
        }
        func add(_ value: AttributeLiteral) {
            let key = compiled.keys[Int(event.operand)]
            #expect(spans[event.span]?.value(key) == nil, "\(key) is set twice")
            spans[event.span]?.attributes.append((key, value))
        }
    }
    #expect(spans.count == plan.spanCount)
    #expect(spans.values.allSatisfy { $0.endNs != nil })
    #expect(spans.values.map { $0.endNs ?? 0 }.max() == plan.durationNs)
    return spans
}
