import CYaml

/// A first look at YAML text, event by event, before anything is built from it: whether it is YAML at
/// all, small enough, and free of what makes a few bytes stand for a lot of work. Anchors and aliases
/// can stand for billions of nodes, and so can keys that are no plain words: composing a mapping
/// hashes its keys with everything below them. The events are libyaml's own, which the composer
/// (Yams) goes by as well, so that the two never disagree about where a token ends.
///
/// One thread, one text.
struct YAMLEvents {
    /// Collections one in another; far more than any scenario has, and little enough for recursion.
    static let depthMax = 100

    let nodesMax: Int
    private(set) var issues: [Finding] = []

    struct Finding {
        var kind: ScenarioIssue.Kind
        var position: SourcePosition
        var message: String
    }

    /// A collection that is open.
    private struct Level {
        var isMapping: Bool
        var expectsKey: Bool
        /// Keys so far and where they stand.
        var keys: [String: SourcePosition] = [:]
    }

    private var levels: [Level] = []
    private var nodeCount = 0
    private var documentCount = 0

    init(nodesMax: Int) {
        self.nodesMax = nodesMax
    }

    /// Duplicate keys are collected; anything else ends the look.
    mutating func check(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var parser = unsafe yaml_parser_t()
            guard unsafe yaml_parser_initialize(&parser) == 1 else {
                return add(.unreadable, SourcePosition(line: 1, column: 1), "no memory to read it")
            }
            defer { unsafe yaml_parser_delete(&parser) }
            unsafe yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            unsafe yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
            while true {
                var event = unsafe yaml_event_t()
                guard unsafe yaml_parser_parse(&parser, &event) == 1 else {
                    let parser = unsafe parser
                    return unsafe add(parser, behind: bytes.prefix(parser.problem_offset))
                }
                let isLast = unsafe event.type == YAML_STREAM_END_EVENT
                let goesOn = unsafe take(event)
                unsafe yaml_event_delete(&event)
                if isLast || !goesOn { return }
            }
        }
    }

    private mutating func add(
        _ kind: ScenarioIssue.Kind, _ position: SourcePosition, _ message: String
    ) {
        issues.append(Finding(kind: kind, position: position, message: message))
    }

    // MARK: Events

    /// False when no more needs to be seen.
    private mutating func take(_ event: yaml_event_t) -> Bool {
        let position = unsafe SourcePosition(event.start_mark)
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT:
            documentCount += 1
            guard documentCount > 1 else { return true }
            add(.notYAML, position, "another document begins here; a file holds one scenario")
            return false
        case YAML_ALIAS_EVENT: return refuseAnchor(position)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            if unsafe scalar.anchor != nil { return refuseAnchor(position) }
            guard count(position) else { return false }
            if levels.last?.isMapping == true, levels[levels.count - 1].expectsKey {
                let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                return unsafe takeKey(String(decoding: bytes, as: UTF8.self), position)
            }
            closeValue()
            return true
        case YAML_SEQUENCE_START_EVENT:
            if unsafe event.data.sequence_start.anchor != nil { return refuseAnchor(position) }
            return open(Level(isMapping: false, expectsKey: false), position)
        case YAML_MAPPING_START_EVENT:
            if unsafe event.data.mapping_start.anchor != nil { return refuseAnchor(position) }
            return open(Level(isMapping: true, expectsKey: true), position)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            levels.removeLast()
            closeValue()
            return true
        default: return true
        }
    }

    private mutating func open(_ level: Level, _ position: SourcePosition) -> Bool {
        guard count(position) else { return false }
        if let last = levels.last, last.isMapping, last.expectsKey {
            add(.wrongType, position, "a key must be a plain word, not a list or a mapping")
            return false
        }
        guard levels.count < Self.depthMax else {
            add(
                .tooLarge, position,
                "lists and mappings are nested more than \(Self.depthMax) deep; write fewer levels")
            return false
        }
        levels.append(level)
        return true
    }

    private mutating func takeKey(_ key: String, _ position: SourcePosition) -> Bool {
        let level = levels.count - 1
        levels[level].expectsKey = false
        if let first = levels[level].keys.updateValue(position, forKey: key) {
            levels[level].keys[key] = first
            add(
                .duplicateKey, position,
                "`\(key.prefix(60))` stands twice in the same mapping, first at \(first); keep one")
        }
        // Enough to mend the file by.
        return issues.count < 100
    }

    /// A value of a mapping is complete: a key is next.
    private mutating func closeValue() {
        if levels.last?.isMapping == true { levels[levels.count - 1].expectsKey = true }
    }

    private mutating func count(_ position: SourcePosition) -> Bool {
        nodeCount += 1
        guard nodeCount > nodesMax else { return true }
        add(
            .tooLarge, position,
            "the file has more than \(nodesMax) values; generate fewer operations")
        return false
    }

    private mutating func refuseAnchor(_ position: SourcePosition) -> Bool {
        add(
            .anchor, position,
            "YAML anchors (`&name`) and aliases (`*name`) are not accepted; write the value out, "
                + "quote a text that begins with `&` or `*`, or use `defaults`")
        return false
    }

    // MARK: What is no YAML

    private mutating func add(
        _ parser: yaml_parser_t, behind bytes: Slice<UnsafeBufferPointer<UInt8>>
    ) {
        let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "no YAML"
        switch unsafe parser.error {
        case YAML_READER_ERROR:
            let position = unsafe SourcePosition(behind: bytes)
            let value = unsafe parser.problem_value
            add(
                .notYAML, position,
                "not YAML: \(problem)" + (value >= 0 ? " (\(Self.hexadecimal(value)))" : ""))
        case YAML_MEMORY_ERROR: add(.tooLarge, SourcePosition(line: 1, column: 1), "no memory left")
        case _ where problem.hasPrefix("Maximum nesting level"):
            unsafe add(
                .tooLarge, SourcePosition(parser.mark),
                "lists and mappings are nested more than \(Self.depthMax) deep; write fewer levels")
        default:
            let context = unsafe parser.context.map { unsafe " \(String(cString: $0))" } ?? ""
            unsafe add(
                .notYAML, SourcePosition(parser.problem_mark), "not YAML: \(problem)\(context)")
        }
    }

    private static func hexadecimal(_ value: Int32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

extension SourcePosition {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }
}
