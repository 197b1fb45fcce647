import FoundationEssentials
import Glibc
import TracePipeline
import TraceResults

/// What keeps a sink of the run's own from starting or answering.
public enum SinkProcessError: Error, CustomStringConvertible {
    case cannotStart(path: String, reason: String)
    case silent(reason: String)
    case noAnswer(reason: String)

    public var description: String {
        switch self {
        case .cannotStart(let path, let reason): "the sink \(path) did not start: \(reason)"
        case .silent(let reason): "the sink did not say where it listens: \(reason)"
        case .noAnswer(let reason): "the sink did not answer: \(reason)"
        }
    }
}

/// The receiver as a child process on a free loopback port, so that its cost is not the pipeline's.
/// Its standard input is a pipe that only this process holds: when this process ends, whatever way,
/// the sink reads the end of it and ends, too. One thread at a time.
/// Safe because its fields are set before anyone else has it, and `stop` is called once.
@safe public final class SinkProcess: @unchecked Sendable {
    private let processID: pid_t
    private let lifeline: Int32
    private var isStopped = false
    /// `http://127.0.0.1:<port>`, `https:` with TLS.
    public let baseURL: String
    /// With TLS the file with the certificate that clients have to trust; it lasts as long as the sink.
    public let authorityPath: String?

    /// Starts `executable sink …` and waits until it listens.
    ///
    /// - Parameters:
    ///   - executable: path of this program, which is its own sink.
    ///   - arguments: what follows `sink`.
    public init(executable: String, arguments: [String]) throws(SinkProcessError) {
        guard let input = Self.pipe(), let output = Self.pipe() else {
            throw .cannotStart(path: executable, reason: Self.errorText(errno))
        }
        let all = [executable, "sink"] + arguments
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, input.read, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        var processID: pid_t = 0
        let status = unsafe Self.withArguments(all) { words in
            unsafe posix_spawn(&processID, executable, &actions, nil, words, environ)
        }
        close(input.read)
        close(output.write)
        guard status == 0 else {
            close(input.write)
            close(output.read)
            throw .cannotStart(path: executable, reason: Self.errorText(status))
        }
        self.processID = processID
        lifeline = input.write
        let line = Self.firstLine(output.read, timeoutMs: 20_000)
        close(output.read)
        guard let mark = line.firstRange(of: "listening on ") else {
            baseURL = ""
            authorityPath = nil
            close(input.write)
            waitpid(processID, nil, 0)
            throw .silent(reason: line.isEmpty ? "it printed nothing in 20 s" : "it said \(line)")
        }
        let words = line[mark.upperBound...]
        baseURL = String(words.prefix { $0 != " " })
        authorityPath = words.firstRange(of: Self.authorityMark).map {
            String(words[$0.upperBound...].prefix { $0 != ")" })
        }
    }

    private static let authorityMark = "(certificate authority: "

