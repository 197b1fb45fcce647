import Testing
import TraceResults

@testable import TraceSink

@Suite("Faults on the wire")
struct FaultTests {
    private func withFault(_ text: String, _ body: (SinkServer) throws -> Void) throws {
        let faults = try SinkFaultSchedule(parsing: text)
        try withSink({ $0.faults = faults }, body)
    }

    @Test("An error status counts no spans, and the resent batch is a first delivery")
    func status() throws {
        try withFault("status=503,count=2,retry-after=1,retry-after=2;status=400,after=3,count=1") {
            let client = try RawClient($0)
            for expected in [503, 503, 200, 400, 200] {
                client.export(spans(4), batch: 1)
                let answer = try client.answer()
                #expect(answer.status == expected)
                let retries = answer.headers.filter { $0.name == "retry-after" }.map(\.value)
                #expect(retries == (expected == 503 ? ["1", "2"] : []))
            }
            let books = $0.ledger()
            #expect(books.requests == 5)
            #expect(books.faultsInjected == 3)
            #expect(books.badRequests == 0)
            #expect(books.spansTotal == 8)
            #expect(books.spansDistinct == 4)
            #expect(books.spansDuplicate == 4)
        }
    }

    @Test("A redirect names its location and counts nothing; another success counts")
    func otherStatus() throws {
        try withFault("status=307,location=http://127.0.0.1:9/x,count=1;status=202") {
            let client = try RawClient($0)
            client.export(spans(4))
            let answer = try client.answer()
            #expect(answer.status == 307)
            #expect(answer.header("location") == "http://127.0.0.1:9/x")
            #expect($0.ledger().spansTotal == 0)
            client.export(spans(4))
            #expect(try client.answer().status == 202)
            #expect($0.ledger().spansTotal == 4)
        }
    }

    @Test("A Retry-After date is a date")
    func retryDate() throws {
        try withFault("status=429,retry-after=date+100s") {
            let client = try RawClient($0)
            client.export(spans(1))
            let value = try #require(try client.answer().header("retry-after"))
            #expect(value.hasSuffix(" GMT") && value.count == 29)
        }
    }

    @Test("A partial success counts the spans, and says how many it rejects")
    func partialSuccess() throws {
        try withFault("partial=3,message=no") {
            let client = try RawClient($0)
            client.export(spans(10), batch: 1)
            let answer = try client.answer()
            #expect(answer.status == 200)
            #expect(answer.body == [0x0A, 0x06, 0x08, 0x03, 0x12, 0x02, 0x6E, 0x6F])
            #expect($0.ledger().spansDistinct == 10)
            #expect($0.ledger().spansRejected == 3)
            client.export(spans(2), batch: 2)
            _ = try client.answer()
            #expect($0.ledger().spansRejected == 5)
        }
    }

    @Test(
        "A reset breaks the connection; only one after the body counts the spans",
        arguments: [("before", 0), ("body", 0), ("after", 4)])
    func reset(point: String, counted: Int) throws {
        try withFault("reset=\(point),count=1") {
            let client = try RawClient($0)
            client.export(spans(4), batch: 1)
            #expect(client.ending() == .reset)
            #expect($0.ledger().spansTotal == counted)
            let next = try RawClient($0)
            next.export(spans(4), batch: 1)
            #expect(try next.answer().status == 200)
            #expect($0.ledger().spansDistinct == 4)
            #expect($0.ledger().spansDuplicate == counted)
        }
    }

    @Test("A reset in the middle of a body strikes while it is still being sent")
    func resetInBody() throws {
        try withFault("reset=body") {
            let client = try RawClient($0)
            client.sendHead(["content-type: application/x-protobuf", "content-length: 1000000"])
            client.send([UInt8](repeating: 0, count: 1000))
            #expect(client.ending() == .reset)
        }
    }

    @Test("A receiver that goes down resets everybody, and is back on its port with its books")
    func down() throws {
        try withFault("down=50ms,after=1,count=3") { server in
            let bystander = try RawClient(server)
            bystander.export(spans(4), batch: 1)
            #expect(try bystander.answer().status == 200)
            for batch in 2...4 as ClosedRange<UInt64> {
                // The port is closed for a while: refused until it is there again.
                var struck: RawClient?
                while struck == nil { struck = try? RawClient(server) }
                struck?.export(spans(4), batch: batch)
                #expect(struck?.ending() == .reset)
            }
            #expect(bystander.ending() == .reset)
            var answer: Int?
            while answer == nil {
                let client = try? RawClient(server)
                client?.export(spans(4), batch: 5)
                answer = try? client?.answer().status
            }
            #expect(answer == 200)
            let books = server.ledger()
            #expect(books.spansTotal == 8)
            #expect(books.faultsInjected == 3)
            #expect(books.lastFaultNs ?? 0 > 0)
        }
    }

