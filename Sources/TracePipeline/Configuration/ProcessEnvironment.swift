// The environment variables of this process. At start only: nobody may change them meanwhile.

import Glibc

enum ProcessEnvironment {
    /// The value of a variable; nil when it is not set.
    static func value(_ name: String) -> String? {
        // Safe as long as nobody changes the environment meanwhile, which is so at start.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// The names of all variables that the process was started with.
    static var names: [String] {
        let entries = FileText.read("/proc/self/environ") ?? ""
        return entries.split(separator: "\0").compactMap { entry in
            entry.firstIndex(of: "=").map { String(entry[..<$0]) }
        }
    }
}
