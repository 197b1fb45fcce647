import Glibc

/// Operating system threads for tests of what is shared between threads: really concurrent (a task
/// or a dispatch queue may run them one after the other), and joined in a way that the thread
/// sanitizer understands.
public enum OSThreads {
    /// Runs `body` on `count` new threads at once, with 0 ..< `count`, and returns when all are done.
    public static func run(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let threads = (0..<count).map { index in start { body(index) } }
        for thread in threads { join(thread) }
    }

    /// Starts a thread; give it to ``join(_:)``.
    public static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        let box = unsafe Unmanaged.passRetained(Box(body: body))
        var thread = pthread_t()
        // The thread takes over the box's reference.
        let status = unsafe pthread_create(
            &thread, nil,
            { raw in
                if let raw = unsafe raw {
                    unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body()
                }
                return nil
            }, box.toOpaque())
        precondition(status == 0, "pthread_create failed with \(status)")
        return thread
    }

    public static func join(_ thread: pthread_t) {
        let status = pthread_join(thread, nil)
        precondition(status == 0, "pthread_join failed with \(status)")
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
