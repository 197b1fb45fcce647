// Why there is no recorder.
import CThread

/// Why a recorder could not be made.
public enum RecorderError: Error, Equatable, CustomStringConvertible {
    case tooManyRecorders
    case badOption(name: String, value: Int, least: Int)
    case noEventDescriptor

    public var description: String {
        switch self {
        case .tooManyRecorders:
            "\(TRACEMILL_RECORDERS_MAX) tracing pipelines are in use at once: shut one down first"
        case .badOption(let name, let value, let least):
            "\(name) is \(value): write at least \(least)"
        case .noEventDescriptor:
            "no file descriptor left for the exporter's wake-up: raise the limit (ulimit -n)"
        }
    }
}
