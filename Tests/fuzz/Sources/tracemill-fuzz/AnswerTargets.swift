// What a receiver answers to an export request.
import CCurl

@testable import TracePipeline

enum AnswerTargets {
    private static let nowUnixNs: UInt64 = 1_700_000_000_000_000_000

    /// A wait is never earlier than any of several lines asks for.
    static let retryAfter: FuzzTarget = { bytes in
        let values = bytes.split(separator: 10, maxSplits: 8).map {
            String(decoding: $0, as: UTF8.self)
        }
        let longest = RetryAfter.longestWaitNs(values, nowUnixNs: nowUnixNs)
        for value in values {
            guard let wait = RetryAfter.waitNs(value, nowUnixNs: nowUnixNs) else { continue }
            demand(longest.map { $0 >= wait } ?? false, "waits less than '\(value)' asks for")
        }
    }

    /// The first bytes choose status and encoding; the rest is the body.
    static let response: FuzzTarget = { bytes in
        guard bytes.count >= 2 else { return }
        let statuses = [200, 202, 204, 301, 400, 401, 404, 413, 429, 500, 502, 503, 504, 599]
        let status = statuses[Int(bytes[0]) % statuses.count]
        let body = Array(bytes.dropFirst(2))
        let result = AttemptResult(
            code: CURLE_OK, status: status, retryAfter: [],
            contentType: ["", "application/json", "application/x-protobuf"][Int(bytes[1]) % 3],
            requestsBegun: 1, bodyMayHaveArrived: true, responseTooLarge: false, errorText: "")
        for encoding in OTLPEncoding.allCases {
            let verdict = ResponseClassification.verdict(
                result, body: body, encoding: encoding, nowUnixNs: nowUnixNs)
            if case .retry = verdict.step {
                demand([429, 502, 503, 504].contains(status), "retries a \(status)")
            }
        }
    }
}
