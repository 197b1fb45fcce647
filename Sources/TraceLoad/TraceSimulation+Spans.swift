/// Spans on their way into the plan, and what is wrong with some of them on purpose: missing, doubled,
/// orphaned, held back, never ended. One thread, as the rest of the simulation.
extension TraceSimulation {
    mutating func nextSpan() -> UInt16 {
        defer { trace.spanCount += 1 }
        return UInt16(trace.spanCount)
    }

    /// Starts a span now and gives its number.
    ///
    /// - Parameters:
    ///   - links: links the operation declares.
    ///   - frame: the message that brings others with it, if it does.
    mutating func startSpan(
        _ kind: PlanEvent.Kind, shape: UInt16, instance: UInt16, parent: UInt16,
        isBroken: Bool = false, links: IndexRange = IndexRange(first: 0, count: 0),
        frame: Int = -1
    ) -> UInt16 {
        let span = nextSpan()
        let start = PlanEvent.starting(
            kind, span: span, shape: shape, instance: instance, parent: parent,
            timeNs: relative(nowNs))
        let batch = frame >= 0 && frames[frame].step >= 0 ? Int(frames[frame].step) : -1
        if !model.pathology.isOn, links.count == 0, batch < 0, !isBroken, trace.oddCount == 0 {
            append(start)
            return span
        }
        startOdd(start, isBroken: isBroken, links: links, batchStep: batch)
        return span
    }

    private mutating func startOdd(
        _ start: PlanEvent, isBroken: Bool, links: IndexRange, batchStep: Int
    ) {
        let pathology = model.pathology
        let isRoot = start.parent == PlanEvent.noParent
        var oddity = SpanOddity(span: start.span)
        if isRoot, trace.random.chance(pathology.missingRoot) {
            oddity.isMissing = true
            note(oddity)
            append(PlanEvent(.forge, span: start.span, operand: start.operand, value: start.value))
            return
        }
        var flags: PlanOddity = isBroken ? .broken : []
        let hasParent = !isRoot && !isBroken && start.kind != .startLinked
        if hasParent, trace.random.chance(pathology.orphan) { flags.insert(.orphan) }
        if start.kind == .start, !isRoot, self.oddity(of: start.parent)?.isMissing == true {
            flags.insert(.forgedParent)
        }
        if trace.random.chance(pathology.duplicate) { oddity.double = nextSpan() }
        oddity.neverEnds = trace.random.chance(pathology.neverEnded)
        if trace.random.chance(pathology.lateRate) {
            oddity.lateNs = model.drawNs(pathology.lateDelay, &trace.random)
        }
        if oddity.double != nil || oddity.neverEnds || oddity.lateNs != nil { note(oddity) }
        let positions = linkPositions(links, batchStep: batchStep)
        append(start, flags, positions, isDouble: false)
        if let double = oddity.double {
            var second = start
            second.span = double
            append(second, flags, positions, isDouble: true, identity: start.span)
        }
    }

    private mutating func append(
        _ start: PlanEvent, _ flags: PlanOddity, _ links: [(UInt64, UInt16)], isDouble: Bool,
        identity: UInt16? = nil
    ) {
        guard isDouble || !flags.isEmpty || !links.isEmpty else { return append(start) }
        append(
            PlanEvent(
                .prepare, span: identity ?? start.span,
                operand: UInt32(start.kind.rawValue) | flags.rawValue))
        for (position, rootSpan) in links {
            append(
                PlanEvent(
                    .link, span: start.span, operand: UInt32(rootSpan), value: position))
        }
        var special = start
        special.kind = .startSpecial
        append(special)
    }

    /// Spans that the one about to start links to, with the spans that begin their traces.
    private mutating func linkPositions(
        _ links: IndexRange, batchStep: Int
    ) -> [(UInt64, UInt16)] {
        var positions: [(UInt64, UInt16)] = []
        if batchStep >= 0, model.steps[batchStep].batch >= 0 {
            for message in batches[model.steps[batchStep].batch] where !message.isBroken {
                positions.append((message.position, message.rootSpan))
            }
        }
        for index in links.indices {
            let link = model.links[index]
            let known = min(trace.ordinal, UInt64(begun.count - 1))
            for number in 0..<UInt64(link.count) {
                // How many traces back.
                let back: UInt64
                if link.isRandom {
                    guard known > 0 else { break }
                    back = 1 + trace.random.below(known)
                } else {
                    guard number < known else { break }
                    back = number + 1
                }
                // Traces that began since may have taken the place of old ones.
                let age = begunCount - 1 - (trace.ordinal - back)
                guard age < UInt64(begun.count) else { continue }
                let index = begun[Int((trace.ordinal - back) % UInt64(begun.count))]
                positions.append(
                    (SpanIdentityCipher.Position(trace: index, span: 0).packed, 0))
            }
        }
        return positions
    }

