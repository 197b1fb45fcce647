// What a context travels in, as other libraries have it: dictionaries and lists of header lines.
// Source: OpenTelemetry specification, "Propagators API", TextMap propagator, getter and setter.

/// Something that holds names and values of text and travels with a request: HTTP headers, a message's
/// attributes. Three operations make any type one; `HeaderBuffer` is the fast one.
public protocol PropagationCarrier {
    /// Calls `body` with each line. Lines of the same name come in their order; a line that comes twice
    /// is passed twice.
    func forEachHeader(_ body: (_ name: String, _ value: String) -> Void)

    /// Removes every line of that name, whatever its case.
    mutating func removeHeaders(_ name: String)

    /// Adds a line, after those of the same name. Names are in lower case.
    mutating func appendHeader(_ name: String, _ value: String)
}

extension HeaderBuffer: PropagationCarrier {
    public func forEachHeader(_ body: (_ name: String, _ value: String) -> Void) {
        for (name, value) in headers { body(name, value) }
    }

    public mutating func removeHeaders(_ name: String) { remove(name) }

    public mutating func appendHeader(_ name: String, _ value: String) { append(name, value) }
}

/// Names are found whatever their case. Where two keys differ in case only, both count, in the order of
/// their bytes.
extension [String: String]: PropagationCarrier {
    public func forEachHeader(_ body: (_ name: String, _ value: String) -> Void) {
        // In the order of the keys, so that the same dictionary always says the same.
        for (name, value) in sorted(by: { $0.key < $1.key }) { body(name, value) }
    }

    public mutating func removeHeaders(_ name: String) {
        self[name] = nil
        guard contains(where: { HeaderName.isSame($0.key, name) }) else { return }
        self = filter { !HeaderName.isSame($0.key, name) }
    }

    /// A dictionary has room for one line of a name: the values of several are joined with commas.
    public mutating func appendHeader(_ name: String, _ value: String) {
        self[name] = self[name].map { $0 + "," + value } ?? value
    }
}

/// Header lines in order, duplicates kept: what HTTP libraries give and take.
public struct HeaderList: PropagationCarrier, Sendable, Hashable {
    public struct Line: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public var lines: [Line]

    public init(_ lines: [Line] = []) { self.lines = lines }

    /// From pairs of name and value, as a library's header collection yields them.
    public init(pairs: some Sequence<(name: String, value: String)>) {
        lines = pairs.map { Line(name: $0.name, value: $0.value) }
    }

    /// The values of all lines of that name, whatever its case, in order.
    public func values(of name: String) -> [String] {
        lines.filter { HeaderName.isSame($0.name, name) }.map(\.value)
    }

    public func forEachHeader(_ body: (_ name: String, _ value: String) -> Void) {
        for line in lines { body(line.name, line.value) }
    }

    public mutating func removeHeaders(_ name: String) {
        lines.removeAll { HeaderName.isSame($0.name, name) }
    }

    public mutating func appendHeader(_ name: String, _ value: String) {
        lines.append(Line(name: name, value: value))
    }
}

extension HeaderList: ExpressibleByDictionaryLiteral {
    /// `["traceparent": "…", "tracestate": "a=1", "tracestate": "b=2"]`: a name may come twice.
    public init(dictionaryLiteral elements: (String, String)...) {
        lines = elements.map { Line(name: $0, value: $1) }
    }
}
