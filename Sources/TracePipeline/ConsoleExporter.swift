// Spans on standard output: for people, and for programs that read OTLP/JSON lines.

import Glibc

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

    /// Acknowledged once all is written; refused when the descriptor takes no more.
    public func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        let bytes = unsafe request.withUnsafeBytes { unsafe [UInt8]($0) }
        guard let text = Self.text(of: bytes, format: format) else {
            return .dropped(.refused)
        }
        return write(text) ? .acknowledged : .dropped(.refused)
    }

    /// The text of a request; nil when it is not one.
    static func text(of request: [UInt8], format: ConsoleFormat) -> [UInt8]? {
        guard let tree = try? OTLPTree(request: request) else { return nil }
        var output: [UInt8] = []
        switch format {
        case .json:
            tree.writeJSON(to: &output)
            output.append(0x0A)
        case .lines:
            for resourceSpans in tree["resourceSpans"]?.items ?? [] {
                let service = serviceName(resourceSpans["resource"])
                for scopeSpans in resourceSpans["scopeSpans"]?.items ?? [] {
                    for span in scopeSpans["spans"]?.items ?? [] {
                        writeLine(span, service: service, to: &output)
                    }
                }
            }
        }
        return output
    }

    private static func serviceName(_ resource: OTLPTree?) -> String {
        let attributes = resource?["attributes"]?.items ?? []
        let named = attributes.first { $0["key"]?.string == "service.name" }
        return named?["value"]?["stringValue"]?.string ?? ""
    }

    private static let kinds = ["", "internal", "server", "client", "producer", "consumer"]
    private static let statuses = ["", "ok", "error"]

    private static func writeLine(_ span: OTLPTree, service: String, to output: inout [UInt8]) {
        let start = UInt64(span["startTimeUnixNano"]?.string ?? "") ?? 0
        let end = UInt64(span["endTimeUnixNano"]?.string ?? "") ?? 0
        output += "\(timestamp(end)) \(milliseconds(end >= start ? end - start : 0)) ms ".utf8
        OTLPTree.writeString(service, to: &output)
        output.append(0x20)
        OTLPTree.writeString(span["name"]?.string ?? "", to: &output)
        if let kind = name(span["kind"], in: kinds) { output += " kind=\(kind)".utf8 }
        output += " trace=\(span["traceId"]?.string ?? "")".utf8
        output += " span=\(span["spanId"]?.string ?? "")".utf8
        if let parent = span["parentSpanId"]?.string, !parent.isEmpty {
            output += " parent=\(parent)".utf8
        }
        if let status = name(span["status"]?["code"], in: statuses) {
            output += " status=\(status)".utf8
            if let message = span["status"]?["message"]?.string, !message.isEmpty {
                output.append(0x20)
                OTLPTree.writeString(message, to: &output)
            }
        }
        for attribute in span["attributes"]?.items ?? [] { write(attribute, to: &output) }
        for event in span["events"]?.items ?? [] {
            output += " event=".utf8
            OTLPTree.writeString(event["name"]?.string ?? "", to: &output)
        }
        let links = span["links"]?.items.count ?? 0
        if links > 0 { output += " links=\(links)".utf8 }
        output.append(0x0A)
    }

    private static func name(_ number: OTLPTree?, in names: [String]) -> String? {
        guard let index = number.flatMap({ Int($0.string) }), names.indices.contains(index),
            !names[index].isEmpty
        else { return nil }
        return names[index]
    }

    private static func write(_ attribute: OTLPTree, to output: inout [UInt8]) {
        output.append(0x20)
        OTLPTree.writeString(attribute["key"]?.string ?? "", to: &output)
        output.append(UInt8(ascii: "="))
        guard case .object(let members) = attribute["value"], let value = members.first else {
            output += "null".utf8
            return
        }
        switch (value.name, value.value) {
        case ("intValue", let number), ("doubleValue", let number): output += number.string.utf8
        case (_, let other): other.writeJSON(to: &output)
        }
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

    private func write(_ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes {
                unsafe Glibc.write(fileDescriptor, $0.baseAddress, $0.count)
            }
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
