import Testing

@testable import TracePipeline

@Suite struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    static let moment: UInt64 = 784_111_777_000_000_000

    @Test(
        "A Retry-After of each form is read, and garbage is no wait",
        arguments: [
            ("0", 0), ("2", 2_000_000_000), (" 120 ", 120_000_000_000),
            ("1000000000", 1_000_000_000_000_000_000),
            ("99999999999999999999", UInt64.max),
            ("999999999999999999999999999999999999999999", UInt64.max),
            ("Sun, 06 Nov 1994 08:49:39 GMT", 2_000_000_000),
            ("Sunday, 06-Nov-94 08:49:39 GMT", 2_000_000_000),
            ("Sun Nov  6 08:49:39 1994", 2_000_000_000),
            ("Sun, 06 Nov 1994 08:49:30 GMT", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Fri, 31 Dec 1993 23:59:60 GMT", 0),
            ("-1", nil), ("1.5", nil), ("1e9", nil), ("2 seconds", nil), ("", nil), (" ", nil),
            ("soon", nil), ("Sun, 06 Nov 1994 08:49:39 PST", nil),
            ("Sun, 06 Nox 1994 08:49:39 GMT", nil), ("Sun, 06 Nov 1994 24:00:00 GMT", nil),
            ("Sun, 00 Nov 1994 08:49:39 GMT", nil), ("Sun, 06 Nov 194 08:49:39 GMT", nil),
        ] as [(String, UInt64?)])
    func forms(value: String, expectedNs: UInt64?) {
        #expect(RetryAfter.waitNs(value, nowUnixNs: Self.moment) == expectedNs)
    }

    @Test("Of several lines the longest wait counts, garbage among them does not")
    func severalLines() {
        #expect(RetryAfter.longestWaitNs(["1", "garbage", "3"], nowUnixNs: 0) == 3_000_000_000)
        #expect(RetryAfter.longestWaitNs(["garbage"], nowUnixNs: 0) == nil)
        #expect(RetryAfter.longestWaitNs([], nowUnixNs: 0) == nil)
    }

    @Test("A date within the second is never early: the part of a second still counts")
    func partOfSecond() {
        let early = Self.moment + 1
        #expect(
            RetryAfter.waitNs("Sun, 06 Nov 1994 08:49:38 GMT", nowUnixNs: early) == 999_999_999)
    }

    @Test("Backoff grows to its maximum and stays within its jitter", arguments: 1...40)
    func backoff(attempts: Int) {
        var policy = RetryPolicy()
        policy.initialBackoffMs = 100
        policy.maxBackoffMs = 1_000
        var random = JitterSource(seed: UInt64(attempts))
        let nominal = min(100 * Double(1 << min(attempts - 1, 20)), 1_000) * 1e6
        for _ in 0..<100 {
            let wait = Double(policy.backoffNs(afterAttempts: attempts, using: &random))
            #expect(wait >= nominal * 0.5 - 1 && wait <= nominal * 1.5 + 1)
        }
    }

    @Test("Waits of exporters that failed together differ")
    func jitterDiffers() {
        let policy = RetryPolicy()
        var waits: Set<UInt64> = []
        for _ in 0..<50 {
            var random = JitterSource()
            waits.insert(policy.backoffNs(afterAttempts: 1, using: &random))
        }
        #expect(waits.count == 50)
    }
}
