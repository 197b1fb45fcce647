import Testing

@testable import TraceCore

/// Mistakes that other SDKs have made in propagation, one test each.
@Suite struct PropagationMistakesTests {
    @Test("Flags 02 and 03 are read, not rejected", arguments: ["02", "03"])
    func randomFlag(flags: String) {
        let context = TraceContextTests.extract(TraceContextTests.traceparent.dropLast(2) + flags)
        #expect(context?.flags == (flags == "02" ? [.random] : [.sampled, .random]))
    }

    @Test("One bad member of baggage does not lose the header")
    func oneBadMember() {
        let bad = [
            "", "bad", "=1", "a b=1", "k=\"", "k=\\", "k=%zz", "k=1;=", "k=\u{7f}", "k=\u{e9}",
        ]
        for member in bad {
            let found = BaggageHeaderTests.extract(["a=1," + member + ",b=2"])
            #expect(found == ["a": "1", "b": "2"], "\(member)")
        }
        #expect(BaggageHeaderTests.extract(bad + ["a=1"]) == ["a": "1"])
    }

    @Test("Baggage is not parsed without bounds, in one line or in many")
    func unboundedBaggage() {
        let line = (0..<1000).map { "k\($0)=v" }.joined(separator: ",")
        let numbered = (0..<500).map { number in "n\(number)_" + line }
        // Each line alone is within bounds, or all are one.
        for lines in [numbered, [numbered.joined(separator: ",")]] {
            #expect(BaggageHeaderTests.extract(lines).count == 180)
        }
        let short = (0..<100_000).map { "k\($0)=v" }
        #expect(BaggageHeaderTests.extract(short).count == 180)
        // Nothing but commas and blanks, and nothing but malformed members.
        for filling in [",", " ", "=,", ";,", "%,"] {
            let filled = String(repeating: filling, count: 1 << 20)
            #expect(BaggageHeaderTests.extract([filled, "a=1"]).isEmpty)
        }
    }

    @Test("A decision of B3 without ids is not lost, and a parent's id is not passed on")
    func b3() {
        let line = ("b3", B3Tests.ids + "-1-00f067aa0ba90200")
        let propagator = Propagator.composite([.b3, .b3multi])
        var headers = HeaderBuffer()
        propagator.inject(propagator.extract(from: HeaderBuffer([line])), into: &headers)
        #expect(!headers.text.joined().contains("00f067aa0ba90200") && headers.count == 4)
        for value in ["0", "1", "d"] {
            headers.removeAll()
            propagator.inject(
                propagator.extract(from: HeaderBuffer([("b3", value)])), into: &headers)
            #expect(headers.first("b3") == value)
        }
    }

    @Test("A value cannot smuggle in a header line or a member of its own")
    func injection() {
        var baggage = Baggage()
        baggage.set("a", "1\r\nevil: 2,b=3;c")
        baggage.set("b\r\nevil", "1")
        baggage.set("c", "1", metadata: "m\r\nevil: 1")
        baggage.set("d", "1", metadata: "m,evil=1")
        var headers = HeaderBuffer()
        BaggagePropagator.inject(baggage, into: &headers)
        #expect(headers.text == ["baggage: a=1%0D%0Aevil:%202%2Cb%3D3%3Bc,c=1,d=1"])
        #expect(BaggagePropagator.extract(from: headers)?.count == 3)
    }
}
