// Names and values that travel with a request beside its trace.
// Source: OpenTelemetry specification, "Baggage API".

/// Ordered names with their values: what one service tells those after it. A value type, empty at no cost;
/// a name that is set again keeps its place. Names are compared with case. Look-up is O(`count`): what
/// travels is at most `BaggagePropagator.memberCountMax` entries.
public struct Baggage: Sendable, Hashable {
    /// What stands under a name.
    public struct Entry: Sendable, Hashable {
        /// Any text; it is percent-encoded on the wire only.
        public var value: String
        /// The properties after the value as they came, `key;key=value`: opaque, never decoded.
        public var metadata: String

        public init(value: String, metadata: String = "") {
            self.value = value
            self.metadata = metadata
        }
    }

    private struct Member: Sendable, Hashable {
        var name: String
        var entry: Entry
    }

    private var members: [Member] = []

    public init() {}

    public var isEmpty: Bool { members.isEmpty }

    public var count: Int { members.count }

    /// The entries in the order in which their names were first set.
    public var entries: [(name: String, entry: Entry)] { members.map { ($0.name, $0.entry) } }

    /// The entry of that name; nil removes it. An empty name holds nothing.
    public subscript(name: String) -> Entry? {
        get { members.first { $0.name == name }?.entry }
        set {
            let place = members.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let entry?): members[place].entry = entry
            case (let place?, nil): members.remove(at: place)
            case (nil, let entry?):
                if !name.isEmpty { members.append(Member(name: name, entry: entry)) }
            case (nil, nil): break
            }
        }
    }

    /// Sets a name to a value; `metadata` goes on the wire as it is.
    public mutating func set(_ name: String, _ value: String, metadata: String = "") {
        self[name] = Entry(value: value, metadata: metadata)
    }

    public mutating func removeAll() { members = [] }
}

extension Baggage: ExpressibleByDictionaryLiteral {
    /// `["tenant": "blue"]`; of a name that comes twice the last value counts.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { set(name, value) }
    }
}
