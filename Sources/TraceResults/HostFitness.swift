// Whether a machine is fit to measure on: memory, frequency, and what else it is doing. What it is made of
// is in HostReader.swift. Source: proc(5), Documentation/admin-guide/pm/cpufreq.rst.

/// Facts that shift figures without changing the machine. Any thread.
public struct HostFitness: Sendable, Codable, Equatable {
    /// Nil where the machine does not tell, here and below.
    public var memoryTotalBytes: UInt64?
    /// What programs can still have without swapping.
    public var memoryAvailableBytes: UInt64?
    /// The first processor's way of choosing its frequency, such as `performance` or `powersave`.
    public var frequencyGovernor: String?
    /// Whether the processor may run above its base frequency while it is cool.
    public var isBoostEnabled: Bool?
    /// Threads that ran or wanted to, on average over the last minute.
    public var loadAverage: Double?

    /// Reads this machine's files, or copies of a machine's files under `root`.
    public init(root: String = "") {
        func line(_ path: String) -> Substring? {
            FileBytes.text(root + path)?.split(separator: "\n").first
        }
        for line in (FileBytes.text(root + "/proc/meminfo") ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let kibibytes = UInt64(words[1]) else { continue }
            let bytes = kibibytes.multipliedReportingOverflow(by: 1024)
            guard !bytes.overflow else { continue }
            if words[0] == "MemTotal:" { memoryTotalBytes = bytes.partialValue }
            if words[0] == "MemAvailable:" { memoryAvailableBytes = bytes.partialValue }
        }
        let processors = "/sys/devices/system/cpu"
        frequencyGovernor = line("\(processors)/cpu0/cpufreq/scaling_governor").map(String.init)
        if let boost = line("\(processors)/cpufreq/boost") {
            isBoostEnabled = boost == "1"
        } else if let off = line("\(processors)/intel_pstate/no_turbo") {
            isBoostEnabled = off == "0"
        }
        loadAverage = line("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
    }
}
