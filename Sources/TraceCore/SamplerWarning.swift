// What a sampler wants its user to know. This module has no logger: who makes a provider takes its warnings.

/// Something about a sampler that may lose traces. Given once for each provider, to whom it was made with.
public enum SamplerWarning: Sendable, Hashable, CustomStringConvertible {
    /// A ratio sampler decided below a remote parent whatever that parent decided. Traces may come out
    /// with holes: the parent may be of an SDK that computes its ratio in another way, or keep another
    /// share. Source: OpenTelemetry specification, "TraceIdRatioBased", compatibility warning.
    case ratioBelowRemoteParent

    public var description: String {
        switch self {
        case .ratioBelowRemoteParent:
            "a traceidratio sampler decides below remote parents whatever they decided, so traces may "
                + "have holes: write parentbased_traceidratio to follow the parent, or probability if "
                + "every service samples consistently"
        }
    }
}
