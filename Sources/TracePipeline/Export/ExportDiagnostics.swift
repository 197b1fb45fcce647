// The exporter's warnings, limited in rate and cleared of secrets. Owned by the exporter thread.

import Logging

/// Logs each kind of warning at once the first time, then at most once in `intervalNs` with the
/// number left out in between.
struct ExportDiagnostics {
    private let logger: Logger
    private let endpoint: String
    private let secrets: [String]
    private let intervalNs: UInt64
    private var lastLoggedNs: [Int: UInt64] = [:]
    private var suppressed: [Int: Int] = [:]

    init(
        logger: Logger, endpoint: String, secrets: [String], intervalNs: UInt64 = 30_000_000_000
    ) {
        self.logger = logger
        self.endpoint = endpoint
        self.secrets = secrets
        self.intervalNs = intervalNs
    }

    mutating func warn(_ warning: ExportWarning, nowNs: UInt64) {
        let kind = warning.kind
        if let last = lastLoggedNs[kind], nowNs - last < intervalNs {
            suppressed[kind, default: 0] += 1
            return
        }
        lastLoggedNs[kind] = nowNs
        var metadata: Logger.Metadata = ["endpoint": "\(endpoint)"]
        if let count = suppressed.updateValue(0, forKey: kind), count > 0 {
            metadata["suppressed"] = "\(count)"
        }
        logger.warning("\(text(warning))", metadata: metadata)
    }

    private func text(_ warning: ExportWarning) -> String {
        switch warning {
        case .refused(let reason): "spans dropped, export refused: \(clean(reason))"
        case .retrying(let reason): "export failed, trying again: \(clean(reason))"
        case .timedOut(let reason): "spans dropped, export timed out: \(clean(reason))"
        case .partialSuccess(0, let message): "export accepted with a warning: \(clean(message))"
        case .partialSuccess(let rejected, let message):
            "\(rejected) spans rejected by the server: \(clean(message))"
        case .unreadableAnswer(let reason): clean(reason)
        }
    }

    /// At most 200 characters, control characters replaced, secrets taken out.
    private func clean(_ text: String) -> String {
        var result = text
        for secret in secrets {
            while let range = result.range(of: secret) {
                result.replaceSubrange(range, with: "(hidden)")
            }
        }
        let scalars = result.unicodeScalars.prefix(200).map { scalar -> Unicode.Scalar in
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            return isControl ? "?" : scalar
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
