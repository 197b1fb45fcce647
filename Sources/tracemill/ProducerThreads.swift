import Glibc
import Synchronization

/// Threads of the operating system that do the same thing at the same time.
enum ProducerThreads {
    /// What each thread is to do, and room for what comes of it.
    private final class Part<Value: Sendable>: Sendable {
        let body: @Sendable () -> Value?
        let value = Mutex<Value?>(nil)

        init(_ body: @escaping @Sendable () -> Value?) { self.body = body }
    }

    /// Whom pthread_create calls.
    private class Start {
        func run() {}
    }

    private final class StartPart<Value: Sendable>: Start {
        let part: Part<Value>
        init(_ part: Part<Value>) { self.part = part }

        override func run() {
            let value = part.body()
            part.value.withLock { $0 = value }
        }
    }

    /// Runs `body` on `count` threads, which begin when all of them are there, and waits for all.
    /// - Returns: what each said, in order.
    static func run<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Value
    ) throws -> [Value] {
        let gate = RoundBarrier(parties: count)
        let parts = (0..<count).map { thread in
            Part<Value> { gate.wait() ? body(thread) : nil }
        }
        var threads: [pthread_t] = []
        for part in parts {
            guard let thread = start(StartPart(part)) else {
                // Those that wait for the others would wait for ever.
                gate.giveUp()
                for thread in threads { pthread_join(thread, nil) }
                throw BenchBroken(description: "no thread: \(errno)")
            }
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        return parts.compactMap { $0.value.withLock { $0 } }
    }

    private static func start(_ start: Start) -> pthread_t? {
        let start = unsafe Unmanaged.passRetained(start)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { raw in
                unsafe Unmanaged<Start>.fromOpaque(raw!).takeRetainedValue().run()
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            unsafe start.release()
            return nil
        }
        return thread
    }
}

/// Where threads wait for one another, again and again, and sleep between looks.
final class RoundBarrier: Sendable {
    private let parties: Int
    private let arrived = Atomic<Int>(0)
    private let round = Atomic<Int>(0)
    private let isGivenUp = Atomic(false)

    init(parties: Int) { self.parties = parties }

    /// Waits until all parties have called it. False when they never will.
    /// - Parameter staysAwake: for a moment. Who sleeps at once leaves the units of a core that is shared
    ///   with another thread to that thread.
    @discardableResult
    func wait(staysAwake: Bool = true) -> Bool {
        let current = round.load(ordering: .acquiring)
        if arrived.add(1, ordering: .acquiringAndReleasing).newValue == parties {
            arrived.store(0, ordering: .relaxed)
            // release: what each did before is seen by all after; pairs with the acquire below.
            round.store(current + 1, ordering: .releasing)
            return true
        }
        var looks = 0
        while round.load(ordering: .acquiring) == current {
            if isGivenUp.load(ordering: .relaxed) { return false }
            looks += 1
            if staysAwake, looks < 2_000 { sched_yield() } else { usleep(20) }
        }
        return true
    }

    /// Sends everybody home who waits.
    func giveUp() { isGivenUp.store(true, ordering: .relaxed) }
}
