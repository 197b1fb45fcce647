/// Something that is right in a scenario file and yet worth knowing.
public struct ScenarioNote: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var position: SourcePosition
    public var message: String

    /// `file:line:column: note: message`, as compilers and editors know it.
    public var description: String { "\(file):\(position): note: \(message)" }
}

extension Scenario {
    /// What `run` leaves out of what the file says, in file order.
    public var notes: [ScenarioNote] {
        var notes: [(SourcePosition, String)] = []
        if let variant = variants.first {
            notes.append(
                (
                    variant.position,
                    "a run takes `pipeline` as it is, or one of the \(variants.count) variants with --variant; "
                        + "`compare` takes them all"
                ))
        }
        for budget in budgets {
            guard case .regress = budget.bound else { continue }
            notes.append((budget.position, "a run judges `max` and `min`; `regress` takes a gate"))
            break
        }
        if pathology.neverEnded > 0, clock == .simulated {
            notes.append(
                (
                    pathology.position,
                    "spans that are never ended stay live: simulated ones have no age that a sweeper goes by"
                ))
        }
        return notes.sorted { $0.0 < $1.0 }.map {
            ScenarioNote(file: file, position: $0.0, message: $0.1)
        }
    }
}
