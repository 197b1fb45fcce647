import Testing
import TraceCore

@testable import TracePipeline

/// What is decided does not depend on how spans came; budgets depend on the deadlines alone.
@Suite struct TailOrderTests {
    private static let rules =
        "tail:drop(flag:noise=true)+errors+slow:300ms+attr:tier~\"^gold|^silver$\"+and(spans:4..9,ratio:0.5)"

    /// Traces of one to twelve spans, with everything that the rules look at by chance.
    private static func traces(seed: UInt64, count: UInt64) -> [TailSpan] {
        var random = TailRandom(seed: seed)
        var spans: [TailSpan] = []
        for trace in 1...count {
            for _ in 0..<1 + random.next() % 12 {
                let start = trace + random.next() % 50
                var span = TailSpan(
                    trace: trace, startMs: start, endMs: start + random.next() % 100,
                    service: Int(random.next() % 2))
                if random.next() % 40 == 0 { span.status = .error }
                if random.next() % 60 == 0 {
                    // Short and late: only with the others the trace is a slow one.
                    (span.startMs, span.endMs) = (span.startMs + 330, span.startMs + 335)
                }
                if random.next() % 30 == 0 {
                    let tier = ["gold card", "silver", "silver card"][Int(random.next() % 3)]
                    span.attributes.append(("tier", .string(tier)))
                }
                if random.next() % 50 == 0 { span.attributes.append(("noise", .bool(true))) }
                spans.append(span)
            }
        }
        return spans
    }

    /// The same rules, said in plain words over whole traces.
    private static func expected(_ spans: [TailSpan]) -> Set<UInt64> {
        let share = TraceShare(0.5, salt: "")
        let traces = Dictionary(grouping: spans, by: \.trace).filter { trace, spans in
            func has(_ key: String, _ test: (AttributeValue) -> Bool) -> Bool {
                spans.contains { $0.attributes.contains { $0.0 == key && test($0.1) } }
            }
            if has("noise", { $0 == .bool(true) }) { return false }
            if spans.contains(where: { $0.status == .error }) { return true }
            let duration = spans.map(\.endMs).max()! - spans.map(\.startMs).min()!
            if duration >= 300 { return true }
            if has("tier", { $0 == .string("gold card") || $0 == .string("silver") }) {
                return true
            }
            return (4...9).contains(spans.count) && share.contains(TailHarness.traceID(trace))
        }
        return Set(traces.keys)
    }

