/// What a simulation has yet to do, by simulated time: a heap with four children a place, whose walks
/// are half as deep as a binary one's. One thread; keeps its memory.

/// Something that happens at an instant.
struct PendingEvent: Sendable {
    enum Action: UInt8 {
        /// An operation is entered; a message is at its consumer; half of the own work is done; the
        /// operation is over.
        case enter, deliver, work, finish
        /// A script goes on.
        case resume
        /// An answer is back at its caller; the caller gives up (argument: its step); it tries again.
        case answer, timeout, retry
        /// An event of a span, whose number is the argument.
        case spanEvent
        /// A span that ended before is let go. Target: the trace; argument: the span.
        case lateEnd
        /// A user of a closed model starts anew. Target: traffic entry; argument: the user.
        case user
        /// Incidents begin or end. Argument: the stretch of time that begins.
        case incident
    }

    var timeNs: UInt64
    /// Among events of one instant: the trace's number, then the order within the trace.
    var order: UInt64
    /// A frame, unless said otherwise.
    var target: UInt32
    /// What the frame's generation must be for this to be still true.
    var generation: UInt32 = 0
    var argument: UInt32 = 0
    var action: Action

    /// Numbers of traces take the upper 40 bits.
    static func order(trace: UInt64, sequence: UInt32, isLast: Bool) -> UInt64 {
        trace << 24 | (isLast ? 1 << 23 : 0) | UInt64(sequence & 0x7F_FFFF)
    }

    @inline(__always)
    static func precedes(_ left: PendingEvent, _ right: PendingEvent) -> Bool {
        left.timeNs != right.timeNs ? left.timeNs < right.timeNs : left.order < right.order
    }
}

/// Timeouts of one step, which all take the same time and so come in order of their making. Only the first
/// is in the queue: most are void long before their time, and need never get there.
struct TimeoutLine: Sendable {
    private var events: [PendingEvent] = []
    private var first = 0
    /// Whether one of the line is in the queue.
    var isQueued = false

    /// False when it would be out of order.
    mutating func append(_ event: PendingEvent) -> Bool {
        if let last = events.last, event.timeNs < last.timeNs { return false }
        events.append(event)
        return true
    }

    mutating func popFirst() -> PendingEvent? {
        guard first < events.count else { return nil }
        let event = events[first]
        first += 1
        if first == events.count {
            events.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 1024, 2 * first > events.count {
            events.removeFirst(first)
            first = 0
        }
        return event
    }
}

struct EventQueue: Sendable {
    private var events: [PendingEvent] = []

    var isEmpty: Bool { events.isEmpty }
    var count: Int { events.count }
    /// When the next event is; `.max` when there is none.
    var nextNs: UInt64 { events.isEmpty ? .max : events[0].timeNs }

    /// O(log n).
    mutating func insert(_ event: PendingEvent) {
        var place = events.count
        events.append(event)
        while place > 0 {
            let parent = (place - 1) >> 2
            guard PendingEvent.precedes(event, events[parent]) else { break }
            events[place] = events[parent]
            place = parent
        }
        events[place] = event
    }

    /// The earliest; O(log n). The queue must not be empty.
    mutating func popFirst() -> PendingEvent {
        let first = events[0]
        let last = events.removeLast()
        if events.isEmpty { return first }
        let count = events.count
        var place = 0
        while true {
            let child = place << 2 + 1
            guard child < count else { break }
            var least = child
            var leastEvent = events[child]
            var other = child + 1
            let end = min(child + 4, count)
            while other < end {
                let event = events[other]
                if PendingEvent.precedes(event, leastEvent) { (least, leastEvent) = (other, event) }
                other += 1
            }
            guard PendingEvent.precedes(leastEvent, last) else { break }
            events[place] = leastEvent
            place = least
        }
        events[place] = last
        return first
    }
}
