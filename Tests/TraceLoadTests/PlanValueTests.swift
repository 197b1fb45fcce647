import Testing

@testable import TraceLoad

@Suite struct PlanValueTests {
    @Test func `Events lie within their span at their fraction`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 10ms, events: [{name: late, at: 0.9}, {name: early, at: 0.1}, {name: never, probability: 0}]}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let span = try #require(read(batch.traces[0], batch, compiled)[0])
        #expect(span.events.map(\.name) == ["early", "late"])
        #expect(span.events.map(\.timeNs) == [1_000_000, 9_000_000])
    }

    @Test func `Generators draw by span, trace and instance, and callees inherit`() throws {
        let compiled = try compiled(
            services: """
                a:
                  instances: 3
                  operations:
                    x:
                      attributes:
                        unique: {unique: id-}
                        trace: {unique: t-, per: trace}
                        zone: {unique: z-, per: instance}
                        count: {sequence: {start: 5}}
                        number: {int: [3, 4]}
                        word: {string: {length: 7}}
                      script: [{call: a/y}, {call: a/y}]
                    y:
                      attributes:
                        trace: {inherit: trace}
                        copy: {inherit: unique}
                        none: {inherit: own}
                        own: {unique: y-}
                """, root: "a/x")
        let batch = plans(compiled, count: 300)
        var uniques: Set<AttributeLiteral?> = []
        var zones: Set<AttributeLiteral?> = []
        for (number, plan) in batch.traces.enumerated() {
            let spans = read(plan, batch, compiled)
            let (root, child, second) = (
                try #require(spans[0]), try #require(spans[1]), try #require(spans[2])
            )
            uniques.insert(root.value("unique"))
            uniques.insert(child.value("own"))
            uniques.insert(second.value("own"))
            zones.insert(root.value("zone"))
            #expect(root.value("count") == .integer(5 + number))
            #expect(child.value("trace") == root.value("trace"))
            #expect(child.value("copy") == root.value("unique"))
            #expect(child.value("none") == nil)
            if case .string(let word) = root.value("word") { #expect(word.count == 7) }
            #expect(root.value("number") == .integer(3) || root.value("number") == .integer(4))
            #expect(child.start.instance == root.start.instance)
        }
        #expect(uniques.count == 900)
        #expect(zones.count == 3)
    }

    @Test func `Instances have resources of their own`() throws {
        let compiled = try compiled(
            services: """
                a:
                  instances: 2
                  resource: {service.version: 1.2.3, host.id: {sequence: {start: 10}}, service.instance.id: {unique: i}}
                  operations: {x: {}}
                """, root: "a/x")
        #expect(compiled.instances.count == 2)
        #expect(compiled.instances[1].resource.contains(.init(key: "host.id", value: .integer(11))))
        #expect(
            compiled.instances[0].resource.first == .init(key: "service.name", value: .string("a")))
        let ids = compiled.instances.map { $0.resource.first { $0.key == "service.instance.id" } }
        #expect(ids[0] != ids[1])
    }
}
