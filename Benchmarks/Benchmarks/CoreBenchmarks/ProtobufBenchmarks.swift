import Benchmark
import Foundation
import Glibc
import OTLPTypes
import SwiftProtobuf
import TraceCore

/// The same spans encoded by swift-protobuf: what the drain stands beside. Times are for one span; bodies
/// have 1,000.
func protobufBenchmarks() {
    // A thousand spans that our own pipeline made, decoded by swift-protobuf: the very same contents.
    let (request, bytes) = thousandSpans()

    Benchmark("encode: swift-protobuf, 1,000 spans a body, messages at hand") { benchmark in
        for _ in 0..<benchmark.scaledIterations.count / 1_000 {
            blackHole(try request.serializedBytes() as [UInt8])
        }
    }

    Benchmark("encode: swift-protobuf, 1,000 spans a body, messages made first") { benchmark in
        for _ in 0..<benchmark.scaledIterations.count / 1_000 {
            blackHole(try copied(request).serializedBytes() as [UInt8])
        }
    }

    Benchmark("encode: memcpy of the same bytes, 1,000 spans a body") { benchmark in
        var target = [UInt8](repeating: 0, count: bytes.count)
        for _ in 0..<benchmark.scaledIterations.count / 1_000 {
            unsafe target.withUnsafeMutableBytes { target in
                unsafe bytes.withUnsafeBytes {
                    unsafe _ = memcpy(target.baseAddress!, $0.baseAddress!, $0.count)
                }
            }
            blackHole(target[bytes.count / 2])
        }
    }
}

/// Spans of five attributes through a recorder, as a message and as the bytes that it came from.
private func thousandSpans() -> (request: OTLPExportTraceServiceRequest, bytes: [UInt8]) {
    let rig = Rig()
    let name = SpanName("GET /api/v1/cart/{id}")
    let keys = Keys()
    for _ in 0..<1_000 {
        let span = rig.tracer.startSpan(name, kind: .server)
        keys.set(on: span)
        span.end()
    }
    let bytes = rig.body(spans: 1_000)
    guard let request = try? OTLPExportTraceServiceRequest(serializedBytes: bytes),
        request.resourceSpans.first?.scopeSpans.first?.spans.count == 1_000
    else { fatalError("swift-protobuf cannot read what the pipeline wrote") }
    return (request, bytes)
}

/// Every message made anew, field by field, as an SDK does that exports by swift-protobuf.
private func copied(_ request: OTLPExportTraceServiceRequest) -> OTLPExportTraceServiceRequest {
    var copy = OTLPExportTraceServiceRequest()
    copy.resourceSpans = request.resourceSpans.map { resourceSpans in
        var copy = OTLPResourceSpans()
        copy.resource = resourceSpans.resource
        copy.scopeSpans = resourceSpans.scopeSpans.map { scopeSpans in
            var copy = OTLPScopeSpans()
            copy.scope = scopeSpans.scope
            copy.spans = scopeSpans.spans.map(copied)
            return copy
        }
        return copy
    }
    return copy
}

private func copied(_ span: OTLPSpan) -> OTLPSpan {
    var copy = OTLPSpan()
    copy.traceID = span.traceID
    copy.spanID = span.spanID
    copy.name = span.name
    copy.kind = span.kind
    copy.startTimeUnixNano = span.startTimeUnixNano
    copy.endTimeUnixNano = span.endTimeUnixNano
    copy.flags = span.flags
    copy.attributes = span.attributes.map { attribute in
        var value = OTLPAnyValue()
        value.value = attribute.value.value
        var copy = OTLPKeyValue()
        copy.key = attribute.key
        copy.value = value
        return copy
    }
    return copy
}
