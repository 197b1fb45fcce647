// What the sink can be told to do wrong. One case a kind of misbehaviour; where in the life of a
// request each one strikes is in SinkRequestHandler+Faults.swift.

/// A misbehaviour of the sink towards one request to `/v1/traces`.
public enum SinkFault: Sendable, Equatable {
    /// Reads the request and answers another status. Below 300 the spans count as received, else
    /// they do not.
    case status(StatusFault)
    /// Answers 200 with a partial success. The spans count as received; the first delivery's
    /// rejected ones are counted in `SinkLedger.spansRejected`.
    case partialSuccess(rejected: Int, message: String)
    /// Breaks the connection with a TCP reset.
    case reset(ResetPoint)
    /// Never answers; the connection stays open until the client closes it.
    case hang(HangPoint)
    /// Reads the request, counts its spans, and answers this many nanoseconds late.
    case latency(nanoseconds: Int64)
    /// As late as a draw: the quantiles at equal steps from the least value to the greatest, two at
    /// least, linear in between.
    case latencies(quantilesNanoseconds: [Int64])
    /// Counts the spans and sends the answer byte by byte, one each so many nanoseconds.
    case trickle(intervalNanoseconds: Int64)
    /// Counts the spans and answers 200 with something no exporter should swallow.
    case reply(ReplyFault)
    /// Resets every connection and closes the port for so long, as a receiver that is started anew
    /// would. Its books stay. Nothing of the struck request counts as received.
    case down(nanoseconds: Int64)
    /// Stops the whole process for so long (SIGSTOP): the kernel still takes connections and bytes.
    /// Then the request goes on as if nothing had been.
    case stop(nanoseconds: Int64)

    /// Resets every connection and meets those that come after with a handshake that no exporter
    /// should put up with. Only a sink with TLS can. What it strikes are connections, not requests:
    /// nothing of the request with which it begins counts as received.
    case tls(TLSFault)

    /// What is wrong with a handshake.
    public enum TLSFault: String, Sendable, CaseIterable {
        /// A certificate of the right authority for the right host that has expired.
        case expired
        /// A good one for another host.
        case wrongHost = "wrong-host"
        /// One that nobody vouches for.
        case selfSigned = "self-signed"
        /// The good one, and no version of TLS but 1.0.
        case old = "1.0"
        /// No TLS at all: plain HTTP.
        case plain
    }

    /// An answer of the caller's choice.
    public struct StatusFault: Sendable, Equatable {
        /// The status code, 200…599.
        public var code: Int
        /// A `Retry-After` header for each, in order.
        public var retryAfter: [RetryAfter]
        /// The `Location` header, for redirects.
        public var location: String?

        /// An answer with this status.
        public init(code: Int, retryAfter: [RetryAfter] = [], location: String? = nil) {
            self.code = code
            self.retryAfter = retryAfter
            self.location = location
        }
    }

    /// The value of a `Retry-After` header.
    public enum RetryAfter: Sendable, Equatable {
        /// As it stands, sensible or not.
        case text(String)
        /// The HTTP date this many seconds from the moment of the answer; negative for the past.
        case dateFromNow(seconds: Int)
    }

    /// When a connection is reset.
    public enum ResetPoint: String, Sendable, CaseIterable {
        /// As soon as the head of the request is read. Nothing counts as received.
        case before
        /// When some of the body is read, before its end. Nothing counts as received.
        case body
        /// When all of it is read. The spans count as received, though nobody is told.
        case after
    }

    /// From where on the sink is silent.
    public enum HangPoint: String, Sendable, CaseIterable {
        /// Reads the body, counts its spans, and does not answer.
        case answer
        /// Stops reading after the head: the client's sending stalls. Nothing counts as received.
        case reading
    }

    /// A 200 that is not what it should be.
    public enum ReplyFault: Sendable, Equatable {
        /// A page of HTML, as a captive portal would send.
        case html
        /// A response message cut off in the middle.
        case truncated
        /// So many bytes in chunks, of which the message is one long unknown field.
        case flood(bytes: Int)
        /// A gzip body that inflates to so many bytes.
        case bomb(bytes: Int)
        /// So many header lines.
        case headers(count: Int)
    }
}

extension SinkFault {
    /// What it does to handshakes, which only a sink with TLS has; nil when it is about something else.
    var handshake: TLSFault? {
        if case .tls(let fault) = self { fault } else { nil }
    }
}

