// Whether the millionth span costs what the thousandth does.
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    /// Runs of 10³ to 10⁸ spans, each from a new recorder that has made four bursts before, beside bursts
    /// of one recorder that is the same for all: what depends on the number of spans shows in the ratio,
    /// what is the host's doing does not.
    mutating func flat() throws {
        try cold()
        var sizes = [(1_000, "1e3", 10), (100_000, "1e5", 1)]
        // The long ones when there is time for them, or when somebody asks for them by name.
        func isNamed(_ exponent: String) -> Bool {
            filter?.contains { $0.contains(exponent) } ?? false
        }
        if !isQuick || isNamed("1e7") { sizes.append((10_000_000, "1e7", 1)) }
        if isLong || isNamed("1e8") { sizes.append((100_000_000, "1e8", 1)) }
        let beside = try smallRig()
        for (spans, exponent, runs) in sizes {
            let row = BenchRow(
                "spans\(exponent)Ns", "\(NumberText.grouped(spans)) spans, ns a span",
                beside: "bursts beside")
            guard isWanted(row.name) else { continue }
            try verify(FiveAttributes(), spans: 16_384)
            let seconds = Double(spans * (repetitions + 1)) * 130e-9
            if seconds > 5 {
                onProgress?("\(row.name): about \(Int(seconds)) s")
            }
            let suite = self
            try measure([row]) { number in
                var (cost, reference) = (BenchRig.Cost(), BenchRig.Cost())
                for _ in 0..<runs {
                    try suite.run(of: spans, number, &cost, &reference, beside: beside)
                }
                return [BenchSample(cost.spanNs, beside: reference.spanNs)]
            }
        }
    }

    private static let burstSpans = 1_000

    private func run(
        of spans: Int, _ repetition: Int, _ cost: inout BenchRig.Cost,
        _ reference: inout BenchRig.Cost, beside: BenchRig
    ) throws {
        let shape = FiveAttributes()
        let rig = try smallRig()
        for _ in 0..<4 {
            _ = beside.bursts(shape, 1, of: Self.burstSpans, from: beside.made)
            _ = rig.bursts(shape, 1, of: Self.burstSpans, from: rig.made)
        }
        let bursts = spans / Self.burstSpans
        var reportedNs = TraceClock.monotonicNs
        for burst in 0..<bursts {
            cost.add(rig.bursts(shape, 1, of: Self.burstSpans, from: rig.made))
            if bursts < 200 || burst % 20 == 0 {
                reference.add(beside.bursts(shape, 1, of: Self.burstSpans, from: beside.made))
            }
            if burst % 10_000 == 0, TraceClock.monotonicNs - reportedNs > 2_000_000_000 {
                reportedNs = TraceClock.monotonicNs
                onProgress?(
                    "\(turn(repetition)), \(NumberText.grouped(burst * Self.burstSpans)) of "
                        + "\(NumberText.grouped(spans)) spans")
            }
        }
        try rig.check("a run of \(NumberText.grouped(spans)) spans")
        try beside.check("the bursts beside it")
    }

    /// The first thousand spans of all: their memory was never touched before.
    private mutating func cold() throws {
        let row = BenchRow(
            "spansColdNs", "the first 1,000 of a new recorder, ns a span", beside: "the next 1,000")
        guard isWanted(row.name) else { return }
        let shape = FiveAttributes()
        try verify(shape, spans: 16_384)
        let suite = self
        try measure([row], note: "fresh pages") { _ in
            let rig = try suite.smallRig()
            let first = rig.bursts(shape, 1, of: Self.burstSpans)
            _ = rig.bursts(shape, 1, of: Self.burstSpans, from: Self.burstSpans)
            let next = rig.bursts(shape, 1, of: Self.burstSpans, from: 2 * Self.burstSpans)
            try rig.check("a new recorder")
            return [BenchSample(first.spanNs, beside: next.spanNs)]
        }
    }

    /// A recorder's memory stays reserved when it goes, since tickets may still look at it: a small queue.
    private func smallRig() throws -> BenchRig {
        try BenchRig(clock: clock, queueSpans: 8_192) { $0.queueBytesMax = 4 << 20 }
    }
}
