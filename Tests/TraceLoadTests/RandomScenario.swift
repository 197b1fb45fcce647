@testable import TraceLoad

/// A scenario made by chance, as a value that can be made smaller: services that call each other without
/// circles, and what may go wrong between them. Rendered as a file, so that the reader is tried as well.
struct RandomScenario: Hashable {
    indirect enum Step: Hashable {
        case work(Int)
        case call(Int, retries: Int, repeats: Int, hasTimeout: Bool, hasBreaker: Bool, traces: Bool)
        case publish(Int, isLink: Bool, batch: Int, loss: Int)
        case parallel([Step], limit: Int?)
        case choose([[Step]])
    }

    enum Form: String { case plain = "internal", http, database, messaging }

    struct Operation: Hashable {
        var service: Int
        var form: Form
        var selfUs: Int
        var errorPercent = 0
        var shortCircuits = false
        var hasEvent = false
        var steps: [Step] = []
    }

    var seed: UInt64
    /// An operation calls later ones only. The first is the root.
    var operations: [Operation]
    var networkUs: Int
    var timeoutUs: Int
    var ratePerS: Int
    var pathology = false
    var closedUsers: Int?
    var inFlightMax: Int?

    // MARK: By chance

    init(seed: UInt64) {
        var random = RandomStream(seed: seed, position: 77)
        func below(_ count: Int) -> Int { Int(random.below(UInt64(count))) }
        self.seed = seed
        networkUs = [0, 100, 1000][below(3)]
        timeoutUs = 1 + below(6000)
        ratePerS = [20, 200, 2000][below(3)]
        pathology = below(4) == 0
        closedUsers = below(5) == 0 ? 1 + below(5) : nil
        inFlightMax = below(5) == 0 ? 1 + below(4) : nil
        let count = 1 + below(6)
        operations = (0..<count).map { number in
            let form: Form =
                number == 0
                ? [.plain, .http][below(2)]
                : [.plain, .http, .database, .messaging][below(4)]
            var operation = Operation(
                service: below(3), form: form, selfUs: [0, 50, 3000][below(3)])
            operation.errorPercent = [0, 0, 30, 100][below(4)]
            operation.shortCircuits = below(3) == 0
            operation.hasEvent = below(3) == 0
            return operation
        }
        for number in operations.indices where operations[number].form != .database {
            operations[number].steps = Self.steps(
                below(4), from: number, operations, depth: 0, &random)
        }
    }

    private static func steps(
        _ count: Int, from caller: Int, _ operations: [Operation], depth: Int,
        _ random: inout RandomStream
    ) -> [Step] {
        (0..<count).compactMap { _ in
            func below(_ count: Int) -> Int { Int(random.below(UInt64(count))) }
            let target = caller + 1 + below(max(1, operations.count - caller - 1))
            switch below(depth < 2 ? 8 : 6) {
            case 0: return .work(below(2000))
            case 1...5:
                guard target < operations.count else { return nil }
                if operations[target].form == .messaging {
                    return .publish(
                        target, isLink: below(2) == 0, batch: 1 + below(2) * 2, loss: below(2) * 20)
                }
                return .call(
                    target, retries: below(2), repeats: [0, 1, 1, 2][below(4)],
                    hasTimeout: below(4) == 0, hasBreaker: below(4) == 0, traces: below(4) > 0)
            case 6:
                let branches = steps(
                    1 + below(3), from: caller, operations, depth: depth + 1, &random)
                return branches.isEmpty
                    ? nil : .parallel(branches, limit: below(2) == 0 ? 1 + below(2) : nil)
            default:
                return .choose(
                    (0...below(2)).map { _ in
                        steps(below(3), from: caller, operations, depth: depth + 1, &random)
                    })
            }
        }
    }

    // MARK: As a file

    var hasTimeouts: Bool { text.contains("timeout:") }

