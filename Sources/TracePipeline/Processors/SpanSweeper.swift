// Settles spans that nobody ends, as the Erlang SDK's sweeper does (its names, defaults and rules).

import Logging
import Synchronization
import TraceCore

/// One recorder's sweeper: which age is too old now, and what happens to the spans found. Any thread.
final class SpanSweeper: Sendable {
    private let recorder: SpanRecorder
    /// Their queues get what the sweeper ends.
    private let followers: [SpanRecorder]
    private let settings: SweeperSettings
    private let action: SweepAction
    private let logger: Logger
    private let isSweeping = Atomic(false)

    init(
        recorder: SpanRecorder, followers: [SpanRecorder], settings: SweeperSettings, logger: Logger
    ) {
        self.recorder = recorder
        self.followers = followers
        self.settings = settings
        self.logger = logger
        switch settings.strategy {
        case .drop: action = .drop
        case .endSpan: action = .end(markingAs: nil)
        case .failedAttributeAndEndSpan:
            action = .end(markingAs: AttributeKey("finished_by_sweeper"))
        case .hand(let body):
            action = .hand { snapshot in
                if let span = SpanData.decode(snapshot) { body(span) }
            }
        }
    }

    /// From one sweep to the next; nil when nothing is swept by the clock.
    var intervalNs: UInt64? {
        guard settings.spanTTLMs != nil || settings.storageBytes != nil else { return nil }
        return settings.intervalMs.map { MonotonicTime.deadlineNs(from: 0, afterMs: $0) }
    }

    /// Settles the spans that are too old now. Linear in the spans that ever lived at one time.
    ///
    /// - Returns: nil when another sweep is under way.
    func sweep() -> SweepResult? {
        // acquire and release: one sweep at a time, each seeing the one before.
        guard !isSweeping.exchange(true, ordering: .acquiringAndReleasing) else { return nil }
        defer { isSweeping.store(false, ordering: .releasing) }
        let result = sweepWithoutWaiting(for: followers[...])
        if result.sweptSpans > 0 {
            logger.warning(
                "\(result.sweptSpans) spans were never ended: \(settings.strategy.pastTense)")
        }
        return result
    }

    private func sweepWithoutWaiting(for followers: ArraySlice<SpanRecorder>) -> SweepResult {
        guard let first = followers.first else {
            return recorder.sweep(olderThanNs: oldestNs, action)
        }
        return first.withoutWaiting { sweepWithoutWaiting(for: followers.dropFirst()) }
    }

    /// The age from which on spans go; `.max` for never.
    private var oldestNs: UInt64 {
        let ttlNs =
            settings.spanTTLMs.map { MonotonicTime.deadlineNs(from: 0, afterMs: $0) } ?? .max
        guard let storageBytes = settings.storageBytes else { return ttlNs }
        let bytes = recorder.liveBytes
        if bytes / 2 >= storageBytes { return 0 }
        if bytes >= storageBytes { return ttlNs == .max ? .max : ttlNs / 10 }
        return ttlNs
    }

    /// Spans that live now. Linear in threads.
    var hasLiveSpans: Bool { recorder.counters.live > 0 }
}

extension SweeperStrategy {
    fileprivate var pastTense: String {
        switch self {
        case .drop: "dropped by the sweeper"
        case .endSpan, .failedAttributeAndEndSpan: "ended by the sweeper"
        case .hand: "handed over by the sweeper"
        }
    }
}

extension SpanData {
    /// The one span of a snapshot; nil for bytes that are none.
    static func decode(_ snapshot: SpanSnapshot) -> SpanData? {
        try? decode(request: snapshot.request).first
    }
}
