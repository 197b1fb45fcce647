import Foundation
import Testing

/// `bench`, made quick: what it prints can be trusted only if it fails when a span is not what it should be.
@Suite("The benchmark", .serialized)
struct BenchTests {
    private func bench(
        _ only: String, mutant: String? = nil, _ arguments: [String] = []
    ) throws -> (command: Command, document: [String: Any]) {
        let command = try Command.run(
            ["bench", "--only", only, "--repetitions", "1", "--quick", "--json"] + arguments,
            environment: mutant.map { ["TRACEMILL_MUTANT": $0] } ?? [:])
        let document = try JSONSerialization.jsonObject(with: Data(command.output.utf8))
        return (command, document as? [String: Any] ?? [:])
    }

    private func figure(_ document: [String: Any], _ name: String) throws -> [String: Any] {
        let figures = try #require(document["figures"] as? [String: Any])
        return try #require(figures[name] as? [String: Any], "\(name) of \(figures.keys)")
    }

    private func numbers(_ figure: [String: Any], _ name: String) -> [Double] {
        (figure[name] as? [NSNumber])?.map(\.doubleValue) ?? []
    }

    @Test("shows a figure with its samples, what stands beside them, and the ratio")
    func figures() throws {
        let (command, document) = try bench("sampledSpanNs,encodeSpanNs")
        #expect(command.exitCode == 0, "\(command.errors)")
        let span = try figure(document, "sampledSpanNs")
        let encode = try figure(document, "encodeSpanNs")
        for (figure, reference) in [(span, "clock_gettime"), (encode, "memcpy")] {
            #expect(figure["reference"] as? String == reference)
            let (samples, references) = (
                numbers(figure, "samples"), numbers(figure, "referenceSamples")
            )
            #expect(samples.count == 1)
            #expect(references.count == 1)
            let ratio = try #require(figure["timesReference"] as? NSNumber).doubleValue
            #expect(abs(ratio - samples[0] / references[0]) < 1e-9)
            #expect(numbers(figure, "hostPaceNs").count == 1)
            #expect(numbers(figure, "hostWidePaceNs").count == 1)
        }
        #expect((document["sampledSpanNs"] as? NSNumber)?.doubleValue ?? 0 > 0)
        #expect(document["emptyLoopNs"] == nil)
        #expect(document["literalKeysSpanNs"] == nil)
    }

    @Test(
        "delivers every kind of span that it times, and the sink decodes what the kind says",
        arguments: [
            ("sampledSpanNs", ["five attributes"]),
            ("twoProducersSpanNs", ["five attributes, 2 threads"]),
            ("manyThreadsSpansPerS", ["five attributes, 32 threads"]),
            ("literalKeys", ["literal keys"]),
            (
                "heapStringsTwoSpanNs,heapStringsFiveSpanNs",
                ["two heap strings", "five heap strings"]
            ),
            ("heapStringsFiveSharedSpanNs", ["five heap strings, 2 threads"]),
            ("value8Span", ["value of 8 bytes", "value of 4096 bytes"]),
            ("name8Span", ["name of 8 bytes", "name of 4096 bytes"]),
            (
                "eventNs",
                [
                    "events with 0 attributes", "events with 2 attributes",
                    "links with 0 attributes", "links with 2 attributes",
                ]
            ),
        ])
    func verifies(only: String, kinds: [String]) throws {
        let (command, document) = try bench(only)
        #expect(command.exitCode == 0, "\(command.errors)")
        let verification = try #require(document["verification"] as? [String: Any])
        for kind in kinds {
            let verified = try #require(
                verification[kind] as? [String: Any], "\(kind) of \(verification.keys)")
            for name in ["spans", "spansByMeaning", "batches"] {
                #expect((verified[name] as? Int) ?? 0 > 0, "\(name) of \(kind)")
            }
            let spans = verified["spans"] as? Int
            #expect(verified["spansByMeaning"] as? Int == spans)
        }
        for name in only.split(separator: ",") {
            let figures = try #require(document["figures"] as? [String: Any])
            #expect(figures.keys.contains { $0.contains(name) }, "\(name)")
        }
    }

    @Test("says what there is when nothing has the name that was asked for")
    func unknown() throws {
        let command = try Command.run(["bench", "--only", "nonsense", "--repetitions", "1"])
        #expect(command.exitCode == 2)
        #expect(command.errors.contains("--only nonsense: no such figure or group"))
        #expect(command.errors.contains("decisions"))
    }

    @Test("takes the name of a group as the group, not as a part of a figure's name")
    func groups() throws {
        let (command, document) = try bench("ring")
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(document["ringNs"] != nil)
        // Their names have the word in them, too.
        #expect(document["heapStringsTwoSpanNs"] == nil)
        #expect(document["discardedSpansPerS"] == nil)
    }

    #if DEBUG
        @Test(
            "fails when a span vanishes, a bit flips or a counter sticks, and says in which kind",
            arguments: ["drop-span", "flip-byte", "freeze-counter"],
            [
                ("sampledSpanNs", "five attributes"),
                ("twoProducersSpanNs", "five attributes, 2 threads"),
                ("literalKeys", "literal keys"), ("heapStringsTwoSpanNs", "two heap strings"),
                ("value8Span", "value of 8 bytes"), ("eventNs", "events with 0 attributes"),
            ])
        func mutants(mutant: String, row: (only: String, kind: String)) throws {
            let (command, document) = try bench(row.only, mutant: mutant)
            #expect(command.exitCode == 4)
            #expect(
                command.errors.contains("spans with \(row.kind): ledger: BROKEN"),
                "\(command.errors)")
            let figures = try #require(document["figures"] as? [String: Any])
            #expect(!figures.keys.contains { $0.contains(row.only) })
            #expect((document["broken"] as? String)?.contains(row.kind) == true)
        }
    #endif
}
