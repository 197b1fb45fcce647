import Testing
import TraceCore
import TracePipeline

@testable import TraceLoad

/// Broken instrumentation, wrong clocks, incidents and links, as they arrive at the other end of a whole
/// pipeline.
@Suite struct DisturbanceTests {
    static let shop = """
        a:
          instances: 2
          operations:
            x: {type: http, self: 2ms, script: [{call: {to: b/y, network: 1ms}}, {publish: {to: b/m, delay: 2ms}}]}
        b:
          operations:
            y: {type: http, self: 3ms, attributes: {word: {string: {length: 5}}}, script: [{call: d/q}]}
            m: {type: messaging, self: 1ms}
        d:
          operations:
            q: {type: database, self: 1ms, events: [{name: row, attributes: {n: {int: [1, 9]}, k: {unique: k-}, f: 1.5}}]}
        """

    private func replay(
        _ top: String, workers: Int = 2, arrivals: UInt64 = 1000, services: String = shop,
        traffic: String = "arrival: constant, stages: [{duration: 100s, rate: 100}]"
    ) throws -> PipelineReplay {
        let compiled = try compiled(
            services: services, root: "a/x", top: "ids: fixed\n\(top)", traffic: traffic)
        let replay = try PipelineReplay(compiled, arrivals: arrivals, workers: workers)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(replay.summary.total.semanticSum == replay.receivedSum, "contents differ")
        #expect(replay.summary.total.spansEnded == UInt64(replay.spans.count))
        return replay
    }

    private func within(_ count: Int, _ share: Double, of total: Int) -> Bool {
        let deviation = (Double(total) * share * (1 - share)).squareRoot()
        return abs(Double(count) - Double(total) * share) <= 5 * deviation + 1
    }

    @Test func `Nothing is wrong unless it is asked for`() throws {
        let replay = try replay("")
        #expect(replay.spans.count == 1000 * 6)
        #expect(replay.areTracesWhole)
        let events = replay.spans.flatMap(\.events).filter { $0.name == "row" }
        #expect(events.count == 1000)
        #expect(events.allSatisfy { $0.attributes.map(\.key) == ["f", "n", "k"] })
        #expect(Set(events.map { "\($0.attributes)" }).count == 1000)
    }

    @Test func `Spans whose root is missing have a parent that nobody sees`() throws {
        let replay = try replay("pathology: {missing_root: 20%}")
        let rootless = replay.traces.values.count { spans in
            !spans.contains { $0.parentSpanID == nil }
        }
        #expect(replay.traces.count == 1000)
        #expect(within(rootless, 0.2, of: 1000))
        #expect(replay.spans.count == 1000 * 6 - rootless)
        #expect(replay.summary.total.spansStarted == UInt64(replay.spans.count))
    }

    @Test func `Orphans name a parent that no span is`() throws {
        let replay = try replay("pathology: {orphan: 10%}")
        let ids = Set(replay.spans.map(\.spanID))
        let orphans = replay.spans.count { $0.parentSpanID.map { !ids.contains($0) } ?? false }
        #expect(replay.spans.count == 1000 * 6)
        #expect(within(orphans, 0.1, of: 1000 * 5))
        #expect(replay.traces.count == 1000)
    }

    @Test func `A span sent twice is issued twice, with one identity`() throws {
        let replay = try replay("pathology: {duplicate: 10%}")
        let doubled =
            replay.spans.count - Set(replay.spans.map { "\($0.traceID)\($0.spanID)" }).count
        #expect(within(doubled, 0.1, of: 1000 * 6))
        #expect(replay.summary.total.spansStarted == UInt64(1000 * 6 + doubled))
        for same in Dictionary(grouping: replay.spans, by: \.spanID).values where same.count > 1 {
            #expect(same.count == 2 && "\(same[0])" == "\(same[1])")
        }
    }

    @Test func `Where headers are lost a trace of its own begins`() throws {
        let replay = try replay("pathology: {broken_propagation: 25%}")
        // A call and a message cross services in each trace.
        let pieces = replay.traces.count - 1000
        #expect(within(pieces, 0.25, of: 2000))
        #expect(replay.spans.count == 1000 * 6)
        #expect(replay.areTracesWhole)
        #expect(replay.summary.total.traces == UInt64(replay.traces.count))
    }

    @Test func `Spans that never end are live until the end, and nothing else is`() throws {
        let replay = try replay("pathology: {never_ended: 1%}")
        let left = 1000 * 6 - replay.spans.count
        #expect(within(left, 0.01, of: 1000 * 6))
        #expect(replay.counters.live == UInt64(left))
    }

