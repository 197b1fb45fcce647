import ArgumentParser
import Glibc
import TraceResults
import TraceSink

/// `tracemill sink`.
struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "An OTLP/HTTP receiver that counts, checks and answers.",
        discussion: """
            Receives POST /v1/traces (protobuf, plain or gzip). Its ledger is at GET
            /tracemill/v1/ledger, batches not yet settled at GET
            /tracemill/v1/batches?through=N, and in verify mode a trace at GET
            /tracemill/v1/traces/<trace id>. It listens on loopback and has no
            authentication.

            EXAMPLES
              tracemill sink --port 4318
              tracemill sink --port 4318 --mode verify
              tracemill sink --port 4318 --fault status=503,count=3,retry-after=1
              curl -s http://127.0.0.1:4318/tracemill/v1/ledger
            """)

    @Option(help: "Port to listen on; 0 takes a free one.")
    var port = 4318

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "count: count and sum; verify: decode every field, build traces.")
    var mode = SinkLedger.Mode.count

    @Option(help: "Event loop threads.")
    var threads = 1

    @Option(
        name: [.customLong("fault")],
        help: "A fault, such as status=503,count=3 or reset=body or hang; repeatable.")
    var faults: [String] = []

    @Flag(help: ArgumentHelp("End when standard input does.", visibility: .hidden))
    var embedded = false

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port \(port): write a number from 0 to 65535")
        }
        guard (1...64).contains(threads) else {
            throw ValidationError("--threads \(threads): write a number from 1 to 64")
        }
    }

    func run() throws {
        var configuration = SinkConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.mode = mode
        configuration.threads = threads
        do {
            configuration.faults = SinkFaultSchedule(
                try faults.map { try SinkFaultRule(parsing: $0) })
        } catch {
            throw CommandFailure.usage("--fault: \(error)")
        }
        if embedded {
            // Ctrl-C reaches the whole group; the parent decides when the sink ends.
            signal(SIGINT, SIG_IGN)
            SinkServer.exitWithParent()
        }
        let server: SinkServer
        do {
            server = try SinkServer.start(configuration)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        Output.line(server.listeningLine)
        server.waitUntilStopped()
    }
}

extension SinkLedger.Mode: ExpressibleByArgument {}
