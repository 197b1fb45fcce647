/// The values of attributes: drawn by span, by trace, once an instance, or inherited from a caller.
/// One thread, as the rest of the simulation.
extension TraceSimulation {
    mutating func appendAttributes(
        of operation: CompiledOperation, _ span: UInt16, _ entry: Entry, _ batch: inout PlanBatch
    ) {
        let slots = model.inheritSlotCount
        let row = (entry.level + 1) * slots
        for slot in 0..<slots {
            inherited[row + slot] = entry.level == 0 ? .missing : inherited[row - slots + slot]
        }
        for index in operation.inheritedLiterals.indices {
            let literal = model.inheritedLiterals[index]
            inherited[row + Int(literal.slot)] = literal.value
        }
        for index in operation.baggage.indices {
            let added = model.baggage[index]
            let drawn = value(
                model.generators[Int(added.generator)], span, entry.instance, operation.service,
                &batch)
            batch.events.append(
                PlanEvent(
                    .baggage, span: span, operand: added.name, value: text(of: drawn, &batch).bits))
        }
        for index in operation.attributes.indices {
            let attribute = model.attributes[index]
            let generator = model.generators[Int(attribute.generator)]
            if generator.form == .baggage {
                // What arrives is known when it does.
                batch.events.append(
                    PlanEvent(
                        .attributeBaggage, span: span, operand: attribute.key,
                        value: UInt64(generator.auxiliary)))
                continue
            }
            // An inherited value is the caller's: the row above.
            let value =
                generator.form == .inherit
                ? (entry.level == 0 ? .missing : inherited[row - slots + generator.auxiliary])
                : value(generator, span, entry.instance, operation.service, &batch)
            guard value.kind != .none else { continue }
            batch.events.append(
                PlanEvent(value.kind, span: span, operand: attribute.key, value: value.bits))
            if attribute.slot >= 0 { inherited[row + Int(attribute.slot)] = value }
        }
    }

    private mutating func value(
        _ generator: CompiledGenerator, _ span: UInt16, _ instance: UInt16, _ service: Int,
        _ batch: inout PlanBatch
    ) -> PlanValue {
        switch generator.scope {
        case .span: return draw(generator, span, &batch)
        case .trace:
            let slot = generator.traceSlot
            if traceValues[slot].stamp != traceIndex {
                traceValues[slot] = (traceIndex, draw(generator, span, &batch))
            }
            return traceValues[slot].value
        case .instance:
            let first = Int(model.instanceRanges[service].first)
            return model.values[Int(generator.values.first) + Int(instance) - first]
        }
    }

    private mutating func draw(
        _ generator: CompiledGenerator, _ span: UInt16, _ batch: inout PlanBatch
    ) -> PlanValue {
        switch generator.form {
        case .fixed, .inherit, .baggage: return generator.value
        case .table:
            let bits = random.next()
            let picked = Int(((bits >> 32) * UInt64(generator.values.count)) >> 32)
            let cell = model.aliases[Int(generator.firstAlias) + picked]
            let index = UInt32(truncatingIfNeeded: bits) < cell.threshold ? picked : Int(cell.alias)
            return model.values[Int(generator.values.first) + index]
        case .integer:
            let value = Int64(generator.base) + Int64(random.below(generator.width))
            return PlanValue(kind: .attributeInteger, bits: UInt64(bitPattern: value))
        case .sequence:
            let value = UInt64(generator.base) &+ sequences[generator.auxiliary]
            sequences[generator.auxiliary] += 1
            return PlanValue(kind: .attributeInteger, bits: value)
        case .string:
            let count = Int(model.draw(generator.auxiliary, &random).rounded())
            let length = min(count, ScenarioReader.stringLengthMax)
            let offset = batch.text.count
            for _ in 0..<length { batch.text.append(RandomText.character(random.below(62))) }
            return text(from: offset, &batch)
        case .unique:
            let offset = batch.text.count
            let prefix = PlanText(bits: generator.value.bits)
            for index in prefix.range { batch.text.append(model.text[index]) }
            let number = unique.spanID(.init(trace: traceIndex, span: span))
            for shift in stride(from: 60, through: 0, by: -4) {
                batch.text.append(RandomText.hexadecimal(number >> UInt64(shift) & 15))
            }
            return text(from: offset, &batch)
        }
    }

    /// A value as baggage carries it.
    private func text(of value: PlanValue, _ batch: inout PlanBatch) -> PlanText {
        let literal: AttributeLiteral
        switch value.kind {
        case .attributeText: return PlanText(bits: value.bits)
        case .attributeInteger: literal = .integer(Int(truncatingIfNeeded: value.bits))
        case .attributeDouble: literal = .double(Double(bitPattern: value.bits))
        default: literal = .boolean(value.bits != 0)
        }
        let offset = batch.text.count
        batch.text.append(contentsOf: literal.text.utf8)
        return PlanText(bits: text(from: offset, &batch).bits)
    }

    func text(from offset: Int, _ batch: inout PlanBatch) -> PlanValue {
        let text = PlanText(
            offset: offset, byteCount: batch.text.count - offset, isKnownAhead: false)
        return PlanValue(kind: .attributeText, bits: text.bits)
    }
}