    private mutating func note(_ oddity: SpanOddity) {
        oddities[tracePlace].append(oddity)
        trace.oddCount += 1
    }

    /// O(log n): they are in order of their spans.
    private func oddityPlace(of span: UInt16) -> Int? {
        let all = oddities[tracePlace]
        var (low, high) = (0, all.count)
        while low < high {
            let middle = (low + high) / 2
            if all[middle].span < span { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low].span == span ? low : nil
    }

    private func oddity(of span: UInt16) -> SpanOddity? {
        trace.oddCount == 0 ? nil : oddityPlace(of: span).map { oddities[tracePlace][$0] }
    }

    // MARK: Emission

    /// As it is, whatever is odd about its span.
    @inline(__always)
    private mutating func append(_ event: PlanEvent) {
        guard trace.isShown else { return }
        output.append(event, worker: trace.worker, slot: trace.slot, tracePlace, nowNs)
    }

    @inline(__always)
    mutating func emit(_ event: PlanEvent) {
        if trace.oddCount == 0 { append(event) } else { emitOdd(event) }
    }

    /// An event whose text may be the trace's own.
    mutating func emitText(_ event: PlanEvent) {
        guard trace.isShown else { return }
        emit(resolved(event))
    }

    /// The same with its text where the events go.
    private mutating func resolved(_ event: PlanEvent) -> PlanEvent {
        let text = PlanText(bits: event.value)
        guard text.isKept else { return event }
        var event = event
        event.value =
            output.appendText(traceTexts[tracePlace], text.range, worker: trace.worker).bits
        return event
    }

    /// An event of a span with the attributes that were drawn for it.
    mutating func emitEvent(_ event: PlanEvent) {
        defer { eventValues.removeAll(keepingCapacity: true) }
        guard trace.isShown else { return }
        let oddity = self.oddity(of: event.span)
        if oddity?.isMissing == true { return }
        for span in [event.span, oddity?.double].compactMap({ $0 }) {
            for value in eventValues {
                let isText = value.span == UInt16(PlanEvent.Kind.attributeText.rawValue)
                append(isText ? resolved(value) : value)
            }
            var copy = event
            copy.span = span
            append(copy)
        }
    }

    private mutating func emitOdd(_ event: PlanEvent) {
        guard let place = oddityPlace(of: event.span) else { return append(event) }
        let oddity = oddities[tracePlace][place]
        if oddity.isMissing {
            switch event.kind {
            case .inject:
                append(PlanEvent(.injectForged, span: event.span))
            case .baggage: append(event)
            default: break
            }
            return
        }
        if event.kind == .end {
            if oddity.neverEnds { return }
            if let lateNs = oddity.lateNs {
                oddities[tracePlace][place].endNs = event.timeNs
                trace.activities += 1
                trace.sequence &+= 1
                queue.insert(
                    PendingEvent(
                        timeNs: nowNs + lateNs,
                        order: PendingEvent.order(
                            trace: trace.index, sequence: trace.sequence, isLast: false),
                        target: UInt32(tracePlace), argument: UInt32(event.span),
                        action: .lateEnd))
                return
            }
        }
        append(event)
        guard let double = oddity.double, event.kind != .inject else { return }
        var copy = event
        copy.span = double
        append(copy)
    }

    mutating func endSpan(_ span: UInt16) {
        trace.lastEndNs = max(trace.lastEndNs, relative(nowNs))
        emit(.timed(.end, span: span, timeNs: relative(nowNs)))
    }

    mutating func endLate(_ span: UInt16) {
        if let oddity = oddity(of: span) {
            append(.timed(.endLate, span: span, timeNs: oddity.endNs))
            if let double = oddity.double {
                append(.timed(.endLate, span: double, timeNs: oddity.endNs))
            }
        }
        endActivity()
    }
}
