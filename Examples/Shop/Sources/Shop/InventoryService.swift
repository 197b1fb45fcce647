// What is on the shelves.

import TraceCore

struct Stock: Codable, Sendable {
    var quantity: Int
    var price: Double
}

struct InventoryService: Sendable {
    let service: Service
    let consumer: EventConsumer
    private let stocks: Database<Stock>

    init(_ service: Service, stocks: [String: Stock], orders: MessageQueue) {
        self.service = service
        let database = Database(
            "inventory_db", table: "stock", service.tracer, rows: stocks)
        self.stocks = database
        consumer = EventConsumer(service: service, queue: orders, stocks: database)
    }

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(
            request,
            [
                Route("GET", "/api/stock/{sku}") { request, span in
                    let sku = request.parameters["sku", default: ""]
                    span.setAttributes(["sku": .string(sku)])
                    guard let stock = await stocks.query("SELECT", { $0[sku] }) else {
                        return HTTPResponse(404, error: "No such thing")
                    }
                    return HTTPResponse(200, body: JSON.encode(stock))
                }
            ])
    }
}
