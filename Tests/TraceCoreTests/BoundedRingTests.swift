import TestSupport
import Testing
import TraceCore

@Suite struct BoundedRingTests {
    /// Just before the positions wrap, just before they change sign, and at the beginning.
    static let startPositions: [UInt64] = [0, .max - 2, .max - 700, UInt64(Int64.max) - 1]

    @Test(
        "Behaves as a bounded queue does",
        arguments: [2, 3, 64, 1000], startPositions)
    func model(capacity: Int, startPosition: UInt64) {
        for seed in 0..<8 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let ring = SharedRing(capacity, startPosition)
            #expect(ring.capacity >= capacity && ring.capacity & (ring.capacity - 1) == 0)
            var model: [UInt] = []
            var next: UInt = 1
            var mismatches = 0
            for step in 0..<3_000 {
                // Phases of filling and of emptying, so that both ends are met.
                if generator.next() % 8 < (step / 300 % 2 == 0 ? 6 : 2) {
                    let isPushed = ring.push(next)
                    if isPushed != (model.count < ring.capacity) { mismatches += 1 }
                    if isPushed { model.append(next) }
                    next += 1
                } else {
                    let popped = ring.pop()
                    if popped != model.first { mismatches += 1 }
                    if popped != nil { model.removeFirst() }
                }
                if ring.count != model.count || ring.isEmpty != model.isEmpty { mismatches += 1 }
            }
            #expect(mismatches == 0, "seed \(seed)")
        }
    }

    @Test("Full takes no more, empty gives nothing, over and over", arguments: startPositions)
    func fullAndEmpty(startPosition: UInt64) {
        let ring = SharedRing(4, startPosition)
        for lap in 0..<300 as Range<UInt> {
            #expect(ring.isEmpty && ring.pop() == nil)
            for value in 0..<4 as Range<UInt> {
                let isPushed = ring.push(lap * 10 + value)
                #expect(isPushed)
            }
            let isPushedToo = ring.push(99)
            #expect(!isPushedToo && ring.count == 4)
            for value in 0..<4 as Range<UInt> { #expect(ring.pop() == lap * 10 + value) }
        }
    }

    struct Crowd: CustomTestStringConvertible {
        var producers: Int
        var consumers: Int
        var capacity: Int
        var startPosition: UInt64
        var testDescription: String {
            "\(producers) producers, \(consumers) consumers, capacity \(capacity), from \(startPosition)"
        }
    }
    static let crowds = [1, 2, 7, 32].flatMap { producers in
        [1, 2, 4].flatMap { consumers in
            [2, 64, 1024].map { capacity in
                Crowd(
                    producers: producers, consumers: consumers, capacity: capacity,
                    startPosition: .max - UInt64(capacity) - 5)
            }
        }
    }

    @Test("Each word exactly once, each producer's in order", arguments: crowds)
    func concurrent(crowd: Crowd) {
        let ring = SharedRing(crowd.capacity, crowd.startPosition)
        let perProducer = 1_600 / crowd.producers
        let total = perProducer * crowd.producers
        let taken = SharedNumber()
        let outcome = Locked<(words: [UInt], disorders: Int)>(([], 0))
        OSThreads.run(count: crowd.producers + crowd.consumers) { index in
            if index < crowd.producers {
                for number in 0..<perProducer {
                    let word = UInt(index) << 32 | UInt(number) + 1
                    while !ring.push(word) { yieldProcessor() }
                }
                return
            }
            var words: [UInt] = []
            var last = [UInt](repeating: 0, count: crowd.producers)
            var disorders = 0
            while taken.value < total {
                guard let word = ring.pop() else {
                    yieldProcessor()
                    continue
                }
                taken.add()
                words.append(word)
                // What one consumer takes of one producer comes in the order it was pushed.
                let producer = Int(word >> 32)
                if last[producer] >= word { disorders += 1 }
                last[producer] = word
            }
            let mine = words
            let wrong = disorders
            outcome.withLock {
                $0.words += mine
                $0.disorders += wrong
            }
        }
        let (words, disorders) = outcome.withLock { $0 }
        #expect(disorders == 0)
        #expect(words.count == total && Set(words).count == total)
        #expect(ring.isEmpty && ring.pop() == nil)
    }

    @Test("A push that is begun and not done is seen as work that cannot be taken yet")
    func pausedPush() {
        let pages = RecordingPageSource()
        let start = UInt64.max - 1
        let ring = SharedRing(4, start, pages: pages)
        let memory = unsafe pages.first
        // The layout: the enqueue position alone on 128 bytes, the dequeue position likewise, the cells.
        let enqueued = unsafe memory.load(as: UInt64.self)
        #expect(enqueued == start)
        #expect(ring.push(7))
        // A thread took the next position, and stops before it writes its cell.
        unsafe memory.storeBytes(of: start &+ 2, as: UInt64.self)
        #expect(ring.pop() == 7)
        #expect(!ring.isEmpty && ring.count == 1)
        #expect(ring.pop() == nil)
        // Others go on pushing behind it; nothing overtakes it.
        #expect(ring.push(9))
        #expect(ring.pop() == nil && ring.count == 2)
        // It runs again.
        let cell = unsafe memory + 256 + 16 * Int((start &+ 1) & 3)
        unsafe cell.storeBytes(of: UInt(8), toByteOffset: 8, as: UInt.self)
        unsafe cell.storeBytes(of: start &+ 2, as: UInt64.self)
        #expect(ring.pop() == 8)
        #expect(ring.pop() == 9)
        #expect(ring.isEmpty)
    }
}

/// A ring in a reference: to be shared, and to be asked from within an expectation.
private final class SharedRing: Sendable {
    private let ring: BoundedRing
    init(_ capacity: Int, _ startPosition: UInt64, pages: some PageSource = MappedPageSource()) {
        ring = BoundedRing(minimumCapacity: capacity, startPosition: startPosition, pages: pages)
    }
    var capacity: Int { ring.capacity }
    var count: Int { ring.count }
    var isEmpty: Bool { ring.isEmpty }
    func push(_ value: UInt) -> Bool { ring.push(value) }
    func pop() -> UInt? { ring.pop() }
}

/// Remembers what it gave.
private final class RecordingPageSource: PageSource {
    private let given = Locked<[UInt]>([])
    var first: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: given.withLock { $0[0] })!
    }
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let pages = unsafe MappedPageSource().allocate(byteCount: byteCount)
        given.withLock { $0.append(UInt(bitPattern: pages)) }
        return unsafe pages
    }
    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe MappedPageSource().release(pages, byteCount: byteCount)
    }
}
