// The conditions of a sampling rule, compiled: names to bytes, values to their encoded form, so that asking
// allocates nothing unless a condition of the user's own is there.
import Glibc

/// A compiled rule: when it applies, and what is asked then.
final class SamplingRuleNode: Sendable {
    let node: ComposableNode
    private let names: [BytePattern]
    /// A bit for each kind; 0 is any.
    private let kinds: UInt8
    /// A bit for each parent: none, local, remote; 0 is any.
    private let parents: UInt8
    private let attributes: [AttributeTest]
    private let condition: SamplingRule.Condition?

    init(_ rule: SamplingRule, _ node: ComposableNode) {
        self.node = node
        names = rule.names.map { BytePattern($0) }
        kinds = rule.kinds.reduce(0) { $0 | 1 << $1.rawValue }
        parents = rule.parents.reduce(0) { $0 | Self.bit($1) }
        attributes = rule.attributes.map { AttributeTest($0) }
        condition = rule.condition
    }

    func holds(_ scene: borrowing SamplingScene) -> Bool {
        guard let question = unsafe scene.question else { return false }
        if parents != 0, unsafe parents & Self.parentBit(scene.branch, question.pointee.parent) == 0
        {
            return false
        }
        let kind = unsafe question.pointee.kind
        if kinds != 0, kinds & (1 << kind.rawValue) == 0 { return false }
        if !names.isEmpty {
            let name = unsafe question.pointee.name
            guard names.contains(where: { unsafe $0.matches(name) }) else { return false }
        }
        if !attributes.isEmpty {
            guard let given = unsafe question.pointee.attributes else { return false }
            for test in attributes where !test.holds(given) { return false }
        }
        return condition.map { unsafe $0.holds(question.pointee.request) } ?? true
    }

    private static func bit(_ parent: SamplingRule.Parent) -> UInt8 {
        switch parent {
        case .none: 1
        case .local: 2
        case .remote: 4
        }
    }

    /// A parent with ids that has not decided is where it is; a decision without ids came from elsewhere.
    private static func parentBit(_ branch: Int, _ parent: SpanContext?) -> UInt8 {
        if let parent, parent.isValid { return bit(parent.isRemote ? .remote : .local) }
        return bit(branch == 0 ? .none : .remote)
    }
}

/// What one attribute must be.
private struct AttributeTest: Sendable {
    private let key: AttributeKey
    /// Encoded AnyValue messages; nil: any value will do.
    private let values: [[UInt8]]?
    private let patterns: [BytePattern]

    init(_ condition: SamplingRule.AttributeCondition) {
        switch condition {
        case .present(let name):
            key = AttributeKey(name)
            values = nil
            patterns = []
        case .equal(let name, let wanted):
            key = AttributeKey(name)
            values = wanted.map(\.encoded)
            patterns = []
        case .matching(let name, let wanted):
            key = AttributeKey(name)
            values = nil
            patterns = wanted.map { BytePattern($0) }
        }
    }

    func holds(_ attributes: SpanAttributes) -> Bool {
        unsafe attributes.withEncodedValue(of: key) { value in
            guard let value = unsafe value else { return false }
            if let values {
                return values.contains { wanted in
                    unsafe wanted.count == value.count
                        && memcmp(wanted, value.baseAddress!, value.count) == 0
                }
            }
            if patterns.isEmpty { return true }
            guard let text = unsafe Self.text(value) else { return false }
            return patterns.contains { unsafe $0.matches(text) }
        }
    }

    /// The bytes of an encoded AnyValue that is a string; nil for any other.
    private static func text(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard unsafe value.first == Wire.anyValueStringTag else { return nil }
        var offset = 1
        let count = unsafe Wire.readVarint(value.baseAddress!, &offset)
        return unsafe UnsafeRawBufferPointer(rebasing: value[offset..<offset + count])
    }
}

/// A pattern on bytes: `*` stands for any, `?` for one.
struct BytePattern: Sendable {
    private let bytes: [UInt8]

    init(_ pattern: String) { bytes = Array(pattern.utf8) }

    /// Linear where there is no star; with stars, no more than pattern × text.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        var index = 0
        // Where the last star was, and how far into the text it has eaten.
        var star: (index: Int, position: Int)?
        while position < text.count {
            if index < bytes.count, bytes[index] == UInt8(ascii: "*") {
                star = (index, position)
                index += 1
            } else if index < bytes.count,
                unsafe bytes[index] == UInt8(ascii: "?") || bytes[index] == text[position]
            {
                index += 1
                position += 1
            } else if let last = star {
                star = (last.index, last.position + 1)
                index = last.index + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        while index < bytes.count, bytes[index] == UInt8(ascii: "*") { index += 1 }
        return index == bytes.count
    }
}
