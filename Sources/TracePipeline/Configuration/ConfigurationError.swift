// What can be wrong with a pipeline's configuration, found before anything starts.

import TraceCore

/// A configuration that cannot be used; the message says what is wrong and what to write.
public enum ConfigurationError: Error, Equatable, Sendable {
    /// `endpoint` has no scheme, or one that is not http or https. Shown without user-info.
    case invalidEndpoint(String, reason: String)
    case invalidHeader(name: String, reason: String)
    /// A TLS file that cannot be read.
    case unreadableFile(path: String, option: String)
    case invalidSetting(name: String, reason: String)
    /// The core could not be made from the recorder's options.
    case recorder(RecorderError)
    /// libcurl refused an option or gave no handle: not enough memory, or a build without it.
    case transport(String)
}

extension ConfigurationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidEndpoint(let endpoint, let reason):
            "OTLP endpoint \"\(endpoint)\" cannot be used: \(reason)"
        case .invalidHeader(let name, let reason):
            "OTLP header \"\(name)\" cannot be used: \(reason)"
        case .unreadableFile(let path, let option):
            "\(option): the file \(path) cannot be read; give the path of a readable PEM file"
        case .invalidSetting(let name, let reason):
            "\(name) cannot be used: \(reason)"
        case .recorder(let error):
            error.description
        case .transport(let reason):
            "the HTTP transport could not be set up: \(reason)"
        }
    }
}
