// A bucket of tokens in one atomic word. The word holds the bucket's past instead of its level: how many
// tokens had flowed in when it was last empty. A token costs exactly one unit of it, so that nothing drifts.
// Time comes from the caller, so that simulated time works.
import Synchronization

/// Lets through what a rate allows. Lock-free; any thread.
final class TokenBucket: Sendable {
    /// Tokens are counted in fractions of 2⁻ᵏ, k as large as a hundred years of them fit in a word.
    private let token: Int64
    private let capacity: Int64
    /// Fractions that flow in during a nanosecond, in units of 2⁻⁶².
    private let inflow: UInt64
    /// Two moments that lie at most this far apart may come in the wrong order: a second.
    private let disorder: Int64
    /// The inflow at which the bucket would have been empty. Full at the epoch.
    private let empty: Atomic<Int64>
    /// Decisions in a row for which time had gone back further than that.
    private let lateCount = Atomic<Int>(0)
    /// The first moment that anybody named; `UInt64.max` until then.
    private let epoch = Atomic<UInt64>(.max)

    static let ratePerSMax = 1e9
    static let ratePerSMin = 1e-9
    /// More of them in a row than threads that stood still: the clock was set.
    static let lateCountMax = 100

    /// - Parameter ratePerS: above 0; it is brought into 10⁻⁹…10⁹. Holds `max(1, rate)` tokens, and is full.
    init(ratePerS: Double) {
        let rate = min(max(ratePerS, Self.ratePerSMin), Self.ratePerSMax)
        // rate · 2ᵏ is at most 2³⁰ a second, which a hundred years (2³¹·⁶ s) bring to 2⁶¹·⁶.
        var shift = 0
        while shift < 60, rate * Double(UInt64(2) << UInt64(shift)) <= 0x1p30 { shift += 1 }
        let scale = Double(UInt64(1) << UInt64(shift))
        token = 1 << Int64(shift)
        capacity = Int64(max(1, rate) * scale)
        inflow = UInt64(rate * scale / 1e9 * 0x1p62)
        disorder = Int64(rate * scale)
        empty = Atomic(-Int64(max(1, rate) * scale))
    }

    /// Takes a token, if there is one. Time that goes back refills nothing. When it went back by more than
    /// a second beyond what is paid for, and a hundred times in a row, the clock was set, and the bucket
    /// begins empty at the new time.
    /// - Parameter nowUnixNano: never more than a hundred years from the first time that was named.
    func take(at nowUnixNano: UInt64) -> Bool {
        let now = inflow(at: nowUnixNano)
        // relaxed: the word is all there is; nothing is published with it.
        var seen = empty.load(ordering: .relaxed)
        while true {
            var past = max(seen, now - capacity)
            let isClockSet = past > now + disorder
            if isClockSet {
                let late = lateCount.add(1, ordering: .relaxed).newValue
                guard late > Self.lateCountMax else { return false }
                past = now
            }
            let isKept = now - past >= token
            guard isKept || isClockSet else {
                onTime()
                return false
            }
            let (isDone, current) = empty.weakCompareExchange(
                expected: seen, desired: isKept ? past + token : past, ordering: .relaxed)
            if isDone {
                onTime()
                return isKept
            }
            seen = current
        }
    }

    /// A decision for which time had not gone back. The store is left out where it would change nothing,
    /// since the line is everybody's.
    @inline(__always)
    private func onTime() {
        if lateCount.load(ordering: .relaxed) != 0 { lateCount.store(0, ordering: .relaxed) }
    }

    /// What has flowed in since the epoch, which lies where time was first asked for.
    private func inflow(at nowUnixNano: UInt64) -> Int64 {
        var start = epoch.load(ordering: .relaxed)
        if start == .max {
            let (isDone, current) = epoch.compareExchange(
                expected: .max, desired: nowUnixNano, ordering: .relaxed)
            start = isDone ? nowUnixNano : current
        }
        let isBefore = nowUnixNano < start
        let distance = isBefore ? start - nowUnixNano : nowUnixNano - start
        // A hundred years and more: as far as a word goes.
        guard distance < 1 << 62 else { return isBefore ? -(1 << 62) : 1 << 62 }
        let product = distance.multipliedFullWidth(by: inflow)
        let flowed = Int64(truncatingIfNeeded: product.high << 2 | product.low >> 62)
        return isBefore ? -flowed : flowed
    }
}
