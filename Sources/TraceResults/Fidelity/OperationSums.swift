// Sums by operation over the traces kept: what the estimates are made from.

/// Weighted totals of one operation and the moments of their variances.
struct OperationSum {
    /// Spans kept, and those of them that say nothing of what they stand for.
    var kept: UInt64 = 0
    var bare: UInt64 = 0
    /// Traces with a kept span of it.
    var clusters: UInt64 = 0
    /// Σ 1/π, and of failed spans.
    var total = 0.0
    var errors = 0.0
    /// Of spans and failed spans.
    var errorMoments = RatioMoments()
    /// Of spans and spans up to the estimated quantiles.
    var p50Moments = RatioMoments()
    var p99Moments = RatioMoments()
}

/// Sums up trace by trace. Scratch memory is used again; one thread.
struct OperationSums {
    private(set) var sums: [OperationSum]
    /// By code: what a span stands for, and how probable it was to be kept.
    private let weights: [Double]
    private let probabilities: [Double]
    // Of the trace in hand, by operation.
    private var x: [Double]
    private var y: [Double]
    private var z: [Double]
    private var touched: [Int] = []

    init(operations: Int, weights: [Double]) {
        sums = Array(repeating: OperationSum(), count: operations)
        self.weights = weights
        probabilities = weights.map { $0 > 0 ? 1 / $0 : 0 }
        x = Array(repeating: 0, count: operations)
        (y, z) = (x, x)
    }

    /// Adds the kept spans of one trace.
    ///
    /// - Parameters:
    ///   - members: places of the trace's spans.
    ///   - code: the one of all of them that are kept; nil when they differ.
    mutating func addErrors(
        _ members: [Int], _ spans: borrowing [TruthSpan], _ codes: borrowing [UInt16],
        code: UInt16?
    ) {
        for place in members {
            let code = codes[place]
            guard code != 0 else { continue }
            let span = spans[place]
            let operation = Int(span.operation)
            let weight = weights[Int(code)]
            sums[operation].kept += 1
            if code == 1 { sums[operation].bare += 1 }
            sums[operation].total += weight
            if span.isError { sums[operation].errors += weight }
            enter(operation, span.isError ? 1 : 0, 0, code)
        }
        settle(code) { sum, x, y, _, coefficient in
            sum.clusters += 1
            sum.errorMoments.add(coefficient: coefficient, x: x, y: y)
        } mixed: { sum, parts in
            sum.clusters += 1
            sum.errorMoments.add(parts: parts.map { ($0.probability, $0.x, $0.y) })
        }
    }

    /// As ``addErrors(_:_:_:code:)``, of spans up to their operation's estimated quantiles.
    mutating func addRanks(
        _ members: [Int], _ spans: borrowing [TruthSpan], _ codes: borrowing [UInt16],
        code: UInt16?, p50Ns: borrowing [UInt64], p99Ns: borrowing [UInt64]
    ) {
        for place in members {
            let code = codes[place]
            guard code != 0 else { continue }
            let span = spans[place]
            let operation = Int(span.operation)
            let durationNs = span.durationNs
            enter(
                operation, durationNs <= p50Ns[operation] ? 1 : 0,
                durationNs <= p99Ns[operation] ? 1 : 0, code)
        }
        settle(code) { sum, x, y, z, coefficient in
            sum.p50Moments.add(coefficient: coefficient, x: x, y: y)
            sum.p99Moments.add(coefficient: coefficient, x: x, y: z)
        } mixed: { sum, parts in
            sum.p50Moments.add(parts: parts.map { ($0.probability, $0.x, $0.y) })
            sum.p99Moments.add(parts: parts.map { ($0.probability, $0.x, $0.z) })
        }
    }

    private mutating func enter(_ operation: Int, _ y: Double, _ z: Double, _ code: UInt16) {
        if x[operation] == 0 { touched.append(operation) }
        x[operation] += 1
        self.y[operation] += y
        self.z[operation] += z
        pending.append((operation, code, y, z))
    }

    /// Spans of the trace in hand one by one, for when their codes differ.
    private var pending: [(operation: Int, code: UInt16, y: Double, z: Double)] = []

    private typealias Parts = [(probability: Double, x: Double, y: Double, z: Double)]

    /// Books what was entered and forgets it.
    @inline(__always)
    private mutating func settle(
        _ code: UInt16?,
        _ add: (inout OperationSum, Double, Double, Double, Double) -> Void,
        mixed addMixed: (inout OperationSum, Parts) -> Void
    ) {
        if let code {
            let coefficient = HorvitzThompson.coefficient(probabilities[Int(code)])
            for operation in touched {
                add(&sums[operation], x[operation], y[operation], z[operation], coefficient)
            }
        } else {
            for operation in touched {
                var parts: [(code: UInt16, x: Double, y: Double, z: Double)] = []
                for span in pending where span.operation == operation {
                    if let place = parts.firstIndex(where: { $0.code == span.code }) {
                        parts[place].x += 1
                        parts[place].y += span.y
                        parts[place].z += span.z
                    } else {
                        parts.append((span.code, 1, span.y, span.z))
                    }
                }
                addMixed(
                    &sums[operation],
                    parts.map { (probabilities[Int($0.code)], $0.x, $0.y, $0.z) })
            }
        }
        for operation in touched { (x[operation], y[operation], z[operation]) = (0, 0, 0) }
        touched.removeAll(keepingCapacity: true)
        pending.removeAll(keepingCapacity: true)
    }
}
