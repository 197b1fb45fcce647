import Synchronization
import TraceCore
import TraceResults

/// Threads that make spans at the same time, in rounds; between rounds they wait, and this thread drains.
/// So a span's cost is what its own thread pays with the others at work, and no exporter takes a core.
final class ProducerTeam {
    private let rig: BenchRig
    static let burstSpans = 8_192
    private static let threadsMax = 4

    init(clock: ClockSource) throws {
        rig = try BenchRig(clock: clock, queueSpans: 2 * Self.threadsMax * Self.burstSpans)
    }

    struct Outcome: Sendable {
        /// CPU time of the threads, each its own, for one of their spans: over the rounds in which they
        /// were at work together, where there are any.
        var spanNs: Double
        /// How much of the time between the first begin and the last end of a round all were at work, on
        /// a core each: by their begins and ends, and by how much of the time between they had a core.
        var overlap: Double
        /// The share of rounds that count; zero: none, so all were taken.
        var counted: Double
    }

    /// A round in which the threads were together for less is left out: neighbours had the cores.
    private static let overlapMin = 0.8

    /// When a thread began and ended a round, and the CPU time it took.
    private struct Stretch: Sendable {
        var (beganNs, endedNs): (UInt64, UInt64)
        var cpuNs: Double
    }

    /// `rounds` rounds of 8,192 spans on as many threads as there are shapes.
    /// - Parameter areSpans: off for a shape that makes none.
    func run<Shape: SpanShape>(
        _ shapes: [Shape], rounds: Int, areSpans: Bool = true
    ) throws -> Outcome {
        let threads = shapes.count
        precondition(threads <= Self.threadsMax)
        let start = RoundBarrier(parties: threads + 1)
        let end = RoundBarrier(parties: threads + 1)
        let tracer = rig.tracer
        let first = rig.made
        // The last thread of all drains; each needs the others, so all are begun together.
        let drainer = Drainer(rig)
        let stretches = try ProducerThreads.run(threads + 1) { thread -> [Stretch] in
            var stretches: [Stretch] = []
            for round in 0..<rounds {
                start.wait()
                if thread < threads {
                    let number = first + (round * threads + thread) * Self.burstSpans
                    let beganNs = TraceClock.monotonicNs
                    let cost = cpuNs {
                        for number in number..<number + Self.burstSpans {
                            _ = shapes[thread].make(tracer, number, at: nil)
                        }
                    }
                    stretches.append(
                        Stretch(beganNs: beganNs, endedNs: TraceClock.monotonicNs, cpuNs: cost))
                    end.wait(staysAwake: false)
                } else {
                    end.wait(staysAwake: false)
                    drainer.drain()
                }
            }
            return stretches
        }
        if areSpans { rig.note(made: threads * rounds * Self.burstSpans) }
        return Self.outcome(Array(stretches.prefix(threads)), rounds: rounds)
    }

    private static func outcome(_ stretches: [[Stretch]], rounds: Int) -> Outcome {
        let all = (0..<rounds).map { round in
            let stretches = stretches.map { $0[round] }
            return (
                cpuNs: stretches.reduce(0) { $0 + $1.cpuNs } / Double(stretches.count),
                overlap: overlap(stretches)
            )
        }
        let together = all.filter { $0.overlap >= overlapMin }
        let counted = together.count >= 3 ? together : all
        let count = Double(counted.count)
        return Outcome(
            spanNs: counted.reduce(0) { $0 + $1.cpuNs } / (count * Double(burstSpans)),
            overlap: counted.reduce(0) { $0 + $1.overlap } / count,
            counted: together.count >= 3 ? count / Double(rounds) : 0)
    }

    /// How much of a round all were at work.
    private static func overlap(_ all: [Stretch]) -> Double {
        let lastBegin = all.map(\.beganNs).max() ?? 0
        let firstEnd = all.map(\.endedNs).min() ?? 0
        let begin = all.map(\.beganNs).min() ?? 0
        let end = all.map(\.endedNs).max() ?? 0
        guard firstEnd > lastBegin else { return 0 }
        // A neighbour that takes a core from one leaves the other alone.
        let onCore = all.reduce(1.0) { share, stretch in
            share * min(1, stretch.cpuNs / Double(max(1, stretch.endedNs - stretch.beganNs)))
        }
        return Double(firstEnd - lastBegin) / Double(end - begin) * onCore
    }

    func check(_ what: String) throws { try rig.check(what) }

    /// For the table: how much of it was really at the same time, and how many rounds that were.
    static func text(_ outcomes: [Outcome]) -> String {
        func percent(_ shares: [Double]) -> String {
            "\(Int((BenchFigure.median(shares) * 100).rounded()))%"
        }
        let overlap = percent(outcomes.map(\.overlap))
        guard BenchFigure.median(outcomes.map(\.counted)) > 0 else {
            return "at the same time only \(overlap) of it: neighbours had the cores"
        }
        return
            "at the same time \(overlap) of it, \(percent(outcomes.map(\.counted))) of the rounds"
    }

    /// The rig in the hands of the one thread that drains.
    /// Safe because one thread of the team calls `drain`, and the team's owner waits meanwhile.
    private final class Drainer: @unchecked Sendable {
        private let rig: BenchRig

        init(_ rig: BenchRig) { self.rig = rig }

        func drain() {
            var ignored = BenchRig.Cost()
            rig.drain(&ignored)
        }
    }
}
