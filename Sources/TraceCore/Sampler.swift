// Which traces are kept. Source: OpenTelemetry specification, "Sampling", "TraceIdRatioBased", "ParentBased",
// and "Probability sampling with tracestate" (56-bit thresholds: keep when R ≥ T).

/// The built-in samplers.
public indirect enum Sampler: Sendable, Equatable, CustomStringConvertible {
    /// Keeps everything.
    case alwaysOn
    /// Keeps nothing.
    case alwaysOff
    /// Keeps this share of traces, decided by the trace id (or the tracestate's `rv`).
    case traceIDRatio(Double)
    /// Follows the parent; `root` decides where there is none.
    case parentBased(
        root: Sampler, remoteParentSampled: Sampler = .alwaysOn,
        remoteParentNotSampled: Sampler = .alwaysOff, localParentSampled: Sampler = .alwaysOn,
        localParentNotSampled: Sampler = .alwaysOff)

    /// Every name that `init(name:argument:)` knows.
    public static let names = [
        "always_on", "always_off", "traceidratio", "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ]

    /// A sampler by its OTEL_TRACES_SAMPLER name, in any case.
    /// - Parameter argument: the ratio, 0…1, of the two that take one; 1 when absent. The others do not
    ///   look at it.
    public init(name: String, argument: String? = nil) throws(SamplerError) {
        switch name.lowercased() {
        case "always_on": self = .alwaysOn
        case "always_off": self = .alwaysOff
        case "traceidratio": self = .traceIDRatio(try Self.ratio(argument))
        case "parentbased_always_on": self = .parentBased(root: .alwaysOn)
        case "parentbased_always_off": self = .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio":
            self = .parentBased(root: .traceIDRatio(try Self.ratio(argument)))
        default: throw .unknownName(name)
        }
    }

    private static func ratio(_ argument: String?) throws(SamplerError) -> Double {
        guard let argument, !argument.isEmpty else { return 1 }
        guard let ratio = Double(argument), ratio >= 0, ratio <= 1 else {
            throw .badRatio(argument)
        }
        return ratio
    }

    public var description: String {
        switch self {
        case .alwaysOn: "AlwaysOnSampler"
        case .alwaysOff: "AlwaysOffSampler"
        case .traceIDRatio(let ratio): "TraceIdRatioBased{\(Self.decimals(ratio))}"
        case .parentBased(
            let root, let remoteSampled, let remoteNotSampled, let localSampled, let localNotSampled
        ):
            "ParentBased{root:\(root),remoteParentSampled:\(remoteSampled),"
                + "remoteParentNotSampled:\(remoteNotSampled),localParentSampled:\(localSampled),"
                + "localParentNotSampled:\(localNotSampled)}"
        }
    }

    /// Six decimals, more where six would show another ratio.
    private static func decimals(_ ratio: Double) -> String {
        guard (0...1).contains(ratio) else { return "\(ratio)" }
        for places in 6...20 {
            let text = fixed(ratio, places: places)
            if Double(text) == ratio || places == 20 { return text }
        }
        return fixed(ratio, places: 6)
    }

    private static func fixed(_ ratio: Double, places: Int) -> String {
        var rest = ratio
        let whole = Int(rest)
        rest -= Double(whole)
        var digits: [UInt8] = []
        for _ in 0..<places {
            rest *= 10
            let digit = min(9, Int(rest))
            digits.append(UInt8(digit))
            rest -= Double(digit)
        }
        var carry = rest >= 0.5
        var index = digits.count - 1
        while carry, index >= 0 {
            carry = digits[index] == 9
            digits[index] = carry ? 0 : digits[index] + 1
            index -= 1
        }
        return "\(carry ? whole + 1 : whole)." + digits.map { String($0) }.joined()
    }
}

/// Why a sampler could not be made.
public enum SamplerError: Error, Equatable, CustomStringConvertible {
    case unknownName(String)
    case badRatio(String)

    public var description: String {
        switch self {
        case .unknownName(let name):
            "unknown sampler \"\(name)\": write one of \(Sampler.names.joined(separator: ", "))"
        case .badRatio(let text):
            "sampler ratio \"\(text)\" is not a number from 0 to 1, such as 0.1 or 1e-3"
        }
    }
}

/// What a head sampler says of a span.
public enum SamplingDecision: UInt8, Sendable {
    /// Not recorded, and the sampled flag is cleared.
    case drop = 0
    /// Recorded for processors, but never exported: the sampled flag is cleared.
    case recordOnly = 1
    /// Recorded and exported.
    case recordAndSample = 2
}

/// What a sampler is asked. The name's bytes are only lent for the call.
@safe struct SamplingQuestion {
    /// May be invalid with a denied or sampled flag, or valid with the deferred flag.
    var parent: SpanContext?
    var traceID: TraceID
    /// UTF-8.
    var name: UnsafeRawBufferPointer
    var kind: SpanKind
    var attributes: SpanAttributes?
    var links: [SpanLink]
    var startUnixNano: UInt64
}

/// What a sampler answers.
struct SamplingVerdict {
    var decision: SamplingDecision
    /// Of the span's own context.
    var traceState: TraceState
    /// What the sampler adds to the span.
    var attributes: SpanAttributes?
}

/// Thresholds: the share p of traces is kept by R ≥ T, T = 2^56 − round(p·2^56).
enum Threshold {
    /// Above every R: nothing is kept.
    static let never: UInt64 = 1 << 56

    /// The threshold of a ratio, rounded to four significant hexadecimal digits after leading f's, so
    /// that it has a short text form that everybody compares alike.
    static func of(ratio: Double) -> UInt64 {
        guard ratio > 0 else { return never }
        guard ratio < 1 else { return 0 }
        let scaled = (ratio * 0x1p56).rounded()
        guard scaled >= 1 else { return never - 1 }
        let exact = never - min(never, UInt64(scaled))
        var leadingFs = 0
        while leadingFs < 14, (exact >> UInt64(52 - 4 * leadingFs)) & 0xf == 0xf { leadingFs += 1 }
        let digits = leadingFs + 4
        guard digits < 14 else { return exact }
        let unit = UInt64(1) << UInt64(4 * (14 - digits))
        return min(never - 1, (exact + unit / 2) / unit * unit)
    }
}

/// A sampler brought down to one threshold for each kind of parent: any nesting of the built-in ones is
/// "keep when R ≥ T", with T chosen by whether there is a parent, where it is and whether it was kept.
struct SamplerProgram: Sendable {
    /// No parent; remote sampled, remote not, local sampled, local not.
    private var thresholds = InlineArray<5, UInt64>(repeating: 0)
    /// Some threshold is neither 0 nor never: then R matters, and so does an `rv` in the tracestate.
    private var looksAtRandomness = false

    init(_ sampler: Sampler) {
        for index in 0..<5 {
            thresholds[index] = Self.threshold(sampler, parent: index)
            if thresholds[index] != 0, thresholds[index] != Threshold.never {
                looksAtRandomness = true
            }
        }
    }

    private static func threshold(_ sampler: Sampler, parent: Int) -> UInt64 {
        switch sampler {
        case .alwaysOn: 0
        case .alwaysOff: Threshold.never
        case .traceIDRatio(let ratio): Threshold.of(ratio: ratio)
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            switch parent {
            case 0: threshold(root, parent: parent)
            case 1: threshold(remote, parent: parent)
            case 2: threshold(remoteNot, parent: parent)
            case 3: threshold(local, parent: parent)
            default: threshold(localNot, parent: parent)
            }
        }
    }

    /// Whether `keepsRoot` and `keepsChild` say all there is to say for a parent with this tracestate and
    /// without local flags: no `ot` member to read or to change. A root has the empty state.
    @inline(__always)
    func isSimple(for parentTraceState: TraceState) -> Bool {
        !parentTraceState.hasOTelMember
    }

    /// Decides with everything there is to know about the span. Any thread.
    @inline(never)
    func decide(_ question: SamplingQuestion) -> SamplingVerdict {
        var isKept: Bool
        var state = TraceState.empty
        let parent = question.parent ?? .invalid
        let flags = parent.flags.rawValue
        if parent.isValid, flags & 8 == 0 {
            isKept = keepsChild(of: parent)
            state = parent.traceState
        } else if !parent.isValid, flags & 17 != 0 {
            var stand = parent
            stand.traceID = question.traceID
            stand.isRemote = true
            if flags & 16 != 0 { stand.flags = [] }
            isKept = keepsChild(of: stand)
        } else {
            isKept = keepsRoot(traceLow: question.traceID.low)
            state = parent.isValid ? parent.traceState : .empty
        }
        if !isKept { state = OTelTraceState.withoutThreshold(state) }
        return SamplingVerdict(decision: isKept ? .recordAndSample : .drop, traceState: state)
    }

    /// Whether to keep a span without a parent.
    @inline(__always)
    func keepsRoot(traceLow: UInt64) -> Bool {
        traceLow & (Threshold.never &- 1) >= thresholds[0]
    }

    /// Whether to keep a child of `parent`.
    @inline(__always)
    func keepsChild(of parent: SpanContext) -> Bool {
        let index = 1 &+ (parent.isRemote ? 0 : 2) &+ (parent.isSampled ? 0 : 1)
        var randomness = parent.traceID.low & (Threshold.never &- 1)
        if looksAtRandomness, !parent.traceState.isEmpty,
            let explicit = OTelTraceState.randomness(in: parent.traceState)
        {
            randomness = explicit
        }
        return randomness >= thresholds[index]
    }
}

/// OpenTelemetry's own member of tracestate: `ot=th:…;rv:…`.
enum OTelTraceState {
    /// The `rv` sub-key when it is exactly 14 lower-case hexadecimal digits.
    @inline(never)
    static func randomness(in state: TraceState) -> UInt64? {
        for member in state.bytes.split(separator: UInt8(ascii: ","))
        where member.starts(with: Array("ot=".utf8)) {
            for pair in member.dropFirst(3).split(separator: UInt8(ascii: ";"))
            where pair.starts(with: Array("rv:".utf8)) {
                let digits = pair.dropFirst(3)
                guard digits.count == 14,
                    digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
                else { return nil }
                return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
            }
        }
        return nil
    }

    /// The state without the `th` sub-key; a changed `ot` member moves to the front.
    @inline(never)
    static func withoutThreshold(_ state: TraceState) -> TraceState {
        guard state.hasOTelMember else { return state }
        var result: [UInt8] = []
        var others: [ArraySlice<UInt8>] = []
        var isChanged = false
        for member in state.bytes.split(separator: UInt8(ascii: ",")) {
            guard member.starts(with: Array("ot=".utf8)) else {
                others.append(member)
                continue
            }
            let pairs = member.dropFirst(3).split(separator: UInt8(ascii: ";"))
            let rest = pairs.filter { !$0.starts(with: Array("th:".utf8)) }
            isChanged = rest.count < pairs.count
            if !rest.isEmpty {
                result = Array("ot=".utf8) + rest.joined(separator: [UInt8(ascii: ";")])
            }
        }
        guard isChanged else { return state }
        for member in others {
            if !result.isEmpty { result.append(UInt8(ascii: ",")) }
            result += member
        }
        return TraceStateTable.intern(result)
    }
}
