// The ring: a bounded queue of words, alone, among threads, and with a thread that stops half-way.
import Glibc
import Synchronization

@testable import TraceCore

enum RingChecks {
    static let all = [
        Check(name: "ring", share: 3, body: model),
        Check(name: "ring-threads", share: 3, body: threads),
        Check(name: "ring-drain", share: 1, body: drain),
        Check(name: "ring-paused", share: 0.01, body: paused),
    ]

    static let capacities = [2, 64, 1024]
    /// At the beginning, just before the positions wrap, just before they change sign.
    static let starts: [UInt64] = [0, .max - 2, .max - 700, UInt64(Int64.max) - 1]

    /// A ring in a reference, and where its memory is.
    final class SharedRing: Sendable {
        let ring: BoundedRing
        let memory: UInt
        init(_ capacity: Int, _ start: UInt64) {
            let pages = RememberingPages()
            ring = BoundedRing(minimumCapacity: capacity, startPosition: start, pages: pages)
            memory = pages.last
        }
    }

    /// Values are numbers in order, so the model of the queue is two counts.
    static func model(operations: Int, seed: UInt64) throws -> Int {
        var draws = Draws(seed)
        var done = 0
        let each = operations / (capacities.count * starts.count)
        for capacity in capacities {
            for start in starts {
                let shared = SharedRing(capacity, start)
                var (pushed, popped) = (0, 0)
                for step in 0..<each {
                    // Phases of filling and of emptying, so that both ends are met.
                    if draws.below(8) < (step / (3 * capacity) % 2 == 0 ? 6 : 2) {
                        let isPushed = shared.ring.push(UInt(pushed + 1))
                        try demand(
                            isPushed == (pushed - popped < capacity),
                            "capacity \(capacity) from \(start): a push at \(pushed - popped) waiting "
                                + (isPushed ? "succeeded" : "failed"))
                        if isPushed { pushed += 1 }
                    } else {
                        let value = shared.ring.pop()
                        let expected = pushed > popped ? UInt(popped + 1) : nil
                        try demand(
                            value == expected,
                            "capacity \(capacity) from \(start): \(value.map { "\($0)" } ?? "nothing") "
                                + "came instead of \(expected.map { "\($0)" } ?? "nothing")")
                        if value != nil { popped += 1 }
                    }
                    try demand(shared.ring.count == pushed - popped, "count \(shared.ring.count)")
                    try demand(shared.ring.isEmpty == (pushed == popped), "isEmpty")
                    if step & 0xfff == 0 { Watchdog.beat() }
                }
                done += each
            }
        }
        return done
    }

    /// Every word once, each producer's in order at each consumer.
    static func threads(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        let shapes = [(1, 1), (2, 1), (2, 2), (8, 2), (32, 1), (32, 3)]
        var race = 0
        // A ring of two words changes threads with every word: the fewer the places, the fewer the words.
        for (capacity, share) in zip(capacities, [0.01, 0.19, 0.8]) {
            let each = max(64, Int(Double(operations) * share) / (2 * shapes.count))
            for (producers, consumers) in shapes {
                let perProducer = max(2, each / producers)
                try Self.race(
                    capacity, starts[race % starts.count], producers, consumers, perProducer)
                race += 1
                done += 2 * perProducer * producers
            }
        }
        return done
    }

    private static func race(
        _ capacity: Int, _ start: UInt64, _ producers: Int, _ consumers: Int, _ perProducer: Int
    ) throws {
        let shared = SharedRing(capacity, start)
        let total = producers * perProducer
        let taken = SharedNumber()
        let sums = Guarded<(sum: UInt64, problems: [String])>((0, []))
        OSThreads.run(count: producers + consumers) { thread in
            if thread < producers {
                for number in 1...perProducer {
                    let word = UInt(thread) << 40 | UInt(number)
                    while !shared.ring.push(word) { sched_yield() }
                    if number & 0xff == 0 { Watchdog.beat() }
                }
                return
            }
            var last = [UInt](repeating: 0, count: producers)
            var sum: UInt64 = 0
            var problems: [String] = []
            while taken.value < total, problems.count < 3 {
                guard let word = shared.ring.pop() else {
                    sched_yield()
                    continue
                }
                taken.add()
                let (producer, number) = (Int(word >> 40), word & 0xff_ffff_ffff)
                guard producer < producers, number >= 1, number <= perProducer else {
                    problems.append("a word that nobody pushed: \(word)")
                    continue
                }
                if number <= last[producer] {
                    problems.append("\(producer): \(number) after \(last[producer])")
                }
                last[producer] = number
                sum &+= Draws.mix(UInt64(word))
                if number & 0xff == 0 { Watchdog.beat() }
            }
            sums.withLock { sums in
                sums.sum &+= sum
                sums.problems += problems
            }
        }
        var expected: UInt64 = 0
        for producer in 0..<producers {
            for number in 1...perProducer {
                expected &+= Draws.mix(UInt64(producer) << 40 | UInt64(number))
            }
        }
        let found = sums.withLock { $0 }
        let shape = "capacity \(capacity), \(producers) to \(consumers) threads: "
        try demand(found.problems.isEmpty, shape + found.problems.joined(separator: "; "))
        try demand(found.sum == expected, shape + "other words came out than went in")
        try demand(shared.ring.isEmpty && shared.ring.pop() == nil, shape + "something is left")
    }

