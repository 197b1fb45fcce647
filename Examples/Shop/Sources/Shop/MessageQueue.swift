// The queue between the order service and whoever wants to know of orders.

/// A bounded queue of messages as text. Any thread.
struct MessageQueue: Sendable {
    enum PublishError: Error {
        case full
        case closed
    }

    let name: String
    /// For one consumer; ends after ``close()``, once all is taken.
    let messages: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init(_ name: String, capacity: Int = 1_000) {
        self.name = name
        (messages, continuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(capacity))
    }

    func publish(_ message: String) throws(PublishError) {
        switch continuation.yield(message) {
        case .enqueued: return
        case .dropped: throw .full
        case .terminated: throw .closed
        @unknown default: throw .closed
        }
    }

    func close() { continuation.finish() }
}
