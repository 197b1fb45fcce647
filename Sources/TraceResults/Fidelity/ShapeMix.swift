// How far the mix of call shapes that was kept is from the true one.

import Glibc

/// Distributions over call shapes, by their hashes.
enum ShapeMix {
    /// Entropy in bits of weights that need not add up to one; 0 without any.
    static func entropyBits(_ weights: [Double]) -> Double {
        let total = weights.reduce(0, +)
        guard total > 0 else { return 0 }
        return max(
            0,
            weights.reduce(0) { sum, weight in
                weight > 0 ? sum - weight / total * log2(weight / total) : sum
            })
    }

    /// Jensen–Shannon divergence in bits: 0 for the same mix, 1 for mixes that share nothing. Nil when one of
    /// them is empty. Source: Lin, IEEE Trans. Inf. Theory 37 (1991) 145.
    ///
    /// - Parameter pairs: weights of each shape in both mixes.
    static func divergenceBits(_ pairs: [(left: Double, right: Double)]) -> Double? {
        let left = pairs.reduce(0) { $0 + $1.left }
        let right = pairs.reduce(0) { $0 + $1.right }
        guard left > 0, right > 0 else { return nil }
        var sum = 0.0
        for pair in pairs {
            let (p, q) = (pair.left / left, pair.right / right)
            let middle = (p + q) / 2
            if p > 0 { sum += p * log2(p / middle) / 2 }
            if q > 0 { sum += q * log2(q / middle) / 2 }
        }
        return min(1, max(0, sum))
    }
}
