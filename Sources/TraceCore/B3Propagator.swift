// Zipkin's headers, in one line (`b3`) and in several (`X-B3-…`).
// Source: openzipkin/b3-propagation; OpenTelemetry specification, "Propagators API", B3 requirements.
// Extraction never fails a request: what is malformed is as if absent.

/// Injects and extracts a span context as B3 headers. Stateless; any thread.
///
/// A context with ids and no decision has the flag `deferred`. A decision without ids (`b3: 0`) is a context
/// without ids whose flags are `denied` or `sampled`. Debug is `debug` beside `sampled`. The id of the
/// parent span is read over, and never written.
public enum B3Propagator {
    /// What injecting one line writes.
    public static let fields = ["b3"]
    /// What injecting several lines writes.
    public static let multipleFields = [
        "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags",
    ]
    /// Removed where several lines are injected: the parent of another span.
    static let parentField = "x-b3-parentspanid"

    // MARK: Injection

    /// Writes `b3` in place of lines of that name. A context with neither ids nor a decision changes nothing.
    public static func inject(_ context: SpanContext, into headers: inout HeaderBuffer) {
        let state = SamplingState(context)
        guard context.isValid else {
            guard let state, isDecision(context) else { return }
            headers.remove("b3")
            unsafe headers.append("b3", valueCount: 1) { unsafe $0[0] = state.rawValue }
            return
        }
        headers.remove("b3")
        let idsCount = 32 + 1 + 16
        unsafe headers.append("b3", valueCount: state == nil ? idsCount : idsCount + 2) { value in
            let base = value.baseAddress!
            unsafe Hexadecimal.write(context.traceID.high, to: base)
            unsafe Hexadecimal.write(context.traceID.low, to: base + 16)
            unsafe value[32] = UInt8(ascii: "-")
            unsafe Hexadecimal.write(context.spanID.rawValue, to: base + 33)
            if let state {
                unsafe value[idsCount] = UInt8(ascii: "-")
                unsafe value[idsCount + 1] = state.rawValue
            }
        }
    }

    /// Writes `x-b3-…` in place of all lines of such names. A context with neither ids nor a decision
    /// changes nothing.
    public static func injectMultiple(_ context: SpanContext, into headers: inout HeaderBuffer) {
        let state = SamplingState(context)
        guard context.isValid || state != nil && isDecision(context) else { return }
        headers.remove("x-b3-traceid")
        headers.remove("x-b3-spanid")
        headers.remove("x-b3-parentspanid")
        headers.remove("x-b3-sampled")
        headers.remove("x-b3-flags")
        if context.isValid {
            unsafe headers.append("x-b3-traceid", valueCount: 32) { value in
                unsafe Hexadecimal.write(context.traceID.high, to: value.baseAddress!)
                unsafe Hexadecimal.write(context.traceID.low, to: value.baseAddress! + 16)
            }
            unsafe headers.append("x-b3-spanid", valueCount: 16) { value in
                unsafe Hexadecimal.write(context.spanID.rawValue, to: value.baseAddress!)
            }
        }
        switch state {
        case .debug:
            // Debug implies the decision to keep, which is not sent beside it.
            unsafe headers.append("x-b3-flags", valueCount: 1) { unsafe $0[0] = 0x31 }
        case .accept, .deny:
            unsafe headers.append("x-b3-sampled", valueCount: 1) { unsafe $0[0] = state!.rawValue }
        case nil:
            break
        }
    }

    /// Whether a context without ids says what is to be done with the trace that begins here. One of two
    /// ids alone is no context and no decision.
    private static func isDecision(_ context: SpanContext) -> Bool {
        !context.traceID.isValid && !context.spanID.isValid
            && !context.flags.isDisjoint(with: [.sampled, .denied])
    }

    // MARK: Extraction

    /// The context in the headers, marked remote: that of `b3` where it is well-formed, else that of
    /// `X-B3-…`. Of lines with the same name the first counts. Nil when there is neither; without ids when
    /// there is a decision only.
    public static func extract(from headers: HeaderBuffer) -> SpanContext? {
        var single: SpanContext?
        var hasSingle = false
        var several = Several()
        unsafe headers.forEachLine { name, value in
            if name.count == 2 {
                guard !hasSingle, unsafe HeaderName.isSame(name, "b3") else { return }
                hasSingle = true
                single = unsafe parse(HeaderValue.trimmed(value))
            } else if name.count >= 10, unsafe name[1] == UInt8(ascii: "-") {
                unsafe several.take(name, HeaderValue.trimmed(value))
            }
        }
        return single ?? several.context
    }

