import Glibc

/// A socket that takes connections and never reads from them.
final class StalledReceiver {
    private let descriptor: Int32
    let endpoint: String

    init?() {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                // The kernel completes connections by itself: nobody accepts them.
                guard unsafe bind(descriptor, address, length) == 0, listen(descriptor, 16) == 0
                else { return Int32(-1) }
                return unsafe getsockname(descriptor, address, &length)
            }
        }
        endpoint = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/v1/traces"
        self.descriptor = descriptor
        if status != 0 { return nil }
    }

    deinit { close(descriptor) }
}
