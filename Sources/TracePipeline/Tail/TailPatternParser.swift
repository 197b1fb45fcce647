// From the text of a regular expression to what it says.

/// Reads one expression.
struct TailPatternParser {
    private let pattern: String
    private let scalars: [Unicode.Scalar]
    private var place = 0
    private var depth = 0

    private static let depthMax = 64
    private static let repetitionsMax = 1_000

    private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    private static let words: [ClosedRange<UInt32>] = [
        0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a,
    ]
    private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20]

    init(_ pattern: String) {
        self.pattern = pattern
        scalars = Array(pattern.unicodeScalars)
    }

    mutating func parse() throws(TailPattern.Failure) -> TailPatternNode {
        let node = try either()
        if place < scalars.count { throw failure("there is a \")\" that closes nothing") }
        return node
    }

    private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    private func failure(_ problem: String) -> TailPattern.Failure {
        TailPattern.Failure(pattern: pattern, character: place + 1, problem: problem)
    }

    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        place += 1
        return true
    }

    private mutating func either() throws(TailPattern.Failure) -> TailPatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw failure("groups stand 64 deep at most") }
        var node = try sequence()
        while accept("|") { node = .either(node, try sequence()) }
        return node
    }

    private mutating func sequence() throws(TailPattern.Failure) -> TailPatternNode {
        var nodes: [TailPatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            nodes.append(try repeated())
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repeated() throws(TailPattern.Failure) -> TailPatternNode {
        var node = try atom()
        while let scalar = next {
            switch scalar {
            case "*": node = .repeated(node, least: 0, most: nil)
            case "+": node = .repeated(node, least: 1, most: nil)
            case "?": node = .repeated(node, least: 0, most: 1)
            case "{":
                node = try counted(node)
                _ = accept("?")
                continue
            default: return node
            }
            place += 1
            // Whether it takes much or little makes no difference to whether it is found.
            _ = accept("?")
        }
        return node
    }

    private mutating func counted(
        _ node: TailPatternNode
    ) throws(TailPattern.Failure) -> TailPatternNode {
        place += 1
        let wanted = "a repetition is {n}, {n,} or {n,m}, up to 1000; write \\{ for the character"
        guard let least = number() else { throw failure(wanted) }
        var most: Int? = least
        if accept(",") { most = number() }
        guard accept("}"), least <= most ?? least, max(least, most ?? 0) <= Self.repetitionsMax
        else { throw failure(wanted) }
        return .repeated(node, least: least, most: most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let digit = next, Self.digits[0].contains(digit.value) {
            value = min(Self.repetitionsMax + 1, (value ?? 0) * 10 + Int(digit.value - 0x30))
            place += 1
        }
        return value
    }

    private mutating func atom() throws(TailPattern.Failure) -> TailPatternNode {
        guard let scalar = next else { return .empty }
        place += 1
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .scalar(ranges: [0x0a...0x0a], isNegated: true)
        case "(":
            if accept("?"), !accept(":") {
                throw failure("\"(?\" is only known as \"(?:\"; look-around is not to be had")
            }
            let node = try either()
            guard accept(")") else { throw failure("a \")\" is missing") }
            return node
        case "[": return try set()
        case "\\": return try escape()
        case "*", "+", "?", "{":
            place -= 1
            throw failure(
                "there is nothing that could be repeated; write \\\(scalar) for the character")
        default: return .scalar(ranges: [scalar.value...scalar.value], isNegated: false)
        }
    }

    private mutating func escape() throws(TailPattern.Failure) -> TailPatternNode {
        guard let scalar = next else { throw failure("a \"\\\" stands alone") }
        place += 1
        switch scalar {
        case "d", "w", "s": return .scalar(ranges: Self.named(scalar), isNegated: false)
        case "D", "W", "S": return .scalar(ranges: Self.named(scalar), isNegated: true)
        default:
            guard let value = Self.escaped(scalar) else {
                throw failure("\"\\\(scalar)\" is not known")
            }
            return .scalar(ranges: [value...value], isNegated: false)
        }
    }

    private static func named(_ scalar: Unicode.Scalar) -> [ClosedRange<UInt32>] {
        switch scalar {
        case "d", "D": digits
        case "w", "W": words
        default: spaces
        }
    }

    /// What a character behind a backslash stands for; nil for letters and digits that mean nothing here.
    private static func escaped(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "n": 0x0a
        case "r": 0x0d
        case "t": 0x09
        default:
            words.contains { $0.contains(scalar.value) } && scalar != "_" ? nil : scalar.value
        }
    }

    private mutating func set() throws(TailPattern.Failure) -> TailPatternNode {
        let isNegated = accept("^")
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while true {
            guard let scalar = next else { throw failure("a \"]\" is missing") }
            place += 1
            if scalar == "]", !isFirst { break }
            isFirst = false
            if scalar == "\\", let name = next, "dws".unicodeScalars.contains(name) {
                place += 1
                ranges += Self.named(name)
                continue
            }
            let low = try member(scalar)
            guard next == "-", place + 1 < scalars.count, scalars[place + 1] != "]" else {
                ranges.append(low...low)
                continue
            }
            place += 1
            let end = scalars[place]
            place += 1
            let high = try member(end)
            guard low <= high else { throw failure("a range in a set goes backwards") }
            ranges.append(low...high)
        }
        return .scalar(ranges: ranges, isNegated: isNegated)
    }

    private mutating func member(
        _ scalar: Unicode.Scalar
    ) throws(TailPattern.Failure) -> UInt32 {
        guard scalar == "\\" else { return scalar.value }
        guard let name = next, let value = Self.escaped(name) else {
            throw failure("what follows \"\\\" is not known in a set")
        }
        place += 1
        return value
    }
}