    /// Ends the sink by closing its lifeline, and by a signal when that does not do.
    public func stop() {
        guard !isStopped else { return }
        isStopped = true
        close(lifeline)
        for _ in 0..<200 {
            if waitpid(processID, nil, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    deinit { stop() }

    private static func pipe() -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        // Close-on-exec: no other child may hold the lifeline.
        guard unsafe Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends where fcntl(end, F_SETFD, FD_CLOEXEC) != 0 { return nil }
        return (ends[0], ends[1])
    }

    private static func withArguments(
        _ words: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var copies = unsafe words.map { unsafe strdup($0) }
        unsafe copies.append(nil)
        defer { for index in words.indices { unsafe free(copies[index]) } }
        return unsafe copies.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
    }

    private static func firstLine(_ descriptor: Int32, timeoutMs: Int32) -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096 {
            var input = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&input, 1, timeoutMs) > 0, unsafe read(descriptor, &byte, 1) == 1,
                byte != UInt8(ascii: "\n")
            else { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func errorText(_ code: Int32) -> String {
        unsafe String(cString: strerror(code))
    }
}

/// A sink's control endpoint. Blocking; any thread.
public struct SinkControl: Sendable {
    let baseURL: String
    /// The certificates to trust instead of the system's.
    private let authorityPath: String?
    /// Which run's batches it asks for: what its exporter calls itself, for no two runs the same.
    let run: String

    /// How long to ask again where there is no answer: a receiver may be told to go down for a while.
    private let patienceNs: UInt64

    public init(baseURL: String, authorityPath: String? = nil, patienceNs: UInt64 = 0) {
        self.baseURL = baseURL
        self.authorityPath = authorityPath
        self.patienceNs = patienceNs
        run = String(UInt64.random(in: .min ... .max), radix: 16)
    }

    /// An exporter to the sink, whose batches are the ones that this asks for.
    var exporterSettings: OTLPHTTPSettings {
        var settings = OTLPHTTPSettings(endpoint: baseURL + "/v1/traces")
        settings.runName = run
        settings.certificatePath = authorityPath
        return settings
    }

    /// The sink's own account of what it received.
    public func ledger() throws(SinkProcessError) -> SinkLedger {
        let body = try request("GET", "/tracemill/v1/ledger")
        do {
            return try JSONDecoder().decode(SinkLedger.self, from: Data(body))
        } catch {
            throw .noAnswer(reason: "its ledger cannot be read: \(error)")
        }
    }

    /// The batches it received and has not settled, a line each.
    func batches(through number: UInt64) throws(SinkProcessError) -> [UInt8] {
        try request("GET", "/tracemill/v1/batches?through=\(number)&run=\(run)")
    }

    /// Lets it fold the batches up to `number`: its memory stays flat.
    func settle(through number: UInt64) throws(SinkProcessError) {
        _ = try request("POST", "/tracemill/v1/settle?through=\(number)&run=\(run)")
    }

    /// A piece of its list of spans, as it writes it.
    func keptSpans(from first: Int, count: Int) throws(SinkProcessError) -> [UInt8] {
        try request("GET", "/tracemill/v1/kept?from=\(first)&count=\(count)")
    }

    /// How well the traces arrived that it received.
    public func traceQuality() throws(SinkProcessError) -> TraceQualityFigures {
        let body = try request("GET", "/api/quality")
        do {
            return try JSONDecoder().decode(TraceQualityFigures.self, from: Data(body))
        } catch {
            throw .noAnswer(reason: "its figures of traces cannot be read: \(error)")
        }
    }

    /// Who calls whom in the traces that it received.
    public func serviceGraph() throws(SinkProcessError) -> ServiceGraph {
        let body = try request("GET", "/api/graph")
        do {
            return try JSONDecoder().decode(ServiceGraph.self, from: Data(body))
        } catch {
            throw .noAnswer(reason: "its graph cannot be read: \(error)")
        }
    }

    /// A usual trace of those it received and the slowest; nil from a sink of an earlier version.
    func exampleTraces() throws(SinkProcessError) -> ExampleTraces? {
        let answer = try ask("/api/examples")
        guard answer.status == 200 else { return nil }
        do {
            return try JSONDecoder().decode(ExampleTraces.self, from: Data(answer.body))
        } catch {
            throw .noAnswer(reason: "its examples of traces cannot be read: \(error)")
        }
    }

    /// Asks for `path` with whatever status the answer has.
    public func ask(
        _ path: String, timeoutMs: Int = 20_000
    ) throws(SinkProcessError) -> (status: Int, body: [UInt8]) {
        do {
            return try httpRequest(
                method: "GET", url: baseURL + path, body: nil, certificatePath: authorityPath,
                timeoutMs: timeoutMs, responseBytesMax: 256 << 20)
        } catch {
            throw .noAnswer(reason: "\(error)")
        }
    }

    private func request(_ method: String, _ path: String) throws(SinkProcessError) -> [UInt8] {
        let deadlineNs = HostClock.monotonicNs() + patienceNs
        var answered: (status: Int, body: [UInt8])?
        while answered == nil, HostClock.monotonicNs() < deadlineNs {
            answered = try? once(method, path)
            if answered == nil { usleep(20_000) }
        }
        do {
            let answer = try answered ?? once(method, path)
            guard answer.status == 200 else {
                throw SinkProcessError.noAnswer(reason: "\(path): status \(answer.status)")
            }
            return answer.body
        } catch let error as SinkProcessError {
            throw error
        } catch {
            throw .noAnswer(reason: "\(error)")
        }
    }

    private func once(
        _ method: String, _ path: String
    ) throws(HTTPRequestError) -> (status: Int, body: [UInt8]) {
        try httpRequest(
            method: method, url: baseURL + path, body: nil, certificatePath: authorityPath,
            timeoutMs: 20_000, responseBytesMax: 256 << 20)
    }
}
