import Testing
import TraceResults

@testable import TraceSink

@Suite("Faults as text, and when they strike")
struct FaultScheduleTests {
    @Test(
        "Every kind is read",
        arguments: [
            ("status=503", .init(.status(.init(code: 503)))),
            (
                "status=503,count=3,retry-after=1",
                .init(.status(.init(code: 503, retryAfter: [.text("1")])), count: 3)
            ),
            (
                "status=429,retry-after=date+5s,retry-after=date-1m",
                .init(
                    .status(
                        .init(
                            code: 429,
                            retryAfter: [
                                .dateFromNow(seconds: 5), .dateFromNow(seconds: -60),
                            ])))
            ),
            (
                "status=503, retry-after=\"Wed, 21 Oct 2015 07:28:00 GMT\", after=2",
                .init(
                    .status(
                        .init(code: 503, retryAfter: [.text("Wed, 21 Oct 2015 07:28:00 GMT")])),
                    after: 2)
            ),
            (
                "status=307,location=http://127.0.0.1:9/",
                .init(.status(.init(code: 307, location: "http://127.0.0.1:9/")))
            ),
            (
                "partial=5,message=\"too old; sorry\"",
                .init(.partialSuccess(rejected: 5, message: "too old; sorry"))
            ),
            ("reset=before", .init(.reset(.before))),
            ("reset=body,count=2", .init(.reset(.body), count: 2)),
            ("reset=after,every=3", .init(.reset(.after), every: 3)),
            ("hang,count=1", .init(.hang(.answer), count: 1)),
            ("hang=reading", .init(.hang(.reading))),
            ("latency=200ms", .init(.latency(nanoseconds: 200_000_000))),
            (
                "latency=0ms:5ms:5ms",
                .init(.latencies(quantilesNanoseconds: [0, 5_000_000, 5_000_000]))
            ),
            (
                "latency=1s,for=1m",
                .init(.latency(nanoseconds: 1_000_000_000), durationNanoseconds: 60_000_000_000)
            ),
            (
                "down=1s,at=10m,count=1",
                .init(
                    .down(nanoseconds: 1_000_000_000), count: 1, startNanoseconds: 600_000_000_000)
            ),
            ("trickle=500us", .init(.trickle(intervalNanoseconds: 500_000))),
            ("down=500ms,count=20", .init(.down(nanoseconds: 500_000_000), count: 20)),
            ("stop=2s", .init(.stop(nanoseconds: 2_000_000_000))),
            (
                "tls=expired,after=60,for=1s",
                .init(.tls(.expired), after: 60, durationNanoseconds: 1_000_000_000)
            ),
            ("tls=wrong-host,every=2", .init(.tls(.wrongHost), every: 2)),
            ("tls=self-signed", .init(.tls(.selfSigned))),
            ("tls=1.0", .init(.tls(.old))),
            ("tls=plain,count=3", .init(.tls(.plain), count: 3)),
            ("reply=html", .init(.reply(.html))),
            ("reply=bomb,bytes=1MiB", .init(.reply(.bomb(bytes: 1 << 20)))),
            ("reply=flood", .init(.reply(.flood(bytes: 64 << 20)))),
            ("reply=headers,lines=10", .init(.reply(.headers(count: 10)))),
        ] as [(String, SinkFaultRule)])
    func parsing(text: String, expected: SinkFaultRule) throws {
        #expect(try SinkFaultRule(parsing: text) == expected)
        let schedule = try SinkFaultSchedule(parsing: "\(text); hang ;")
        #expect(schedule.rules == [expected, SinkFaultRule(.hang(.answer))])
    }

    @Test(
        "What is wrong is refused, with the reason",
        arguments: [
            "", "status", "status=99", "status=600", "status=abc", "explode", "reset", "reset=x",
            "hang=x", "down", "down=1", "stop=-1s", "latency", "latency=5", "latency=5ms:",
            "latency=5ms:1ms", "latency=-5s",
            "latency=99999999999999999m",
            "partial=-1", "reply=x", "status=503,retry-after=\"1", "status=503,speed=9",
            "status=503,count=1,count=2", "status=503,every=0", "latency=1s,retry-after=1",
            "status=503,retry-after=\"a\rb\"", "status=302,location=\"a\nb\"",
            "reply=bomb,bytes=1XB", "tls", "tls=1.1", "tls=Expired",
        ])
    func refusing(text: String) {
        let error = #expect(throws: SinkFaultSyntaxError.self) { try SinkFaultRule(parsing: text) }
        #expect(error?.description.isEmpty == false)
    }

