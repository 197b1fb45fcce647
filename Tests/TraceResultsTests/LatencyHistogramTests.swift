import Testing

@testable import TraceResults

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test("an empty histogram answers zero")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.isEmpty)
        #expect(histogram.maxNs == 0)
        #expect(histogram.minNs == 0)
        #expect(histogram.meanNs == 0)
        #expect(histogram.valueNs(atPercentile: 99) == 0)
    }

    @Test(
        "a value is kept to three digits",
        arguments: [
            0, 1, 2047, 2048, 65_537, 999_999, 123_456_789, 3_600_000_000_000,
        ] as [UInt64])
    func precision(valueNs: UInt64) {
        var histogram = LatencyHistogram()
        histogram.record(valueNs)
        #expect(histogram.count == 1)
        #expect(histogram.valueNs(atPercentile: 50) >= valueNs)
        #expect(histogram.maxNs - histogram.minNs <= valueNs / 1000)
        #expect(histogram.minNs <= valueNs)
    }

    @Test("a value beyond an hour counts as an hour and is told")
    func clamping() {
        var histogram = LatencyHistogram()
        histogram.record(.max, count: 3)
        histogram.record(LatencyHistogram.highestTrackableNs)
        #expect(histogram.count == 4)
        #expect(histogram.clampedCount == 3)
        #expect(histogram.samples(abovePercentile: 50) == 2)
        histogram.removeAll()
        #expect(histogram == LatencyHistogram())
        #expect(histogram.clampedCount == 0)
    }

    @Test("merging parts equals recording the whole", arguments: 1...8 as ClosedRange<UInt64>)
    func merging(seed: UInt64) {
        var random = SplitMix(state: seed)
        var whole = LatencyHistogram()
        var parts = [LatencyHistogram](repeating: LatencyHistogram(), count: 4)
        for _ in 0..<2000 {
            let value = random.next() >> UInt64.random(in: 20..<64, using: &random)
            whole.record(value)
            parts[Int.random(in: 0..<4, using: &random)].record(value)
        }
        var merged = LatencyHistogram()
        for part in parts { merged.merge(part) }
        #expect(merged == whole)
        #expect(merged.clampedCount == whole.clampedCount)
        #expect(merged.base64Encoded() == whole.base64Encoded())
    }

    @Test("the layout is its own inverse up to an hour")
    func layout() {
        for index in 0..<HistogramLayout.counterCount {
            let low = HistogramLayout.lowestValue(at: index)
            let high = HistogramLayout.highestValue(at: index)
            guard HistogramLayout.index(of: low) == index, HistogramLayout.index(of: high) == index
            else {
                Issue.record("counter \(index) holds \(low)...\(high)")
                return
            }
        }
    }
}

@Suite("Histogram codec")
struct HistogramCodecTests {
    @Test("what Python wrote is read to the last count", arguments: GoldenHistogram.all)
    func decodesGolden(golden: GoldenHistogram) throws {
        let histogram = try LatencyHistogram(base64: golden.encoded)
        #expect(histogram.count == golden.total)
        if !golden.buckets.isEmpty {
            var buckets: [[UInt64]] = []
            histogram.forEachBucket { buckets.append([$0, $1]) }
            #expect(buckets == golden.buckets.map { [$0.value, $0.count] })
        }
        for (percentile, valueNs) in golden.percentiles {
            #expect(histogram.valueNs(atPercentile: percentile) == valueNs, "p\(percentile)")
        }
        #expect(abs(histogram.meanNs - golden.meanNs) <= golden.meanNs * 1e-12)
    }

    @Test("what is read is written as Python wrote it", arguments: GoldenHistogram.all)
    func encodesGolden(golden: GoldenHistogram) throws {
        let histogram = try LatencyHistogram(base64: golden.encoded)
        #expect(histogram.base64Encoded() == golden.encoded)
    }

    @Test("a round trip changes nothing", arguments: 1...40 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var histogram = LatencyHistogram()
        for _ in 0..<Int.random(in: 0...400, using: &random) {
            let value = random.next() >> UInt64.random(in: 23..<64, using: &random)
            histogram.record(
                value, count: 1 + random.next() >> UInt64.random(in: 9..<64, using: &random))
        }
        let decoded = try LatencyHistogram(base64: histogram.base64Encoded())
        #expect(decoded.encodedPayload() == histogram.encodedPayload())
        #expect(decoded.count == histogram.count)
        for percentile in [0, 1, 50, 99, 99.9, 100] where percentile > 0 {
            let living = histogram.valueNs(atPercentile: percentile)
            #expect(decoded.valueNs(atPercentile: percentile) == living)
        }
        #expect(decoded.maxNs == histogram.maxNs)
        #expect(decoded.meanNs == histogram.meanNs)
    }

    @Test("text that is no histogram is refused with its reason")
    func refusals() throws {
        #expect(throws: HistogramCodecError.notBase64) { try LatencyHistogram(base64: "{}") }
        #expect(throws: HistogramCodecError.truncated(needed: 4, available: 3)) {
            try LatencyHistogram(compressed: [1, 2, 3])
        }
        #expect(throws: HistogramCodecError.unknownCookie(0x1C84_9314)) {
            // A compressed cookie where the payload's belongs, and the other way round.
            try LatencyHistogram(payload: [0x1C, 0x84, 0x93, 0x14])
        }
        var histogram = LatencyHistogram()
        histogram.record(7, count: 9)
        var damaged = histogram.encodedCompressed()
        damaged[12] ^= 0xFF
        #expect(throws: HistogramCodecError.self) { try LatencyHistogram(compressed: damaged) }
        let cut = Array(histogram.encodedCompressed().dropLast())
        #expect(throws: HistogramCodecError.truncated(needed: cut.count + 1, available: cut.count))
        {
            try LatencyHistogram(compressed: cut)
        }
    }

    @Test("counts past the last counter or past all reason are refused")
    func hostileCounts() {
        func payload(_ counts: [UInt8]) -> [UInt8] {
            var bytes = LatencyHistogram().encodedPayload()
            bytes.replaceSubrange(4..<8, with: [0, 0, 0, UInt8(counts.count)])
            return bytes + counts
        }
        // A run of zeros of 2^62, one of exactly the counters and a count after it, a count of
        // 2^62 + 1, and a number that is cut off.
        let hostile: [[UInt8]] = [
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 2],
            [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
            [0x80],
        ]
        for counts in hostile {
            #expect(throws: HistogramCodecError.badCounts(at: 40)) {
                try LatencyHistogram(payload: payload(counts))
            }
        }
    }

    @Test("a histogram of other digits is refused")
    func foreignLayout() {
        var bytes = LatencyHistogram().encodedPayload()
        bytes[15] = 2
        #expect(throws: HistogramCodecError.foreignLayout(significantDigits: 2, lowest: 1)) {
            try LatencyHistogram(payload: bytes)
        }
    }
}
