// Those who want to see spans start and end beside the queue: processors of the user's, and further queues.
// A pipeline with one built-in processor has none, and pays one look at a word for it.
import Synchronization

/// One span as it is or was at one moment, with its resource and scope: an OTLP
/// `ExportTraceServiceRequest` that holds it alone.
public struct SpanSnapshot: Sendable {
    /// Whether it goes to exporters; a span that is only recorded goes to processors.
    public let isSampled: Bool
    /// The request's bytes. The end time of a span that lives is 0.
    public let request: [UInt8]
}

/// The hooks and followers of one recorder. Never freed once set: a thread may be on its way in.
final class SpanObservers: Sendable {
    struct Hooks {
        var start: (@Sendable (ActiveSpan, SpanContext?) -> Void)?
        var end: (@Sendable (SpanSnapshot) -> Void)?
        /// Addresses of the cores of recorders that get a copy of each sampled span that ends.
        var followers: [UInt] = []
    }

    let hooks = Guarded(Hooks())

    @inline(__always)
    static func of(_ core: CorePointer) -> SpanObservers? {
        unsafe core.pointee.observers.map {
            unsafe Unmanaged<SpanObservers>.fromOpaque($0).takeUnretainedValue()
        }
    }

    @inline(never)
    func started(_ span: ActiveSpan, parent: SpanContext?) {
        let hook = hooks.withLock { $0.start }
        hook?(span, parent)
    }

    /// Hands on a span that has ended; the ending thread has left its slot.
    func ended(_ record: DetachedSpan, of core: CorePointer) {
        let (hook, followers) = hooks.withLock { ($0.end, $0.followers) }
        if record.traits.isSampled {
            for address in followers {
                if let follower = unsafe CorePointer(bitPattern: address) {
                    unsafe SpanEnding.publishCopy(record, to: follower)
                }
            }
        }
        unsafe hook?(record.snapshot(core))
    }
}

/// A span's bytes outside of its slot.
struct DetachedSpan {
    var message: [UInt8]
    var traits: SpanTraits

    /// The message as a request of its own: resource_spans 1 {resource, scope_spans 2 {scope, spans 2}}.
    func snapshot(_ core: CorePointer) -> SpanSnapshot {
        let entry = unsafe core.pointee.streams[traits.stream]
        func bytes(_ interned: InternedBytes) -> [UInt8] {
            unsafe Array(UnsafeRawBufferPointer(start: interned.pointer, count: interned.count))
        }
        let scopeSpans = bytes(entry.scope) + MessageBytes.field(0x12, message)
        let resourceSpans = bytes(entry.resource) + MessageBytes.field(0x12, scopeSpans)
        return SpanSnapshot(
            isSampled: traits.isSampled, request: MessageBytes.field(0x0a, resourceSpans))
    }
}

extension SpanRecorder {
    /// Another recorder whose queue gets a copy of each sampled span that ends in this one: what a further
    /// exporting processor drains. It has bounds, counters and drops of its own; a full queue of one never
    /// keeps a span from another. Set up before the first span; it lives as long as the caller keeps it.
    ///
    /// - Parameter options: those of the queue count; it has no live spans.
    public func makeFollower(options: RecorderOptions) throws(RecorderError) -> SpanRecorder {
        let follower = try SpanRecorder(following: self, options: options)
        observe { unsafe $0.followers.append(UInt(bitPattern: follower.core)) }
        return follower
    }

    /// Runs `body` on the starting thread after each start that records; it may read and write the span and
    /// keep its ticket. Set it before the first span; nil takes it away.
    public func setStartHook(_ body: (@Sendable (ActiveSpan, _ parent: SpanContext?) -> Void)?) {
        observe { $0.start = body }
    }

    /// Runs `body` on the ending thread after each end, of sampled spans and of those only recorded. Set it
    /// before the first span; nil takes it away.
    public func setEndHook(_ body: (@Sendable (SpanSnapshot) -> Void)?) {
        observe { $0.end = body }
    }

    /// Changes the hooks, making their place on the first time.
    func observe(_ change: (inout SpanObservers.Hooks) -> Void) {
        observersLock.withLock { _ in
            if unsafe core.pointee.observers == nil {
                unsafe core.pointee.observers = unsafe Unmanaged.passRetained(SpanObservers())
                    .toOpaque()
            }
            unsafe SpanObservers.of(core)?.hooks.withLock(change)
            // release: whoever sees the bit finds the hooks.
            unsafe core.pointee.shared.pointee.signals.bitwiseOr(
                Signal.observed, ordering: .releasing)
        }
    }

    /// The recorder goes away: whoever still ends a span of it calls nobody.
    func dropObservers() {
        unsafe SpanObservers.of(core)?.hooks.withLock { $0 = SpanObservers.Hooks() }
    }
}

extension ActiveSpan {
    /// What the span holds now; nil when it does not record or has ended. Allocates; any thread.
    public func snapshot() -> SpanSnapshot? {
        unsafe read { slot, core in unsafe SpanEnding.detach(slot, endUnixNano: 0).snapshot(core) }
    }
}
