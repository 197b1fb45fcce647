// Runs every check with its share of the operations and prints a line each. Exit code 1 when one fails.
import Glibc
import Synchronization

@testable import TraceCore

/// What a check found wrong.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Traps nothing: a check that finds something says what, and the next one runs.
func demand(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Failure(message()) }
}

/// One check: gets about so many operations and a seed, gives how many it did.
struct Check: Sendable {
    let name: String
    /// Its share of all operations.
    let share: Double
    let body: @Sendable (_ operations: Int, _ seed: UInt64) throws -> Int
}

@main
enum Model {
    static let checks = RingChecks.all + QueueChecks.all + WakeChecks.all + StoreChecks.all

    static func main() {
        var words = CommandLine.arguments.dropFirst()
        var operations = 10_000_000
        var seed: UInt64 = 1
        var patienceS = 120
        var only: [String] = []
        while let word = words.popFirst() {
            let value = words.popFirst() ?? ""
            switch word {
            case "--operations": operations = Int(value) ?? 0
            case "--seed": seed = UInt64(value) ?? 0
            case "--patience": patienceS = Int(value) ?? 0
            case "--only": only.append(value)
            default: usage("'\(word)' is not an option")
            }
        }
        let names = checks.map(\.name)
        guard operations >= 1000, patienceS >= 1, only.allSatisfy(names.contains) else {
            usage("--operations from 1000, --patience in seconds, --only one of \(names)")
        }
        Watchdog.start(patienceS: patienceS)
        let chosen = only.isEmpty ? checks : checks.filter { only.contains($0.name) }
        let shares = chosen.reduce(0) { $0 + $1.share }
        var isWrong = false
        var total = 0
        let begun = monotonicS()
        for check in chosen {
            Watchdog.begin(check.name)
            let wanted = Int(Double(operations) * check.share / shares)
            let start = monotonicS()
            do {
                let done = try check.body(wanted, seed)
                total += done
                line(check.name, done, monotonicS() - start, "ok")
            } catch {
                isWrong = true
                line(check.name, 0, monotonicS() - start, "FAILED: \(error)")
            }
        }
        line("all", total, monotonicS() - begun, isWrong ? "FAILED" : "ok")
        exit(isWrong ? 1 : 0)
    }

    private static func line(_ name: String, _ operations: Int, _ seconds: Double, _ result: String)
    {
        func column(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let tenths = Int((seconds * 10).rounded())
        let left = name + String(repeating: " ", count: max(0, 20 - name.count))
        say(
            left + column("\(operations)", 12) + column("\(tenths / 10).\(tenths % 10) s", 10) + " "
                + result)
    }

    private static func usage(_ message: String) -> Never {
        say("model: \(message)", to: STDERR_FILENO)
        exit(2)
    }
}

/// Ends the program when a check makes no progress: a lost wake-up is a thread that sleeps for ever.
enum Watchdog {
    private static let beats = Atomic<Int>(0)
    private static let current = Guarded("")

    /// Something was done.
    static func beat() { beats.add(1, ordering: .relaxed) }

    static func begin(_ name: String) {
        current.withLock { $0 = name }
        beat()
    }

    static func start(patienceS: Int) {
        _ = OSThreads.start {
            var last = -1
            var still = 0
            while still < patienceS * 10 {
                usleep(100_000)
                let now = beats.load(ordering: .relaxed)
                still = now == last ? still + 1 : 0
                last = now
            }
            say("\(current.withLock { $0 }): FAILED: no progress in \(patienceS) s")
            exit(1)
        }
    }
}

/// Draws numbers: SplitMix64 (Steele, Lea, Flood 2014).
struct Draws {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Spreads a number over 64 bits; sums of it tell sets apart.
    static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A number that threads share.
final class SharedNumber: Sendable {
    private let atomic: Atomic<Int>
    init(_ value: Int = 0) { atomic = Atomic(value) }
    var value: Int { atomic.load(ordering: .acquiring) }
    @discardableResult func add(_ amount: Int = 1) -> Int {
        atomic.add(amount, ordering: .acquiringAndReleasing).newValue
    }
    /// Waits, giving the processor away, until the number is at least `least`.
    func wait(for least: Int) {
        while value < least { sched_yield() }
    }
}

/// A line, at once: what was said is out when the program is ended.
func say(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
    let bytes = Array((text + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}

func monotonicS() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
