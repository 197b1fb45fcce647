// L3 over a whole run: the sink's totals against the exporter's. The comparison batch by batch
// says where; this says whether anything slipped past it.

extension ConservationLaws {
    /// L3, at rest: acknowledged ⊆ received ⊆ sent, duplicates ≤ resent, equal contents.
    ///
    /// - Parameters:
    ///   - sink: the sink's own account, read after the last batch was listed.
    ///   - deliveries: the processors that send to this sink.
    ///   - issued: what the generator issued, when it counted.
    ///   - batches: the finished comparison batch by batch, when there was one.
    public static func receipt(
        _ sink: SinkLedger, deliveries: [DeliveryCounts], issued: IssuedCounts? = nil,
        batches: BatchReconciliation? = nil
    ) -> [LawViolation] {
        var found: [LawViolation] = []
        let total = UInt64(sink.spansTotal)
        let distinct = UInt64(sink.spansDistinct)
        let duplicate = UInt64(sink.spansDuplicate)
        let acknowledged = deliveries.reduce(0) { $0 &+ $1.acknowledged.count }
        let most = sent(deliveries, batches)

        if total != distinct &+ duplicate {
            found.append(
                .counts(
                    .receipt, "spans at the sink", expected: total, found: distinct &+ duplicate,
                    "the sink received \(count(total, "span")), yet counts \(grouped(distinct)) "
                        + "distinct and \(grouped(duplicate)) duplicate ones"))
        }
        if distinct < acknowledged {
            found.append(
                .counts(
                    .receipt, "acknowledged spans received", expected: acknowledged,
                    found: distinct,
                    "\(count(acknowledged, "span")) acknowledged, \(grouped(distinct)) received: "
                        + "\(grouped(acknowledged - distinct)) missing between the sink's answer "
                        + "and its books"))
        }
        if distinct > most {
            found.append(
                .counts(
                    .receipt, "received spans sent", expected: most, found: distinct,
                    "at most \(count(most, "span")) may have arrived, the sink received "
                        + "\(grouped(distinct)) distinct ones: \(grouped(distinct - most)) came "
                        + "from somewhere else or were refused and kept all the same"))
        }
        if let batches, duplicate > batches.resentSpans {
            found.append(
                .counts(
                    .receipt, "duplicates resent", expected: batches.resentSpans,
                    found: duplicate,
                    "\(count(batches.resentSpans, "span")) sent again, \(grouped(duplicate)) "
                        + "received again: \(grouped(duplicate - batches.resentSpans)) "
                        + "duplicates that nobody sent"))
        }
        found += oddities(sink)
        if let batches {
            found += unlisted(sink, batches)
            found += list(sink, batches)
        }
        found += sums(sink, deliveries: deliveries, issued: issued, clean: found.isEmpty)
        return found
    }

    /// The most spans that can have arrived: acknowledged, rejected, and of unknown fate.
    private static func sent(
        _ deliveries: [DeliveryCounts], _ batches: BatchReconciliation?
    ) -> UInt64 {
        deliveries.reduce(
            batches.map { $0.indeterminateReceivedSpans &+ $0.indeterminateUnseenSpans } ?? 0
        ) { sum, delivery in
            let answered = delivery.acknowledged.count &+ delivery.rejected.count
            guard batches == nil else { return sum &+ answered }
            // Without the records nobody knows which of these left without an answer.
            return sum &+ answered &+ delivery.inFlight.count
                &+ delivery.droppedRetriesExhausted.count &+ delivery.droppedShutdown.count
        }
    }

    /// What no sink of a sound run reports.
    private static func oddities(_ sink: SinkLedger) -> [LawViolation] {
        let checks: [(what: String, found: Int, message: (String) -> String)] = [
            (
                "spans without a batch number", sink.unnumberedSpans,
                { "\($0) came without a batch number: another sender uses this sink" }
            ),
            (
                "deliveries that differ", sink.mismatchedDeliveries,
                {
                    "\($0) differ from the first of the same batch: a batch was altered when sent again"
                }
            ),
            (
                "spans with a zero id", sink.invalidSpans ?? 0,
                { "\($0) arrived with a trace or span id that is all zero" }
            ),
            (
                "negative durations", sink.negativeDurations ?? 0,
                { "\($0) end before they start" }
            ),
        ]
        return checks.filter { $0.found != 0 }.map { check in
            let found = UInt64(check.found)
            let noun = check.what == "deliveries that differ" ? "delivery" : "span"
            let subject =
                found == 1 || noun == "span" ? count(found, noun) : "\(grouped(found)) deliveries"
            return .counts(
                .receipt, check.what, expected: 0, found: found, check.message(subject))
        }
    }

