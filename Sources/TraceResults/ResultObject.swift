// How the objects of a result file are read and written: from one table of fields a type. What the
// table does not name is kept and written again, so that a file from a later version passes
// through this one undamaged.

/// An object of the result file.
///
/// A type names its fields once, in ``fields``; reading, writing and keeping the unknown ones
/// follow from that. A field that is not optional and is missing is an error on reading.
public protocol ResultObject: Codable, Equatable, Sendable {
    /// A value with every field at its default, to be filled.
    init()
    /// The fields in the file, each with its key path.
    static var fields: [ResultField<Self>] { get }
    /// Fields of the file that this version does not know, by name.
    var unknownFields: [String: JSONValue] { get set }
}

extension ResultObject {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: FieldName.self)
        self.init()
        let fields = Self.fields
        for field in fields { try field.decode(&self, container) }
        let known = Set(fields.map(\.name))
        for key in container.allKeys where !known.contains(key.stringValue) {
            unknownFields[key.stringValue] = try container.decode(JSONValue.self, forKey: key)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: FieldName.self)
        for (name, value) in unknownFields {
            try container.encode(value, forKey: FieldName(name))
        }
        for field in Self.fields { try field.encode(self, &container) }
    }
}

/// One field of a ``ResultObject``: its name in the file and where it lives in the type.
public struct ResultField<Root: ResultObject>: Sendable {
    /// The key in the file.
    public let name: String
    /// Whether a file without it is still whole.
    public let isOptional: Bool
    fileprivate typealias Decode =
        @Sendable (inout Root, KeyedDecodingContainer<FieldName>) throws -> Void
    fileprivate typealias Encode =
        @Sendable (Root, inout KeyedEncodingContainer<FieldName>) throws -> Void
    fileprivate let decode: Decode
    fileprivate let encode: Encode

    private init(name: String, isOptional: Bool, decode: @escaping Decode, encode: @escaping Encode)
    {
        self.name = name
        self.isOptional = isOptional
        self.decode = decode
        self.encode = encode
    }

    /// A field that must be there.
    public static func required<Value: Codable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable
    ) -> ResultField {
        let key = FieldName(name)
        return ResultField(
            name: name, isOptional: false,
            decode: { root, container in
                root[keyPath: path] = try container.decode(Value.self, forKey: key)
            },
            encode: { root, container in
                try container.encode(root[keyPath: path], forKey: key)
            })
    }

    /// A field that may be missing or null; nil is not written.
    public static func optional<Value: Codable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value?> & Sendable
    ) -> ResultField {
        let key = FieldName(name)
        return ResultField(
            name: name, isOptional: true,
            decode: { root, container in
                root[keyPath: path] = try container.decodeIfPresent(Value.self, forKey: key)
            },
            encode: { root, container in
                try container.encodeIfPresent(root[keyPath: path], forKey: key)
            })
    }

    /// A field that earlier versions did not write: missing, it stays at its default.
    public static func added<Value: Codable & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable
    ) -> ResultField {
        let key = FieldName(name)
        return ResultField(
            name: name, isOptional: true,
            decode: { root, container in
                guard let value = try container.decodeIfPresent(Value.self, forKey: key) else {
                    return
                }
                root[keyPath: path] = value
            },
            encode: { root, container in
                try container.encode(root[keyPath: path], forKey: key)
            })
    }

    /// A 64-bit number written as a decimal string, since a JSON number is exact only to 2^53.
    public static func decimal(
        _ name: String, _ path: any WritableKeyPath<Root, UInt64> & Sendable
    ) -> ResultField {
        let key = FieldName(name)
        return ResultField(
            name: name, isOptional: false,
            decode: { root, container in
                root[keyPath: path] = try container.decode(
                    DecimalText<UInt64>.self, forKey: key
                ).wrappedValue
            },
            encode: { root, container in
                try container.encode(String(root[keyPath: path]), forKey: key)
            })
    }

    /// Like ``decimal(_:_:)``, for one that may be missing.
    public static func optionalDecimal(
        _ name: String, _ path: any WritableKeyPath<Root, UInt64?> & Sendable
    ) -> ResultField {
        let key = FieldName(name)
        return ResultField(
            name: name, isOptional: true,
            decode: { root, container in
                root[keyPath: path] = try container.decodeIfPresent(
                    DecimalText<UInt64>.self, forKey: key
                )?.wrappedValue
            },
            encode: { root, container in
                guard let value = root[keyPath: path] else { return }
                try container.encode(String(value), forKey: key)
            })
    }
}

/// Any string as a key.
struct FieldName: CodingKey, Hashable {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ stringValue: String) {
        self.stringValue = stringValue
    }

    init?(stringValue: String) {
        self.init(stringValue)
    }

    init?(intValue: Int) {
        return nil
    }
}