/// A fault and the requests it strikes, counted from 0 in order of arrival.
public struct SinkFaultRule: Sendable, Equatable {
    /// What happens.
    public var fault: SinkFault
    /// Requests let through before the first one it strikes.
    public var after: Int
    /// One request in this many is struck, beginning with the first after `after`.
    public var every: Int
    /// Requests it strikes in all; nil for no limit.
    public var count: Int?
    /// How long it strikes from the first time on, in nanoseconds; nil for no limit.
    public var durationNanoseconds: Int64?
    /// Requests are let through until so long after the first of all, in nanoseconds; nil for none.
    public var startNanoseconds: Int64?

    /// A rule; by default every request is struck.
    public init(
        _ fault: SinkFault, after: Int = 0, every: Int = 1, count: Int? = nil,
        durationNanoseconds: Int64? = nil, startNanoseconds: Int64? = nil
    ) {
        precondition(after >= 0 && every >= 1, "after must be at least 0 and every at least 1")
        self.fault = fault
        self.after = after
        self.every = every
        self.count = count
        self.durationNanoseconds = durationNanoseconds
        self.startNanoseconds = startNanoseconds
    }
}

/// The rules a sink follows. For each request the first rule that applies decides; the others do
/// not see the request as struck.
public struct SinkFaultSchedule: Sendable, Equatable {
    /// The rules, in order of precedence.
    public let rules: [SinkFaultRule]
    private var progress: [Progress]
    private var requests = 0
    /// When the first request came; kept where a rule goes by it.
    private var firstRequestNs: UInt64?
    /// Whether the rule that struck last stops striking some day: what never does is how the sink is,
    /// not something that passes.
    private(set) var lastStrikePasses = false

    private struct Progress: Sendable, Equatable {
        var struck = 0
        var firstStrikeNs: UInt64?
        /// Connections since a rule about them began; nil before.
        var connections: Int?
    }

    /// A schedule of these rules; none by default.
    public init(_ rules: [SinkFaultRule] = []) {
        self.rules = rules
        progress = Array(repeating: Progress(), count: rules.count)
    }

    /// Takes the next request in order of arrival and says which fault strikes it, if any.
    /// - Parameter nowNs: a monotonic clock, in nanoseconds.
    mutating func next(nowNs: @autoclosure () -> UInt64) -> SinkFault? {
        let request = requests
        requests += 1
        if firstRequestNs == nil, rules.contains(where: { $0.startNanoseconds != nil }) {
            firstRequestNs = nowNs()
        }
        for (index, rule) in rules.enumerated() {
            if case .tls = rule.fault {
                guard begins(index, at: request, nowNs: nowNs()) else { continue }
                return rule.fault
            }
            guard request >= rule.after, (request - rule.after) % rule.every == 0 else { continue }
            if let count = rule.count, progress[index].struck >= count { continue }
            if let start = rule.startNanoseconds, let first = firstRequestNs,
                nowNs() &- first < UInt64(clamping: start)
            {
                continue
            }
            if let duration = rule.durationNanoseconds {
                let now = nowNs()
                let first = progress[index].firstStrikeNs ?? now
                if now &- first >= UInt64(clamping: duration) { continue }
                progress[index].firstStrikeNs = first
            }
            progress[index].struck += 1
            lastStrikePasses = rule.count != nil || rule.durationNanoseconds != nil
            return rule.fault
        }
        return nil
    }

    /// Whether a rule about handshakes begins with this request: the connections that are open were
    /// made before it. Every one after that is met by ``nextHandshake(nowNs:)``.
    private mutating func begins(_ index: Int, at request: Int, nowNs: UInt64) -> Bool {
        let rule = rules[index]
        guard progress[index].connections == nil, request >= rule.after, rule.count != 0 else {
            return false
        }
        progress[index].connections = 0
        progress[index].firstStrikeNs = nowNs
        lastStrikePasses = rule.count != nil || rule.durationNanoseconds != nil
        return true
    }

    /// Takes the next connection and says what is wrong with its handshake, if anything.
    /// - Parameter nowNs: a monotonic clock, in nanoseconds.
    mutating func nextHandshake(nowNs: UInt64) -> SinkFault.TLSFault? {
        for (index, rule) in rules.enumerated() {
            guard case .tls(let fault) = rule.fault else { continue }
            // One that spares no request begins with the first connection.
            if rule.after == 0 { _ = begins(index, at: 0, nowNs: nowNs) }
            guard let connection = progress[index].connections else { continue }
            progress[index].connections = connection + 1
            guard connection % rule.every == 0 else { continue }
            if let count = rule.count, progress[index].struck >= count { continue }
            if let duration = rule.durationNanoseconds, let first = progress[index].firstStrikeNs,
                nowNs &- first >= UInt64(clamping: duration)
            {
                continue
            }
            progress[index].struck += 1
            lastStrikePasses = rule.count != nil || rule.durationNanoseconds != nil
            return fault
        }
        return nil
    }
}
