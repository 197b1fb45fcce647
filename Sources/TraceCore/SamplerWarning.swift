// What a sampler wants its user to know. This module has no logger: whoever has one takes the warnings.

/// Something about a sampler that may lose traces. Each is given once for each provider.
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

    private struct Sink {
        var handler: (@Sendable (SamplerWarning) -> Void)?
        var waiting: [SamplerWarning] = []
    }

    private static let sink = Guarded(Sink())
    private static let waitingMax = 64

    /// Sets who is told, for the whole process; the last one set counts. Warnings that came before the first
    /// handler are given to it at once. A handler runs on the thread that starts the span, seldom.
    public static func setHandler(_ handler: (@Sendable (SamplerWarning) -> Void)?) {
        let waiting = sink.withLock { sink in
            sink.handler = handler
            guard handler != nil else { return [SamplerWarning]() }
            defer { sink.waiting = [] }
            return sink.waiting
        }
        for warning in waiting { handler?(warning) }
    }

    @Sendable static func give(_ warning: SamplerWarning) {
        let handler = sink.withLock { sink in
            if sink.handler == nil, sink.waiting.count < waitingMax { sink.waiting.append(warning) }
            return sink.handler
        }
        handler?(warning)
    }
}
