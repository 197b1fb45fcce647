/// The values of attributes: drawn by span, by trace, once an instance, or inherited from a caller.
/// One thread, as the rest of the simulation.
extension TraceSimulation {
    mutating func appendAttributes(of operation: CompiledOperation, _ frame: Int) {
        let slots = model.inheritSlotCount
        let row = frame * slots
        for slot in 0..<slots { callerRow[slot] = inherited[row + slot] }
        for index in operation.inheritedLiterals.indices {
            let literal = model.inheritedLiterals[index]
            inherited[row + Int(literal.slot)] = literal.value
        }
        let span = frames[frame].span
        for index in operation.baggage.indices {
            let added = model.baggage[index]
            let drawn = value(model.generators[Int(added.generator)], frame)
            emitText(
                PlanEvent(.baggage, span: span, operand: added.name, value: text(of: drawn).bits))
        }
        for index in operation.attributes.indices {
            let attribute = model.attributes[index]
            let generator = model.generators[Int(attribute.generator)]
            if generator.form == .baggage {
                // What arrives is known when it does.
                emit(
                    PlanEvent(
                        .attributeBaggage, span: span, operand: attribute.key,
                        value: UInt64(generator.auxiliary)))
                continue
            }
            // An inherited value is the caller's.
            let value =
                generator.form == .inherit
                ? callerRow[generator.auxiliary] : value(generator, frame)
            guard value.kind != .none else { continue }
            let event = PlanEvent(
                value.kind, span: span, operand: attribute.key, value: value.bits)
            if value.kind == .attributeText { emitText(event) } else { emit(event) }
            if attribute.slot >= 0 {
                inherited[row + Int(attribute.slot)] = value
            } else if generator.scope == .span, generator.form != .inherit {
                forget(value)
            }
        }
    }

    /// The values an event of the span has besides its literal ones, for the event that is emitted next.
    mutating func drawEventAttributes(_ event: CompiledEvent, _ frame: Int) {
        let slots = model.inheritSlotCount
        for index in event.attributes.indices {
            let attribute = model.attributes[index]
            let generator = model.generators[Int(attribute.generator)]
            let value: PlanValue
            switch generator.form {
            case .inherit: value = inherited[frame * slots + generator.auxiliary]
            case .baggage: value = .missing
            default: value = self.value(generator, frame)
            }
            guard value.kind != .none else { continue }
            eventValues.append(
                PlanEvent(
                    .eventAttribute, span: UInt16(value.kind.rawValue), operand: attribute.key,
                    value: value.bits))
        }
    }

    private mutating func value(_ generator: CompiledGenerator, _ frame: Int) -> PlanValue {
        switch generator.scope {
        case .span: return draw(generator, frames[frame].span)
        case .trace:
            let slot = tracePlace * model.traceScopedCount + generator.traceSlot
            if traceValues[slot].kind == .none {
                traceValues[slot] = draw(generator, frames[frame].span)
            }
            return traceValues[slot]
        case .instance:
            let service = operation(of: frame).service
            let first = Int(model.instanceRanges[service].first)
            return model.values[
                Int(generator.values.first) + Int(frames[frame].instance) - first]
        }
    }

    private mutating func draw(_ generator: CompiledGenerator, _ span: UInt16) -> PlanValue {
        switch generator.form {
        case .fixed, .inherit, .baggage: return generator.value
        case .table:
            let bits = trace.random.next()
            let picked = Int(((bits >> 32) * UInt64(generator.values.count)) >> 32)
            let cell = model.aliases[Int(generator.firstAlias) + picked]
            let index = UInt32(truncatingIfNeeded: bits) < cell.threshold ? picked : Int(cell.alias)
            return model.values[Int(generator.values.first) + index]
        case .integer:
            let value = Int64(generator.base) + Int64(trace.random.below(generator.width))
            return PlanValue(kind: .attributeInteger, bits: UInt64(bitPattern: value))
        case .sequence:
            let value = UInt64(generator.base) &+ sequences[generator.auxiliary]
            sequences[generator.auxiliary] += 1
            return PlanValue(kind: .attributeInteger, bits: value)
        case .string:
            let count = Int(model.draw(generator.auxiliary, &trace.random).rounded())
            let length = min(count, ScenarioReader.stringLengthMax)
            let offset = traceTexts[tracePlace].count
            for _ in 0..<length {
                let letter = RandomText.character(trace.random.below(62))
                traceTexts[tracePlace].append(letter)
            }
            return keptText(from: offset)
        case .unique:
            let offset = traceTexts[tracePlace].count
            let prefix = PlanText(bits: generator.value.bits)
            traceTexts[tracePlace].append(contentsOf: model.text[prefix.range])
            // Another generator of the same span has the same number, but the prefix tells.
            let number = unique.spanID(.init(trace: trace.index, span: span))
            for shift in stride(from: 60, through: 0, by: -4) {
                traceTexts[tracePlace].append(RandomText.hexadecimal(number >> UInt64(shift) & 15))
            }
            return keptText(from: offset)
        }
    }

    /// A value as baggage carries it.
    private mutating func text(of value: PlanValue) -> PlanText {
        let literal: AttributeLiteral
        switch value.kind {
        case .attributeText: return PlanText(bits: value.bits)
        case .attributeInteger: literal = .integer(Int(truncatingIfNeeded: value.bits))
        case .attributeDouble: literal = .double(Double(bitPattern: value.bits))
        default: literal = .boolean(value.bits != 0)
        }
        let offset = traceTexts[tracePlace].count
        traceTexts[tracePlace].append(contentsOf: literal.text.utf8)
        return PlanText(bits: keptText(from: offset).bits)
    }

    private func keptText(from offset: Int) -> PlanValue {
        let text = PlanText(
            offset: offset, byteCount: traceTexts[tracePlace].count - offset, isKnownAhead: false,
            isKept: true)
        return PlanValue(kind: .attributeText, bits: text.bits)
    }

    /// A text that was drawn last and that nobody asks for any more makes room.
    private mutating func forget(_ value: PlanValue) {
        guard value.kind == .attributeText else { return }
        let text = PlanText(bits: value.bits)
        guard text.isKept, text.range.upperBound == traceTexts[tracePlace].count else { return }
        traceTexts[tracePlace].removeLast(text.byteCount)
    }
}
