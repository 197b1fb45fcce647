// The machine and its operating system (semantic conventions, "Host" and "Operating System").

/// `host.name`, `host.id`, `host.arch`.
struct HostDetector: ResourceDetector {
    let name = "host"
    var source = DetectionSource()

    func detect() -> DetectedResource {
        var found = AttributeList()
        found.add(
            "host.name", source.line("/proc/sys/kernel/hostname") ?? source.line("/etc/hostname"))
        found.add(
            "host.id", source.line("/etc/machine-id") ?? source.line("/var/lib/dbus/machine-id"))
        found.add("host.arch", Self.architecture)
        return found.resource
    }

    /// By the names of the conventions.
    private static var architecture: String? {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            nil
        #endif
    }
}

/// `os.type`, `os.name`, `os.version`, `os.description`, `os.build_id`; the format is os-release(5).
struct OperatingSystemDetector: ResourceDetector {
    let name = "os"
    var source = DetectionSource()

    func detect() -> DetectedResource {
        var found = AttributeList()
        found.add("os.type", "linux")
        let release = Self.fields(
            of: source.text("/etc/os-release") ?? source.text("/usr/lib/os-release") ?? "")
        found.add("os.name", release["NAME"])
        found.add("os.version", release["VERSION_ID"])
        found.add("os.description", release["PRETTY_NAME"])
        found.add("os.build_id", release["BUILD_ID"] ?? source.line("/proc/sys/kernel/osrelease"))
        return found.resource
    }

    /// `NAME=value` lines; a value may be in quotes, with a backslash before what the shell would read.
    static func fields(of text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            fields[String(line[..<equals])] = unquoted(line[line.index(after: equals)...])
        }
        return fields
    }

    private static func unquoted(_ text: Substring) -> String {
        var value = ""
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                value.append(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote, character == open {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
            } else {
                value.append(character)
            }
        }
        return value
    }
}
