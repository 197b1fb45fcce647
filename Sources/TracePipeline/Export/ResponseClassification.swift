// What an attempt's result means for its batch (OTLP specification, "OTLP/HTTP Response" and
// "Failures"). Pure; the exporter thread calls it once for each attempt.

import CCurl

/// What one attempt means.
struct AttemptVerdict: Equatable {
    enum Step: Equatable {
        case settled(BatchOutcome)
        /// Try again after the server's wait, or after the backoff when it named none.
        case retry(retryAfterNs: UInt64?)
    }

    var step: Step
    /// The server may have taken the spans although this attempt did not end in an acknowledgement.
    var indeterminate = false
    /// Something to tell the user: a kind to limit the rate by, and the text.
    var warning: ExportWarning?
}

/// What the exporter warns about; each kind is logged at most once in a while.
enum ExportWarning: Equatable {
    case refused(String)
    case retrying(String)
    case timedOut(String)
    case partialSuccess(rejected: UInt64, message: String)
    case unreadableAnswer(String)

    var kind: Int {
        switch self {
        case .refused: 0
        case .retrying: 1
        case .timedOut: 2
        case .partialSuccess: 3
        case .unreadableAnswer: 4
        }
    }
}

enum ResponseClassification {
    /// - Parameters:
    ///   - body: the response body.
    ///   - encoding: the request's, which an answer has that does not name its own.
    ///   - nowUnixNs: the wall clock, for a Retry-After date.
    static func verdict(
        _ result: AttemptResult, body: [UInt8], encoding: OTLPEncoding, nowUnixNs: UInt64
    ) -> AttemptVerdict {
        if result.responseTooLarge {
            return AttemptVerdict(
                step: .settled(.dropped(.refused)), indeterminate: result.bodyMayHaveArrived,
                warning: .refused("the answer was longer than 4 MiB, or its headers than 256 KiB"))
        }
        if result.code == CURLE_OPERATION_TIMEDOUT {
            return timedOut(result)
        }
        // A status line is an answer, even when the connection broke while its body was read.
        if result.status >= 200 {
            return answered(result, body: body, encoding: encoding, nowUnixNs: nowUnixNs)
        }
        return unanswered(result)
    }

    private static func answered(
        _ result: AttemptResult, body: [UInt8], encoding: OTLPEncoding, nowUnixNs: UInt64
    ) -> AttemptVerdict {
        switch result.status {
        case 200...299:
            return accepted(result, body: body, encoding: encoding)
        case 429, 502, 503, 504:
            // A gateway's 502 or 504 says nothing of what happened behind it.
            let gateway = result.status == 502 || result.status == 504
            return AttemptVerdict(
                step: .retry(
                    retryAfterNs: RetryAfter.longestWaitNs(
                        result.retryAfter, nowUnixNs: nowUnixNs)),
                indeterminate: gateway && result.bodyMayHaveArrived,
                warning: .retrying("the server answered \(result.status)"))
        default:
            let redirect = (300...399).contains(result.status)
            return AttemptVerdict(
                step: .settled(.dropped(.refused)),
                warning: .refused(
                    "the server answered \(result.status)"
                        + (redirect ? "; redirects are not followed, give the final endpoint" : ""))
            )
        }
    }

    /// A 2xx whose body cannot be read (cut short, neither protobuf nor JSON) counts as acknowledged: the server
    /// said that it took the request, and sending it again would only make duplicates.
    private static func accepted(
        _ result: AttemptResult, body: [UInt8], encoding: OTLPEncoding
    ) -> AttemptVerdict {
        // A server should answer in the request's encoding; what it says of itself goes before that.
        let named = OTLPEncoding.allCases.first { $0.contentType == result.contentType }
        let answer: PartialSuccess?
        do {
            switch named ?? encoding {
            case .protobuf: answer = try PartialSuccess.parse(body)
            case .json: answer = try PartialSuccess.parse(json: body)
            }
        } catch {
            return unreadable(result)
        }
        guard result.code == CURLE_OK else { return unreadable(result) }
        guard let partial = answer else { return AttemptVerdict(step: .settled(.acknowledged)) }
        if partial.rejectedSpans > 0 {
            return AttemptVerdict(
                step: .settled(.rejected(spans: partial.rejectedSpans)),
                warning: .partialSuccess(
                    rejected: partial.rejectedSpans, message: partial.errorMessage))
        }
        return AttemptVerdict(
            step: .settled(.acknowledged),
            warning: partial.errorMessage.isEmpty
                ? nil : .partialSuccess(rejected: 0, message: partial.errorMessage))
    }

    private static func unreadable(_ result: AttemptResult) -> AttemptVerdict {
        AttemptVerdict(
            step: .settled(.acknowledged),
            warning: .unreadableAnswer(
                "the server answered \(result.status) with a body that is no OTLP answer"))
    }

    private static func timedOut(_ result: AttemptResult) -> AttemptVerdict {
        if result.requestsBegun == 0 {
            return AttemptVerdict(
                step: .retry(retryAfterNs: nil),
                warning: .retrying("no connection in time: \(result.errorText)"))
        }
        return AttemptVerdict(
            step: .settled(.dropped(.retriesExhausted)), indeterminate: result.bodyMayHaveArrived,
            warning: .timedOut(result.errorText))
    }

    private static func unanswered(_ result: AttemptResult) -> AttemptVerdict {
        switch result.code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
            CURLE_SSL_CONNECT_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR,
            CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return AttemptVerdict(
                step: .retry(retryAfterNs: nil), indeterminate: result.bodyMayHaveArrived,
                warning: .retrying(result.errorText))
        default:
            // A certificate that is not trusted, an answer that is not HTTP, no memory: another try
            // would end the same way.
            return AttemptVerdict(
                step: .settled(.dropped(.refused)), indeterminate: result.bodyMayHaveArrived,
                warning: .refused(result.errorText))
        }
    }
}
