/// Resolves what goes wrong on purpose: incidents into stretches of time, and broken instrumentation.
extension ScenarioCompiler {
    mutating func compilePathology() {
        let declared = scenario.pathology
        guard !declared.isOff else { return }
        pathology.isOn = true
        pathology.lateRate = declared.lateRate
        pathology.lateDelay = sampler(declared.lateDelay)
        pathology.missingRoot = declared.missingRoot
        pathology.orphan = declared.orphan
        pathology.duplicate = declared.duplicate
        pathology.brokenPropagation = declared.brokenPropagation
        pathology.neverEnded = declared.neverEnded
        guard declared.oversizeRate > 0, declared.oversizeSpans > 0 else { return }
        pathology.oversizeRate = declared.oversizeRate
        var filler = OperationDeclaration.standard
        filler.name = "oversize"
        filler.ownWork = .constant(1_000)
        for traffic in scenario.traffic {
            let service = places[traffic.root.text]?.service ?? 0
            var step = CompiledStep(action: .call)
            step.target = operations.count
            step.isLocal = true
            step.sampler = sampler(.constant(0))
            step.repeats = sampler(.constant(Double(declared.oversizeSpans)))
            step.mostRepeats = Double(declared.oversizeSpans)
            operations.append(compile(filler, of: scenario.services[service], service))
            pathology.oversizeSteps.append(steps.count)
            steps.append(step)
        }
    }

    /// What operations are between the beginnings and ends of incidents.
    mutating func compileStretches() {
        let usual = operations.indices.map { Int32($0) }
        let patched = scenario.incidents.map { incident in
            var changes: [(number: Int, compiled: Int)] = []
            for patch in incident.patches {
                let service = scenario.services[patch.service]
                let name = "\(service.name)/\(service.operations[patch.operation].name)"
                guard let place = places[name] else { continue }
                operations.append(compile(patch.declaration, of: service, patch.service))
                changes.append((place.index, operations.count - 1))
            }
            for index in incident.downServices {
                for operation in scenario.services[index].operations {
                    guard let place = places["\(scenario.services[index].name)/\(operation.name)"]
                    else { continue }
                    var gone = operations[place.index]
                    gone.isDown = true
                    operations.append(gone)
                    changes.append((place.index, operations.count - 1))
                }
            }
            return changes
        }
        let times = Set(scenario.incidents.flatMap { [UInt64($0.atNs), UInt64($0.endNs)] } + [0])
        for timeNs in times.sorted() {
            var stretch = CompiledStretch(startNs: timeNs, operations: usual)
            for (incident, changes) in zip(scenario.incidents, patched)
            where UInt64(incident.atNs) <= timeNs && timeNs < UInt64(incident.endNs) {
                for change in changes {
                    stretch.operations[change.number] = Int32(change.compiled)
                }
            }
            stretches.append(stretch)
        }
    }
}
