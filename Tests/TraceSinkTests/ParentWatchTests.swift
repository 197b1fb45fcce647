import Glibc
import Testing
import TraceResults

@testable import TraceSink

@Suite("Ending with the parent")
struct ParentWatchTests {
    @Test("The process ends with status 0 when its standard input does, after what was on it")
    func endOfInput() async {
        await #expect(processExitsWith: .exitCode(0)) {
            var ends: [Int32] = [-1, -1]
            guard unsafe pipe(&ends) == 0, dup2(ends[0], STDIN_FILENO) == STDIN_FILENO else {
                exit(2)
            }
            SinkServer.exitWithParent()
            var text = Array("ignored".utf8)
            guard unsafe write(ends[1], &text, text.count) == text.count else { exit(3) }
            close(ends[1])
            // Only so that a broken watch fails rather than hangs.
            alarm(30)
            while true { pause() }
        }
    }

    @Test("The process goes on while its standard input is open")
    func openInput() async {
        await #expect(processExitsWith: .exitCode(7)) {
            var ends: [Int32] = [-1, -1]
            guard unsafe pipe(&ends) == 0, dup2(ends[0], STDIN_FILENO) == STDIN_FILENO else {
                exit(2)
            }
            SinkServer.exitWithParent()
            let server = try SinkServer.start()
            let client = try RawClient(server)
            client.export(spans(3))
            guard try client.answer().status == 200, server.ledger().spansTotal == 3 else {
                exit(4)
            }
            exit(7)
        }
    }
}