    @Test("A receiver that is told to end while it is down does not come back")
    func downForGood() throws {
        try withFault("down=30ms") { server in
            let client = try RawClient(server)
            client.export(spans(4), batch: 1)
            #expect(client.ending() == .reset)
            server.shutdown()
            #expect(throws: (any Error).self) { try RawClient(server) }
        }
    }

    @Test("A hanging request is never answered; its spans count, and others go on")
    func hang() throws {
        try withFault("hang,count=1") {
            let hung = try RawClient($0)
            hung.export(spans(4), batch: 1)
            let client = try RawClient($0)
            // The first to be seen hangs, whichever it is: ask until the spans are in.
            while $0.ledger().spansTotal == 0 {}
            client.export(spans(4), batch: 1)
            #expect(try client.answer().status == 200)
            #expect($0.ledger().spansDuplicate == 4)
            $0.shutdown()
            #expect(hung.ending() != .timeout)
        }
    }

    @Test("A sink that stops reading takes no more than its buffers hold")
    func hangReading() throws {
        try withFault("hang=reading,count=1") {
            let hung = try RawClient($0)
            hung.sendHead(["content-type: application/x-protobuf", "content-length: 8"])
            while $0.ledger().faultsInjected == 0 {}
            hung.send([UInt8](repeating: 0, count: 8))
            let client = try RawClient($0)
            client.export(spans(4))
            #expect(try client.answer().status == 200)
            #expect($0.ledger().spansTotal == 4)
            $0.shutdown()
            #expect(hung.ending() != .timeout)
        }
    }

    @Test(
        "A client that gives up on a silent sink leaves nothing behind",
        arguments: ["hang", "hang=reading", "latency=1m", "trickle=1m"])
    func abandoned(fault: String) throws {
        let faults = try SinkFaultSchedule(parsing: fault + ",count=1")
        try withSink({
            $0.faults = faults
            $0.limits.connectionsMax = 1
        }) { server in
            do {
                let client = try RawClient(server)
                client.export(spans(4))
                while server.ledger().faultsInjected == 0 {}
                if fault != "hang=reading" { while server.ledger().spansTotal == 0 {} }
                _ = client
            }
            // There is room for one connection: the next export gets through once the sink has
            // let go of the first.
            var answer: Int?
            while answer == nil {
                let next = try RawClient(server)
                next.export(spans(4))
                answer = try? next.answer().status
            }
            #expect(answer == 200)
        }
    }

    @Test("a latency of quantiles lies between them, by rank")
    func quantiles() {
        let quantiles: [Int64] = [0, 100, 1000]
        let ranks = [0, 0.25, 0.5, 0.75, 1 - 0x1p-53]
        #expect(
            ranks.map { SinkRequestHandler.draw(quantiles, at: $0) } == [0, 50, 100, 550, 999])
    }

    @Test("A late answer comes, and the spans counted before it")
    func latency() throws {
        try withFault("latency=30ms") {
            let client = try RawClient($0)
            for batch in 0..<3 as Range<UInt64> {
                client.export(spans(4), batch: batch)
                #expect(try client.answer().status == 200)
            }
            #expect($0.ledger().spansDistinct == 12)
        }
    }

    @Test("An answer in single bytes is whole in the end")
    func trickle() throws {
        try withFault("trickle=10us,count=1") {
            let client = try RawClient($0)
            client.export(spans(4))
            let answer = try client.answer()
            #expect(answer.status == 200)
            #expect(answer.body == [0x7A, 120] + [UInt8](repeating: 0, count: 120))
            client.export(spans(4))
            #expect(try client.answer().body.isEmpty)
        }
    }

    @Test("Strange replies are what they promise to be")
    func replies() throws {
        try withFault(
            """
            reply=html,count=1; reply=truncated,count=1; reply=flood,bytes=3MiB,count=1;
            reply=bomb,bytes=4MiB,count=1; reply=headers,lines=1000,count=1
            """.filter { $0 != "\n" }
        ) {
            let client = try RawClient($0)
            func next() throws -> RawClient.Answer {
                client.export(spans(1))
                return try client.answer()
            }
            #expect(try next().header("content-type") == "text/html")
            #expect(try next().body == [0x7A, 120])
            let flood = try next()
            #expect(flood.header("transfer-encoding") == "chunked")
            #expect(flood.body.count == (3 << 20) + 5)
            let bomb = try next()
            #expect(bomb.header("content-encoding") == "gzip")
            #expect(bomb.body.count < 10_000)
            let output = BodyBuffer(budget: BodyBudget(heldMax: 1 << 30))
            try unsafe bomb.body.withUnsafeBytes {
                unsafe try GzipInflater().inflate($0, into: output, sizeMax: 1 << 30)
            }
            #expect(output.count == (4 << 20) + 5)
            #expect(try next().headers.count >= 1_000)
            #expect(try next().status == 200)
            #expect($0.ledger().spansTotal == 6)
        }
    }
}
