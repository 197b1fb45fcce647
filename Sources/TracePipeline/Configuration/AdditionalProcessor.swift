// Processors beside the first: each sees every span.

/// A further way that ended spans go, beside ``TracingConfiguration/processor``.
///
/// Those that export have a queue, a thread and an exporter of their own; one that fails, is slow or is
/// full keeps no span from another.
public enum AdditionalProcessor: Sendable {
    /// In batches, from a thread of its own.
    case batch(BatchSettings, ExporterChoice)
    /// Each span alone; `end` waits until it is settled.
    case simple(ExporterChoice)
    /// One of the user's: sees starts and ends, of spans that are only recorded, too.
    case custom(any SpanProcessor)

    public func validate() throws(ConfigurationError) {
        switch self {
        case .batch(let settings, let exporter):
            try settings.validate()
            try exporter.validate()
        case .simple(let exporter):
            try exporter.validate()
        case .custom: break
        }
    }
}
