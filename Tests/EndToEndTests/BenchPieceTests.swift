import Testing

/// `tracemill bench --piece`: what profilers and the instruction budgets run.
@Suite struct BenchPieceTests {
    private static func piece(_ name: String, _ iterations: Int) throws -> Command {
        try Command.run(["bench", "--piece", name, "--iterations", "\(iterations)"])
    }

    private static func names() throws -> [String] {
        let list = try Command.run(["bench", "--piece", "list"])
        #expect(list.exitCode == 0)
        return list.output.split(separator: "\n").map { String($0.prefix { $0 != " " }) }
    }

    @Test func `every piece of the list runs as often as it is told and says so in one line`()
        throws
    {
        let names = try Self.names()
        #expect(Set(names).count == names.count)
        for name in ["bareSpan", "sampledSpan", "attributeInt", "encode", "inject", "ring"] {
            #expect(names.contains(name))
        }
        for name in names {
            let run = try Self.piece(name, 65)
            #expect(run.exitCode == 0, "\(name): \(run.errors)")
            #expect(run.output.hasPrefix("\(name) iterations=65 checksum="))
            #expect(run.output.split(separator: "\n").count == 1)
        }
    }

    /// More than two rounds of the queue, and one less than a whole number of them.
    @Test(arguments: ["bareSpan", "sampledSpan", "start", "end", "attributeHeapString", "encode"])
    func `the checksum of spans is how many different ones are in the request bodies`(
        name: String
    ) throws {
        let run = try Self.piece(name, 8191)
        #expect(run.output.hasPrefix("\(name) iterations=8191 checksum=8191 bytes="))
    }

    @Test func `an attribute is in the bytes of its spans, and a span without it has fewer`()
        throws
    {
        func bytes(_ name: String) throws -> Int {
            let run = try Self.piece(name, 100)
            return try #require(
                run.output.split(separator: "=").last.flatMap {
                    Int($0.prefix { $0.isNumber })
                })
        }
        // Tag, length, key of 25 bytes with its head, value of a flag with its heads.
        #expect(try bytes("attributeBool") - bytes("liveLoop") == 100 * (2 + 27 + 4))
    }

    @Test func `what is popped from the ring is what was pushed`() throws {
        #expect(try Self.piece("ring", 1000).output == "ring iterations=1000 checksum=499500\n")
    }

    @Test func `the counter of allocations counts each`() throws {
        func counted(_ iterations: Int) throws -> Int {
            let output = try Self.piece("allocation", iterations).output
            return try #require(
                output.split(separator: "=").last.flatMap { Int($0.prefix { $0.isNumber }) })
        }
        // What else is allocated meanwhile, as in a debug build, is no more for more iterations.
        #expect(try counted(3_000) - counted(1_000) == 2_000)
    }

    @Test func `an unknown piece is an error that names those there are`() throws {
        let run = try Self.piece("sampledSpam", 10)
        #expect(run.exitCode == 2)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("--piece sampledSpam: no such piece"))
        for name in try Self.names() { #expect(run.errors.contains(name)) }
    }

    @Test(arguments: ["0", "-1", "100000001", "many"])
    func `iterations that are no number from 1 on are refused`(iterations: String) throws {
        let run = try Command.run(["bench", "--piece", "ring", "--iterations=\(iterations)"])
        #expect(run.exitCode == 2)
        #expect(run.errors.contains("--iterations"))
    }
}
