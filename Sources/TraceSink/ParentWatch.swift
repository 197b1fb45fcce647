// For a sink that is the child of the program it measures: it must never outlive it.

import Glibc

extension SinkServer {
    /// From now on the process exits with status 0 as soon as its standard input is at its end or
    /// its parent process is gone; what arrives on standard input is dropped. Returns at once.
    ///
    /// The end of a pipe is noticed at once. The parent is asked for once a second too, since
    /// another process may have inherited the pipe's writing end. (PR_SET_PDEATHSIG would be told
    /// of the end of the *thread* that started us, which a program may end long before itself.)
    public static func exitWithParent() {
        let parent = getppid()
        var thread = pthread_t()
        let argument = unsafe UnsafeMutableRawPointer(bitPattern: Int(parent))
        let status = unsafe pthread_create(
            &thread, nil, { unsafe watchParent($0) }, argument)
        precondition(status == 0, "no thread to watch the parent process with: \(status)")
        pthread_detach(thread)
    }
}

private func watchParent(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let parent = pid_t(Int(bitPattern: argument))
    var dropped: [UInt8] = Array(repeating: 0, count: 4096)
    while getppid() == parent {
        var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        let ready = unsafe poll(&input, 1, 1_000)
        if ready < 0 && errno != EINTR { break }
        guard ready > 0 else { continue }
        let count = unsafe dropped.withUnsafeMutableBytes {
            unsafe read(STDIN_FILENO, $0.baseAddress, $0.count)
        }
        if count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) { break }
    }
    exit(0)
}
