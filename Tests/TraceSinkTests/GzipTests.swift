import CZlib
import Testing

@testable import TraceSink

/// `bytes` as gzip.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
    GzipBomb.bytes(head: bytes, zeros: 0)
}

@Suite("Inflating bodies")
struct GzipTests {
    private func inflate(
        _ pieces: [[UInt8]], sizeMax: Int = 1 << 20, with inflater: GzipInflater
    ) throws -> [UInt8] {
        let body = BodyBuffer(budget: BodyBudget(heldMax: 1 << 30))
        inflater.reset()
        for piece in pieces {
            try unsafe piece.withUnsafeBytes {
                unsafe try inflater.inflate($0, into: body, sizeMax: sizeMax)
            }
        }
        try inflater.finish()
        return unsafe Array(body.bytes)
    }

    @Test(
        "What was deflated comes back, in pieces of any size", arguments: [1, 2, 7, 100, 1 << 20])
    func roundTrip(piece: Int) throws {
        var numbers = SeededNumbers(3)
        let bytes = (0..<100_000).map { index in
            index % 3 == 0 ? UInt8.random(in: 0...255, using: &numbers) : 7
        }
        let packed = gzip(bytes)
        let pieces = stride(from: 0, to: packed.count, by: piece).map {
            Array(packed[$0..<min($0 + piece, packed.count)])
        }
        let inflater = try GzipInflater()
        #expect(try inflate(pieces, with: inflater) == bytes)
        // The same reader takes the next body.
        #expect(try inflate([gzip([1, 2, 3])], with: inflater) == [1, 2, 3])
    }

    @Test("Several members are one body")
    func members() throws {
        let inflater = try GzipInflater()
        let packed = gzip([1, 2]) + gzip([]) + gzip([3])
        #expect(try inflate([packed], with: inflater) == [1, 2, 3])
        #expect(try inflate(packed.map { [$0] }, with: inflater) == [1, 2, 3])
    }

    @Test("A body cut anywhere is incomplete")
    func incomplete() throws {
        let inflater = try GzipInflater()
        let packed = gzip(Array("some text to be deflated".utf8))
        for count in 0..<packed.count {
            #expect(throws: InflateError.incomplete) {
                try inflate([Array(packed[..<count])], with: inflater)
            }
        }
    }

    @Test("Garbage, a wrong checksum and trailing garbage are corrupt")
    func corrupt() throws {
        let inflater = try GzipInflater()
        #expect(throws: InflateError.corrupt) {
            try inflate([Array("not gzip at all".utf8)], with: inflater)
        }
        var packed = gzip([1, 2, 3])
        packed[packed.count - 8] ^= 1
        #expect(throws: InflateError.corrupt) { try inflate([packed], with: inflater) }
        #expect(throws: InflateError.corrupt) {
            try inflate([gzip([1]) + [9, 9, 9]], with: inflater)
        }
    }

    @Test("A bomb is stopped at the cap, in bounded memory")
    func bomb() throws {
        let packed = GzipBomb.bytes(head: [], zeros: 64 << 20)
        #expect(packed.count < 1 << 17)
        let budget = BodyBudget(heldMax: 1 << 30)
        let body = BodyBuffer(budget: budget)
        let inflater = try GzipInflater()
        #expect(throws: InflateError.tooLarge) {
            try unsafe packed.withUnsafeBytes {
                unsafe try inflater.inflate($0, into: body, sizeMax: 1 << 20)
            }
        }
        #expect(budget.held <= 2 << 20)
    }

    @Test("A body of exactly the cap is accepted")
    func exactCap() throws {
        let inflater = try GzipInflater()
        let bytes = [UInt8](repeating: 1, count: 1 << 18)
        #expect(try inflate([gzip(bytes)], sizeMax: 1 << 18, with: inflater) == bytes)
        #expect(throws: InflateError.tooLarge) {
            try inflate([gzip(bytes)], sizeMax: (1 << 18) - 1, with: inflater)
        }
    }

    @Test("No buffer grows beyond the budget, and freed memory is given back to it")
    func budget() throws {
        let pool = BodyPool(heldMax: 1 << 20)
        let first = pool.take()
        #expect(first.reserve(700_000))
        let second = pool.take()
        #expect(!second.reserve(700_000))
        #expect(second.reserve(100_000))
        #expect(pool.held <= 1 << 20)
    }
}
