// One child process with a bounded life: a fresh process each run, in a group of its own, its words read
// up to a bound, ended when its time is up or when whoever runs it is told to stop.
import Glibc
import Synchronization
import TraceResults

/// How a child came to its end.
enum ChildEnding: Equatable {
    case exited(Int32)
    case signalled(Int32)
    /// It did not end in its time and was killed.
    case timedOut
    /// Whoever ran it was told to stop, and killed it.
    case stopped
    case cannotStart(String)
}

/// Runs child processes one at a time. Blocking; any thread.
struct ChildRun {
    /// The group of the child that is waited for; 0 when there is none.
    private static let currentGroup = Atomic<Int32>(0)

    /// Ends that child and its group, for a signal handler.
    static func killCurrent() {
        let group = currentGroup.load(ordering: .relaxed)
        if group > 0 { kill(-group, SIGKILL) }
    }

    /// The last words it keeps of a child.
    private static let wordsBytesMax = 8 << 10

    var ending: ChildEnding
    /// The end of what the child said on standard error.
    var words: String

    /// Runs `arguments[0]` to its end.
    ///
    /// - Parameters:
    ///   - timeoutNs: after this the whole group is killed.
    ///   - shouldStop: asked a hundred times a second; true ends the child.
    static func run(
        _ arguments: [String], timeoutNs: UInt64, shouldStop: () -> Bool
    ) -> ChildRun {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            return ChildRun(ending: .cannotStart(text(errno)), words: "")
        }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var processID: pid_t = 0
        let status = spawn(arguments, errors: ends[1], &processID)
        close(ends[1])
        guard status == 0 else {
            return ChildRun(ending: .cannotStart(text(status)), words: "")
        }
        currentGroup.store(processID, ordering: .relaxed)
        defer { currentGroup.store(0, ordering: .relaxed) }
        var words: [UInt8] = []
        let ending = waited(
            processID, until: HostClock.monotonicNs() + timeoutNs, shouldStop: shouldStop
        ) {
            read(ends[0], into: &words)
        }
        // Whatever it left behind in its group: a sink that has lost its run.
        kill(-processID, SIGKILL)
        read(ends[0], into: &words)
        return ChildRun(ending: ending, words: String(decoding: words, as: UTF8.self))
    }

    private static func waited(
        _ processID: pid_t, until deadlineNs: UInt64, shouldStop: () -> Bool, _ drain: () -> Void
    ) -> ChildEnding {
        var status: Int32 = 0
        while true {
            drain()
            let ended = unsafe waitpid(processID, &status, WNOHANG)
            if ended == processID { break }
            if ended < 0, errno != EINTR { return .cannotStart(text(errno)) }
            let isLate = HostClock.monotonicNs() > deadlineNs
            if isLate || shouldStop() {
                kill(-processID, SIGKILL)
                unsafe waitpid(processID, &status, 0)
                return isLate ? .timedOut : .stopped
            }
            usleep(10_000)
        }
        // WIFEXITED and its like are macros.
        let signal = status & 0x7F
        return signal == 0 ? .exited(status >> 8 & 0xFF) : .signalled(signal)
    }

    private static func spawn(
        _ arguments: [String], errors: Int32, _ processID: inout pid_t
    ) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A group of its own: Control-C reaches this process alone, which ends the group whole.
        unsafe posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGPIPE] { unsafe sigaddset(&signals, number) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { for index in arguments.indices { unsafe free(words[index]) } }
        return unsafe words.withUnsafeBufferPointer { pointers in
            unsafe posix_spawn(
                &processID, arguments[0], &actions, &attributes, pointers.baseAddress!, environ)
        }
    }

    /// Reads what there is, and keeps its end.
    private static func read(_ descriptor: Int32, into words: inout [UInt8]) {
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            guard count > 0 else { return }
            words += piece.prefix(count)
            if words.count > wordsBytesMax { words.removeFirst(words.count - wordsBytesMax) }
        }
    }

    private static func text(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

    /// The last line it said, fit for a reason; empty when it said nothing.
    var lastWords: String {
        let line = words.split(whereSeparator: \.isNewline).last ?? ""
        return String(TerminalText.neutralised(line).prefix(300))
    }
}
