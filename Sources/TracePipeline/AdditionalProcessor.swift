// Processors beside the first: each sees every span, and has its own queue, thread and exporter.

/// A further way that ended spans go, beside ``TracingConfiguration/processor``.
public enum AdditionalProcessor: Sendable {
    /// In batches, from a thread of its own.
    case batch(BatchSettings, ExporterChoice)
    /// Each span alone; `end` waits until it is settled.
    case simple(ExporterChoice)

    public func validate() throws(ConfigurationError) {
        switch self {
        case .batch(let settings, let exporter):
            try settings.validate()
            try exporter.validate()
        case .simple(let exporter):
            try exporter.validate()
        }
    }
}
