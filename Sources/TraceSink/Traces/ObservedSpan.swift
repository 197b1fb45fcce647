// What is kept of a span for looking at whole traces: who it is, whose child, when, and what it says
// it talks to.

import Glibc

/// What a span talks to, by OpenTelemetry's semantic conventions.
enum SpanPeer: UInt8 {
    /// It does not say.
    case none
    /// A database: `db.system.name` or `db.system` is there.
    case database
    /// A queue or topic: `messaging.destination.name` or `messaging.system` is there.
    case queue
    /// Whoever `peer.service` or `server.address` names.
    case callee
}

/// A span on its way into the books about traces. Its bytes are as good as the request's.
@safe
struct ObservedSpan {
    var trace: TraceKey
    var spanID: UInt64
    var parentSpanID: UInt64
    /// Index in the request's `services`.
    var service: Int
    var startUnixNano: UInt64
    var endUnixNano: UInt64
    var kind: SpanKind
    var isError: Bool
    var peer: SpanPeer
    /// Its own name.
    var name: UnsafeRawBufferPointer
    /// Name of the peer; empty when it has none.
    var peerName: UnsafeRawBufferPointer
}

/// Kinds as OTLP numbers them; one that it does not know is `unspecified`.
enum SpanKind: UInt8 {
    case unspecified = 0
    case `internal` = 1
    case server = 2
    case client = 3
    case producer = 4
    case consumer = 5

    /// Whether a span of this kind is where a service is entered.
    var isEntry: Bool { self == .server || self == .consumer || self == .unspecified }
}

extension ObservedSpan {
    /// - Parameter service: index in the request's `services`.
    init(_ span: DecodedSpan, service: Int) {
        trace = TraceKey(high: span.traceHigh, low: span.traceLow)
        spanID = span.spanID
        parentSpanID = span.parentSpanID
        self.service = service
        startUnixNano = span.startUnixNano
        endUnixNano = span.endUnixNano
        kind = SpanKind(rawValue: UInt8(clamping: span.kind)) ?? .unspecified
        isError = span.statusCode == 2
        unsafe name = span.name
        peer = .none
        unsafe peerName = UnsafeRawBufferPointer(start: nil, count: 0)
        // An entry's address is the service's own.
        if kind != .server, kind != .unspecified {
            findPeer(span.attributes[..<span.ownAttributes])
        }
    }

    private mutating func findPeer(_ attributes: ArraySlice<DecodedAttribute>) {
        var names = PeerNames()
        for attribute in attributes where attribute.value.type == 1 { names.read(attribute) }
        if unsafe names.databaseSystem.count > 0 {
            peer = .database
            unsafe peerName = Self.firstOf(
                names.peerService, names.database, names.address, names.databaseSystem)
        } else if unsafe names.destination.count + names.messagingSystem.count > 0 {
            peer = .queue
            unsafe peerName = Self.firstOf(names.destination, names.messagingSystem)
        } else if kind == .client || kind == .producer {
            unsafe peerName = Self.firstOf(names.peerService, names.address)
            if unsafe peerName.count > 0 { peer = .callee }
        }
    }

    private static func firstOf(_ names: UnsafeRawBufferPointer...) -> UnsafeRawBufferPointer {
        unsafe names.first { $0.count > 0 }
            ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }
}

/// Values of the attributes that name a peer. The older names are those of conventions 1.20, which
/// many agents still send.
@safe
private struct PeerNames {
    private static var none: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }

    var peerService = unsafe none
    var address = unsafe none
    var database = unsafe none
    var databaseSystem = unsafe none
    var destination = unsafe none
    var messagingSystem = unsafe none

    mutating func read(_ attribute: DecodedAttribute) {
        let value = unsafe attribute.value.bytes
        // The length tells most keys apart without a look at their bytes.
        switch unsafe attribute.key.count {
        case 7 where attribute.isNamed("db.name"):
            unsafe database = Self.nameOf(database: value)
        case 9 where attribute.isNamed("db.system"): unsafe databaseSystem = value
        case 12 where attribute.isNamed("peer.service"): unsafe peerService = value
        case 12 where attribute.isNamed("db.namespace"):
            unsafe database = Self.nameOf(database: value)
        case 13 where attribute.isNamed("net.peer.name"):
            if unsafe address.count == 0 { unsafe address = value }
        case 14 where attribute.isNamed("server.address"): unsafe address = value
        case 14 where attribute.isNamed("db.system.name"): unsafe databaseSystem = value
        case 16 where attribute.isNamed("messaging.system"): unsafe messagingSystem = value
        case 21 where attribute.isNamed("messaging.destination"):
            if unsafe destination.count == 0 { unsafe destination = value }
        case 26 where attribute.isNamed("messaging.destination.name"):
            unsafe destination = value
        default: break
        }
    }

    /// Redis and others number their databases: a number alone tells no two servers apart.
    private static func nameOf(database name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let isNumber = unsafe name.allSatisfy { (0x30...0x39).contains($0) }
        return unsafe isNumber ? none : name
    }
}

extension DecodedAttribute {
    fileprivate func isNamed(_ name: StaticString) -> Bool {
        guard let base = unsafe key.baseAddress, unsafe key.count == name.utf8CodeUnitCount else {
            return false
        }
        return unsafe memcmp(base, name.utf8Start, name.utf8CodeUnitCount) == 0
    }
}
