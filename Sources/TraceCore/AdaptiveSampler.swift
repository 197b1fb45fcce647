// A share for every operation, such that each comes out at about the same number of traces a second. The
// share follows an exponential moving average of what came in, as in dynamic samplers by throughput
// (Honeycomb's dynsampler: interval 15 s, weight 0.5). Time comes from the caller; nothing is random but
// the trace id, so that runs repeat.

/// What an adaptive sampler aims for.
public struct AdaptiveSettings: Sendable, Hashable, CustomStringConvertible {
    /// Traces to keep of each operation, a second. Above 0.
    public var targetPerS: Double
    /// How often an operation's share is set anew, in seconds. Above 0.
    public var intervalS: Double
    /// The weight of the interval just past in the average; above 0, and 1 forgets everything else.
    public var weight: Double
    /// Operations that are told apart; all further ones share what one of them gets.
    public var keysMax: Int

    public init(
        targetPerS: Double, intervalS: Double = 15, weight: Double = 0.5, keysMax: Int = 1000
    ) {
        self.targetPerS = targetPerS
        self.intervalS = intervalS
        self.weight = weight
        self.keysMax = keysMax
    }

    public var description: String {
        "target=\(DecimalText.of(targetPerS, places: 2)),"
            + "interval=\(DecimalText.of(intervalS, places: 2)),"
            + "weight=\(DecimalText.of(weight, places: 2)),keys=\(keysMax)"
    }
}

/// The shares of one provider's operations. Any thread; a short lock for each decision.
final class AdaptiveShares: Sendable {
    /// One operation.
    private struct Share {
        var intervalStart: UInt64
        /// Decisions of the current interval.
        var count: UInt64 = 0
        /// Decisions an interval; nil until one has passed.
        var average: Double?
        /// Of the current interval; 0 keeps all.
        var threshold: UInt64 = 0
    }

    private struct Table {
        /// Open addressing over the keys; 0 is free.
        var keys: [UInt64]
        var shares: [Share?]
        var count = 0
    }

    private let table: Guarded<Table>
    private let intervalNs: UInt64
    private let targetPerInterval: Double
    private let weight: Double
    private let keysMax: Int
    private let mask: Int

    /// Values out of range are brought into it.
    init(_ settings: AdaptiveSettings) {
        let seconds = settings.intervalS > 0 ? min(settings.intervalS, 1e9) : 15
        intervalNs = max(1, UInt64(seconds * 1e9))
        targetPerInterval = max(0, settings.targetPerS) * seconds
        weight = settings.weight > 0 ? min(settings.weight, 1) : 0.5
        keysMax = min(max(settings.keysMax, 1), 1 << 20)
        var slots = 4
        while slots < 2 * keysMax { slots *= 2 }
        mask = slots - 1
        // One place more, for the operations that came when all keys were taken.
        table = Guarded(
            Table(
                keys: Array(repeating: 0, count: slots),
                shares: Array(repeating: nil, count: slots + 1)))
    }

    /// Counts a decision for that operation, and decides. An operation that is seen for the first time is
    /// kept for an interval.
    func keeps(key: UInt64, randomness: UInt64, at nowUnixNano: UInt64) -> Bool {
        let threshold = table.withLock { table in
            let place = place(of: key, in: &table)
            var share = table.shares[place] ?? Share(intervalStart: nowUnixNano)
            advance(&share, to: nowUnixNano)
            share.count += 1
            table.shares[place] = share
            return share.threshold
        }
        return randomness >= threshold
    }

    /// The key's place, or the one that further keys share.
    private func place(of key: UInt64, in table: inout Table) -> Int {
        let key = max(key, 1)
        var place = Int(truncatingIfNeeded: key) & mask
        while table.keys[place] != 0 {
            if table.keys[place] == key { return place }
            place = (place + 1) & mask
        }
        guard table.count < keysMax else { return mask + 1 }
        table.keys[place] = key
        table.count += 1
        return place
    }

    /// Closes the intervals that have passed. Time that goes back by more than an interval starts one.
    private func advance(_ share: inout Share, to nowUnixNano: UInt64) {
        guard nowUnixNano >= share.intervalStart else {
            if share.intervalStart - nowUnixNano > intervalNs { share.intervalStart = nowUnixNano }
            return
        }
        let passed = (nowUnixNano - share.intervalStart) / intervalNs
        guard passed > 0 else { return }
        let counted = Double(share.count)
        var average = share.average.map { weight * counted + (1 - weight) * $0 } ?? counted
        // Intervals in which nothing came.
        average *= Self.power(1 - weight, passed - 1)
        share.average = average
        share.count = 0
        share.intervalStart += passed * intervalNs
        share.threshold =
            average > targetPerInterval
            ? ProbabilityThreshold.of(probability: targetPerInterval / average, precision: 14) : 0
    }

    /// By squaring, so that every machine gets the same bits.
    private static func power(_ base: Double, _ exponent: UInt64) -> Double {
        var result = 1.0
        var factor = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }

    /// An operation's key: 64 bits of its name.
    static func key(ofName name: UnsafeRawBufferPointer) -> UInt64 {
        var hash = UInt64(name.count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index < name.count {
            var word: UInt64 = 0
            if index + 8 <= name.count {
                word = unsafe name.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            } else {
                for byte in index..<name.count { word = unsafe word << 8 | UInt64(name[byte]) }
            }
            let product = (hash ^ word ^ 0xC2B2_AE3D_27D4_EB4F)
                .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low
            index += 8
        }
        return hash
    }
}
