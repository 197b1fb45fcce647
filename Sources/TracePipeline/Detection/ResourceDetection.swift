// Detectors run side by side, each on a thread of its own, all bounded by one deadline.

import Logging
import TraceCore

/// Asks detectors and puts together what they found.
struct ResourceDetection {
    /// What one detector came to.
    private enum Outcome: Sendable {
        case found(DetectedResource)
        case failed(String)
    }

    var logger: Logger

    /// What all of them found, merged in the order of the list. Blocks until every detector has
    /// answered or time is up; whoever has not answered by then is left behind with its thread, and
    /// what it finds later is not used.
    ///
    /// - Parameter timeoutMs: for all together, since they run side by side; 0 is without limit.
    func resource(from detectors: [any ResourceDetector], timeoutMs: Int) -> DetectedResource {
        let outcomes = Monitor([Outcome?](repeating: nil, count: detectors.count))
        for (index, detector) in detectors.enumerated() {
            if let known = detector as? KnownResource {
                outcomes.withLock { $0[index] = .found(known.detect()) }
                continue
            }
            SystemThread {
                let outcome: Outcome
                do {
                    outcome = .found(try detector.detect())
                } catch {
                    outcome = .failed("\(error)")
                }
                outcomes.withLockAndSignal { $0[index] = outcome }
            }.detach()
        }
        let deadlineNs =
            timeoutMs == 0
            ? .max : MonotonicTime.deadlineNs(from: TraceClock.monotonicNs, afterMs: timeoutMs)
        _ = outcomes.wait(untilNs: deadlineNs) { $0.allSatisfy { $0 != nil } }
        var merged = DetectedResource()
        for (detector, outcome) in zip(detectors, outcomes.withLock { $0 }) {
            switch outcome {
            case .found(let resource):
                let schemas = (merged.schemaURL, resource.schemaURL)
                guard !merged.merge(resource) else { continue }
                logger.warning(
                    """
                    resource detector "\(Environment.shown(detector.name))": its schema \
                    \(Environment.shown(schemas.1)) is not \(Environment.shown(schemas.0)); the \
                    resource has no schema URL
                    """)
            case .failed(let reason):
                logger.warning(
                    """
                    resource detector "\(Environment.shown(detector.name))" failed: \
                    \(Environment.shown(reason)); the resource goes without its part
                    """)
            case nil:
                logger.warning(
                    """
                    resource detector "\(Environment.shown(detector.name))" took longer than \
                    \(timeoutMs) ms (OTEL_RESOURCE_DETECTOR_TIMEOUT); the resource goes without its \
                    part
                    """)
            }
        }
        return merged
    }
}

/// What is known without looking anywhere: needs no thread.
struct KnownResource: ResourceDetector {
    let name: String
    var attributes: SpanAttributes

    init(name: String, _ pairs: [(key: String, value: AttributeValue)]) {
        self.name = name
        attributes = SpanAttributes()
        for (key, value) in pairs { attributes.set(AttributeKey(key), value) }
    }

    func detect() -> DetectedResource { DetectedResource(attributes: attributes) }
}