    @Test func `Late spans are let go after the others, with the times they had`() throws {
        let usual = try replay("", workers: 1, arrivals: 100)
        let late = try replay(
            "pathology: {late: {rate: 1, delay: 60s}}", workers: 1, arrivals: 100)
        func times(_ replay: PipelineReplay) -> Set<String> {
            Set(replay.spans.map { "\($0.spanID) \($0.startUnixNano) \($0.endUnixNano)" })
        }
        #expect(usual.spans.count == 600)
        // Values are drawn in another order: the shapes and their count stay.
        #expect(late.spans.count == 600)
        #expect(times(late).count == 600)
        #expect(late.spans.allSatisfy { $0.endUnixNano - $0.startUnixNano < 60_000_000_000 })
    }

    @Test func `Oversize traces have so many spans more below their root`() throws {
        let replay = try replay("pathology: {oversize: {rate: 5%, spans: 300}}")
        let sizes = replay.traces.values.map(\.count)
        #expect(Set(sizes) == [6, 306])
        #expect(within(sizes.count { $0 == 306 }, 0.05, of: 1000))
        #expect(replay.areTracesWhole)
    }

    @Test func `All of it at once keeps the books`() throws {
        for workers in [1, 3] {
            _ = try replay(
                """
                pathology: {late: {rate: 10%, delay: 1s}, missing_root: 10%, orphan: 10%, duplicate: 10%, broken_propagation: 10%, never_ended: 1%, oversize: {rate: 1%, spans: 50}}
                """, workers: workers)
        }
    }

    @Test func `A clock that is wrong shifts its own spans only`() throws {
        let services = Self.shop.replacing(
            "  instances: 2", with: "  instances: 2\n  clock_skew: 7ms")
        let right = try replay("", workers: 1, arrivals: 50)
        let wrong = try replay("", workers: 1, arrivals: 50, services: services)
        let starts = Dictionary(
            uniqueKeysWithValues: right.spans.map { ($0.spanID, $0.startUnixNano) })
        for span in wrong.spans {
            let before = try #require(starts[span.spanID])
            #expect(span.startUnixNano - before == (span.serviceName == "a" ? 7_000_000 : 0))
        }
    }

    @Test func `Links lead to the roots of traces that began before`() throws {
        let services = """
            a:
              operations:
                x: {self: 1ms, links: [{to: previous_trace, count: 2}, {to: random}]}
            """
        let replay = try replay("", arrivals: 500, services: services)
        let roots = replay.spans.sorted { $0.startUnixNano < $1.startUnixNano }
        let places = Dictionary(
            uniqueKeysWithValues: roots.enumerated().map { ($0.element.spanID, $0.offset) })
        for (place, span) in roots.enumerated() {
            let linked = span.links.compactMap { places[$0.spanID] }
            #expect(
                linked.count == span.links.count && linked.count == min(place, 2) + min(place, 1))
            if place > 0 { #expect(linked[0] == place - 1) }
            if place > 1 { #expect(linked[1] == place - 2) }
            #expect(linked.allSatisfy { $0 < place })
            for link in span.links {
                #expect(roots[try #require(places[link.spanID])].traceID == link.traceID)
            }
        }
    }

    @Test(arguments: ["parent", "link"])
    func `A batch is one consumer span with a link to each other message`(
        _ relation: String
    ) throws {
        let services = """
            a:
              operations:
                x: {self: 1ms, script: [{publish: {to: b/m, batch: 5, relation: \(relation)}}]}
            b:
              operations:
                m: {type: messaging, self: 1ms}
            """
        let replay = try replay("", arrivals: 1003, services: services)
        let consumers = replay.spans.filter { $0.name == "process m" }
        let producers = Dictionary(
            uniqueKeysWithValues: replay.spans.filter { $0.name == "send m" }.map {
                ($0.spanID, $0)
            })
        #expect(consumers.count == 200 && producers.count == 1003)
        var taken: Set<SpanID> = []
        for consumer in consumers {
            var sources = consumer.links.map(\.spanID)
            #expect(sources.count == (relation == "link" ? 5 : 4))
            if let parent = consumer.parentSpanID { sources.append(parent) }
            #expect((consumer.parentSpanID == nil) == (relation == "link"))
            for source in sources {
                let producer = try #require(producers[source])
                #expect(producer.endUnixNano <= consumer.startUnixNano)
                #expect(taken.insert(source).inserted, "a message is consumed twice")
            }
            for link in consumer.links {
                #expect(producers[link.spanID]?.traceID == link.traceID)
            }
        }
    }

    @Test func `An incident begins and ends at its instants`() throws {
        let replay = try replay(
            "incidents: [{name: slow, at: 5s, for: 2s, set: {b/y.self: 40ms}}]", arrivals: 1000)
        let epoch = ReplayOptions().epochUnixNano
        for span in replay.spans where span.name == "y" && span.kind == .server {
            let at = span.startUnixNano - epoch
            let isSlow = (5_000_000_000..<7_000_000_000).contains(at)
            // Own work and a query of 1 ms.
            #expect(span.endUnixNano - span.startUnixNano == (isSlow ? 41_000_000 : 4_000_000))
        }
    }
}
