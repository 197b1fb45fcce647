// A morning in the shop: a few customers, a few mishaps, and the traces of it all.

import Foundation
import Shop
import TraceCore
import TracePipeline

@main
enum ShopCommand {
    static func main() async {
        do {
            try await openShop()
        } catch {
            complain("error: \(error)")
            exit(2)
        }
    }

    private static func openShop() async throws {
        var tracing = try SharedTracing()
        for warning in tracing.warnings { complain("warning: \(warning)") }
        // With a collector the spans go two ways: there, and into memory, to be drawn below.
        let spans = InMemoryExporter()
        let isSent = ProcessInfo.processInfo.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] != nil
        if isSent {
            tracing.configuration.additionalProcessors = [.batch(BatchSettings(), .custom(spans))]
        } else {
            tracing.configuration.exporter = .custom(spans)
        }

        let pipeline = try TracingPipeline(tracing.configuration)
        let shop = ShopFleet(tracing, pipeline)
        await shop.whileConsuming { await serveCustomers(of: shop) }
        _ = pipeline.shutdown(timeoutMs: 10_000)

        print(TraceTree.text(of: spans.finishedSpans))
        print(DependencyGraph(spans: spans.finishedSpans).mermaid)
        let quality = TraceQuality(spans: spans.finishedSpans)
        print("\(quality.connectedTraces) of \(quality.traces) traces are one connected tree")
        let ledger = pipeline.ledger
        if isSent {
            print(
                "\(ledger.acknowledged.spans) of \(ledger.endedSampled) spans are with the collector"
            )
        }
    }

    private static func serveCustomers(of shop: ShopFleet) async {
        let ada = Customer(of: shop)
        await ada.look(at: "user123")
        await ada.look(at: "user456")  // not her account
        await ada.look(at: "nobody")
        await ada.order(["item1": 2, "item2": 1])
        await ada.order(["yacht": 1])  // more than her card is good for
        shop.network.fail("payment-service", with: .timeout)
        for _ in 1...3 { await ada.order(["item2": 1]) }
        await ada.order(["item2": 1])  // the circuit is open by now
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
