// Messages that cannot say where they come from, and those that come after others.

import Foundation
import Synchronization
import Testing
import TraceCore
import TracePipeline

@testable import Shop

/// The header lists of requests, as a service got them.
final class HeaderLog: Sendable {
    private let lists = Mutex<[HeaderList]>([])
    var all: [HeaderList] { lists.withLock { $0 } }
    func add(_ list: HeaderList) { lists.withLock { $0.append(list) } }
}

@Suite("The queue")
struct QueueTests {
    private static func message(traceContext: [String: String]?) -> String {
        JSON.encode(
            OrderCreated(
                payload: Order(id: "o-1", items: [.init(sku: "item1", quantity: 1)], amount: 1),
                traceContext: traceContext, timestamp: Date(timeIntervalSince1970: 0)))
    }

    @Test("A message carries its context in a map of its own")
    func messageFormat() throws {
        let context = ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]
        let text = Self.message(traceContext: context)
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(object?["trace_context"] as? [String: String] == context)
        #expect(object?["event_type"] as? String == "order.created")
    }

    @Test("A context that came from elsewhere is continued, with its baggage")
    func foreignContext() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { _ in
            await shop.fleet.inventory.consumer.handle(
                Self.message(traceContext: [
                    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "baggage": "user.id=user789",
                ]))
        }
        let handled = try spans.only("event_consumer.handle_order_created")
        #expect(handled.traceID.hex == "0af7651916cd43dd8448eb211c80319c")
        #expect(handled.parentSpanID?.hex == "b7ad6b7169203331")
        #expect(handled.isParentRemote == true)
        #expect(handled["user.id"] == "user789")
        #expect(handled["order_id"] == "o-1")
        #expect(handled["event_type"] == "order.created")
        #expect(handled["messaging.destination.name"] == "orders")
    }

    @Test(
        "A message without a context, or with a broken one, begins a trace of its own",
        arguments: [nil, [:], ["traceparent": "00-0-0-0"]] as [[String: String]?])
    func noContext(traceContext: [String: String]?) async throws {
        let shop = try TestShop()
        let tracer = shop.tracing.makeProvider(of: "test", on: shop.pipeline).tracer()
        let spans = try await shop.spans { _ in
            // Whoever happens to run the consumer is not the message's cause.
            await tracer.withSpan("test.consume") { _ in
                await shop.fleet.inventory.consumer.handle(Self.message(traceContext: traceContext))
            }
        }
        let handled = try spans.only("event_consumer.handle_order_created")
        #expect(handled.parentSpanID == nil)
        #expect(handled["user.id"] == nil)
        #expect(handled.traceID != (try spans.only("test.consume")).traceID)
        let trace = spans.filter { $0.traceID == handled.traceID }
        #expect(trace.count == 3)
        #expect(TraceQuality.isConnectedTree(trace))
    }

    @Test("Nothing of one message's context is left for the next")
    func noLeak() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { customer in
            await customer.order(["item1": 1])
            try shop.fleet.queue.publish(Self.message(traceContext: nil))
            await customer.order(["item2": 1])
        }
        #expect(spans.traces.map(\.count).sorted() == [3, 17, 17])
        #expect(TraceQuality(spans: spans) == TraceQuality(allOf: 3))
    }

    @Test("A message that cannot be read is an error of a trace of its own")
    func unreadable() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { _ in
            await shop.fleet.inventory.consumer.handle("not JSON")
        }
        let handled = try spans.only("event_consumer.handle_order_created")
        #expect(spans.count == 1)
        #expect(handled.status == .error)
        #expect(handled.statusMessage == "Unreadable message")
    }

    @Test("An order that cannot be published fails where it happened")
    func closedQueue() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { customer in
            shop.fleet.queue.close()
            #expect(await customer.order(["item1": 1]).status == 502)
        }
        let publishing = try spans.only("event_publisher.order_created")
        #expect(publishing.status == .error)
        #expect(publishing.statusMessage == "closed")
        #expect(publishing.events.map(\.name) == ["exception"])
        #expect(!spans.contains { $0.kind == .consumer })
    }
}