    /// A full ring, and threads that all begin to empty it at one time: each word goes to one of them.
    static func drain(operations: Int, seed: UInt64) throws -> Int {
        let (capacity, consumers) = (1024, 3)
        let rounds = max(2, operations / (2 * capacity))
        let shared = SharedRing(capacity, .max - 700)
        let (filled, emptied, taken) = (SharedNumber(), SharedNumber(), SharedNumber())
        let problem = Guarded<String?>(nil)
        OSThreads.run(count: consumers + 1) { thread in
            for round in 1...rounds where problem.withLock({ $0 }) == nil {
                if thread == consumers {
                    for word in 1...UInt(capacity) { _ = shared.ring.push(word) }
                    filled.add()
                    emptied.wait(for: round * consumers)
                    Watchdog.beat()
                    continue
                }
                filled.wait(for: round)
                var (count, last) = (0, UInt(0))
                while let word = shared.ring.pop() {
                    if word <= last { problem.withLock { $0 = "\(word) after \(last)" } }
                    last = word
                    count += 1
                }
                taken.add(count)
                if emptied.add() == round * consumers, taken.value != round * capacity {
                    problem.withLock {
                        $0 = "\(taken.value - (round - 1) * capacity) words from \(capacity)"
                    }
                }
            }
            // Nobody may wait for one who has given up.
            filled.add(rounds)
            emptied.add(rounds * consumers)
        }
        if let problem = problem.withLock({ $0 }) { throw Failure(problem) }
        return 2 * rounds * capacity
    }

    /// A thread took a position and stops before it writes its cell: nothing overtakes it, and nothing is lost.
    static func paused(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        for capacity in capacities + [4] {
            for start in starts {
                let shared = SharedRing(capacity, start)
                let memory = UnsafeMutableRawPointer(bitPattern: shared.memory)!
                // The enqueue position alone on 128 bytes, the dequeue position likewise, the cells.
                try demand(memory.load(as: UInt64.self) == start, "the ring is laid out otherwise")
                try demand(shared.ring.push(7), "a push into an empty ring")
                memory.storeBytes(of: start &+ 2, as: UInt64.self)
                try demand(shared.ring.pop() == 7, "what was pushed before")
                try demand(shared.ring.pop() == nil, "a word that is not there yet")
                try demand(!shared.ring.isEmpty && shared.ring.count == 1, "a push begun is work")
                let isPushed = shared.ring.push(9)
                try demand(isPushed && shared.ring.pop() == nil, "one overtook the other")
                let cell = memory + 256 + 16 * Int((start &+ 1) & UInt64(capacity - 1))
                cell.storeBytes(of: UInt(8), toByteOffset: 8, as: UInt.self)
                cell.storeBytes(of: start &+ 2, as: UInt64.self)
                try demand(shared.ring.pop() == 8 && shared.ring.pop() == 9, "the order after it")
                try demand(shared.ring.isEmpty, "something is left")
                done += 9
            }
        }
        return done
    }
}

/// Remembers what it gave last.
final class RememberingPages: PageSource {
    private let given = Atomic<UInt>(0)
    var last: UInt { given.load(ordering: .relaxed) }
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let pages = MappedPageSource().allocate(byteCount: byteCount)
        given.store(UInt(bitPattern: pages), ordering: .relaxed)
        return pages
    }
    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        MappedPageSource().release(pages, byteCount: byteCount)
    }
}
