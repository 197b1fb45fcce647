import Yams

/// What goes wrong in a scenario on purpose: services that fail for a while, and instrumentation
/// that is broken. Value types; any thread.

/// Something that happens to services for a while.
public struct IncidentDeclaration: Sendable {
    /// An operation as it is while the incident lasts.
    public struct Patch: Sendable {
        /// Indices into the scenario's services and the service's operations.
        public var service: Int
        public var operation: Int
        /// Whole: what the patch does not name is as outside the incident. A call keeps the
        /// position of its `to`, by which its circuit breaker is told from others.
        public var declaration: OperationDeclaration
    }

    public var name: String
    /// From the start of the traffic, ns.
    public var atNs: Double
    public var forNs: Double
    /// One an operation at most.
    public var patches: [Patch]
    /// Indices of the services that are gone: calls to them fail at once, without a span of theirs.
    public var downServices: [Int]
    public var position: SourcePosition

    /// The first moment after it, ns.
    public var endNs: Double { atNs + forNs }
}

/// Broken instrumentation: which share of spans, traces or calls it meets.
public struct PathologyDeclaration: Hashable, Sendable {
    /// Share of spans whose end is called `lateDelay` after it should have been.
    public var lateRate: Double = 0
    /// ns
    public var lateDelay: Distribution = .constant(0)
    /// Share of traces whose root is never recorded, and only its context goes on.
    public var missingRoot: Double = 0
    /// Share of spans below a root whose parent is a span that nobody has.
    public var orphan: Double = 0
    /// Share of spans that are sent twice.
    public var duplicate: Double = 0
    /// Share of calls and messages between services whose headers are lost on the way.
    public var brokenPropagation: Double = 0
    /// Share of spans that nobody ends.
    public var neverEnded: Double = 0
    /// Share of traces that get `oversizeSpans` more spans below their root.
    public var oversizeRate: Double = 0
    public var oversizeSpans = 0
    public var position = SourcePosition(line: 1, column: 1)

    /// Whether anything is broken at all.
    public var isOff: Bool {
        [
            lateRate, missingRoot, orphan, duplicate, brokenPropagation, neverEnded, oversizeRate,
        ].allSatisfy { $0 == 0 }
    }
}

extension ScenarioReader {
    func pathology(_ node: Node) -> PathologyDeclaration {
        var pathology = PathologyDeclaration()
        guard let fields = fields(of: node, .pathology) else { return pathology }
        pathology.position = fields.position
        if let node = fields["late"], let late = self.fields(of: node, .late) {
            pathology.lateRate = late.probability("rate") ?? 0
            pathology.lateDelay =
                late["delay"].flatMap { distribution($0, .duration) } ?? .constant(0)
        }
        pathology.missingRoot = fields.probability("missing_root") ?? 0
        pathology.orphan = fields.probability("orphan") ?? 0
        pathology.duplicate = fields.probability("duplicate") ?? 0
        pathology.brokenPropagation = fields.probability("broken_propagation") ?? 0
        pathology.neverEnded = fields.probability("never_ended") ?? 0
        if let node = fields["oversize"], let oversize = self.fields(of: node, .oversize) {
            pathology.oversizeRate = oversize.probability("rate") ?? 0
            pathology.oversizeSpans = oversize.integer("spans") ?? 0
            if pathology.oversizeSpans > ScenarioChecks.spansPerTraceMax,
                let node = oversize["spans"]
            {
                report(
                    .tooLarge, at: node.position,
                    "at most \(ScenarioChecks.spansPerTraceMax) spans more, found "
                        + "\(pathology.oversizeSpans)")
            }
        }
        return pathology
    }
}
