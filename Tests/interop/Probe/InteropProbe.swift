// What `make interop` compares other SDKs with: the propagators, samplers and exporter of this package,
// driven by lines of JSON. One thread; not installed, not part of the product.

import FoundationEssentials
import Glibc

/// `interop-probe propagate | sample | export …`.
@main
struct InteropProbe {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first {
            case "propagate": try PropagationProbe.run()
            case "sample": try SamplingProbe.run()
            case "export": try ExportProbe.run(ExportOptions(Array(arguments.dropFirst())))
            default: throw ProbeError("write propagate, sample or export")
            }
        } catch {
            let message = Array("interop-probe: \(error)\n".utf8)
            _ = unsafe message.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
            exit(2)
        }
    }
}

/// Something the caller did wrong.
struct ProbeError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Lines of JSON on standard input and output.
enum JSONLines {
    /// Calls `body` with each line of standard input, and prints what it returns.
    static func answer<Question: Decodable, Answer: Encodable>(
        _ body: (Question) throws -> Answer
    ) throws {
        let decoder = JSONDecoder()
        while let line = readLine() {
            if line.isEmpty { continue }
            try print(body(decoder.decode(Question.self, from: Data(line.utf8))))
        }
    }

    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
