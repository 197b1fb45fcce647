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
        /// CPU time of the threads, each its own, for one of their spans.
        var spanNs: Double
        /// How much of the time between the first begin and the last end of a round all were at work, on
        /// a core each: by their begins and ends, and by how much of the time between they had a core.
        var overlap: Double
    }

    /// When a thread began and ended a round, and the CPU time it took.
    private struct Stretch: Sendable {
        var (beganNs, endedNs): (UInt64, UInt64)
        var cpuNs: Double
    }

    /// `rounds` rounds of 8,192 spans on as many threads as there are shapes.
    func run<Shape: SpanShape>(_ shapes: [Shape], rounds: Int) throws -> Outcome {
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
                    end.wait()
                } else {
                    end.wait()
                    drainer.drain()
                }
            }
            return stretches
        }
        rig.note(made: threads * rounds * Self.burstSpans)
        return Self.outcome(Array(stretches.prefix(threads)), rounds: rounds)
    }

    private static func outcome(_ stretches: [[Stretch]], rounds: Int) -> Outcome {
        let total = stretches.joined().reduce(0.0) { $0 + $1.cpuNs }
        var (together, whole) = (0.0, 0.0)
        for round in 0..<rounds {
            let all = stretches.map { $0[round] }
            let lastBegin = all.map(\.beganNs).max() ?? 0
            let firstEnd = all.map(\.endedNs).min() ?? 0
            let begin = all.map(\.beganNs).min() ?? 0
            let end = all.map(\.endedNs).max() ?? 0
            // A neighbour that takes a core from one leaves the other alone.
            let onCore = all.reduce(1.0) { share, stretch in
                share * min(1, stretch.cpuNs / Double(max(1, stretch.endedNs - stretch.beganNs)))
            }
            together += firstEnd > lastBegin ? Double(firstEnd - lastBegin) * onCore : 0
            whole += Double(end - begin)
        }
        return Outcome(
            spanNs: total / Double(stretches.count * rounds * burstSpans),
            overlap: together / max(1, whole))
    }

    func check(_ what: String) throws { try rig.check(what) }

    /// For the table: how much of it was really at the same time.
    static func text(overlaps: [Double]) -> String {
        let percent = Int((BenchFigure.median(overlaps) * 100).rounded())
        return "at the same time \(percent)% of it"
    }

    /// The rig in the hands of the one thread that drains.
    private final class Drainer: @unchecked Sendable {
        // Safe because one thread of the team calls `drain`, and the team's owner waits meanwhile.
        private let rig: BenchRig

        init(_ rig: BenchRig) { self.rig = rig }

        func drain() {
            var ignored = BenchRig.Cost()
            rig.drain(&ignored)
        }
    }
}