    var text: String {
        var lines = ["version: 1", "name: random", "seed: \(seed)", "services:"]
        for service in 0..<3 {
            let own = operations.indices.filter { operations[$0].service == service }
            guard !own.isEmpty else { continue }
            lines += ["  s\(service):", "    instances: \(service + 1)", "    operations:"]
            for number in own { lines += render(number) }
        }
        let root = "root: \(name(0))"
        if let users = closedUsers {
            lines.append(
                "traffic: [{\(root), model: closed, concurrency: \(users), think: {exponential: {mean: 5ms}}, stages: [{duration: 100s}]}]"
            )
        } else {
            let bound = inFlightMax.map { "max_in_flight: \($0), overload: queue, " } ?? ""
            lines.append(
                "traffic: [{\(root), \(bound)stages: [{duration: 100s, rate: \(ratePerS)}]}]")
        }
        if pathology {
            lines.append(
                "pathology: {late: {rate: 10%, delay: 3ms}, missing_root: 10%, orphan: 10%, duplicate: 10%, broken_propagation: 10%, never_ended: 5%, oversize: {rate: 10%, spans: 7}}"
            )
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func name(_ number: Int) -> String { "s\(operations[number].service)/o\(number)" }

    private func render(_ number: Int) -> [String] {
        let operation = operations[number]
        var lines = [
            "      o\(number):", "        type: \(operation.form.rawValue)",
            "        self: \(operation.selfUs)us",
        ]
        if operation.errorPercent > 0 || operation.shortCircuits {
            lines.append(
                "        error: {rate: \(operation.errorPercent)%, exception: true, short_circuit: \(operation.shortCircuits)}"
            )
        }
        if operation.hasEvent {
            lines.append(
                "        events: [{name: e, at: 0.4, probability: 0.7, attributes: {k: {int: [1, 5]}}}]"
            )
        }
        if !operation.steps.isEmpty {
            lines.append("        script: [\(operation.steps.map(render).joined(separator: ", "))]")
        }
        return lines
    }

    private func render(_ step: Step) -> String {
        switch step {
        case .work(let us): return "{work: \(us)us}"
        case .call(let to, let retries, let repeats, let hasTimeout, let hasBreaker, let traces):
            var keys =
                "to: \(name(to)), network: \(networkUs)us, retries: \(retries), repeat: \(repeats)"
            if hasTimeout { keys += ", timeout: \(timeoutUs)us" }
            if hasBreaker {
                keys +=
                    ", circuit_breaker: {failures: 2, window: 100ms, open_for: 20ms, half_open_calls: 2}"
            }
            if !traces, operations[to].form != .database { keys += ", client_span: false" }
            return "{call: {\(keys)}}"
        case .publish(let to, let isLink, let batch, let loss):
            return
                "{publish: {to: \(name(to)), delay: {exponential: {mean: 2ms}}, relation: \(isLink ? "link" : "parent"), batch: \(batch), loss: \(loss)%}}"
        case .parallel(let steps, let limit):
            return
                "{parallel: [\(steps.map(render).joined(separator: ", "))]\(limit.map { ", limit: \($0)" } ?? "")}"
        case .choose(let scripts):
            let choices = scripts.map {
                "{weight: 1, script: [\($0.map(render).joined(separator: ", "))]}"
            }
            return "{choose: [\(choices.joined(separator: ", "))]}"
        }
    }

    // MARK: Smaller

    /// Everything that is one thing smaller: an operation less, a step less, a feature less.
    var smaller: [RandomScenario] {
        var all: [RandomScenario] = []
        func add(_ change: (inout RandomScenario) -> Void) {
            var copy = self
            change(&copy)
            if copy != self { all.append(copy) }
        }
        for number in operations.indices.dropFirst().reversed() {
            add { $0.remove(number) }
        }
        for number in operations.indices {
            for steps in Self.shrunk(operations[number].steps) {
                add { $0.operations[number].steps = steps }
            }
            add { $0.operations[number].errorPercent = 0 }
            add { $0.operations[number].shortCircuits = false }
            add { $0.operations[number].hasEvent = false }
        }
        add { $0.pathology = false }
        add { $0.closedUsers = nil }
        add { $0.inFlightMax = nil }
        return all
    }

    /// Lists with one step less, or with one step made simpler.
    private static func shrunk(_ steps: [Step]) -> [[Step]] {
        steps.indices.flatMap { place -> [[Step]] in
            var without = steps
            without.remove(at: place)
            var parts: [[Step]] = [without]
            func put(_ replacement: [Step]) {
                parts.append(Array(steps[..<place]) + replacement + Array(steps[(place + 1)...]))
            }
            switch steps[place] {
            case .parallel(let branches, let limit):
                put(branches)
                for fewer in shrunk(branches) where !fewer.isEmpty {
                    put([.parallel(fewer, limit: limit)])
                }
            case .choose(let scripts):
                for script in scripts { put(script) }
            case .call(let to, _, _, let hasTimeout, _, let traces):
                let plain = Step.call(
                    to, retries: 0, repeats: 1, hasTimeout: hasTimeout, hasBreaker: false,
                    traces: traces)
                if plain != steps[place] { put([plain]) }
            case .work, .publish: break
            }
            return parts
        }
    }

    private mutating func remove(_ number: Int) {
        func cleaned(_ steps: [Step]) -> [Step] {
            steps.compactMap { step in
                func moved(_ to: Int) -> Int? { to == number ? nil : to > number ? to - 1 : to }
                switch step {
                case .work: return step
                case .call(let to, let retries, let repeats, let timeout, let breaker, let traces):
                    return moved(to).map {
                        .call(
                            $0, retries: retries, repeats: repeats, hasTimeout: timeout,
                            hasBreaker: breaker, traces: traces)
                    }
                case .publish(let to, let isLink, let batch, let loss):
                    return moved(to).map {
                        .publish($0, isLink: isLink, batch: batch, loss: loss)
                    }
                case .parallel(let branches, let limit):
                    let rest = cleaned(branches)
                    return rest.isEmpty ? nil : .parallel(rest, limit: limit)
                case .choose(let scripts): return .choose(scripts.map(cleaned))
                }
            }
        }
        for place in operations.indices {
            operations[place].steps = cleaned(operations[place].steps)
        }
        operations.remove(at: number)
    }

    /// The smallest scenario that still fails, by taking away one thing after another.
    func shrunk(_ fails: (RandomScenario) -> Bool) -> RandomScenario {
        var current = self
        while let next = current.smaller.first(where: fails) { current = next }
        return current
    }
}
