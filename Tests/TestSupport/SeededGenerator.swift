/// Random numbers that repeat: the same seed gives the same sequence on every machine and in every
/// version of Swift, so that a failing case can be named by its seed.
///
/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014): one
/// word of state, every seed good, and streams from neighbouring seeds are unrelated.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// True once in `count` times on average.
    public mutating func oneIn(_ count: UInt64) -> Bool {
        next() % count == 0
    }

    /// A number that is never zero, for identifiers.
    public mutating func identifier() -> UInt64 {
        while true {
            let word = next()
            if word != 0 { return word }
        }
    }

    /// One element of a collection that is not empty.
    public mutating func pick<Elements: RandomAccessCollection>(
        _ elements: Elements
    ) -> Elements.Element {
        let offset = Int(next() % UInt64(elements.count))
        return elements[elements.index(elements.startIndex, offsetBy: offset)]
    }
}
