// The tracestates that contexts point at. Any thread; a lock for each look-up. What a sampler asks of a state
// (threshold, randomness) and what it makes of it is kept beside the bytes, so that a state that comes
// again costs no parsing.

/// The interned states: the newest 65,536, and no more than 16 MiB of them.
enum TraceStateTable {
    struct Entry {
        var bytes: [UInt8] = []
        var member = OTelMember()
        /// The state without a threshold, once somebody asked; 0 before that.
        var bareHandle: UInt64 = 0
        /// The threshold that somebody wrote last into this state, and what came out of it; 0 before that.
        var writtenThreshold: UInt64 = 0
        var writtenHandle: UInt64 = 0
    }

    struct Table {
        /// The state with number n is at n % `entryCountMax`; kept are `oldest` ..< `next`.
        var entries: [Entry] = []
        /// Numbers begin at 1: handle 0 is the empty state.
        var oldest: UInt64 = 1
        var next: UInt64 = 1
        var byteCount = 0
        var known: [[UInt8]: UInt64] = [:]

        func index(of handle: UInt64) -> Int? {
            let number = handle & TraceState.numberMask
            guard handle & TraceState.thresholdBit == 0, number >= oldest, number < next else {
                return nil
            }
            return Int(number % entryCountMax)
        }

        /// Whether what the handle stands for can still be read.
        func isReadable(_ handle: UInt64) -> Bool {
            handle & TraceState.thresholdBit != 0 || index(of: handle) != nil
        }

        mutating func forgetOldest() {
            let index = Int(oldest % entryCountMax)
            known.removeValue(forKey: entries[index].bytes)
            byteCount -= entries[index].bytes.count
            entries[index] = Entry()
            oldest += 1
        }
    }

    static let entryCountMax: UInt64 = 65_536
    static let byteCountMax = 16 << 20
    static let table = Guarded(Table())

    /// The state with these members, which are well formed.
    static func intern(_ bytes: [UInt8]) -> TraceState {
        guard !bytes.isEmpty else { return .empty }
        let member = OTelMember(in: bytes)
        if member.isThresholdAlone, let threshold = member.threshold {
            return TraceState(threshold: threshold)
        }
        return table.withLock { table in
            if let handle = table.known[bytes] { return TraceState(handle: handle) }
            while table.next - table.oldest == entryCountMax
                || table.byteCount + bytes.count > byteCountMax
            {
                table.forgetOldest()
            }
            let index = Int(table.next % entryCountMax)
            let handle = table.next | (member.isPresent ? TraceState.otelBit : 0)
            while table.entries.count <= index { table.entries.append(Entry()) }
            table.entries[index] = Entry(bytes: bytes, member: member)
            table.byteCount += bytes.count
            table.known[bytes] = handle
            table.next += 1
            return TraceState(handle: handle)
        }
    }

    static func bytes(of state: TraceState) -> [UInt8]? {
        table.withLock { table in table.index(of: state.handle).map { table.entries[$0].bytes } }
    }

    /// What the `ot` member says; nothing when the state was forgotten.
    static func member(of state: TraceState) -> OTelMember {
        table.withLock { table in
            table.index(of: state.handle).map { table.entries[$0].member } ?? OTelMember()
        }
    }

    /// The state without its threshold, when somebody asked before.
    static func bare(of state: TraceState) -> TraceState? {
        table.withLock { table in
            guard let index = table.index(of: state.handle) else { return nil }
            let handle = table.entries[index].bareHandle
            return handle != 0 && table.isReadable(handle) ? TraceState(handle: handle) : nil
        }
    }

    static func setBare(_ bare: TraceState, of state: TraceState) {
        table.withLock { table in
            guard let index = table.index(of: state.handle) else { return }
            table.entries[index].bareHandle = bare.handle
        }
    }

    /// The state with that threshold, when it is the one that was asked for last.
    static func written(_ threshold: UInt64, to state: TraceState) -> TraceState? {
        table.withLock { table in
            guard let index = table.index(of: state.handle),
                table.entries[index].writtenThreshold == threshold
            else { return nil }
            let handle = table.entries[index].writtenHandle
            return handle != 0 && table.isReadable(handle) ? TraceState(handle: handle) : nil
        }
    }

    static func setWritten(_ written: TraceState, _ threshold: UInt64, to state: TraceState) {
        table.withLock { table in
            guard let index = table.index(of: state.handle) else { return }
            table.entries[index].writtenThreshold = threshold
            table.entries[index].writtenHandle = written.handle
        }
    }
}
