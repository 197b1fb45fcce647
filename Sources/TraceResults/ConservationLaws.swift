// The conservation laws as pure functions over snapshots: L0 and L1 inside the tracer, L2 between
// the tracer and each processor, L3 between the exporter and the sink. At rest they are equations;
// while a run goes on they are inequalities, provided that downstream counters are read first.

/// When the counters were read.
public enum LawMoment: Sendable {
    /// Nothing moves any more: the laws hold exactly.
    case atRest
    /// The run goes on, and downstream counters were read before upstream ones: nothing downstream
    /// may exceed what is upstream of it.
    case running
}

/// The laws.
public enum ConservationLaws {
    /// L0: start calls = not recorded + recording; and the generator counted the same.
    public static func startCalls(
        _ tracer: TracerCounts, issued: IssuedCounts? = nil, at moment: LawMoment = .atRest
    ) -> [LawViolation] {
        var found: [LawViolation] = []
        let accounted = tracer.notRecorded &+ tracer.recording
        if !holds(upstream: tracer.startCalls, downstream: accounted, at: moment) {
            found.append(
                .counts(
                    .startCalls, "start calls", expected: tracer.startCalls, found: accounted,
                    "\(count(tracer.startCalls, "start call")), \(grouped(accounted)) accounted "
                        + "for (\(grouped(tracer.notRecorded)) not recorded, "
                        + "\(grouped(tracer.recording)) recording): "
                        + gap(tracer.startCalls, accounted, "in the sampler or the store")))
        }
        guard let issued, moment == .atRest else { return found }
        if issued.startCalls != tracer.startCalls {
            found.append(
                .counts(
                    .startCalls, "start calls issued", expected: issued.startCalls,
                    found: tracer.startCalls,
                    "the generator made \(count(issued.startCalls, "start call")), the tracer "
                        + "counted \(grouped(tracer.startCalls)): "
                        + gap(issued.startCalls, tracer.startCalls, "on the way into the tracer")))
        }
        if issued.recorded != tracer.recording {
            found.append(
                .counts(
                    .startCalls, "recording spans issued", expected: issued.recorded,
                    found: tracer.recording,
                    "the generator was given \(count(issued.recorded, "recording span")), the "
                        + "tracer counted \(grouped(tracer.recording)): "
                        + gap(issued.recorded, tracer.recording, "between store and caller")))
        }
        return found
    }

    /// L1: recording = ended by the caller + ended by the sweeper + discarded by it + live.
    public static func recording(
        _ tracer: TracerCounts, issued: IssuedCounts? = nil, at moment: LawMoment = .atRest
    ) -> [LawViolation] {
        var found: [LawViolation] = []
        // What lives is read at another moment than what was closed: no inequality holds for it.
        let accounted = moment == .atRest ? tracer.closed &+ tracer.live : tracer.closed
        if !holds(upstream: tracer.recording, downstream: accounted, at: moment) {
            found.append(
                .counts(
                    .recording, "recording spans", expected: tracer.recording, found: accounted,
                    "\(count(tracer.recording, "span")) recorded, \(grouped(accounted)) accounted "
                        + "for (\(grouped(tracer.endedByCaller)) ended by the caller, "
                        + "\(grouped(tracer.endedBySweeper)) ended and "
                        + "\(grouped(tracer.discardedBySweeper)) discarded by the sweeper, "
                        + "\(grouped(tracer.live)) live): "
                        + gap(tracer.recording, accounted, "between start and end")))
        }
        let ended = tracer.endedByCaller &+ tracer.endedBySweeper
        if moment == .atRest, tracer.sampledEnded > ended {
            found.append(
                .counts(
                    .recording, "sampled ends", expected: ended, found: tracer.sampledEnded,
                    "\(count(ended, "span")) ended, yet \(grouped(tracer.sampledEnded)) of them "
                        + "are counted as sampled: a span was ended twice"))
        }
        guard let issued, moment == .atRest else { return found }
        // A span the sweeper ended is not among those the generator ended.
        let most = issued.sampledEnded &+ tracer.endedBySweeper
        if tracer.sampledEnded < issued.sampledEnded || tracer.sampledEnded > most {
            found.append(
                .counts(
                    .recording, "sampled ends issued", expected: issued.sampledEnded,
                    found: tracer.sampledEnded,
                    "the generator ended \(count(issued.sampledEnded, "sampled span")), the tracer "
                        + "counted \(grouped(tracer.sampledEnded)): "
                        + gap(issued.sampledEnded, tracer.sampledEnded, "at end")))
        }
        return found
    }

    /// L2 for one processor: ended and sampled = the sum over all fates, and the same spans.
    public static func delivery(
        _ delivery: DeliveryCounts, of tracer: TracerCounts, issued: IssuedCounts? = nil,
        at moment: LawMoment = .atRest
    ) -> [LawViolation] {
        var found: [LawViolation] = []
        let accounted = delivery.accountedFor
        if !holds(upstream: tracer.sampledEnded, downstream: accounted, at: moment) {
            found.append(
                .counts(
                    .delivery, "fates of \(delivery.processor)", expected: tracer.sampledEnded,
                    found: accounted,
                    "\(count(tracer.sampledEnded, "span")) ended and sampled, \(grouped(accounted))"
                        + " accounted for: "
                        + gap(
                            tracer.sampledEnded, accounted,
                            "between queue and acknowledgement of processor "
                                + "'\(delivery.processor)'")))
        }
        // The sweeper ends spans whose identities the generator has not summed.
        guard moment == .atRest, found.isEmpty, tracer.endedBySweeper == 0,
            let issuedSum = issued?.identitySum, let sum = delivery.identitySum, sum != issuedSum
        else { return found }
        found.append(
            .checksums(
                .delivery, "identities of \(delivery.processor)", expected: issuedSum, found: sum,
                "as many spans left processor '\(delivery.processor)' as were ended, but not the "
                    + "same ones: one was lost while another was doubled or had its ids altered"))
        return found
    }

    static func holds(upstream: UInt64, downstream: UInt64, at moment: LawMoment) -> Bool {
        switch moment {
        case .atRest: upstream == downstream
        case .running: downstream <= upstream
        }
    }

    /// "1 missing …" or "1 too many …".
    static func gap(_ expected: UInt64, _ found: UInt64, _ place: String) -> String {
        expected > found
            ? "\(grouped(expected - found)) missing \(place)"
            : "\(grouped(found - expected)) too many \(place)"
    }

    static func count(_ number: UInt64, _ noun: String) -> String {
        "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    static func grouped(_ number: UInt64) -> String {
        NumberText.grouped(number)
    }
}