    private func strikes(_ text: String, requests: Int) throws -> [Int] {
        var schedule = try SinkFaultSchedule(parsing: text)
        return (0..<requests).filter { _ in schedule.next(nowNs: 0) != nil }
    }

    @Test("A rule strikes after so many requests, one in so many, so many times")
    func selection() throws {
        #expect(try strikes("hang", requests: 4) == [0, 1, 2, 3])
        #expect(try strikes("hang,count=2", requests: 6) == [0, 1])
        #expect(try strikes("hang,after=2,count=2", requests: 6) == [2, 3])
        #expect(try strikes("hang,every=3", requests: 8) == [0, 3, 6])
        #expect(try strikes("hang,after=1,every=2,count=2", requests: 9) == [1, 3])
        #expect(try strikes("hang,count=0", requests: 3) == [])
        #expect(try strikes("", requests: 3) == [])
    }

    @Test("The first rule that applies decides")
    func precedence() throws {
        var schedule = try SinkFaultSchedule(
            parsing: "status=503,count=1;reset=after,after=1,count=1;latency=1ms,every=2")
        let faults = (0..<5).map { _ in schedule.next(nowNs: 0) }
        #expect(
            faults == [
                .status(.init(code: 503)), .reset(.after), .latency(nanoseconds: 1_000_000), nil,
                .latency(nanoseconds: 1_000_000),
            ])
    }

    @Test("A rule with a duration strikes so long from its first time on")
    func duration() throws {
        var schedule = try SinkFaultSchedule(parsing: "hang,after=1,for=10ms")
        let times: [UInt64] = [0, 50, 51, 59, 60, 61].map { $0 * 1_000_000 }
        let struck = times.map { time in schedule.next(nowNs: time) != nil }
        #expect(struck == [false, true, true, true, false, false])
    }

    /// A letter an event: `c` a connection that is well, `f` one that fails, `r` a request that
    /// passes, `x` one that is struck.
    private func events(_ text: String, _ events: String, stepMs: UInt64 = 1) throws -> String {
        var schedule = try SinkFaultSchedule(parsing: text)
        var seen = ""
        for (index, event) in events.enumerated() {
            let nowNs = UInt64(index) * stepMs * 1_000_000
            if event == "c" {
                seen += schedule.nextHandshake(nowNs: nowNs) == nil ? "c" : "f"
            } else {
                seen += schedule.next(nowNs: nowNs) == nil ? "r" : "x"
            }
        }
        return seen
    }

    @Test("A rule about handshakes begins with a request and strikes the connections after it")
    func handshakes() throws {
        #expect(try events("tls=expired,after=1,count=2", "crcrcccrc") == "crcxffcrc")
        #expect(try events("tls=plain,after=1,for=3ms", "crrcccc") == "crxffcc")
        #expect(try events("tls=1.0,after=1,every=2,count=2", "crrccccc") == "crxfcfcc")
        #expect(try events("tls=1.0,count=2", "ccccrr") == "ffccrr")
        #expect(try events("tls=1.0,count=0", "crcr") == "crcr")
        #expect(try events("tls=expired,after=1,count=1;status=503", "crrcr") == "cxxfx")
        #expect(try events("status=503", "ccrr") == "ccxx")
    }

    @Test("A rule with a beginning spares what comes before, counted from the first request of all")
    func beginning() throws {
        var schedule = try SinkFaultSchedule(parsing: "hang,at=10ms,count=2;latency=1ms,after=1")
        let times: [UInt64] = [1_000, 1_009, 1_010, 1_015, 1_050].map { $0 * 1_000_000 }
        let struck = times.map { time in schedule.next(nowNs: time) }
        let late = SinkFault.latency(nanoseconds: 1_000_000)
        #expect(struck == [nil, late, .hang(.answer), .hang(.answer), late])
        #expect(throws: SinkFaultSyntaxError.self) {
            try SinkFaultRule(parsing: "tls=expired,at=1s")
        }
    }

    @Test("HTTP dates are written as RFC 9110 asks")
    func dates() {
        #expect(HTTPDate.text(unixSeconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(unixSeconds: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.text(unixSeconds: 1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }
}
