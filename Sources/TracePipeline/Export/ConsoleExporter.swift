// Spans on standard output: for people, and for programs that read OTLP/JSON lines.

import Glibc
import TraceCore

/// How the console exporter writes.
public enum ConsoleFormat: String, Sendable, CaseIterable {
    /// A line a span: end time, duration, service, name, ids, status, attributes.
    case lines
    /// A line a batch: `ExportTraceServiceRequest` as OTLP/JSON, the OTLP file exporter's format.
    case json
}

/// Writes each batch to a file descriptor, standard output by default.
public struct ConsoleExporter: SpanExporter {
    private let format: ConsoleFormat
    private let fileDescriptor: Int32

    /// - Parameter fileDescriptor: stays the caller's; must outlive the exporter.
    public init(format: ConsoleFormat = .lines, fileDescriptor: Int32 = STDOUT_FILENO) {
        self.format = format
        self.fileDescriptor = fileDescriptor
    }

    /// Acknowledged once all is written; refused when the request cannot be read or the descriptor
    /// takes no more.
    public func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        var text = JSONWriter()
        do throws(ProtobufError) {
            try Self.write(request, format: format, to: &text)
        } catch {
            return .dropped(.refused)
        }
        return unsafe write(text.bytes) ? .acknowledged : .dropped(.refused)
    }

    /// Appends the text of a request.
    static func write(
        _ request: RawSpan, format: ConsoleFormat, to output: inout JSONWriter
    ) throws(ProtobufError) {
        switch format {
        case .json:
            try OTLPJSONTranscoder.write(request, to: &output)
            output.put("\n")
        case .lines:
            for span in try SpanData.decode(request: request) { writeLine(span, to: &output) }
        }
    }

    private static func writeLine(_ span: SpanData, to output: inout JSONWriter) {
        output.put(
            ascii: "\(timestamp(span.endUnixNano)) \(milliseconds(span.durationNs)) ms ")
        output.put(string: span.serviceName ?? "")
        output.put(" ")
        output.put(string: span.name)
        output.put(ascii: " kind=\(span.kind) trace=\(span.traceID.hex) span=\(span.spanID.hex)")
        if let parent = span.parentSpanID { output.put(ascii: " parent=\(parent.hex)") }
        if span.status != .unset {
            output.put(ascii: " status=\(span.status)")
            if !span.statusMessage.isEmpty {
                output.put(" ")
                output.put(string: span.statusMessage)
            }
        }
        for attribute in span.attributes {
            output.put(" ")
            output.put(string: attribute.key)
            output.put("=")
            output.put(value: attribute.value)
        }
        for event in span.events {
            output.put(" event=")
            output.put(string: event.name)
        }
        if !span.links.isEmpty { output.put(ascii: " links=\(span.links.count)") }
        output.put("\n")
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds % 1_000_000)
        return "\(nanoseconds / 1_000_000)."
            + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    /// RFC 3339 in UTC, with nanoseconds.
    private static func timestamp(_ unixNs: UInt64) -> String {
        var seconds = time_t(unixNs / 1_000_000_000)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday]
            .map { padded($0, 2) }.joined(separator: "-")
        let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
            .map { padded($0, 2) }.joined(separator: ":")
        return "\(date)T\(clock).\(padded(unixNs % 1_000_000_000, 9))Z"
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = unsafe Glibc.write(
                fileDescriptor, bytes.baseAddress.unsafelyUnwrapped + written,
                bytes.count - written)
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&descriptor, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
