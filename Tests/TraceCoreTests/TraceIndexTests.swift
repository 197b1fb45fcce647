import Testing

@testable import TraceCore

/// Tables behind the hold, against the standard library's.
@Suite struct TraceIndexTests {
    @Test(
        "An index is a dictionary, with hashes that collide and deletions", arguments: [1, 7, 300])
    func index(capacity: Int) {
        var index = TraceIndex(capacity: capacity, pages: MappedPageSource())
        var model: [Int: UInt32] = [:]
        var random = SplitMix(seed: UInt64(capacity))
        for _ in 0..<20_000 {
            let number = Int(random.next() % UInt64(capacity))
            if let hash = model.removeValue(forKey: number) {
                let found = index.find(hash) { $0 == number }
                #expect(found == number)
                index.remove(hash, number)
                let removed = index.find(hash) { $0 == number }
                #expect(removed == nil)
            } else {
                // Few different homes, near the end of the table as well.
                let hash = UInt32(truncatingIfNeeded: random.next() % 5 &- 2)
                model[number] = hash
                index.insert(hash, number)
            }
            if let (known, hash) = model.randomElement(using: &random) {
                let found = index.find(hash) { $0 == known }
                #expect(found == known)
            }
        }
    }

    @Test("Deadlines come out in order, equal ones as they went in", arguments: [true, false])
    func order(isHeap: Bool) {
        var order = DeadlineOrder(capacity: 64, isHeap: isHeap, pages: MappedPageSource())
        var model: [(deadlineNs: UInt64, arrival: Int, trace: Int)] = []
        var random = SplitMix(seed: 5)
        var nowNs: UInt64 = 0
        for arrival in 0..<20_000 {
            if model.count == 64 || (!model.isEmpty && random.next() % 2 == 0) {
                let next = model.min { ($0.deadlineNs, $0.arrival) < ($1.deadlineNs, $1.arrival) }!
                let (deadlineNs, trace) = (order.nextNs, order.removeNext())
                #expect(deadlineNs == next.deadlineNs && trace == next.trace)
                model.removeAll { $0.arrival == next.arrival }
            } else {
                nowNs += random.next() % 3
                let deadlineNs = isHeap ? random.next() % 100 : nowNs
                order.insert(arrival % 64, deadlineNs: deadlineNs)
                model.append((deadlineNs, arrival, arrival % 64))
            }
            let count = order.count
            #expect(count == model.count)
        }
        while order.count > 0 { _ = order.removeNext() }
        let none = order.nextNs
        #expect(none == .max)
    }

    @Test("A waiting trace takes two cache lines: none of its neighbours is fetched with it")
    func entry() { #expect(MemoryLayout<HeldTrace>.stride == 128) }

    @Test("What a table says that it takes is what it takes of its source")
    func footprint() {
        for capacity in [0, 1, 100, 50_000] {
            let pages = CountingPageSource()
            let cache = DecisionCache(capacity: capacity, pages: pages)
            let order = DeadlineOrder(capacity: max(1, capacity), isHeap: false, pages: pages)
            let counts = (cache.count, order.count)
            #expect(counts == (0, 0))
            #expect(
                pages.heldBytes
                    == DecisionCache.footprintBytes(capacity: capacity, pages: pages)
                    + DeadlineOrder.footprintBytes(capacity: max(1, capacity), pages: pages))
        }
    }

    @Test("Blocks go back whole, and are as many as before", arguments: [1, 3, 2_048, 5_000])
    func blocks(capacity: Int) {
        let pages = CountingPageSource()
        var pool = TraceBlocks(capacity: capacity, pages: pages)
        for _ in 0..<3 {
            var chain = RecordChain()
            var message = [UInt8](repeating: 7, count: 200)
            while chain.blocksMissing(
                recordBytes: HeldPrefix.recordBytes(spanBytes: 200, isTimed: true))
                <= pool.freeCount
            {
                unsafe message.withUnsafeMutableBytes {
                    unsafe chain.append(
                        HeldPrefix(spanBytes: 200, stream: 3, isTimed: true), endCycles: 9,
                        $0.baseAddress!, &pool)
                }
            }
            let (left, more) = (pool.freeCount, pool.take() == nil)
            #expect(left == 0 && more && chain.blocks == capacity)
            chain.release(to: &pool)
            let free = pool.freeCount
            #expect(free == capacity)
        }
        #expect(
            pages.heldBytes == TraceBlocks.footprintBytes(capacity: capacity, pages: pages))
    }
}
