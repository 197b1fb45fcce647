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
                    "a run takes `pipeline` as it is: the \(variants.count) variants are checked, not run"
                ))
        }
        if let budget = budgets.first {
            notes.append(
                (
                    budget.position,
                    "a run measures and does not judge: the \(budgets.count) budgets are checked, not applied"
                ))
        }
        return notes.sorted { $0.0 < $1.0 }.map {
            ScenarioNote(file: file, position: $0.0, message: $0.1)
        }
    }
}
