/// The service graph of a scenario and what its traces look like on average, in closed form: how
/// often each operation runs in a trace, how many spans that makes, how often it fails. What has no
/// closed form (timeouts, circuit breakers) is left out and `isExact` says so. A value; any thread.
public struct Topology: Sendable {
    public struct Node: Hashable, Sendable {
        public var service: String
        public var operation: String
        /// Expected runs in an average trace.
        public var runsPerTrace: Double
        /// Share of runs that fail, of themselves or through a call.
        public var failureRate: Double

        public var name: String { "\(service)/\(operation)" }
    }

    public struct Edge: Hashable, Sendable {
        public enum Kind: String, Sendable { case call, publish }

        /// Numbers of nodes.
        public var from: Int
        public var to: Int
        public var kind: Kind
        /// Expected calls or messages in one run of the caller, retries included.
        public var callsPerRun: Double
        /// Messages sent, lost ones and those taken together counted each; equal for calls.
        public var sentPerRun: Double
    }

    public struct Root: Hashable, Sendable {
        public var node: Int
        /// Share of all traces.
        public var share: Double
        public var spansPerTrace: Double
    }

    public private(set) var nodes: [Node] = []
    public private(set) var edges: [Edge] = []
    public private(set) var roots: [Root] = []
    /// False when timeouts or breakers change the averages in ways left out here.
    public private(set) var isExact = true
    /// Expected spans of an average trace.
    public var spansPerTrace: Double { roots.reduce(0) { $0 + $1.share * $1.spansPerTrace } }

    private let scenario: Scenario
    private var operations: [OperationDeclaration] = []
    private var services: [Int] = []
    private var numbers: [String: Int] = [:]
    private var figures: [Figures?] = []

    /// One run of an operation.
    private struct Figures {
        var spans: Double
        var failure: Double
    }

    /// A list of steps: spans it makes and the chance that no failure comes out of it.
    private struct Outcome {
        var spans = 0.0
        var survival = 1.0
    }

    /// `scenario` has passed its checks, as `Scenario.load` sees to.
    public init(_ scenario: Scenario) {
        self.scenario = scenario
        for (index, service) in scenario.services.enumerated() {
            for operation in service.operations {
                numbers["\(service.name)/\(operation.name)"] = operations.count
                operations.append(operation)
                services.append(index)
                nodes.append(
                    Node(
                        service: service.name, operation: operation.name, runsPerTrace: 0,
                        failureRate: 0))
            }
        }
        figures = Array(repeating: nil, count: operations.count)
        for number in operations.indices { nodes[number].failureRate = run(number).failure }
        let arrivals = scenario.traffic.enumerated().map { entry, traffic in
            // How often users come depends on how long they wait: they count alike.
            if traffic.model == .closed { return Double(traffic.concurrency) }
            let expected = ArrivalSchedule(traffic, seed: 0, entry: entry).expectedArrivals
            return expected.isFinite ? expected : 1
        }
        let total = arrivals.reduce(0, +)
        for (traffic, count) in zip(scenario.traffic, arrivals) {
            guard let number = numbers[traffic.root.text] else { continue }
            roots.append(
                Root(node: number, share: count / total, spansPerTrace: run(number).spans))
            addRuns(number, count / total)
        }
    }

    private mutating func addRuns(_ number: Int, _ runs: Double) {
        nodes[number].runsPerTrace += runs
        for edge in edges where edge.from == number { addRuns(edge.to, runs * edge.callsPerRun) }
    }

    private mutating func run(_ number: Int) -> Figures {
        if let known = figures[number] { return known }
        let operation = operations[number]
        let error = operation.error ?? ErrorDeclaration()
        let reach = error.shortCircuits ? 1 - error.rate : 1
        let outcome = steps(operation.script, number, error.shortCircuits, reach)
        let result = Figures(
            spans: 1 + outcome.spans, failure: 1 - (1 - error.rate) * outcome.survival)
        figures[number] = result
        return result
    }

    private mutating func steps(
        _ script: [StepDeclaration], _ caller: Int, _ shortCircuits: Bool, _ reach: Double
    ) -> Outcome {
        var outcome = Outcome()
        for step in script {
            let reach = shortCircuits ? reach * outcome.survival : reach
            let part: Outcome
            switch step.action {
            case .work: part = Outcome()
            case .call(let call): part = self.call(call, caller, reach)
            case .publish(let publish): part = self.publish(publish, caller, reach)
            case .parallel(let branches, _):
                var all = Outcome()
                for branch in branches {
                    let one = steps([branch], caller, shortCircuits, reach)
                    all.spans += one.spans
                    all.survival *= one.survival
                }
                part = all
            case .choose(let choices):
                let total = choices.reduce(0) { $0 + $1.weight }
                var mean = Outcome(spans: 0, survival: 0)
                for choice in choices {
                    let share = choice.weight / total
                    let one = steps(choice.script, caller, shortCircuits, reach * share)
                    mean.spans += one.spans
                    mean.survival += share * one.survival
                }
                part = mean
            }
            outcome.spans += part.spans
            outcome.survival *= part.survival
        }
        return outcome
    }

    private mutating func call(
        _ call: CallDeclaration, _ caller: Int, _ reach: Double
    ) -> Outcome {
        guard let target = numbers[call.to.text] else { return Outcome() }
        if call.timeoutNs != nil || call.circuitBreaker != nil { isExact = false }
        let callee = run(target)
        let operation = operations[target]
        // Attempts: another one after each failure.
        var attempts = 0.0
        var lastFailure = 1.0
        for _ in 0...call.retries {
            attempts += lastFailure
            lastFailure *= callee.failure
        }
        let most = call.mostRepeats
        let repeats = call.repeats.average { min(max(0, $0).rounded(), most) }
        let propagated = lastFailure * (operation.error?.propagate ?? 1)
        let survival = call.repeats.average {
            Self.power(1 - propagated, Int(min(max(0, $0).rounded(), most)))
        }
        let calls = call.probability * repeats * attempts
        addEdge(caller, target, .call, reach * calls, sent: reach * calls)
        let isLocal =
            operation.category == .database
            || (operation.category == .internal && services[caller] == services[target])
        let spans = callee.spans + (isLocal || !call.hasClientSpan ? 0 : 1)
        return Outcome(
            spans: reach * calls * spans,
            survival: 1 - call.probability + call.probability * survival)
    }

    private mutating func publish(
        _ publish: PublishDeclaration, _ caller: Int, _ reach: Double
    ) -> Outcome {
        guard let target = numbers[publish.to.text] else { return Outcome() }
        // One consumer span takes so many messages.
        let consumed = reach * (1 - publish.loss) / Double(publish.batch)
        addEdge(caller, target, .publish, consumed, sent: reach)
        return Outcome(spans: reach + consumed * run(target).spans)
    }

    private mutating func addEdge(
        _ from: Int, _ to: Int, _ kind: Edge.Kind, _ calls: Double, sent: Double
    ) {
        if let known = edges.firstIndex(where: {
            $0.from == from && $0.to == to && $0.kind == kind
        }) {
            edges[known].callsPerRun += calls
            edges[known].sentPerRun += sent
        } else {
            edges.append(
                Edge(from: from, to: to, kind: kind, callsPerRun: calls, sentPerRun: sent))
        }
    }

    /// What the operation of a node is.
    func category(_ node: Int) -> OperationDeclaration.Category { operations[node].category }

    /// Whether it has no spans of its own service: a query is a span of its caller.
    func isQuery(_ node: Int) -> Bool { category(node) == .database }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { result, _ in result * base }
    }
}
