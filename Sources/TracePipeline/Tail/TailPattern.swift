// Regular expressions whose cost is bounded: the text is read once, whatever the expression, with a set of places
// in the expression at a time (Thompson 1968; Cox, "Regular Expression Matching Can Be Simple And Fast", 2007).

/// A regular expression that is looked for anywhere in a text.
///
/// Literals, `.`, sets such as `[a-z_]` and `[^/]`, `\d \w \s` and their opposites, `^` and `$` for the text's
/// ends, groups, `|`, and `* + ? {n} {n,} {n,m}`. No look-around and no references to groups: those have no
/// such bound. At most 1,024 steps after repetitions are written out; of a text the first 4,096 bytes count.
struct TailPattern: Sendable {
    /// Why an expression cannot be used.
    struct Failure: Error, Equatable, CustomStringConvertible {
        var pattern: String
        /// From 1.
        var character: Int
        var problem: String

        var description: String {
            "the pattern \"\(pattern)\" cannot be used: at its character \(character) \(problem)"
        }
    }

    enum Step: Sendable {
        /// One scalar of these ranges, or none of them.
        case scalar(ranges: [ClosedRange<UInt32>], isNegated: Bool)
        case start
        case end
        case jump(Int)
        case split(Int, Int)
        case match
    }

    static let stepsMax = 1_024
    static let textBytesMax = 4_096

    let steps: [Step]

    init(_ pattern: String) throws(Failure) {
        var parser = TailPatternParser(pattern)
        let node = try parser.parse()
        var steps: [Step] = []
        try Self.emit(node, &steps, pattern)
        steps.append(.match)
        self.steps = steps
    }

    private static func emit(
        _ node: TailPatternNode, _ steps: inout [Step], _ pattern: String
    ) throws(Failure) {
        guard steps.count < stepsMax else {
            throw Failure(
                pattern: pattern, character: pattern.count,
                problem: "it has become too long; write fewer or smaller repetitions")
        }
        switch node {
        case .empty: break
        case .scalar(let ranges, let isNegated):
            steps.append(.scalar(ranges: ranges, isNegated: isNegated))
        case .start: steps.append(.start)
        case .end: steps.append(.end)
        case .sequence(let nodes):
            for node in nodes { try emit(node, &steps, pattern) }
        case .either(let left, let right):
            let split = steps.count
            steps.append(.jump(0))
            try emit(left, &steps, pattern)
            let jump = steps.count
            steps.append(.jump(0))
            steps[split] = .split(split + 1, steps.count)
            try emit(right, &steps, pattern)
            steps[jump] = .jump(steps.count)
        case .repeated(let node, let least, let most):
            for _ in 0..<least { try emit(node, &steps, pattern) }
            guard let most else {
                let split = steps.count
                steps.append(.jump(0))
                try emit(node, &steps, pattern)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<most {
                splits.append(steps.count)
                steps.append(.jump(0))
                try emit(node, &steps, pattern)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }

    /// Whether it is found in the text. Linear in the text's length times the number of steps.
    func isFound(in text: String) -> Bool {
        var threads = TailPatternThreads(count: steps.count)
        var next = TailPatternThreads(count: steps.count)
        var position = 0
        var scalars = text.unicodeScalars.makeIterator()
        var scalar = scalars.next()
        while true {
            // At every position the expression may begin anew.
            if add(0, &threads, isStart: position == 0, isEnd: scalar == nil) { return true }
            guard let current = scalar else { return false }
            position += UTF8.width(current)
            guard position <= Self.textBytesMax else { return false }
            scalar = scalars.next()
            next.clear()
            for place in threads.places {
                guard case .scalar(let ranges, let isNegated) = steps[place],
                    ranges.contains(where: { $0.contains(current.value) }) != isNegated
                else { continue }
                if add(place + 1, &next, isStart: false, isEnd: scalar == nil) { return true }
            }
            swap(&threads, &next)
        }
    }

    /// Adds a place and all that can be reached from it without reading. True when that is the end.
    private func add(
        _ place: Int, _ threads: inout TailPatternThreads, isStart: Bool, isEnd: Bool
    ) -> Bool {
        var open = [place]
        while let place = open.popLast() {
            guard threads.insert(place) else { continue }
            switch steps[place] {
            case .match: return true
            case .jump(let other): open.append(other)
            case .split(let first, let second): open += [second, first]
            case .start: if isStart { open.append(place + 1) }
            case .end: if isEnd { open.append(place + 1) }
            case .scalar: break
            }
        }
        return false
    }
}

/// Places in the expression, each once.
private struct TailPatternThreads {
    private(set) var places: [Int] = []
    private var isIn: [Bool]

    init(count: Int) { isIn = [Bool](repeating: false, count: count) }

    mutating func insert(_ place: Int) -> Bool {
        guard !isIn[place] else { return false }
        isIn[place] = true
        places.append(place)
        return true
    }

    mutating func clear() {
        for place in places { isIn[place] = false }
        places.removeAll(keepingCapacity: true)
    }
}

/// What was read of an expression.
indirect enum TailPatternNode {
    case empty
    case scalar(ranges: [ClosedRange<UInt32>], isNegated: Bool)
    case start
    case end
    case sequence([TailPatternNode])
    case either(TailPatternNode, TailPatternNode)
    case repeated(TailPatternNode, least: Int, most: Int?)
}
