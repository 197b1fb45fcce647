// OpenTelemetry's own member of tracestate, `ot=th:…;rv:…`: what samplers read from it and write into it.
// Source: OpenTelemetry specification, "TraceState Handling"; W3C Trace Context Level 2, "Mutating the
// tracestate field" (a changed member moves to the front).

/// What the `ot` member says of sampling.
struct OTelMember {
    /// There is an `ot` member.
    var isPresent = false
    /// There is a `th` sub-key, well formed or not.
    var hasThresholdKey = false
    /// A well-formed `th`, in 56 bits.
    var threshold: UInt64?
    /// A well-formed `rv`, in 56 bits.
    var randomness: UInt64?
    /// The state is `ot=th:` in its shortest form and nothing else.
    var isThresholdAlone = false

    init() {}

    /// Of a state that is a threshold alone.
    init(threshold: UInt64) {
        isPresent = true
        hasThresholdKey = true
        self.threshold = threshold
        isThresholdAlone = true
    }

    /// Reads it out of a header value's bytes. Of sub-keys that come twice the first counts.
    init(in bytes: [UInt8]) {
        guard let value = OTelTraceState.value(in: bytes) else { return }
        isPresent = true
        var hasRandomnessKey = false
        for pair in value.split(separator: OTelTraceState.semicolon) {
            if !hasThresholdKey, pair.starts(with: OTelTraceState.thresholdKey) {
                hasThresholdKey = true
                threshold = Self.parse(pair.dropFirst(3))
            } else if !hasRandomnessKey, pair.starts(with: OTelTraceState.randomnessKey) {
                hasRandomnessKey = true
                if pair.count == 17 { randomness = Self.parse(pair.dropFirst(3)) }
            }
        }
        guard let threshold, let text = ProbabilityThreshold.text(of: threshold) else { return }
        isThresholdAlone = bytes.elementsEqual(Array("ot=th:\(text)".utf8))
    }

    private static func parse(_ digits: ArraySlice<UInt8>) -> UInt64? {
        unsafe digits.withUnsafeBufferPointer { unsafe ProbabilityThreshold.parse($0[...]) }
    }
}

/// Reads and changes the `ot` member. Any thread; a state that is a threshold alone takes no lock.
enum OTelTraceState {
    /// The most characters that the member's value may have.
    static let valueCountMax = 256

    static let semicolon = UInt8(ascii: ";")
    static let comma = UInt8(ascii: ",")
    static let memberKey = Array("ot=".utf8)
    static let thresholdKey = Array("th:".utf8)
    static let randomnessKey = Array("rv:".utf8)

    @inline(__always)
    static func member(of state: TraceState) -> OTelMember {
        if state.isThresholdAlone {
            return OTelMember(threshold: state.handle & (ProbabilityThreshold.never &- 1))
        }
        return state.hasOTelMember ? TraceStateTable.member(of: state) : OTelMember()
    }

    /// The state without `th`; a changed member moves to the front, an empty one goes.
    @inline(__always)
    static func withoutThreshold(_ state: TraceState) -> TraceState {
        guard state.hasOTelMember else { return state }
        return state.isThresholdAlone ? .empty : removingThreshold(from: state)
    }

    /// The state with this threshold, below 2⁵⁶. Every other sub-key stays. When the member would grow
    /// beyond 256 characters the state only loses the `th` it had: a wrong one says more than it knows.
    @inline(__always)
    static func withThreshold(_ threshold: UInt64, in state: TraceState) -> TraceState {
        if state.isEmpty || state.isThresholdAlone { return TraceState(threshold: threshold) }
        return writing(threshold, into: state)
    }

    @inline(never)
    private static func removingThreshold(from state: TraceState) -> TraceState {
        guard member(of: state).hasThresholdKey else { return state }
        if let bare = TraceStateTable.bare(of: state) { return bare }
        let bare = TraceStateTable.intern(replacingThreshold(in: state.bytes, with: nil))
        TraceStateTable.setBare(bare, of: state)
        return bare
    }

    @inline(never)
    private static func writing(_ threshold: UInt64, into state: TraceState) -> TraceState {
        if member(of: state).threshold == threshold { return state }
        if let written = TraceStateTable.written(threshold, to: state) { return written }
        guard let text = ProbabilityThreshold.text(of: threshold) else { return state }
        let pair = thresholdKey + Array(text.utf8)
        let bytes = state.bytes
        let members = replacingThreshold(in: bytes, with: pair)
        guard value(in: members).map({ $0.count <= valueCountMax }) ?? false else {
            return withoutThreshold(state)
        }
        let written = TraceStateTable.intern(members)
        TraceStateTable.setWritten(written, threshold, to: state)
        return written
    }

    /// The value of the `ot` member.
    static func value(in bytes: [UInt8]) -> ArraySlice<UInt8>? {
        for member in bytes.split(separator: comma) where member.starts(with: memberKey) {
            return member.dropFirst(memberKey.count)
        }
        return nil
    }

    /// The members with the `ot` member in front, its `th` replaced. A 33rd member falls off the end.
    private static func replacingThreshold(in bytes: [UInt8], with pair: [UInt8]?) -> [UInt8] {
        var pairs = pair.map { [$0[...]] } ?? []
        for old in (value(in: bytes) ?? []).split(separator: semicolon)
        where !old.starts(with: thresholdKey) {
            pairs.append(old)
        }
        var members: [ArraySlice<UInt8>] = []
        if !pairs.isEmpty {
            members.append((memberKey + pairs.joined(separator: [semicolon]))[...])
        }
        for member in bytes.split(separator: comma) where !member.starts(with: memberKey) {
            members.append(member)
        }
        return Array(
            members.prefix(TraceStateSyntax.memberCountMax).joined(separator: [comma]))
    }
}
