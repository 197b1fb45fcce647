import ArgumentParser
import FoundationEssentials
import Glibc
import TraceLoad
import TraceResults
import TraceSink

/// `tracemill trace [ID]`.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Draw a trace that a sink keeps; without an id, list the latest.",
        discussion: """
            Asks a sink that keeps traces (`tracemill sink --store memory` or a folder) and
            draws the trace: its tree, when each span ran, errors in red.

            With --wait it asks until the trace is one tree (a root, every parent there)
            and has been quiet for --quiet, or, with --spans or --services, as soon as all
            that is expected is in the tree. A test uses it instead of a sleep.

            EXAMPLES
              tracemill trace
              tracemill trace --errors --service payment-service
              tracemill trace 4bf92f3577b34da6a3ce929d0e0e4736
              tracemill trace 4bf92f35… --wait 5s --services order-service,payment-service
              tracemill trace 4bf92f35… --json | jq '.resourceSpans[].scopeSpans[].spans[].name'

            EXIT CODES
              0 found, and as waited for · 1 not found · 2 usage, or no sink there
              3 found, but not as waited for: in pieces, or spans or services missing
            """)

    @Argument(help: "The trace's identifier, 32 hexadecimal digits; none lists the latest traces.")
    var id: String?

    @Option(help: "Address of the sink.")
    var sink = SinkAddress.standard

    @Option(help: .init("Authority that an https sink is trusted by (PEM).", valueName: "file"))
    var certificate: String?

    @Option(help: "How long to wait for the trace at most, such as 5s; at most 5m.")
    var wait: Duration?

    @Option(help: "How long no further span may have come, such as 250ms.")
    var quiet: Duration?

    @Option(help: "How many spans there have to be.")
    var spans: Int?

    @Option(help: "Services that have to be in it, with commas between them.")
    var services: String?

    @Flag(help: "Print the OTLP JSON document.")
    var json = false

    @Flag(help: "Show the events of each span.")
    var events = false

    @Option(help: "Spans drawn at most; 0 for all.")
    var maxSpans = 500

    @Option(help: "Columns to draw in; default: the terminal's.")
    var width: Int?

    @Option(help: "List: how many traces, 1 to 1000.")
    var limit = 20

    @Option(help: "List: only traces with a span of this service.")
    var service: String?

    @Option(help: "List: only traces that took so long at least, such as 100ms.")
    var minDuration: Duration?

    @Flag(help: "List: only traces with an error.")
    var errors = false

    func validate() throws {
        if let id, TraceIdentifier(id) == nil {
            throw ValidationError(
                "'\(TerminalText.neutralised(id.prefix(80)))' is no trace identifier: write 32 "
                    + "hexadecimal digits, not all of them 0")
        }
        if id == nil, wait != nil || quiet != nil || spans != nil || services != nil || events {
            throw ValidationError(
                "--wait, --quiet, --spans, --services and --events go with an identifier")
        }
        if id != nil, service != nil || minDuration != nil || errors {
            throw ValidationError(
                "--service, --min-duration and --errors choose from a list: leave out the identifier"
            )
        }
        if let wait, wait.nanoseconds > 300_000_000_000 {
            throw ValidationError("--wait takes at most 5m")
        }
        if let spans, !(1...1_000_000).contains(spans) {
            throw ValidationError("--spans \(spans): write a number from 1 to 1000000")
        }
        guard (1...1_000).contains(limit) else {
            throw ValidationError("--limit \(limit): write a number from 1 to 1000")
        }
        guard maxSpans >= 0 else { throw ValidationError("--max-spans: write 0 or more") }
        if let width, !(72...1_000).contains(width) {
            throw ValidationError("--width \(width): write a number from 72 to 1000")
        }
    }

    func run() throws {
        if let id, let trace = TraceIdentifier(id) {
            try show(trace)
        } else {
            try list()
        }
    }

    // MARK: One trace

    private func show(_ trace: TraceIdentifier) throws {
        var query: [(String, String)] = []
        if let wait { query.append(("wait", "\(wait.nanoseconds)ns")) }
        if let quiet { query.append(("quiet", "\(quiet.nanoseconds)ns")) }
        if let spans { query.append(("spans", "\(spans)")) }
        if let services { query.append(("services", services)) }
        let body = try ask(
            "/api/traces/\(trace.text)", query,
            timeoutMs: 20_000 + Int((wait?.nanoseconds ?? 0) / 1_000_000))
        guard let body else {
            let waited = wait.map { " in \(NumberText.duration(ns: Double($0.nanoseconds)))" } ?? ""
            throw CommandFailure(
                message: "trace \(trace.text) is not there\(waited)", code: .regression)
        }
        let document: OTLPTraces
        do {
            document = try JSONDecoder().decode(OTLPTraces.self, from: Data(body))
        } catch {
            throw CommandFailure.usage("the sink's answer is no trace: \(error)")
        }
        if json {
            Output.text(String(decoding: body, as: UTF8.self) + "\n")
        } else {
            var waterfall = Waterfall()
            waterfall.columns = width ?? TerminalStyle.columns(of: STDOUT_FILENO)
            waterfall.style = .detected(on: STDOUT_FILENO)
            waterfall.showsEvents = events
            waterfall.spansMax = maxSpans == 0 ? .max : maxSpans
            Output.text(waterfall.text(of: document))
        }
        let shape = TraceShape(document)
        if let lack = lack(of: shape) {
            throw CommandFailure(
                message: "trace \(trace.text) is not as waited for: \(lack)", code: .inconclusive)
        }
    }

    /// What a trace lacks of what was asked for; nil for nothing.
    private func lack(of shape: TraceShape) -> String? {
        if let spans, shape.spans < spans { return "\(shape.spans) of \(spans) spans" }
        let missing = (services?.split(separator: ",").map(String.init) ?? [])
            .filter { !shape.services.contains($0) }
        if !missing.isEmpty {
            return "nothing of " + TerminalText.neutralised(missing.joined(separator: ", "))
        }
        let isAsked = wait != nil || spans != nil || services != nil
        return isAsked ? shape.flaws : nil
    }

    // MARK: The list

    private func list() throws {
        var query = [("limit", "\(limit)")]
        if let service { query.append(("service", service)) }
        if let minDuration { query.append(("min-duration", "\(minDuration.nanoseconds)ns")) }
        if errors { query.append(("errors", "true")) }
        guard let body = try ask("/api/traces", query, timeoutMs: 20_000) else {
            throw CommandFailure.usage(
                "the sink keeps no traces: start it with --store memory or --store DIR")
        }
        if json {
            Output.text(String(decoding: body, as: UTF8.self) + "\n")
            return
        }
        let list: TraceList
        do {
            list = try JSONDecoder().decode(TraceList.self, from: Data(body))
        } catch {
            throw CommandFailure.usage("the sink's answer is no list of traces: \(error)")
        }
        let columns = width ?? TerminalStyle.columns(of: STDOUT_FILENO)
        Output.text(list.text(columns: columns, style: .detected(on: STDOUT_FILENO)))
    }

    /// The body of the answer; nil for 404.
    private func ask(
        _ path: String, _ query: [(String, String)], timeoutMs: Int
    ) throws -> [UInt8]? {
        let address = try SinkAddress(sink, certificate: certificate)
        let text = query.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
        let answer: (status: Int, body: [UInt8])
        do {
            answer = try address.control.ask(
                path + (text.isEmpty ? "" : "?" + text), timeoutMs: timeoutMs)
        } catch {
            throw address.unreachable(error)
        }
        switch answer.status {
        case 200: return answer.body
        case 404: return nil
        default:
            let said = TerminalText.neutralised(
                String(decoding: answer.body.prefix(300), as: UTF8.self))
            throw CommandFailure.usage("the sink answered \(answer.status): \(said)")
        }
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            guard byte < 0x80,
                character.isLetter || character.isNumber || "-._~,".contains(character)
            else {
                let digits = String(byte, radix: 16, uppercase: true)
                return "%" + (digits.count < 2 ? "0" : "") + digits
            }
            return String(character)
        }.joined()
    }
}

/// 32 hexadecimal digits, not all of them 0.
struct TraceIdentifier {
    /// In lower case.
    let text: String

    init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.contains(where: { $0 != 0x30 }),
            text.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20)
            })
        else { return nil }
        self.text = text.lowercased()
    }
}
