/// The scenario's own random numbers: xoshiro256** 1.0 (D. Blackman, S. Vigna,
/// https://prng.di.unimi.it), seeded through SplitMix64 from a seed and a position, so that the
/// stream of a trace follows from its number alone and is the same on every platform.
///
/// A plain value, one a thread; about 1 ns a number.
struct RandomStream: Sendable {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64

    /// Streams of different `(seed, position)` are unrelated.
    init(seed: UInt64, position: UInt64) {
        var state = splitMix(seed &+ 0x6A09_E667_F3BC_C908) ^ position
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            return splitMix(state)
        }
        (s0, s1, s2, s3) = (next(), next(), next(), next())
    }

    mutating func next() -> UInt64 {
        let result = Self.rotate(s1 &* 5, 7) &* 9
        let t = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = Self.rotate(s3, 45)
        return result
    }

    /// Uniform in the open interval (0, 1): never an end, where quantiles are infinite.
    mutating func uniform() -> Double {
        (Double(next() >> 12) + 0.5) * 0x1p-52
    }

    /// True with probability `p`; draws nothing when it is certain.
    mutating func chance(_ p: Double) -> Bool {
        if p <= 0 { return false }
        if p >= 1 { return true }
        return uniform() < p
    }

    /// Uniform in 0 ..< `count`, count > 0; the bias of at most count/2^64 does not show.
    mutating func below(_ count: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: count).high
    }

    private static func rotate(_ x: UInt64, _ count: UInt64) -> UInt64 {
        (x << count) | (x >> (64 - count))
    }
}

/// The output function of SplitMix64 (Stafford's variant 13), a bijection.
func splitMix(_ value: UInt64) -> UInt64 {
    var x = value
    x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
    return x ^ (x >> 31)
}
