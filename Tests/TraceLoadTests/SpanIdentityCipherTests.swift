import Testing

@testable import TraceLoad

@Suite struct SpanIdentityCipherTests {
    @Test(arguments: [0, 1, 42, UInt64.max])
    func `Decrypting undoes encrypting`(_ seed: UInt64) {
        let cipher = SpanIdentityCipher(seed: seed, salt: 7)
        var random = RandomStream(seed: seed, position: 1)
        for plain in [0, 1, 2, 1 << 16, UInt64.max - 1] + (0..<10_000).map({ _ in random.next() }) {
            #expect(cipher.decrypt(cipher.encrypt(plain)) == plain)
            #expect(cipher.encrypt(plain) != 0)
        }
    }

    @Test func `The plain number whose image is 0 gets another image, and no other has it`() {
        let cipher = SpanIdentityCipher(seed: 5, salt: 0)
        // What decrypting 0 gives is the number that would have been sent there.
        let plain = cipher.decrypt(0)
        let image = cipher.encrypt(plain)
        #expect(image != 0)
        #expect(cipher.decrypt(image) == plain)
    }

    @Test func `Positions come back from span and trace identifiers`() {
        let cipher = SpanIdentityCipher(seed: 1, salt: 2)
        for position in [
            SpanIdentityCipher.Position(trace: 0, span: 0), .init(trace: 1, span: 65_534),
            .init(trace: (1 << 48) - 1, span: 9),
        ] {
            #expect(cipher.position(spanID: cipher.spanID(position)) == position)
            let id = cipher.traceID(root: position)
            #expect(cipher.position(traceHigh: id.high, traceLow: id.low) == position)
            #expect(cipher.position(traceHigh: id.high &+ 1, traceLow: id.low) == nil)
        }
    }

    @Test func `Identifiers of neighbours are all different, and differ by salt`() {
        let cipher = SpanIdentityCipher(seed: 1, salt: 0)
        let salted = SpanIdentityCipher(seed: 1, salt: 1)
        var seen: Set<UInt64> = []
        for trace in 0..<2000 as Range<UInt64> {
            for span in 0..<20 as Range<UInt16> {
                let position = SpanIdentityCipher.Position(trace: trace, span: span)
                seen.insert(cipher.spanID(position))
                seen.insert(salted.spanID(position))
            }
        }
        #expect(seen.count == 80_000)
    }

    /// The random flag promises uniform low 56 bits; a ratio sampler reads them as a number.
    @Test func `The low 56 bits of trace identifiers are uniform`() {
        let cipher = SpanIdentityCipher(seed: 1, salt: 0)
        let count = 200_000
        var cells = [Int](repeating: 0, count: 256)
        var bits = [Int](repeating: 0, count: 56)
        for trace in 0..<count {
            let low = cipher.traceID(root: .init(trace: UInt64(trace), span: 0)).low
            cells[Int(low >> 48 & 255)] += 1
            for bit in 0..<56 where low >> UInt64(bit) & 1 == 1 { bits[bit] += 1 }
        }
        let expected = Double(count) / 256
        let chiSquare = cells.reduce(0.0) {
            $0 + (Double($1) - expected) * (Double($1) - expected) / expected
        }
        // 255 degrees of freedom: mean 255, standard deviation 22.6; six deviations.
        #expect(chiSquare < 391, "\(chiSquare)")
        let half = Double(count) / 2
        for (bit, ones) in bits.enumerated() {
            #expect(abs(Double(ones) - half) < 5.5 * (Double(count) / 4).squareRoot(), "bit \(bit)")
        }
    }
}
