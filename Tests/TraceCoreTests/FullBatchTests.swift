import Glibc
import TestSupport
import Testing

@testable import TraceCore

/// An exporter that sleeps until a batch is full, and threads that come to rest once it is.
@Suite struct FullBatchTests {
    @Test(
        "A batch that several threads fill together is noticed with its last span, however they share it",
        arguments: [1, 2, 3, 4, 7], [40, 512])
    func shared(threads: Int, batch: Int) throws {
        let harness = try CoreHarness { $0.queueSpans = 4_096 }
        let (queue, tracer) = (harness.recorder.queue, harness.tracer)
        let rounds = 60
        var generator = SeededGenerator(seed: UInt64(threads * 1_000 + batch))
        // For each round the turns of the threads: none ends more spans than the batch wants.
        let turns = (0..<rounds).map { _ -> [(thread: Int, spans: Int)] in
            var left = batch
            var turns: [(thread: Int, spans: Int)] = []
            while left > 0 {
                let spans = Int.random(in: 1...min(left, 48), using: &generator)
                turns.append((Int.random(in: 0..<threads, using: &generator), spans))
                left -= spans
            }
            return turns
        }
        let order = turns.flatMap { $0 }
        let done = SharedNumber()
        let drainedRounds = SharedNumber()
        let producers = OSThreads.start {
            OSThreads.run(count: threads) { thread in
                var turn = 0
                for round in 0..<rounds {
                    for _ in turns[round] {
                        if order[turn].thread == thread {
                            done.wait(for: turn)
                            for _ in 0..<order[turn].spans { tracer.startSpan("span").end() }
                            done.add()
                        }
                        turn += 1
                    }
                    // Alive and at rest, with whatever credits are left over.
                    drainedRounds.wait(for: round + 1)
                }
            }
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        var lost = 0
        for _ in 0..<rounds where lost == 0 {
            while queue.pendingCount < batch, lost == 0 {
                if queue.armWakeup(pendingAtLeast: batch) {
                    var descriptor = pollfd(
                        fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
                    if unsafe poll(&descriptor, 1, 20_000) != 1 { lost += 1 }
                    queue.disarm()
                    queue.acknowledgeWakeup()
                }
            }
            #expect(queue.fill(&body, spans: batch) == batch || lost > 0)
            drainedRounds.add()
        }
        done.add(order.count)
        drainedRounds.add(rounds)
        OSThreads.join(producers)
        #expect(lost == 0, "the exporter slept on over a full batch")
    }

    @Test("A batch costs few wake-ups before it is full")
    func fewWakeups() throws {
        let harness = try CoreHarness { $0.queueSpans = 4_096 }
        let queue = harness.recorder.queue
        var body = ExportBody(capacityBytes: 1 << 20)
        var wakeups = 0
        let (rounds, batch) = (20, 512)
        for _ in 0..<rounds {
            #expect(queue.armWakeup(pendingAtLeast: batch))
            for _ in 0..<batch {
                harness.tracer.startSpan("span").end()
                var descriptor = pollfd(
                    fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&descriptor, 1, 0) == 1 else { continue }
                wakeups += 1
                queue.disarm()
                queue.acknowledgeWakeup()
                if queue.pendingCount < batch {
                    #expect(queue.armWakeup(pendingAtLeast: batch))
                }
            }
            #expect(queue.fill(&body, spans: batch) == batch)
        }
        // One when the batch is all but full, one when it is; another where a thread had kept some to itself.
        #expect((rounds...3 * rounds).contains(wakeups))
    }
}
