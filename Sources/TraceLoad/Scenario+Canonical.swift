import TraceCore
import TracePipeline

/// A declaration some of whose values may be left out of a file.
private protocol StandardDeclaration {
    /// What it is when nothing is said.
    static var unsaid: Self { get }
}

extension Scenario {
    /// What the scenario says, one line a value, without file name, positions, header values, user-info and
    /// query of the endpoint: equal for files
    /// that mean the same, whatever their comments and order of keys. Values at their defaults are left out,
    /// also where they are written: what a result's digest of its scenario is made from does not change when
    /// files can say more than before.
    public var canonicalText: String { Self.text(canonicalLines.said) }

    /// The values that are at their defaults, in the same form.
    public var defaultsText: String { Self.text(canonicalLines.defaults) }

    private var canonicalLines: CanonicalLines {
        var lines = CanonicalLines()
        lines.split(self, nil, path: "")
        return lines
    }

    private static func text(_ lines: [String]) -> String {
        lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
    }
}

private struct CanonicalLines {
    private(set) var said: [String] = []
    private(set) var defaults: [String] = []

    private static let leftOut: Set<String> = ["file", "position"]

    /// - Parameter standard: what stands there when nothing is said; nil: nothing could.
    mutating func split(_ value: Any, _ standard: Any?, path: String) {
        var lines: [String] = []
        Self.append(value, path: path, to: &lines)
        if let standard {
            var others: [String] = []
            Self.append(standard, path: path, to: &others)
            if lines == others {
                defaults += lines
                return
            }
        } else if Self.isNothing(value) {
            defaults += lines
            return
        }
        guard let children = Self.children(of: value) else {
            said += lines
            return
        }
        var standards: [String: Any] = [:]
        if let owner = standard.flatMap(Self.wrapped) ?? Self.unsaid(value) {
            for child in Mirror(reflecting: owner).children {
                standards[child.label ?? ""] = child.value
            }
        }
        for (label, child) in children {
            split(child, standards[label], path: path.isEmpty ? label : "\(path).\(label)")
        }
    }

    private static func unsaid(_ value: Any) -> Any? {
        guard let value = wrapped(value),
            let declaration = type(of: value) as? any StandardDeclaration.Type
        else { return nil }
        return declaration.unsaid
    }

    /// What an optional has in it; any other value itself.
    private static func wrapped(_ value: Any) -> Any? {
        let mirror = Mirror(reflecting: value)
        return mirror.displayStyle == .optional ? mirror.children.first?.value : value
    }

    private static func isNothing(_ value: Any) -> Bool {
        let mirror = Mirror(reflecting: value)
        return (mirror.displayStyle == .optional || mirror.displayStyle == .collection)
            && mirror.children.isEmpty
    }

    /// What a value consists of; nil where it is a line of its own.
    private static func children(of value: Any) -> [(label: String, value: Any)]? {
        if value is PipelineDeclaration.Header || value is Sampler { return nil }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional:
            return mirror.children.first.flatMap { children(of: $0.value) }
        case .struct, .class, .tuple, .collection, .enum:
            guard !mirror.children.isEmpty else { return nil }
            return mirror.children.enumerated().compactMap { index, child in
                let label = child.label ?? String(index)
                return leftOut.contains(label) ? nil : (label, child.value)
            }
        default: return nil
        }
    }

    private static func append(_ value: Any, path: String, to lines: inout [String]) {
        if let children = children(of: value) {
            for (label, child) in children {
                append(child, path: path.isEmpty ? label : "\(path).\(label)", to: &lines)
            }
        } else if let header = value as? PipelineDeclaration.Header {
            // What a header says may be a secret.
            lines.append("\(path).name: \(header.name)")
        } else if Mirror(reflecting: value).displayStyle == .optional {
            let wrapped = Mirror(reflecting: value).children.first?.value
            var text = wrapped.map { "\($0)" } ?? "none"
            // User-info and query may be secrets.
            if let endpoint = wrapped as? String, path.hasSuffix("exporter.endpoint") {
                text = OTLPHTTPSettings(endpoint: endpoint).printableEndpoint
            }
            lines.append("\(path): \(text)")
        } else {
            // Equal samplers have equal descriptions, however they were written.
            lines.append("\(path): \(value)")
        }
    }
}

// MARK: Defaults

private let nowhere = SourcePosition(line: 1, column: 1)
private let nobody = OperationReference(text: "", position: nowhere)

extension ServiceDeclaration: StandardDeclaration {
    fileprivate static var unsaid: ServiceDeclaration {
        ServiceDeclaration(
            name: "", position: nowhere, instances: 1, resource: [], operations: [])
    }
}

extension OperationDeclaration: StandardDeclaration {
    fileprivate static var unsaid: OperationDeclaration {
        .standard
    }
}

extension LinkDeclaration: StandardDeclaration {
    fileprivate static var unsaid: LinkDeclaration {
        LinkDeclaration(to: .previousTrace, position: nowhere)
    }
}

extension ErrorDeclaration: StandardDeclaration {
    fileprivate static var unsaid: ErrorDeclaration { ErrorDeclaration() }
}

extension CallDeclaration: StandardDeclaration {
    fileprivate static var unsaid: CallDeclaration { CallDeclaration(to: nobody) }
}

extension PublishDeclaration: StandardDeclaration {
    fileprivate static var unsaid: PublishDeclaration { PublishDeclaration(to: nobody) }
}

extension TrafficDeclaration: StandardDeclaration {
    fileprivate static var unsaid: TrafficDeclaration {
        TrafficDeclaration(root: nobody, arrival: .poisson, stages: [], position: nowhere)
    }
}

extension PathologyDeclaration: StandardDeclaration {
    fileprivate static var unsaid: PathologyDeclaration { PathologyDeclaration() }
}

extension PipelineDeclaration: StandardDeclaration {
    fileprivate static var unsaid: PipelineDeclaration { PipelineDeclaration() }
}

extension TailDeclaration: StandardDeclaration {
    fileprivate static var unsaid: TailDeclaration { TailDeclaration() }
}

extension SinkDeclaration: StandardDeclaration {
    fileprivate static var unsaid: SinkDeclaration { SinkDeclaration() }
}

extension RunDeclaration: StandardDeclaration {
    fileprivate static var unsaid: RunDeclaration { RunDeclaration() }
}

extension BudgetDeclaration: StandardDeclaration {
    fileprivate static var unsaid: BudgetDeclaration {
        BudgetDeclaration(metric: "", bound: .max(0), position: nowhere)
    }
}
