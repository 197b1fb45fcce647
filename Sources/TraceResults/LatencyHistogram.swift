// The distribution of one measured time, kept as an HdrHistogram (Gil Tene): three significant
// digits between 1 ns and 1 h in a fixed quarter of a mebibyte, whatever the number of samples.
// One owner at a time; a worker keeps its own and they are merged after the run.

import Histogram

/// A histogram of nanoseconds, 1 ns to 1 h, to three significant digits.
///
/// Every percentile is the upper edge of the bucket it falls into, as in the libraries of other
/// languages, so that a histogram read back from a file answers exactly as the living one did.
public struct LatencyHistogram: Sendable, Equatable {
    /// The longest time told apart from longer ones: one hour.
    public static let highestTrackableNs: UInt64 = 3_600_000_000_000

    private var storage: Histogram<UInt64>

    /// Samples longer than an hour, recorded as one hour. Not part of the encoded form.
    public private(set) var clampedCount: UInt64 = 0

    /// An empty histogram. Allocates about 264 KiB; nothing after that allocates.
    public init() {
        storage = Histogram(
            lowestDiscernibleValue: 1, highestTrackableValue: Self.highestTrackableNs,
            numberOfSignificantValueDigits: .three)
    }

    /// Records one sample. A few nanoseconds; never fails.
    public mutating func record(_ valueNs: UInt64) {
        record(valueNs, count: 1)
    }

    /// Records `count` samples of the same length.
    public mutating func record(_ valueNs: UInt64, count: UInt64) {
        if valueNs > Self.highestTrackableNs {
            clampedCount &+= count
            storage.record(Self.highestTrackableNs, count: count)
        } else {
            storage.record(valueNs, count: count)
        }
    }

    /// Adds every sample of `other`; the result equals that of recording both into one.
    public mutating func merge(_ other: LatencyHistogram) {
        storage.add(other.storage)
        clampedCount &+= other.clampedCount
    }

    /// Forgets every sample and keeps the memory.
    public mutating func removeAll() {
        storage.reset()
        clampedCount = 0
    }

    /// The number of samples.
    public var count: UInt64 { storage.totalCount }

    /// Whether nothing was recorded.
    public var isEmpty: Bool { storage.totalCount == 0 }

    /// The longest sample in nanoseconds; 0 when there is none.
    public var maxNs: UInt64 {
        isEmpty ? 0 : storage.max
    }

    /// The shortest sample in nanoseconds (lower edge of its bucket); 0 when there is none.
    public var minNs: UInt64 {
        isEmpty ? 0 : storage.lowestEquivalentForValue(storage.min)
    }

    /// The mean in nanoseconds, from the middles of the buckets; 0 when there are no samples.
    public var meanNs: Double {
        guard !isEmpty else { return 0 }
        var sum = 0.0
        forEachBucket { value, count in
            sum += Double(storage.medianEquivalentForValue(value)) * Double(count)
        }
        return sum / Double(count)
    }

    /// The time that `percentile` (0…100) of the samples do not exceed; 0 when there are none.
    public func valueNs(atPercentile percentile: Double) -> UInt64 {
        guard !isEmpty else { return 0 }
        guard percentile < 100 else { return maxNs }
        return storage.highestEquivalentForValue(storage.valueAtPercentile(percentile))
    }

    /// How many samples lie beyond `percentile` (0…100). A percentile with fewer than a hundred
    /// samples above it says little.
    public func samples(abovePercentile percentile: Double) -> UInt64 {
        UInt64(Double(count) * max(0, 100 - percentile) / 100)
    }

    /// Calls `body` with the lowest value and the count of every bucket that is not empty,
    /// shortest first.
    func forEachBucket(_ body: (_ value: UInt64, _ count: UInt64) -> Void) {
        guard !isEmpty else { return }
        for index in 0...HistogramLayout.index(of: storage.max) {
            let value = HistogramLayout.lowestValue(at: index)
            let count = storage.countForValue(value)
            if count > 0 { body(value, count) }
        }
    }

    public static func == (left: LatencyHistogram, right: LatencyHistogram) -> Bool {
        left.storage == right.storage
    }
}

/// Where values lie in a histogram of three digits with a unit of one: 2,048 counters of width 1,
/// then 1,024 for each doubling. The layout every HdrHistogram library shares.
enum HistogramLayout {
    static let subBucketHalfCountMagnitude = 10

    /// The number of counters that cover values up to an hour.
    static let counterCount = index(of: LatencyHistogram.highestTrackableNs) + 1

    /// The counter that holds `value`.
    static func index(of value: UInt64) -> Int {
        let bucket = 64 - (value | 2047).leadingZeroBitCount - 11
        return (bucket << subBucketHalfCountMagnitude) + Int(value >> UInt64(bucket))
    }

    /// The smallest value that counter `index` holds.
    static func lowestValue(at index: Int) -> UInt64 {
        let bucket = index >> subBucketHalfCountMagnitude
        guard bucket > 1 else { return UInt64(index) }
        return UInt64((index & 1023) + 1024) << UInt64(bucket - 1)
    }

    /// The largest value that counter `index` holds.
    static func highestValue(at index: Int) -> UInt64 {
        lowestValue(at: index + 1) - 1
    }
}
