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
            Receives POST /v1/traces (protobuf or JSON, plain or gzip). Its ledger is at GET
            /tracemill/v1/ledger, how well traces arrived at GET /api/quality, who calls whom
            at GET /api/graph?format=json, text, mermaid or dot. With --store it keeps every
            trace until the oldest give way: GET /api/traces lists them, GET
            /api/traces/<trace id> gives one as OTLP JSON, and `tracemill trace` draws it.
            It listens on loopback and has no authentication. With --tls it serves https: the
            line that says where it listens names a file with the certificate to trust.

            EXAMPLES
              tracemill sink --port 4318
              tracemill sink --store memory
              tracemill sink --store traces --store-size 1GiB
              tracemill sink --port 4318 --fault status=503,count=3,retry-after=1
              tracemill sink --tls --fault tls=expired,after=10,for=5s
              curl -s http://127.0.0.1:4318/tracemill/v1/ledger
              tracemill topology --sink http://127.0.0.1:4318
            """)

    @Option(help: "Port to listen on; 0 takes a free one.")
    var port = 4318

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(
        help:
            "count: count and sum; verify: decode every field. Default: count, verify with --store."
    )
    var mode: SinkLedger.Mode?

    @Option(help: "Keep traces to be asked for: memory, or a folder that is made if need be.")
    var store: String?

    @Option(help: "Size of the store, such as 256MiB; at least 1MiB. The oldest traces give way.")
    var storeSize: ByteSize = ByteSize(bytes: 256 << 20)

    @Option(help: "A trace is judged when no span of it has come for so long, such as 30s.")
    var quiet: Duration = Duration(nanoseconds: 30_000_000_000)

    @Flag(help: "Serve https, with certificates and an authority made on the spot.")
    var tls = false

    @Option(help: "Event loop threads.")
    var threads = 1

    @Option(
        name: [.customLong("fault")],
        help: "A fault, such as status=503,count=3 or reset=body or hang; repeatable.")
    var faults: [String] = []

    @Flag(help: ArgumentHelp("End when standard input does.", visibility: .hidden))
    var embedded = false

    /// For `run --fidelity`: spans that are listed for the run.
    @Option(help: .hidden)
    var listSpans = 0

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port \(port): write a number from 0 to 65535")
        }
        guard (1...64).contains(threads) else {
            throw ValidationError("--threads \(threads): write a number from 1 to 64")
        }
        if store != nil, mode == .count {
            throw ValidationError(
                "--store keeps what is decoded, which --mode count does not: leave one of them out")
        }
        guard storeSize.bytes >= 1 << 20 else {
            throw ValidationError("--store-size: write 1MiB or more")
        }
        guard quiet.nanoseconds >= 1_000_000 else {
            throw ValidationError("--quiet: write 1ms or more")
        }
    }

    func run() throws {
        var configuration = SinkConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.isTLS = tls
        configuration.mode = mode ?? (store == nil ? .count : .verify)
        var storeSettings = SinkConfiguration.StoreSettings()
        storeSettings.folder = store == "memory" ? nil : store
        storeSettings.bytesMax = storeSize.bytes
        configuration.store = storeSettings
        configuration.study.quietNs = quiet.nanoseconds
        configuration.onNotice = { Output.error($0) }
        configuration.threads = threads
        configuration.keptSpansMax = max(0, listSpans)
        do {
            configuration.faults = SinkFaultSchedule(
                try faults.map { try SinkFaultRule(parsing: $0) })
        } catch {
            throw CommandFailure.usage("--fault: \(error)")
        }
        if embedded {
            // Ctrl-C reaches the whole group, and so does SIGTERM from `timeout` or a service manager; the
            // parent, which has spans to flush, decides when the sink ends.
            signal(SIGINT, SIG_IGN)
            signal(SIGTERM, SIG_IGN)
            SinkServer.exitWithParent()
        }
        // Its own files and the kernel's queue beside its connections.
        DescriptorLimit.allow(configuration.limits.connectionsMax + 256)
        let server: SinkServer
        do {
            server = try SinkServer.start(configuration)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        // A sink of a run goes when the run does.
        let stopping = StopFlag()
        let signals =
            embedded
            ? nil
            : SignalWatch {
                stopping.stop($0)
                server.shutdown()
            }
        defer { signals?.stop() }
        Output.line(server.listeningLine)
        server.waitUntilStopped()
        if let code = stopping.code { throw CommandFailure(message: nil, code: code) }
    }
}

extension SinkLedger.Mode: ExpressibleByArgument {}

/// A size on the command line, with its unit.
struct ByteSize: ExpressibleByArgument {
    var bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        for (suffix, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        where argument.hasSuffix(suffix) {
            guard let count = Int(argument.dropLast(3)), count >= 0, count < 1 << 20 else {
                return nil
            }
            bytes = count << shift
            return
        }
        return nil
    }

    static var allValueStrings: [String] { ["64MiB", "256MiB", "1GiB"] }

    var defaultValueDescription: String { "\(bytes >> 20)MiB" }
}
