// Stopping this process for a while, as a debugger or a cgroup freezer would.

import Glibc

/// SIGSTOP with somebody who wakes us.
enum ProcessStop {
    /// Stops the process; returns when it goes on. A child of its own sends SIGCONT when the time is
    /// over, whatever becomes of everybody else. Without the child nothing is stopped.
    static func stop(nanoseconds: Int64) {
        let seconds = "\(Double(nanoseconds) / 1e9)"
        // Its pipes are not to be held open by the child.
        let line = "exec </dev/null >/dev/null 2>&1; sleep \(seconds); kill -CONT \(getpid())"
        let arguments = ["/bin/sh", "-c", line]
        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { for index in arguments.indices { unsafe free(words[index]) } }
        var child: pid_t = 0
        let status = unsafe words.withUnsafeBufferPointer {
            unsafe posix_spawn(&child, "/bin/sh", nil, nil, $0.baseAddress!, environ)
        }
        guard status == 0 else { return }
        kill(getpid(), SIGSTOP)
        waitpid(child, nil, 0)
    }
}
