// Durations in order, with what each was kept with: true and estimated percentiles by operation.

/// Durations of spans, by operation, sorted; beside each the code it was kept with. 8 bytes a span.
struct DurationRanks {
    /// By operation: its range in `keys`.
    private(set) var ranges: [Range<Int>]
    /// Duration above, code in the low 16 bits.
    private(set) var keys: [UInt64]

    /// Sorts the durations of all spans but absent ones: O(spans).
    init(_ truth: TraceTruth, codes: [UInt16]) {
        ranges = []
        var places: [Int] = []
        var total = 0
        for count in truth.operationSpans {
            places.append(total)
            ranges.append(total..<total + Int(count))
            total += Int(count)
        }
        keys = Array(repeating: 0, count: total)
        for (place, span) in truth.spans.enumerated() where !span.isAbsent {
            let operation = Int(span.operation)
            keys[places[operation]] = span.durationNs << 16 | UInt64(codes[place])
            places[operation] += 1
        }
        var scratch: [UInt64] = []
        for range in ranges { Self.sort(&keys, range, &scratch) }
    }

    /// The shortest duration that at least this share of an operation's spans does not exceed; an operation
    /// with spans.
    func truth(_ operation: Int, share: Double) -> UInt64 {
        let range = ranges[operation]
        return keys[range.lowerBound + Self.rank(share, of: range.count)] >> 16
    }

    /// From 0, of the value at this share of `count`.
    static func rank(_ share: Double, of count: Int) -> Int {
        // The product may come out a little above a whole number.
        let rank = Int((share * Double(count) - 1e-9).rounded(.up))
        return min(max(rank, 1), count) - 1
    }

    /// The shortest kept duration at which the estimated count reaches each of these shares of `total`, in
    /// ascending order; nil where the kept ones do not reach it.
    func weighted(
        _ operation: Int, shares: [Double], total: Double, weights: [Double]
    ) -> [UInt64?] {
        var found: [UInt64?] = []
        var sum = 0.0
        var place = ranges[operation].lowerBound
        let end = ranges[operation].upperBound
        var lastNs: UInt64?
        for share in shares {
            let wanted = share * total * (1 - 1e-12)
            while sum < wanted || lastNs == nil, place < end {
                let key = keys[place]
                place += 1
                let code = Int(key & 0xFFFF)
                guard code != 0 else { continue }
                sum += weights[code]
                lastNs = key >> 16
            }
            found.append(sum >= wanted ? lastNs : nil)
        }
        return found
    }

    // MARK: Sorting

    private static let digitBits: UInt64 = 11

    /// By radix from the lowest digit, codes left out; small groups by comparison.
    private static func sort(
        _ keys: inout [UInt64], _ range: Range<Int>, _ scratch: inout [UInt64]
    ) {
        guard range.count > 512 else {
            keys[range].sort()
            return
        }
        let longest = keys[range].max() ?? 0
        if scratch.count < range.count {
            scratch = Array(repeating: 0, count: range.count)
        }
        unsafe keys.withUnsafeMutableBufferPointer { keys in
            unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                var from = unsafe UnsafeMutableBufferPointer(rebasing: keys[range])
                var to = unsafe UnsafeMutableBufferPointer(
                    rebasing: scratch[..<range.count])
                var shift: UInt64 = 16
                while shift < 64, longest >> shift > 0 {
                    unsafe pass(from, to, shift)
                    unsafe swap(&from, &to)
                    shift += digitBits
                }
                // Into the keys, if they are not where it ended.
                if unsafe from.baseAddress != keys.baseAddress! + range.lowerBound {
                    _ = unsafe to.update(fromContentsOf: from)
                }
            }
        }
    }

    private static func pass(
        _ from: UnsafeMutableBufferPointer<UInt64>, _ to: UnsafeMutableBufferPointer<UInt64>,
        _ shift: UInt64
    ) {
        let mask = (UInt64(1) << digitBits) - 1
        var places = [Int](repeating: 0, count: 1 << Int(digitBits))
        for place in 0..<from.count {
            places[Int(unsafe from[place] &>> shift & mask)] += 1
        }
        var sum = 0
        for digit in places.indices { (places[digit], sum) = (sum, sum + places[digit]) }
        for place in 0..<from.count {
            let key = unsafe from[place]
            let digit = Int(key &>> shift & mask)
            unsafe to[places[digit]] = key
            places[digit] += 1
        }
    }
}
