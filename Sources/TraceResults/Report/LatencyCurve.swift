// A distribution of several runs as the curve of its percentiles: counters added up, so that the curve of
// many runs is exactly that of one with all their samples.

import Glibc

/// Counts of a distribution in HdrHistogram's layout.
struct LatencyCurve: Sendable {
    private var counts = [UInt64](repeating: 0, count: HistogramLayout.counterCount)
    /// Samples in it.
    private(set) var total: UInt64 = 0

    /// Adds a distribution's samples.
    mutating func add(_ histogram: LatencyHistogram) {
        histogram.forEachBucket { value, count in
            counts[HistogramLayout.index(of: value)] &+= count
            total &+= count
        }
    }

    /// The times that shares of the samples do not exceed, as every library of HdrHistogram gives them.
    /// - Parameter shares: ascending, from 0 to 1.
    func values(at shares: [Double]) -> [Double] {
        guard total > 0 else { return shares.map { _ in 0 } }
        var values: [Double] = []
        var seen: UInt64 = 0
        var index = -1
        for share in shares {
            let needed = Swift.max(1, UInt64((share * Double(total) + 0.5).rounded(.down)))
            while seen < needed, index + 1 < counts.count {
                index += 1
                seen &+= counts[index]
            }
            values.append(Double(HistogramLayout.highestValue(at: Swift.max(0, index))))
        }
        return values
    }

    /// The largest share that says something: a hundred samples lie beyond it.
    var soundShareMax: Double {
        total <= 100 ? 0 : 1 - 100 / Double(total)
    }

    /// Shares at even distances on the axis of percentiles, from 1% up to the last sample: the least sample is
    /// one sample, and would stretch the other axis to where nothing else is.
    var shares: [Double] {
        guard total > 1 else { return total == 1 ? [0.01, 0.9] : [] }
        let nines = min(6, log10(Double(total)))
        let steps = Int((nines * 14).rounded(.up))
        return [0.01] + (1...steps).map { 1 - pow(10, -nines * Double($0) / Double(steps)) }
    }
}
