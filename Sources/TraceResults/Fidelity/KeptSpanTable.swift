// What of the truth came to the receiver: for each span whether, and with which threshold.

/// Marks spans of a truth as kept. One thread at a time.
public struct KeptSpanTable: Sendable {
    /// By place in ``TraceTruth/spans``: 0 not kept, 1 kept without a threshold, from 2 on kept with the
    /// threshold at that place less 2.
    public private(set) var codes: [UInt16]
    /// T of 56 bits, each once.
    public private(set) var thresholds: [UInt64] = []
    /// Spans marked.
    public private(set) var spanCount: UInt64 = 0
    /// Of those, spans without a threshold.
    public private(set) var bareCount: UInt64 = 0
    /// Marked more than once.
    public private(set) var repeatedCount: UInt64 = 0
    private var places: [UInt64: UInt16] = [:]
    private var last: (threshold: UInt64, code: UInt16) = (.max, 1)

    /// Nothing is kept yet.
    public init(spans: Int) {
        codes = Array(repeating: 0, count: spans)
    }

    /// Marks a span; false when it was marked before.
    /// - Parameter threshold: nil when its trace state had none.
    @inline(__always)
    @discardableResult
    public mutating func mark(_ place: Int, threshold: UInt64?) -> Bool {
        guard codes[place] == 0 else {
            repeatedCount += 1
            return false
        }
        let key = threshold ?? .max
        if key != last.threshold { last = (key, code(of: key)) }
        codes[place] = last.code
        spanCount += 1
        if last.code == 1 { bareCount += 1 }
        return true
    }

    private mutating func code(of threshold: UInt64) -> UInt16 {
        // No 56 bits are more than that. Further thresholds than can be numbered count as none.
        guard threshold < 1 << 56, thresholds.count < Int(UInt16.max) - 2 else {
            return places[threshold] ?? 1
        }
        if let code = places[threshold] { return code }
        let code = UInt16(thresholds.count + 2)
        thresholds.append(threshold)
        places[threshold] = code
        return code
    }
}
