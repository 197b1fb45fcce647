import TestSupport
import Testing

@testable import TraceCore

/// Pieces of memory by number, taken from the source a segment at a time.
@Suite struct SegmentedRegionTests {
    @Test(
        "Each piece is zeroed, apart from the others, and where it was before",
        arguments: [(1, 1088), (7, 4224), (1928, 1088), (4000, 1088), (33, 65_536), (3, 2 << 20)])
    func apart(capacity: Int, strideBytes: Int) throws {
        let pages = CountingPageSource()
        let region = SegmentedRegion(capacity: capacity, strideBytes: strideBytes, pages: pages)
        for index in 0..<capacity {
            let piece = unsafe try #require(unsafe region.piece(index))
            let first = unsafe piece.load(as: UInt64.self)
            let last = unsafe piece.load(fromByteOffset: strideBytes - 8, as: UInt64.self)
            #expect(first == 0 && last == 0)
            unsafe piece.storeBytes(of: UInt64(index) &+ 1, as: UInt64.self)
            unsafe piece.storeBytes(
                of: ~UInt64(index), toByteOffset: strideBytes - 8, as: UInt64.self)
        }
        var seen = 0
        unsafe region.forEachPiece(first: capacity) { piece in
            let first = unsafe piece.load(as: UInt64.self)
            let last = unsafe piece.load(fromByteOffset: strideBytes - 8, as: UInt64.self)
            #expect(first == UInt64(seen) + 1 && last == ~UInt64(seen))
            seen += 1
        }
        #expect(seen == capacity)
        #expect(
            pages.heldBytes
                == SegmentedRegion.footprintBytes(
                    capacity: capacity, used: capacity, strideBytes: strideBytes, pages: pages))
    }

    @Test(
        "Memory is taken as pieces are first used, and what is stated for so many is what is held")
    func taken() {
        let pages = CountingPageSource(roundsTo: 16_384)
        let region = SegmentedRegion(capacity: 100, strideBytes: 65_536, pages: pages)
        for index in 0..<100 {
            _ = unsafe region.piece(index)
            #expect(
                pages.heldBytes
                    == SegmentedRegion.footprintBytes(
                        capacity: 100, used: index + 1, strideBytes: 65_536, pages: pages))
        }
        var seen = 0
        unsafe region.forEachPiece(first: 1000) { _ in seen += 1 }
        #expect(seen == 100)
    }

    @Test("Threads that want the same new segment get the same one, and nothing is left over")
    func races() {
        let (capacity, strideBytes, threads) = (512, 65_536, 8)
        let pages = CountingPageSource()
        let region = SegmentedRegion(capacity: capacity, strideBytes: strideBytes, pages: pages)
        let addresses = Locked([[UInt]](repeating: [], count: threads))
        let box = RegionBox(region)
        OSThreads.run(count: threads) { thread in
            let found = (0..<capacity).map { UInt(bitPattern: unsafe box.region.piece($0)) }
            addresses.withLock { $0[thread] = found }
        }
        let all = addresses.withLock { $0 }
        #expect(all.allSatisfy { $0 == all[0] })
        #expect(Set(all[0]).count == capacity)
        #expect(
            pages.heldBytes
                == SegmentedRegion.footprintBytes(
                    capacity: capacity, used: capacity, strideBytes: strideBytes, pages: pages))
    }

    private final class RegionBox: Sendable {
        let region: SegmentedRegion
        init(_ region: consuming SegmentedRegion) { self.region = region }
    }

    @Test("A store whose source runs out is as large as what it got; every node is whole")
    func runsOut() throws {
        // The ring and one segment of 2 MiB, and not the second.
        let pages = CountingPageSource(limitBytes: (2 << 20) + (1 << 20))
        let pool = NodePool(capacity: 4000, stride: 1088, pages: pages)
        var cache = NodeCache()
        var taken = Set<UInt>()
        while let node = unsafe pool.take(&cache) { taken.insert(UInt(bitPattern: node)) }
        #expect(taken.count == (2 << 20) / 1088)
        // What comes back is given out again.
        let word = taken.first ?? 0
        if let node = unsafe UnsafeMutableRawPointer(bitPattern: word) {
            unsafe pool.give(node, &cache)
        }
        let again = UInt(bitPattern: unsafe pool.take(&cache))
        let none = UInt(bitPattern: unsafe pool.take(&cache))
        #expect(again == word && none == 0)
    }
}