    @Test(
        "Any order of arrival gives the same verdicts", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func permutations(seed: UInt64) throws {
        let spans = Self.traces(seed: seed, count: 300)
        let expected = Self.expected(spans)
        #expect(expected.count > 50 && expected.count < 280)
        var random = TailRandom(seed: seed &* 77)
        for shuffle in 0..<4 {
            var order = spans
            if shuffle == 1 {
                order.reverse()
            } else if shuffle > 1 {
                order.shuffle(using: &random)
            }
            // Real time: nothing is due before the shutdown, in whatever order spans come.
            let harness = try TailHarness(
                TailSampling(text: Self.rules + "+wait:1h"), simulatesTime: false)
            harness.end(order)
            #expect(harness.keptTraces() == expected, "shuffle \(shuffle)")
            #expect(harness.exported == spans.filter { expected.contains($0.trace) }.count)
        }
    }

    @Test(
        "Spans of each trace from many threads, interleaved as it happens, give the same verdicts")
    func threads() throws {
        let spans = Self.traces(seed: 9, count: 500)
        let expected = Self.expected(spans)
        let harness = try TailHarness(
            TailSampling(text: Self.rules + "+wait:1h"), simulatesTime: false)
        let threads = (0..<8).map { thread in
            SystemThread {
                for (number, span) in spans.enumerated() where number % 8 == thread {
                    harness.end(span, number: UInt64(number))
                }
            }
        }
        for _ in 0..<20 { #expect(harness.pipeline.forceFlush() == .completed) }
        for thread in threads { thread.join() }
        #expect(harness.keptTraces() == expected)
        #expect(harness.exported == spans.filter { expected.contains($0.trace) }.count)
    }

    @Test(
        "Budgets go by the deadlines, not by the order of arrival, and are what the reference says")
    func budgets() throws {
        var random = TailRandom(seed: 21)
        // Traces begin in order; when each one's first span ends differs by up to two seconds.
        var traces: [(trace: UInt64, firstMs: UInt64, spans: Int)] = []
        var spans: [TailSpan] = []
        for trace in 1...UInt64(400) {
            let start = trace * 25
            let first = start + 1 + random.next() % 2_000
            let count = 1 + Int(random.next() % 6)
            traces.append((trace, first, count))
            for number in 0..<count {
                spans.append(
                    TailSpan(trace: trace, startMs: number == 0 ? start : first, endMs: first))
            }
        }
        var bucket = SlowBucket(spansPerS: 20)
        var expected: Set<UInt64> = []
        for trace in traces.sorted(by: { ($0.firstMs, $0.trace) < ($1.firstMs, $1.trace) })
        where bucket.take(trace.spans, atMs: trace.firstMs) {
            expected.insert(trace.trace)
        }
        let harness = try TailHarness(TailSampling(text: "tail:rate:20+wait:3s"))
        harness.end(spans)
        #expect(harness.keptTraces() == expected)
        #expect(expected.count > 40 && expected.count < 200)
    }

    @Test("A composite gives each part its budget, and falls through where it is used up")
    func composite() throws {
        var random = TailRandom(seed: 4)
        var spans: [TailSpan] = []
        var expected: Set<UInt64> = []
        var errors = SlowBucket(spansPerS: 10)
        var slow = SlowBucket(spansPerS: 5)
        var rest = SlowBucket(spansPerS: 5)
        for trace in 1...UInt64(600) {
            let start = trace * 50
            let isError = random.next() % 2 == 0
            let isSlow = random.next() % 3 == 0
            let count = 1 + Int(random.next() % 3)
            for number in 0..<count {
                spans.append(
                    TailSpan(
                        trace: trace, startMs: isSlow && number == 0 ? start - 40 : start,
                        endMs: start + 1, status: isError ? .error : .unset))
            }
            if (isError && errors.take(count, atMs: start + 1))
                || (isSlow && slow.take(count, atMs: start + 1))
                || rest.take(count, atMs: start + 1)
            {
                expected.insert(trace)
            }
        }
        let harness = try TailHarness(
            TailSampling(text: "tail:composite(20,errors@50%,slow:40ms@25%,always@25%)+wait:1s"))
        harness.end(spans)
        #expect(harness.keptTraces() == expected)
    }

    @Test("A trace that another policy keeps costs a budget nothing")
    func unspent() throws {
        var spans: [TailSpan] = []
        for trace in 1...UInt64(40) {
            spans.append(
                TailSpan(trace: trace, startMs: 1, endMs: 2, status: trace <= 20 ? .error : .unset))
        }
        #expect(try TailHarness.kept([.errors, .rateLimiting(spansPerS: 10)], spans).count == 30)
        // Asked in the other order, the budget is spent on whoever comes first.
        #expect(try TailHarness.kept([.rateLimiting(spansPerS: 10), .errors], spans).count == 20)
        // Not spent where another rule of an `and` says no, and not by what is dropped.
        #expect(
            try TailHarness.kept(
                [.and([.rateLimiting(spansPerS: 10), .not(.errors)])], spans
            ).count == 10)
        #expect(
            try TailHarness.kept(
                [.rateLimiting(spansPerS: 10), .drop([.errors])], spans
            ).count == 10)
    }

    @Test(
        "A bucket is what a slow one is", arguments: [0.5, 1, 3, 20, 1_000] as [Double],
        [1, 2] as [UInt64])
    func bucket(rate: Double, seed: UInt64) {
        var random = TailRandom(seed: seed)
        let budget = SpanBudget(spansPerS: rate)
        var model = SlowBucket(spansPerS: rate)
        var nowMs: UInt64 = 5
        var kept = 0
        for _ in 0..<1_500 {
            nowMs += random.next() % 4 == 0 ? random.next() % 700 : random.next() % 3
            let spans = Int(random.next() % 8) + (random.next() % 100 == 0 ? Int(rate) * 3 : 0)
            let isKept = budget.admits(UInt32(spans), atNs: nowMs * 1_000_000)
            if isKept {
                budget.spend(UInt32(spans))
                kept += 1
            }
            #expect(isKept == model.take(spans, atMs: nowMs))
        }
        #expect(kept > 0 && kept < 1_500 || rate == 1_000)
        // Time that goes back fills nothing.
        while budget.admits(1, atNs: nowMs * 1_000_000) { budget.spend(1) }
        #expect(!budget.admits(1, atNs: 0))
        #expect(!budget.admits(1, atNs: nowMs * 1_000_000))
    }
}

/// A bucket of tokens that is filled millisecond by millisecond, in millionths of a span.
struct SlowBucket {
    private let inflowPerMs: Int
    private let capacity: Int
    private var level: Int
    private var filledMs: UInt64?

    init(spansPerS: Double) {
        inflowPerMs = Int(spansPerS * 1_000)
        capacity = max(1_000_000, inflowPerMs * 1_000)
        level = capacity
    }

    mutating func take(_ spans: Int, atMs nowMs: UInt64) -> Bool {
        for _ in (filledMs ?? nowMs)..<max(nowMs, filledMs ?? nowMs) {
            level = min(capacity, level + inflowPerMs)
        }
        filledMs = max(nowMs, filledMs ?? nowMs)
        guard level >= min(capacity, spans * 1_000_000) else { return false }
        level -= spans * 1_000_000
        return true
    }
}
