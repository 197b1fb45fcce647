/// What a scenario may say but a run does not do: refused where it would falsify the run, said in a
/// note where the run is what it would be without. One thread.
extension ScenarioChecks {
    /// Parsed, and not simulated.
    func checkSupport() {
        for incident in scenario.incidents { refuse("`incidents`", incident.position) }
        if !scenario.pathology.isOff { refuse("`pathology`", scenario.pathology.position) }
        for service in scenario.services {
            if service.clockSkew != .constant(0) { refuse("`clock_skew`", service.position) }
            for operation in service.operations {
                for link in operation.links { refuse("`links`", link.position) }
                for attribute in operation.events.flatMap(\.attributes) {
                    if case .literal = attribute.generator.source { continue }
                    refuse("a generator in the attributes of an event", attribute.position)
                }
                checkSupport(operation.script)
            }
        }
        for traffic in scenario.traffic {
            if traffic.model == .closed { refuse("`model: closed`", traffic.position) }
            if traffic.overload == .queue { refuse("`overload: queue`", traffic.position) }
        }
    }

    private func checkSupport(_ steps: [StepDeclaration]) {
        for step in steps {
            switch step.action {
            case .publish(let publish) where publish.batch != 1:
                refuse("`batch` above 1", publish.to.position)
            case .parallel(let steps, _): checkSupport(steps)
            case .choose(let choices): for choice in choices { checkSupport(choice.script) }
            default: break
            }
        }
    }

    private func refuse(_ what: String, _ position: SourcePosition) {
        reader.report(
            .notSupported, at: position, "\(what) is not supported in this version; remove it")
    }
}

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
        if let tail = pipeline.tail {
            notes.append((tail.position, "`tail` is checked; no run has a tail stage yet"))
        }
        return notes.sorted { $0.0 < $1.0 }.map {
            ScenarioNote(file: file, position: $0.0, message: $0.1)
        }
    }
}
