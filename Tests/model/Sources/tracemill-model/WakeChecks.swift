// Waking: an exporter that sleeps over too few spans is woken when there are enough, and threads that wait for
// room are woken when there is some. A wake-up that is lost shows as a sleep that nothing ends.
import CThread
import Glibc
import Synchronization

@testable import TraceCore

enum WakeChecks {
    static let all = [
        Check(name: "wake-exporter", share: 0.1, body: exporter),
        Check(name: "wake-producers", share: 0.3, body: producers),
    ]

    /// So long is no wake-up late.
    private static let patienceMs: Int32 = 5_000

    /// Threads publish so many spans between them and stop until they are drained: the exporter, asleep until
    /// there are as many, has nothing else to wake it.
    static func exporter(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        let shapes = [(1, 1), (1, 7), (64, 7), (64, 64), (512, 200)].flatMap { wanted, burst in
            [1, 3].map { (wanted: wanted, burst: max(wanted, burst), threads: $0) }
        }
        for shape in shapes {
            let spansEach = max(1, operations / (4 * shapes.count))
            let rounds = max(2, min(3_000, spansEach / (shape.burst * shape.threads)))
            let rig = try Rig { $0.queueSpans = 4096 }
            let (tracer, queue) = (rig.tracer, rig.queue)
            let total = rounds * shape.burst * shape.threads
            let drained = SharedNumber()
            let isOver = SharedNumber()
            let threads = OSThreads.start {
                OSThreads.run(count: shape.threads) { _ in
                    for round in 0..<rounds {
                        while drained.value < round * shape.burst * shape.threads {
                            if isOver.value > 0 { return }
                            sched_yield()
                        }
                        for _ in 0..<shape.burst { tracer.startSpan("span").end() }
                    }
                }
            }
            var body = ExportBody(capacityBytes: 1 << 20)
            var problem: String?
            while drained.value < total, problem == nil {
                let spans = queue.fill(&body, spans: 4096)
                if spans > 0 {
                    drained.add(spans)
                    Watchdog.beat()
                    continue
                }
                // The last spans of a round may be fewer than were waited for.
                let missing =
                    shape.burst * shape.threads - drained.value % (shape.burst * shape.threads)
                guard queue.armWakeup(pendingAtLeast: min(shape.wanted, missing)) else { continue }
                var descriptor = pollfd(
                    fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
                if poll(&descriptor, 1, patienceMs) == 0 {
                    problem =
                        "asleep until \(shape.wanted) spans, \(queue.pendingCount) pending, "
                        + "and nobody called (\(shape.threads) threads)"
                }
                queue.acknowledgeWakeup()
                queue.disarm()
            }
            isOver.add()
            OSThreads.join(threads)
            if let problem { throw Failure(problem) }
            done += 3 * total
        }
        return done
    }

    /// Threads that wait for room go on when the exporter made some, however few are woken at a time.
    static func producers(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        let shapes = [(2, 2), (2, 8), (64, 8), (64, 32), (1024, 32)]
        for (capacity, threads) in shapes {
            let rig = try Rig {
                $0.queueSpans = capacity
                $0.blocksWhenFull = true
            }
            let (tracer, queue) = (rig.tracer, rig.queue)
            let each = max(4, operations / (3 * shapes.count * threads))
            let ended = SharedNumber()
            let running = OSThreads.start {
                OSThreads.run(count: threads) { _ in
                    for _ in 0..<each {
                        tracer.startSpan("span").end()
                        ended.add()
                    }
                }
            }
            var body = ExportBody(capacityBytes: 1 << 20)
            var count = 0
            var deadline = monotonicS() + Double(patienceMs) / 1e3
            var problem: String?
            while count < each * threads {
                // As the exporter does: drain, and offer what room there is before anything that takes long.
                let spans = queue.fill(&body, spans: max(1, capacity / 2))
                count += spans
                if spans > 0 {
                    deadline = monotonicS() + Double(patienceMs) / 1e3
                    Watchdog.beat()
                    continue
                }
                queue.offerRoom()
                if monotonicS() > deadline {
                    problem =
                        "\(threads) threads, room for \(capacity): nothing comes, and "
                        + "\(ended.value) of \(each * threads) spans have ended"
                    break
                }
                sched_yield()
            }
            if problem != nil { queue.close() }
            OSThreads.join(running)
            if let problem { throw Failure(problem) }
            done += 3 * each * threads
        }
        return done
    }
}
