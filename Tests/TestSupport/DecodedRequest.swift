import Foundation
import OTLPDefinition
import SwiftProtobuf

/// An export request as swift-protobuf reads it, flattened to spans that know where they stood.
public struct DecodedRequest: Sendable {
    /// A span with its envelope.
    public struct Entry: Sendable {
        public var resource: OTLPResource
        public var resourceSchemaURL: String
        public var scope: OTLPInstrumentationScope
        public var scopeSchemaURL: String
        public var span: OTLPSpan
    }

    public let message: OTLPExportTraceServiceRequest
    public let entries: [Entry]

    /// Decodes a request body.
    ///
    /// - Throws: `BinaryDecodingError` when the bytes are no protobuf of this shape.
    public init(bytes: some Sequence<UInt8>) throws {
        message = try OTLPExportTraceServiceRequest(serializedBytes: Array(bytes))
        entries = message.resourceSpans.flatMap { resourceSpans in
            resourceSpans.scopeSpans.flatMap { scopeSpans in
                scopeSpans.spans.map { span in
                    Entry(
                        resource: resourceSpans.resource,
                        resourceSchemaURL: resourceSpans.schemaURL, scope: scopeSpans.scope,
                        scopeSchemaURL: scopeSpans.schemaURL, span: span)
                }
            }
        }
    }

    public var spans: [OTLPSpan] { entries.map(\.span) }

    /// Entries by span id; of two with the same id, the first.
    public var entriesBySpanID: [UInt64: Entry] {
        Dictionary(entries.map { ($0.span.spanID.bigEndianNumber, $0) }) { first, _ in first }
    }

    /// What is wrong with the envelopes, whatever the spans say: empty envelopes, a resource or a
    /// scope that occurs twice, fields that OTLP does not have. Empty when all is well.
    public var envelopeProblems: [String] {
        var problems: [String] = []
        func check(_ unknown: UnknownStorage, _ place: String) {
            if !unknown.data.isEmpty { problems.append("\(place): unknown fields") }
        }
        check(message.unknownFields, "request")
        var resources: Set<OTLPResource> = []
        for (number, resourceSpans) in message.resourceSpans.enumerated() {
            let place = "resource \(number)"
            check(resourceSpans.unknownFields, place)
            check(resourceSpans.resource.unknownFields, place)
            if resourceSpans.scopeSpans.isEmpty { problems.append("\(place): no scopes") }
            if !resources.insert(resourceSpans.resource).inserted {
                problems.append("\(place): occurred before")
            }
            var scopes: Set<OTLPInstrumentationScope> = []
            for (scopeNumber, scopeSpans) in resourceSpans.scopeSpans.enumerated() {
                let place = "\(place), scope \(scopeNumber)"
                check(scopeSpans.unknownFields, place)
                check(scopeSpans.scope.unknownFields, place)
                if scopeSpans.spans.isEmpty { problems.append("\(place): no spans") }
                if !scopes.insert(scopeSpans.scope).inserted {
                    problems.append("\(place): occurred before")
                }
            }
        }
        return problems
    }
}

extension Data {
    /// The bytes as one number, most significant first; 0 when there are none.
    ///
    /// - Precondition: at most 8 bytes.
    public var bigEndianNumber: UInt64 {
        precondition(count <= 8, "\(count) bytes do not fit a 64-bit number")
        return reduce(0) { $0 << 8 | UInt64($1) }
    }
}
