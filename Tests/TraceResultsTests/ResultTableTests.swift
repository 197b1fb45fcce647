import Testing

@testable import TraceResults

@Suite("Result table")
struct ResultTableTests {
    static let snapshot = """
        checkout  seed 18446744073709551615, 10.0 s, 2026-11-21T12:00:00.000Z

          load                             offered      achieved
          traces/s                          10,000        10,000
          spans/s                          200,000       199,996
          spans/s acknowledged                           199,690
          late starts                                         12
          replay, tracing disabled                       12.3 ns  per span

          time                         p50       p99     p99.9       max   samples
          span start                 61 ns     91 ns    ~92 ns     92 ns    31,250
          span end                 1.31 µs   2.57 µs  ~2.59 µs   2.59 µs    31,250
          sampler decision         5.06 µs   10.0 µs  ~10.1 µs   10.1 µs    31,250
          queue residence          11.3 µs   22.4 µs  ~22.6 µs   22.6 µs    31,250
          export request           20.1 µs   39.7 µs  ~40.1 µs   40.1 µs    31,250
          end to acknowledged      31.3 µs   62.0 µs  ~62.6 µs   62.6 µs    31,250
            sleep lateness         61.3 µs    121 µs   ~122 µs    123 µs    31,250
          wait for a place         80.1 µs    159 µs   ~160 µs    160 µs    31,250
          trace latency             101 µs    201 µs   ~202 µs    203 µs    31,250
            once begun              125 µs    248 µs   ~250 µs    250 µs    31,250
          ~ fewer than 100 samples lie beyond it
          the timer's own 11 ns included

          cost                            per span
          encode                           14.2 ns
          CPU, all threads                  312 ns
          on the wire                       41.5 B  243 B of protobuf
          allocated                            0 B
          held for spans                  90.0 MiB  of at most 400 MiB, as stated
          peak memory                     83.9 MiB  in all

          spans by fate                  1,998,000         ended
          acknowledged                   1,997,000        99.95%
          dropped: queue full                1,000         0.05%
          not sampled                        1,960

          ledger: L0 L1 L2 L3 hold; 3,901 batches match the sink's own decode
          result: results/x.json

        """

    @Test("a run reads well in 80 plain columns")
    func plain() {
        let result = SampleResult.make()
        let text = ResultTable().text(of: result.runs[0], in: result, path: "results/x.json")
        #expect(text == Self.snapshot)
        for line in text.split(separator: "\n") { #expect(TerminalText.width(line) <= 80) }
    }

    @Test("colours change nothing but colours")
    func coloured() {
        let result = SampleResult.make()
        let text = ResultTable(style: TerminalStyle(isColoured: true))
            .text(of: result.runs[0], in: result, path: "results/x.json")
        #expect(text.contains("\u{1B}[32m  ledger: L0 L1 L2 L3 hold"))
        #expect(text.contains("\u{1B}[33m  dropped: queue full"))
        #expect(text.replacing(/\u{1B}\[[0-9;]*m/, with: "") == Self.snapshot)
    }

    @Test("an invalid run says so, in lines that fit")
    func invalid() {
        var result = SampleResult.make()
        result.runs[0].ledger.tracer.live = 3
        result.runs[0].ledger.sink?.spansTotal += 5
        result.runs[0].ledger.close()
        result.runs[0].invalidate("a conservation law is broken")
        result.runs[0].invalidate("a later reason")
        let text = ResultTable().text(of: result.runs[0], in: result, path: nil)
        #expect(
            text.hasSuffix(
                """

                  ledger: BROKEN in 2 places: L1: 1,998,000 spans recorded, 1,998,003 accounted
                      for (1,998,000 ended by the caller, 0 ended and 0 discarded by the
                      sweeper, 3 live): 3 too many between start and end
                  - L3: the sink received 1,997,005 spans, yet counts 1,997,000 distinct and 0
                      duplicate ones
                  run INVALID: a conservation law is broken

                """))
    }

    @Test("a run of which little is known is shown as far as it is")
    func sparse() {
        var result = RunResult()
        result.scenario.name = "x"
        let text = ResultTable().text(of: RunRecord(), in: result, path: nil)
        #expect(
            text == """
                x  seed 0

                  load                             offered      achieved
                  traces/s                             max           0.0
                  spans/s                              max           0.0

                  ledger: not checked
                  run INVALID: no reason given

                """)
    }

    @Test("an unknown rate is not taken for the greatest possible")
    func unknownRate() {
        var result = SampleResult.make()
        result.runs[0].load.intendedSpansPerS = nil
        let text = ResultTable().text(of: result.runs[0], in: result, path: nil)
        #expect(text.contains("\n  spans/s                                –       199,996\n"))
    }

    @Test("names cannot reach the terminal's controls")
    func hostileNames() {
        var result = SampleResult.make()
        result.scenario.name = "a\u{1B}]0;owned\u{7}\u{202E}" + String(repeating: "b", count: 200)
        result.runs[0].variant = "v\u{9B}31m\r\n"
        result.runs[0].startedAt = "\u{1B}c"
        result.runs[0].reason = "\u{1B}[2J"
        result.runs[0].valid = false
        result.runs[0].ledger.deliveries[0].processor = "\u{8}\u{8}"
        result.runs[0].ledger.deliveries.append(DeliveryCounts())
        result.runs[0].ledger.close()
        let text = ResultTable().text(of: result.runs[0], in: result, path: "\u{1B}[H/x")
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(!text.contains("\u{9B}"))
        #expect(!text.contains("\u{202E}"))
        #expect(text.hasPrefix("a\\u{1b}]0;o…  variant v\\u{9b}31m\\u{d}\\u{a}, seed"))
    }
}