    /// Batches the sink folded before they could be compared.
    private static func unlisted(
        _ sink: SinkLedger, _ batches: BatchReconciliation
    ) -> [LawViolation] {
        let received = UInt64(sink.batches)
        // A batch of unknown fate may arrive between the last list and the sink's account.
        guard received > batches.listedBatches, batches.indeterminateUnseenSpans == 0 else {
            return []
        }
        return [
            .counts(
                .receipt, "batches compared", expected: received, found: batches.listedBatches,
                "the sink received \(grouped(received)) batches and listed "
                    + "\(grouped(batches.listedBatches)): "
                    + "\(grouped(received - batches.listedBatches)) were folded before they were "
                    + "compared; ask for its list more often")
        ]
    }

    /// The checksums of everything, where nothing else explains a difference.
    private static func sums(
        _ sink: SinkLedger, deliveries: [DeliveryCounts], issued: IssuedCounts?, clean: Bool
    ) -> [LawViolation] {
        guard clean else { return [] }
        var found: [LawViolation] = []
        let distinct = UInt64(sink.spansDistinct)
        let answered = deliveries.reduce(0) { $0 &+ $1.acknowledged.count &+ $1.rejected.count }
        if distinct == answered, let expected = answeredIdentitySum(deliveries),
            expected != sink.identitySum
        {
            found.append(
                .checksums(
                    .receipt, "identities received", expected: expected, found: sink.identitySum,
                    "the sink received as many spans as were acknowledged, but not the same ones"))
        }
        if let issued, let expected = issued.semanticSum, let semanticSum = sink.semanticSum,
            distinct == issued.sampledEnded, semanticSum != expected
        {
            found.append(
                .checksums(
                    .receipt, "meaning received", expected: expected, found: semanticSum,
                    "every span arrived, but not every one says what it was recorded with: a name, "
                        + "time, attribute, event, link or parent differs"))
        }
        return found
    }

    /// The identities of all spans that were answered; nil when a processor keeps no sum of them.
    /// Those that a partial success rejected are in the sum of their batch.
    private static func answeredIdentitySum(_ deliveries: [DeliveryCounts]) -> UInt64? {
        var sum: UInt64 = 0
        for delivery in deliveries {
            guard
                let part = delivery.acknowledged.identitySum
                    ?? (delivery.acknowledged.count == 0 ? 0 : nil)
            else { return nil }
            sum &+= part &+ (delivery.rejected.identitySum ?? 0)
        }
        return sum
    }

    /// The sink's totals against its own list of batches, where the list is all of it.
    private static func list(_ sink: SinkLedger, _ batches: BatchReconciliation) -> [LawViolation] {
        guard UInt64(sink.batches) == batches.listedBatches, sink.unnumberedSpans == 0 else {
            return []
        }
        var found: [LawViolation] = []
        let distinct = UInt64(sink.spansDistinct)
        if distinct != batches.listedSpans {
            found.append(
                .counts(
                    .receipt, "spans listed", expected: distinct, found: batches.listedSpans,
                    "the sink counts \(count(distinct, "distinct span")), its list of batches "
                        + "\(grouped(batches.listedSpans))"))
        }
        for (what, total, listed) in [
            ("identities listed", sink.identitySum, batches.listedIdentitySum),
            ("contents listed", sink.contentSum, batches.listedContentSum),
        ] where total != listed && found.isEmpty {
            found.append(
                .checksums(
                    .receipt, what, expected: total, found: listed,
                    "the sink's totals are not the sums of the batches it listed"))
        }
        return found
    }
}
