// A seeded stream of random numbers: the order of runs and the bootstrap follow from a seed that the
// result file keeps, so that both can be made again. Source: Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators" (2014), splitmix64.

/// splitmix64. A value type; one owner at a time.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A stream; equal seeds give equal streams.
    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// A number below `bound`, each equally likely. `bound` is at least 1.
    public mutating func next(below bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &self)
    }
}