@Suite("Numbers as text")
struct NumberTextTests {
    @Test("digits in groups of three")
    func grouped() {
        #expect(NumberText.grouped(0) == "0")
        #expect(NumberText.grouped(999) == "999")
        #expect(NumberText.grouped(1000) == "1,000")
        #expect(NumberText.grouped(-1_234_567) == "-1,234,567")
        #expect(NumberText.grouped(UInt64.max) == "18,446,744,073,709,551,615")
        #expect(NumberText.grouped(Int64.min) == "-9,223,372,036,854,775,808")
    }

    @Test(
        "times in the unit that fits",
        arguments: [
            (0, "0 ns"), (0.42, "0.420 ns"), (4.2, "4.20 ns"), (999, "999 ns"),
            (999.4, "999 ns"), (999.6, "1.00 µs"), (9996, "10.0 µs"), (999_499, "999 µs"),
            (999_500, "1.00 ms"), (1e9, "1.00 s"), (599e9, "599 s"), (3600e9, "60.0 min"),
        ] as [(Double, String)])
    func durations(ns: Double, text: String) {
        #expect(NumberText.duration(ns: ns) == text)
    }

    @Test(
        "sizes in binary units",
        arguments: [
            (0, "0 B"), (0.5, "0.500 B"), (1023, "1,023 B"), (1023.6, "1.00 KiB"),
            (1_048_576, "1.00 MiB"), (1_610_612_736, "1.50 GiB"), (1e15, "909 TiB"),
        ] as [(Double, String)])
    func sizes(bytes: Double, text: String) {
        #expect(NumberText.size(bytes: bytes) == text)
    }

    @Test(
        "shares never claim nothing or everything that is not",
        arguments: [
            (0, "0.00%"), (0.000_01, "<0.01%"), (0.000_05, "0.01%"), (0.5, "50.00%"),
            (0.999_94, "99.99%"), (0.999_96, ">99.99%"), (1, "100.00%"),
        ] as [(Double, String)])
    func shares(share: Double, text: String) {
        #expect(NumberText.percent(share: share) == text)
    }

    @Test(
        "counts with a prefix",
        arguments: [
            (0, "0"), (999, "999"), (9400, "9.40k"), (142_000, "142k"), (999_600, "1.00M"),
            (12e9, "12.0G"),
        ] as [(Double, String)])
    func compact(number: Double, text: String) {
        #expect(NumberText.compact(number) == text)
    }

    @Test("numbers that are none stay recognisable")
    func notFinite() {
        #expect(NumberText.fixed(.infinity, decimals: 1) == "inf")
        #expect(NumberText.fixed(.nan, decimals: 1) == "nan")
        #expect(NumberText.fixed(-0.01, decimals: 1) == "0.0")
    }
}

@Suite("Terminal text")
struct TerminalTextTests {
    @Test("only what is harmless is left as it is")
    func neutralised() {
        #expect(TerminalText.neutralised("häuser 家 👩‍👩‍👧") == "häuser 家 👩‍👩‍👧")
        #expect(TerminalText.neutralised("a\tb\u{1B}[1m\u{85}") == "a\\u{9}b\\u{1b}[1m\\u{85}")
        #expect(
            TerminalText.neutralised("\u{2066}x\u{200F}\u{FEFF}") == "\\u{2066}x\\u{200f}\\u{feff}")
    }

    @Test("text is cut and padded by columns")
    func fitted() {
        #expect(TerminalText.fitted("abc", columns: 5) == "abc  ")
        #expect(TerminalText.fitted("abcdef", columns: 5) == "abcd…")
        #expect(TerminalText.width("家a") == 3)
        #expect(TerminalText.fitted("家家家", columns: 4) == "家… ")
        #expect(TerminalText.truncated("abc", columns: 0) == "")
    }

    @Test("paragraphs break between words")
    func wrapped() {
        #expect(
            TerminalText.wrapped("one two three four", columns: 9, indent: "  ")
                == ["one two", "  three", "  four"])
        #expect(TerminalText.wrapped("", columns: 9, indent: "") == [])
        #expect(
            TerminalText.wrapped("unbreakable word", columns: 4, indent: "")
                == ["unbreakable", "word"])
    }
}