    /// Reads `{ids}`, `{ids}-{state}`, `{ids}-{state}-{parent}`, `{ids}-{parent}` or `{state}`, where ids are
    /// `{16 or 32 digits}-{16 digits}`.
    static func parse(_ value: UnsafeRawBufferPointer) -> SpanContext? {
        if value.count == 1 {
            return unsafe SamplingState(rawValue: value[0]).map { decision($0) }
        }
        guard value.count >= 16 + 1 + 16 else { return nil }
        let dash = UInt8(ascii: "-")
        let traceCount = unsafe value[16] == dash ? 16 : 32
        let idsCount = traceCount + 1 + 16
        guard value.count >= idsCount, unsafe value[traceCount] == dash,
            let trace = unsafe traceID(UnsafeRawBufferPointer(rebasing: value[..<traceCount])),
            let span = unsafe LowerHexadecimal.number(value, from: traceCount + 1)
        else { return nil }
        var state: SamplingState?
        var rest = unsafe UnsafeRawBufferPointer(rebasing: value[idsCount...])
        if rest.count == 2 || rest.count == 2 + 17 {
            guard unsafe rest[0] == dash, let read = unsafe SamplingState(rawValue: rest[1])
            else { return nil }
            state = read
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[2...])
        }
        // The parent's id is of no use here, but says whether the line is whole.
        if unsafe !rest.isEmpty {
            guard rest.count == 17, unsafe rest[0] == dash,
                let parent = unsafe LowerHexadecimal.number(rest, from: 1), parent != 0
            else { return nil }
        }
        return context(trace, span, state)
    }

    /// 16 or 32 lower-case digits; nil for anything else.
    private static func traceID(_ value: UnsafeRawBufferPointer) -> TraceID? {
        switch value.count {
        case 16:
            return unsafe LowerHexadecimal.number(value, from: 0).map { TraceID(high: 0, low: $0) }
        case 32:
            guard let high = unsafe LowerHexadecimal.number(value, from: 0),
                let low = unsafe LowerHexadecimal.number(value, from: 16)
            else { return nil }
            return TraceID(high: high, low: low)
        default:
            return nil
        }
    }

    private static func context(
        _ trace: TraceID, _ span: UInt64, _ state: SamplingState?
    ) -> SpanContext? {
        let context = SpanContext(
            traceID: trace, spanID: SpanID(rawValue: span), flags: state?.flags ?? .deferred,
            isRemote: true)
        return context.isValid ? context : nil
    }

    /// A context without ids.
    private static func decision(_ state: SamplingState) -> SpanContext {
        var context = SpanContext.invalid
        context.flags = state == .deny ? .denied : state.flags
        context.isRemote = true
        return context
    }

    /// The lines `X-B3-…`, as they come by.
    private struct Several {
        private var traceID: TraceID??
        private var spanID: UInt64??
        private var sampled: SamplingState??
        private var isDebug: Bool?

        mutating func take(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
            if unsafe traceID == nil && HeaderName.isSame(name, "x-b3-traceid") {
                traceID = .some(unsafe B3Propagator.traceID(value))
            } else if unsafe spanID == nil && HeaderName.isSame(name, "x-b3-spanid") {
                spanID = .some(
                    unsafe value.count == 16 ? LowerHexadecimal.number(value, from: 0) : nil)
            } else if unsafe sampled == nil && HeaderName.isSame(name, "x-b3-sampled") {
                sampled = .some(unsafe SamplingState(sampled: value))
            } else if unsafe isDebug == nil && HeaderName.isSame(name, "x-b3-flags") {
                // Any other value is no bit set that means something, and is ignored.
                unsafe isDebug = value.count == 1 && value[0] == UInt8(ascii: "1")
            }
        }

        /// Nil when a line is malformed, or one of two ids is missing.
        var context: SpanContext? {
            // Outer nil: no such line. Inner nil: malformed.
            if case .some(.none) = sampled { return nil }
            let state = isDebug == true ? .debug : sampled ?? nil
            switch (traceID, spanID) {
            case (.some(.some(let trace)), .some(.some(let span))):
                return B3Propagator.context(trace, span, state)
            case (.none, .none):
                return state.map { B3Propagator.decision($0) }
            default:
                return nil
            }
        }
    }

    /// What B3 says about sampling; nothing is to defer.
    private enum SamplingState: UInt8 {
        case deny = 0x30
        case accept = 0x31
        case debug = 0x64

        /// What a context says; nil where nobody has decided.
        init?(_ context: SpanContext) {
            if context.flags.contains(.debug) {
                self = .debug
            } else if context.isSampled {
                self = .accept
            } else if context.flags.contains(.deferred) {
                return nil
            } else {
                self = .deny
            }
        }

        /// `X-B3-Sampled`: `0` or `1`, and the words that tracers wrote before there was a specification.
        init?(sampled value: UnsafeRawBufferPointer) {
            switch value.count {
            case 1 where unsafe value[0] == 0x30: self = .deny
            case 1 where unsafe value[0] == 0x31: self = .accept
            case 4 where unsafe HeaderName.isSame(value, "true"): self = .accept
            case 5 where unsafe HeaderName.isSame(value, "false"): self = .deny
            default: return nil
            }
        }

        var flags: TraceFlags {
            switch self {
            case .deny: []
            case .accept: .sampled
            case .debug: [.sampled, .debug]
            }
        }
    }
}
