import TraceCore

extension Scenario {
    /// The scenario with every default filled in, one line a value, without file name, positions and
    /// header values: equal for files that mean the same, whatever their comments and order of keys.
    /// What a result's digest of its scenario is made from.
    public var canonicalText: String {
        var lines: [String] = []
        Self.append(self, path: "", to: &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    private static let leftOut: Set<String> = ["file", "position"]

    private static func append(_ value: Any, path: String, to lines: inout [String]) {
        let mirror = Mirror(reflecting: value)
        if let header = value as? PipelineDeclaration.Header {
            // What a header says may be a secret.
            lines.append("\(path).name: \(header.name)")
            return
        }
        if let sampler = value as? Sampler {
            // Equal samplers have equal descriptions, however they were written.
            lines.append("\(path): \(sampler)")
            return
        }
        switch mirror.displayStyle {
        case .optional:
            guard let wrapped = mirror.children.first else {
                lines.append("\(path): none")
                return
            }
            append(wrapped.value, path: path, to: &lines)
        case .struct, .class, .tuple, .collection, .enum:
            guard !mirror.children.isEmpty else {
                lines.append("\(path): \(value)")
                return
            }
            for (index, child) in mirror.children.enumerated() {
                let label = child.label ?? String(index)
                if leftOut.contains(label) { continue }
                append(child.value, path: path.isEmpty ? label : "\(path).\(label)", to: &lines)
            }
        default:
            lines.append("\(path): \(value)")
        }
    }
}
