// The news of an order, over a queue: the trace's context travels in the message.
// Source: OpenTelemetry semantic conventions, "Messaging spans".

import Foundation
import TraceCore

/// The message, as JSON.
struct OrderCreated: Codable, Sendable {
    var eventType = "order.created"
    var payload: Order
    /// What would be headers of a request. A message from elsewhere may not have it.
    var traceContext: [String: String]?
    var timestamp: Date

    enum CodingKeys: String, CodingKey {
        case eventType = "event_type"
        case payload
        case traceContext = "trace_context"
        case timestamp
    }
}

/// The order service's end of the queue.
struct EventPublisher: Sendable {
    let service: Service
    let queue: MessageQueue

    func publishOrderCreated(_ order: Order) throws {
        try service.tracer.withSpan(
            "event_publisher.order_created", kind: .producer,
            attributes: [
                "order_id": .string(order.id), "event_type": "order.created",
                "messaging.system": "in_memory", "messaging.operation.type": "send",
                "messaging.operation.name": "publish",
                "messaging.destination.name": .string(queue.name),
            ]
        ) { span in
            var traceContext: [String: String] = [:]
            service.propagator.inject(.current, into: &traceContext)
            let message = OrderCreated(
                payload: order, traceContext: traceContext, timestamp: Date())
            try queue.publish(JSON.encode(message))
            span.setStatus(.ok)
        }
    }
}

/// The inventory service's end.
struct EventConsumer: Sendable {
    let service: Service
    let queue: MessageQueue
    let stocks: Database<Stock>

    /// Works until the queue is closed and empty.
    func run() async {
        for await message in queue.messages { await handle(message) }
    }

    /// The span of the work is a child of the one that published. A message without a context begins a
    /// trace of its own. Nothing of one message's context is left when the next one comes.
    func handle(_ text: String) async {
        let message = JSON.decode(OrderCreated.self, from: text)
        let context = service.propagator.extract(from: message?.traceContext ?? [:])
        await context.run {
            await service.tracer.withSpan(
                "event_consumer.handle_order_created", kind: .consumer,
                attributes: [
                    "messaging.system": "in_memory", "messaging.operation.type": "process",
                    "messaging.operation.name": "process",
                    "messaging.destination.name": .string(queue.name),
                ]
            ) { span in
                span.copyUserFromBaggage()
                guard let message else {
                    span.setStatus(.error, "Unreadable message")
                    return
                }
                span.setAttributes([
                    "event_type": .string(message.eventType),
                    "order_id": .string(message.payload.id),
                ])
                await reserve(message.payload.items)
            }
        }
    }

    private func reserve(_ items: [NewOrder.Item]) async {
        await service.tracer.withSpan("event_consumer.reserve_inventory") { _ in
            await stocks.query("UPDATE") { stocks in
                for item in items { stocks[item.sku]?.quantity -= item.quantity }
            }
        }
    }
}
