// The process that emits the spans (semantic conventions, "Process"). Its arguments are not told: they
// may hold secrets, and the conventions ask for them only where somebody wants them.

/// `process.pid`, `process.parent_pid`, `process.executable.name` and `.path`, `process.command`,
/// `process.args_count`, `process.creation.time`, `process.owner`.
struct ProcessDetector: ResourceDetector {
    let name = "process"
    var source = DetectionSource()
    /// Clock ticks a second in /proc: sysconf(_SC_CLK_TCK), 100 on every Linux that Swift runs on.
    private static let ticksPerS = 100

    func detect() -> DetectedResource {
        var found = AttributeList()
        let stat = Stat(source.text("/proc/self/stat") ?? "")
        found.add("process.pid", stat?.pid)
        found.add("process.parent_pid", stat?.parentPID)
        // A file replaced while it runs, as by an update, is marked so by the kernel.
        var path = source.linkTarget("/proc/self/exe")
        if let marked = path, marked.hasSuffix(" (deleted)") { path = String(marked.dropLast(10)) }
        found.add(
            "process.executable.name", path?.split(separator: "/").last.map(String.init))
        found.add("process.executable.path", path)
        if let line = source.text("/proc/self/cmdline"), !line.isEmpty {
            // Each argument ends with a NUL; empty ones count.
            let arguments = (line.hasSuffix("\0") ? line.dropLast() : line[...])
                .split(separator: "\0", omittingEmptySubsequences: false)
            found.add("process.command", arguments.first.map(String.init))
            found.add("process.args_count", arguments.count)
        }
        found.add("process.creation.time", stat.flatMap { creationTime(startTicks: $0.startTicks) })
        found.add("process.owner", owner())
        return found.resource
    }

    /// The fields of proc_pid_stat(5) that are needed. The second one, the command in parentheses, may
    /// itself hold spaces and parentheses.
    struct Stat {
        var pid: Int
        var parentPID: Int
        /// From the machine's start to the process's.
        var startTicks: Int

        init?(_ text: String) {
            guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"),
                let pid = Int(String(text[..<open]).trimmedOfSpaces)
            else { return nil }
            let fields = text[text.index(after: close)...].split(separator: " ")
            // The third field is the first after the command.
            guard fields.count > 19, let parent = Int(fields[1]), let start = Int(fields[19]) else {
                return nil
            }
            self.pid = pid
            parentPID = parent
            startTicks = start
        }
    }

    private func creationTime(startTicks: Int) -> String? {
        let bootLine = (source.text("/proc/stat") ?? "").split(separator: "\n").first {
            $0.hasPrefix("btime ")
        }
        guard let boot = bootLine.flatMap({ Int($0.dropFirst(6)) }), boot > 0 else { return nil }
        let milliseconds = startTicks % Self.ticksPerS * (1_000 / Self.ticksPerS)
        return UTCTime.text(
            unixSeconds: boot + startTicks / Self.ticksPerS, milliseconds: milliseconds)
    }

    /// The effective user's name by /etc/passwd: asking the name service could take any time.
    private func owner() -> String? {
        let line = (source.text("/proc/self/status") ?? "").split(separator: "\n").first {
            $0.hasPrefix("Uid:")
        }
        let ids = line?.dropFirst(4).split(whereSeparator: { $0 == "\t" || $0 == " " }) ?? []
        guard ids.count >= 2 else { return nil }
        for entry in (source.text("/etc/passwd") ?? "").split(separator: "\n") {
            let fields = entry.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, fields[2] == ids[1] { return String(fields[0]) }
        }
        return nil
    }
}
