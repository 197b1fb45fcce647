// Faults as text, for the command line and for scenarios: `status=503,count=3,retry-after=1`.

/// Why a fault's text was refused.
public struct SinkFaultSyntaxError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, where, and what is allowed there.
    public let description: String
}

extension SinkFaultSchedule {
    /// Reads rules separated by `;`, each as ``SinkFaultRule/init(parsing:)`` reads it.
    public init(parsing text: String) throws(SinkFaultSyntaxError) {
        var rules: [SinkFaultRule] = []
        for part in try FaultText.split(text, at: ";") where !part.allSatisfy({ $0 == " " }) {
            rules.append(try SinkFaultRule(parsing: part))
        }
        self.init(rules)
    }
}

extension SinkFaultRule {
    /// Reads one rule: words separated by commas, the first one names the fault.
    ///
    /// | text | fault |
    /// |---|---|
    /// | `status=503` | answers 503; with `retry-after=2`, `retry-after=date+5s` (an HTTP date so far from now), `retry-after="any text"`, twice for two headers; `location=URL` |
    /// | `partial=5` | partial success, five rejected; with `message=text` |
    /// | `reset=before`, `reset=body`, `reset=after` | TCP reset before, in the middle of, after the body |
    /// | `hang`, `hang=reading` | never answers; stops reading |
    /// | `latency=200ms` | answers so late |
    /// | `latency=1ms:5ms:80ms` | as late as a draw: quantiles at equal steps, here p0, p50 and p100 |
    /// | `trickle=1s` | a byte of the answer each second |
    /// | `down=500ms` | resets all connections and closes the port for so long |
    /// | `stop=2s` | stops the process (SIGSTOP) for so long |
    /// | `tls=expired`, `tls=wrong-host`, `tls=self-signed`, `tls=1.0`, `tls=plain` | resets all connections; those that come after meet that handshake |
    /// | `reply=html`, `reply=truncated`, `reply=flood`, `reply=bomb` (with `bytes=64MiB`), `reply=headers` (with `lines=100000`) | a 200 that is not one |
    ///
    /// Any of them may have `after=N` (spare the first N requests), `every=N` (one in N),
    /// `count=N` (strike N times), `at=1m` (spare all until so long after the first request), `for=10s` (strike
    /// so long from the first time).
    /// Quotes keep commas and semicolons in a value. Durations need a unit: us, ms, s, m.
    public init(parsing text: String) throws(SinkFaultSyntaxError) {
        var words: [FaultText.Word] = []
        for part in try FaultText.split(text, at: ",") {
            words.append(try FaultText.Word(part))
        }
        guard let kind = words.first, !kind.key.isEmpty else {
            throw SinkFaultSyntaxError(
                description: "empty fault: begin with one of \(FaultText.kinds)")
        }
        var options = FaultText.Options(words.dropFirst(), of: text)
        let fault = try SinkFault(kind: kind, options: &options)
        let after = try options.takeCount("after") ?? 0
        let every = try options.takeCount("every") ?? 1
        let count = try options.takeCount("count")
        let duration = try options.takeDuration("for")
        let start = try options.takeDuration("at")
        try options.finish()
        if start != nil, case .tls = fault {
            throw SinkFaultSyntaxError(
                description: "at does not belong to tls in \"\(text)\": write after=N")
        }
        guard every >= 1 else {
            throw SinkFaultSyntaxError(description: "every=0 in \"\(text)\": must be at least 1")
        }
        self.init(
            fault, after: after, every: every, count: count, durationNanoseconds: duration,
            startNanoseconds: start)
    }
}

extension SinkFault {
    fileprivate init(
        kind: FaultText.Word, options: inout FaultText.Options
    ) throws(SinkFaultSyntaxError) {
        switch kind.key {
        case "status":
            self = .status(try Self.status(kind, &options))
        case "partial":
            self = .partialSuccess(
                rejected: try kind.count(), message: try options.take("message") ?? "")
        case "reset":
            self = .reset(try kind.choice(ResetPoint.self, default: nil))
        case "hang":
            self = .hang(try kind.choice(HangPoint.self, default: .answer))
        case "latency":
            self = try Self.latency(kind)
        case "trickle":
            self = .trickle(intervalNanoseconds: try kind.duration())
        case "down":
            self = .down(nanoseconds: try kind.duration())
        case "stop":
            self = .stop(nanoseconds: try kind.duration())
        case "tls":
            self = .tls(try kind.choice(TLSFault.self, default: nil))
        case "reply":
            self = .reply(try Self.reply(kind, &options))
        default:
            throw SinkFaultSyntaxError(
                description: "unknown fault \"\(kind.key)\": use one of \(FaultText.kinds)")
        }
    }

    private static func status(
        _ kind: FaultText.Word, _ options: inout FaultText.Options
    ) throws(SinkFaultSyntaxError) -> StatusFault {
        let code = try kind.count()
        guard (200...599).contains(code) else {
            throw SinkFaultSyntaxError(description: "status=\(code): must be 200 to 599")
        }
        var status = StatusFault(code: code, location: try options.take("location"))
        for value in options.takeAll("retry-after") {
            status.retryAfter.append(try RetryAfter(parsing: value))
        }
        return status
    }

    private static func latency(
        _ kind: FaultText.Word
    ) throws(SinkFaultSyntaxError) -> SinkFault {
        guard let value = kind.value, value.contains(":") else {
            return .latency(nanoseconds: try kind.duration())
        }
        var quantiles: [Int64] = []
        for part in value.split(separator: ":", omittingEmptySubsequences: false) {
            let next = try FaultText.duration(String(part), of: "latency=\(value)")
            guard next >= quantiles.last ?? 0 else {
                throw SinkFaultSyntaxError(
                    description: "latency=\(value): quantiles must not descend")
            }
            quantiles.append(next)
        }
        return .latencies(quantilesNanoseconds: quantiles)
    }

    private static func reply(
        _ kind: FaultText.Word, _ options: inout FaultText.Options
    ) throws(SinkFaultSyntaxError) -> ReplyFault {
        switch kind.value {
        case "html": return .html
        case "truncated": return .truncated
        case "flood": return .flood(bytes: try options.takeBytes("bytes") ?? 64 << 20)
        case "bomb": return .bomb(bytes: try options.takeBytes("bytes") ?? 200 << 20)
        case "headers": return .headers(count: try options.takeCount("lines") ?? 100_000)
        default:
            throw SinkFaultSyntaxError(
                description:
                    "reply=\(kind.value ?? ""): use html, truncated, flood, bomb or headers")
        }
    }
}

extension SinkFault.RetryAfter {
    fileprivate init(parsing value: FaultText.Word) throws(SinkFaultSyntaxError) {
        let text = value.value ?? ""
        guard !value.isQuoted, text.hasPrefix("date+") || text.hasPrefix("date-") else {
            // A header value must not end the line it stands in.
            guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw SinkFaultSyntaxError(description: "retry-after has a control character")
            }
            self = .text(text)
            return
        }
        let duration = try FaultText.duration(String(text.dropFirst(5)), of: "retry-after=\(text)")
        let seconds = Int(duration / 1_000_000_000)
        self = .dateFromNow(seconds: text.hasPrefix("date+") ? seconds : -seconds)
    }
}
