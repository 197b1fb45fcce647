import Glibc
import TraceLoad
import TracePipeline
import TraceResults

/// A sink that somebody else started, and how it is trusted.
struct SinkAddress {
    static let standard = "http://127.0.0.1:4318"

    /// Its control endpoint.
    let control: SinkControl
    private let address: String
    private let isUntrusted: Bool

    /// - Parameters:
    ///   - address: `http://` or `https://`, as others can append paths to it.
    ///   - certificate: PEM file with the authorities to trust instead of the system's; for https alone.
    init(_ address: String, certificate: String?) throws {
        let speaksTLS = address.hasPrefix("https://")
        guard speaksTLS || address.hasPrefix("http://"),
            address.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            !address.contains("?"), !address.contains("#")
        else {
            throw CommandFailure.usage(
                "--sink \(Self.shown(address)): write an address such as \(Self.standard)")
        }
        if let certificate {
            guard speaksTLS else {
                throw CommandFailure.usage(
                    "--certificate is for an https sink; \(Self.shown(address)) is not one")
            }
            guard unsafe Glibc.access(certificate, R_OK) == 0 else {
                let reason = unsafe String(cString: strerror(errno))
                throw CommandFailure.usage(
                    "--certificate '\(TerminalText.neutralised(certificate))': \(reason); name the "
                        + "authority's file, which `tracemill sink --tls` tells where it starts")
            }
        }
        var base = Substring(address)
        while base.hasSuffix("/") { base = base.dropLast() }
        control = SinkControl(baseURL: String(base), authorityPath: certificate)
        self.address = address
        isUntrusted = speaksTLS && certificate == nil
    }

    /// Who calls whom in what it received.
    func graph() throws -> ServiceGraph {
        do {
            let graph = try control.serviceGraph()
            if let defect = graph.defect { throw CommandFailure.usage("the sink: \(defect)") }
            return graph
        } catch let error as SinkProcessError {
            throw unreachable(error)
        }
    }

    func unreachable(_ error: SinkProcessError) -> CommandFailure {
        let hint =
            isUntrusted
            ? "one that vouches for itself is trusted with --certificate and its authority's file"
            : "`tracemill sink --store memory` is one"
        return .usage("\(error); is a sink listening at \(Self.shown(address))? \(hint)")
    }

    /// Without user-info and query.
    private static func shown(_ address: String) -> String {
        TerminalText.neutralised(OTLPHTTPSettings(endpoint: address).printableEndpoint)
    }
}
