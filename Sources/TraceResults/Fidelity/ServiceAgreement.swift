// Whether services kept the same traces.

/// Which of up to 64 services have spans in a trace, and which of them kept one: counted by combination.
struct ServiceAgreement {
    private struct Combination: Hashable {
        var present: UInt64
        var kept: UInt64
    }

    private var counts: [Combination: UInt64] = [:]
    private var last = Combination(present: 0, kept: 0)
    private var lastCount: UInt64 = 0

    /// Adds a trace.
    @inline(__always)
    mutating func add(present: UInt64, kept: UInt64) {
        let combination = Combination(present: present, kept: kept)
        if combination != last {
            settle()
            last = combination
        }
        lastCount += 1
    }

    private mutating func settle() {
        if lastCount > 0 { counts[last, default: 0] += lastCount }
        lastCount = 0
    }

    /// Shares of pairs of services.
    struct Pairs {
        /// Row A, column B: of the traces that A kept and B has spans in, the share that B kept.
        var keptGivenKept: [[Double?]]
        /// Mean over pairs of (kept by both) / (kept by either), of the traces that both have spans in; nil
        /// when no pair kept any.
        var meanJaccard: Double?
    }

    /// - Parameter services: how many of the bits are used.
    mutating func pairs(services: Int) -> Pairs {
        settle()
        var either = [UInt64](repeating: 0, count: services * services)
        var both = either
        var rowKept = either
        for (combination, count) in counts {
            for a in 0..<services where combination.present >> UInt64(a) & 1 == 1 {
                let keptByA = combination.kept >> UInt64(a) & 1
                for b in 0..<services where combination.present >> UInt64(b) & 1 == 1 {
                    let keptByB = combination.kept >> UInt64(b) & 1
                    both[a * services + b] += (keptByA & keptByB) * count
                    either[a * services + b] += (keptByA | keptByB) * count
                    rowKept[a * services + b] += keptByA * count
                }
            }
        }
        var matrix: [[Double?]] = []
        var (sum, pairs) = (0.0, 0)
        for a in 0..<services {
            var row: [Double?] = []
            for b in 0..<services {
                let place = a * services + b
                row.append(
                    rowKept[place] > 0 ? Double(both[place]) / Double(rowKept[place]) : nil)
                if b > a, either[place] > 0 {
                    sum += Double(both[place]) / Double(either[place])
                    pairs += 1
                }
            }
            matrix.append(row)
        }
        return Pairs(
            keptGivenKept: matrix, meanJaccard: pairs > 0 ? sum / Double(pairs) : nil)
    }
}
