/// Identifiers as a keyed bijection of positions: no two spans of a run share one, nothing has to
/// be remembered, and whoever knows seed and salt can tell from an identifier which span it is.
///
/// A position is a trace number below 2^48 and a span number below 2^16, packed into 64 bits. Two
/// keyed rounds of an invertible mixing function (xor a key, then xor-shifts and multiplications by
/// odd constants modulo 2^64, as in SplitMix64) take it to the span identifier. A trace identifier
/// is two such halves with keys of their own, taken from the position of the trace's root span, so
/// that a consumer that begins a trace of its own has one too. Statistically uniform, as the W3C
/// random flag promises; not a secret.
///
/// A plain value; any thread; about 5 ns an identifier.
public struct SpanIdentityCipher: Hashable, Sendable {
    /// Where in a run a span stands.
    public struct Position: Hashable, Sendable {
        /// Below 2^48.
        public var trace: UInt64
        public var span: UInt16

        public init(trace: UInt64, span: UInt16) {
            self.trace = trace
            self.span = span
        }
    }

    private let spanKeys: Keys
    private let lowKeys: Keys
    private let highKeys: Keys

    /// `salt` is 0 for fixed identifiers, and drawn once for all variants of a comparison otherwise.
    public init(seed: UInt64, salt: UInt64) {
        var random = RandomStream(seed: seed, position: salt)
        spanKeys = Keys(&random)
        lowKeys = Keys(&random)
        highKeys = Keys(&random)
    }

    /// Never 0.
    public func spanID(_ position: Position) -> UInt64 { encrypt(position.packed, spanKeys) }

    /// Never 0 in either half. The position is that of the trace's root span.
    public func traceID(root position: Position) -> (high: UInt64, low: UInt64) {
        let packed = position.packed
        return (encrypt(packed, highKeys), encrypt(packed, lowKeys))
    }

    /// The position a span identifier stands for; any number decrypts to some position.
    public func position(spanID: UInt64) -> Position { Position(packed: decrypt(spanID, spanKeys)) }

    /// The position of the root, nil when the halves disagree: not an identifier of this run.
    public func position(traceHigh: UInt64, traceLow: UInt64) -> Position? {
        let low = decrypt(traceLow, lowKeys)
        return low == decrypt(traceHigh, highKeys) ? Position(packed: low) : nil
    }

    /// A keyed bijection of 64 bits that sends none of 0 ..< 2^64 − 1 to 0.
    public func encrypt(_ plain: UInt64) -> UInt64 { encrypt(plain, spanKeys) }

    /// The inverse of `encrypt`.
    public func decrypt(_ value: UInt64) -> UInt64 { decrypt(value, spanKeys) }

    // MARK: Rounds

    private struct Keys: Hashable, Sendable {
        let first: UInt64
        let second: UInt64
        let third: UInt64

        init(_ random: inout RandomStream) {
            (first, second, third) = (random.next(), random.next(), random.next())
        }
    }

    /// No span has this position: its image takes the place of 0, which is no valid identifier.
    private static let reserved = UInt64.max

    private func encrypt(_ plain: UInt64, _ keys: Keys) -> UInt64 {
        let value = permute(plain, keys)
        return value == 0 ? permute(Self.reserved, keys) : value
    }

    private func decrypt(_ value: UInt64, _ keys: Keys) -> UInt64 {
        let plain = unpermute(value, keys)
        return plain == Self.reserved ? unpermute(0, keys) : plain
    }

    private func permute(_ plain: UInt64, _ keys: Keys) -> UInt64 {
        splitMix(splitMix(plain ^ keys.first) ^ keys.second) ^ keys.third
    }

    private func unpermute(_ value: UInt64, _ keys: Keys) -> UInt64 {
        inverseSplitMix(inverseSplitMix(value ^ keys.third) ^ keys.second) ^ keys.first
    }
}

extension SpanIdentityCipher.Position {
    var packed: UInt64 { trace << 16 | UInt64(span) }

    init(packed: UInt64) {
        self.init(trace: packed >> 16, span: UInt16(truncatingIfNeeded: packed))
    }
}

/// The inverse of `splitMix`: the constants are the multiplicative inverses modulo 2^64.
private func inverseSplitMix(_ value: UInt64) -> UInt64 {
    func undoShift(_ x: UInt64, _ shift: UInt64) -> UInt64 {
        x ^ (x >> shift) ^ (x >> (2 * shift))
    }
    var x = undoShift(value, 31)
    x = undoShift(x &* 0x3196_42B2_D24D_8EC3, 27)
    return undoShift(x &* 0x96DE_1B17_3F11_9089, 30)
}
