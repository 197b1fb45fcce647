// Many customers at once, on however many threads there are: traces stay apart.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

@Suite("Many orders at once")
struct ConcurrencyTests {
    @Test("Two hundred orders and as many look-ups are four hundred trees, each of one customer")
    func manyAtOnce() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { _ in
            await withTaskGroup { group in
                for index in 0..<200 {
                    let user = index.isMultiple(of: 2) ? "user123" : "user456"
                    let token = index.isMultiple(of: 2) ? "ada's token" : "alan's token"
                    let customer = Customer(of: shop.fleet, userID: user, token: token)
                    group.addTask {
                        #expect(await customer.order(["item1": 1, "item2": 2]).status == 201)
                    }
                    group.addTask {
                        #expect(await customer.look(at: user).status == 200)
                    }
                }
            }
        }
        #expect(TraceQuality(spans: spans) == TraceQuality(allOf: 400))
        var users: [AttributeValue: Int] = [:]
        for trace in spans.traces {
            // An order of two items is three spans longer than one of a single item.
            #expect([7, 20].contains(trace.count))
            let owners = Set(trace.compactMap { $0["user.id"] })
            #expect(owners.count == 1)
            for owner in owners { users[owner, default: 0] += 1 }
            let orders = Set(trace.compactMap { $0["order_id"] })
            #expect(orders.count == (trace.count == 20 ? 1 : 0))
        }
        #expect(users == ["user123": 200, "user456": 200])
        let orders = spans.filter { $0.kind == .consumer }.compactMap { $0["order_id"] }
        #expect(Set(orders).count == 200)
    }
}
