// What the host tells of itself under /proc, /sys and /etc: which machine it is, and how busy it
// is with other things. Any thread; reads a handful of small files, so not for a hot path.
//
// Source: proc(5), cgroups(7), Documentation/accounting/psi.rst.

import Glibc

/// Reads the facts of a host; of another one for tests, by the folder its files are in.
public struct HostReader: Sendable {
    private let root: String

    /// A reader of this host's files, or of copies of a host's files under `root`.
    public init(root: String = "") {
        self.root = root
    }

    // MARK: Which machine

    /// What the result file says about the machine.
    public func environment() -> EnvironmentFacts {
        var facts = EnvironmentFacts()
        facts.hard = hardFacts()
        facts.soft = softFacts()
        return facts
    }

    /// What decides how fast the machine is.
    public func hardFacts() -> HardFacts {
        var facts = HardFacts()
        #if arch(x86_64)
            facts.architecture = "x86_64"
        #elseif arch(arm64)
            facts.architecture = "aarch64"
        #else
            facts.architecture = "unknown"
        #endif
        facts.cpuModel = cpuModel()
        facts.cpuCount = cpuCount()
        facts.cpuQuota = cpuQuota()
        return facts
    }

    /// What may shift figures a little, and which machine it was.
    public func softFacts() -> SoftFacts {
        var facts = SoftFacts()
        facts.kernel = line("/proc/sys/kernel/osrelease") ?? "unknown"
        facts.libc = Self.libcVersion()
        facts.virtualisation = virtualisation()
        let host = line("/etc/machine-id") ?? line("/proc/sys/kernel/hostname") ?? ""
        facts.hostHash = Self.mark(of: "tracemill host " + host)
        let boot = line("/proc/sys/kernel/random/boot_id") ?? ""
        facts.bootHash = Self.mark(of: "tracemill boot " + boot)
        return facts
    }

    /// The processor's name; on arm64, where the kernel knows none, its implementer and part.
    func cpuModel() -> String {
        let text = text("/proc/cpuinfo") ?? ""
        if let name = field("model name", of: text) { return name }
        if let implementer = field("CPU implementer", of: text) {
            return "arm \(implementer) part \(field("CPU part", of: text) ?? "unknown")"
        }
        return "unknown"
    }

    /// The processors this process may run on.
    func cpuCount() -> Int {
        let list = field("Cpus_allowed_list", of: text("/proc/self/status") ?? "") ?? ""
        let count = list.split(separator: ",").reduce(0) { sum, range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, last >= first else { return sum }
            return sum + last - first + 1
        }
        return count > 0 ? count : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// The processors the control group allows, the tightest of its ancestors; nil without a limit.
    func cpuQuota() -> Double? {
        var tightest: Double?
        for entry in (text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = entry.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isUnified = parts[1].isEmpty
            guard isUnified || parts[1].split(separator: ",").contains("cpu") else { continue }
            var folder = String(parts[2])
            while true {
                let quota = isUnified ? unifiedQuota(folder) : legacyQuota(folder, parts[1])
                if let quota { tightest = min(tightest ?? quota, quota) }
                guard let slash = folder.lastIndex(of: "/"), folder != "/" else { break }
                folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
            }
        }
        return tightest
    }

    private func unifiedQuota(_ folder: String) -> Double? {
        for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let words = (line("\(mount)\(folder)/cpu.max") ?? "").split(separator: " ")
            guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]),
                period > 0
            else { continue }
            return quota / period
        }
        return nil
    }

    private func legacyQuota(_ folder: String, _ controllers: Substring) -> Double? {
        for mount in ["/sys/fs/cgroup/\(controllers)", "/sys/fs/cgroup/cpu"] {
            guard let quota = line("\(mount)\(folder)/cpu.cfs_quota_us").flatMap(Double.init),
                let period = line("\(mount)\(folder)/cpu.cfs_period_us").flatMap(Double.init),
                quota > 0, period > 0
            else { continue }
            return quota / period
        }
        return nil
    }

    /// The hypervisor and the container, as far as they show; `none` without either.
    func virtualisation() -> String {
        var found: [String] = []
        if let type = line("/sys/hypervisor/type"), !type.isEmpty {
            found.append(type)
        } else if (field("flags", of: text("/proc/cpuinfo") ?? "") ?? "")
            .split(separator: " ").contains("hypervisor")
        {
            let vendor = line("/sys/class/dmi/id/sys_vendor")
            let product = line("/sys/class/dmi/id/product_name")
            let name = [vendor, product].compactMap(\.self).filter { !$0.isEmpty }
                .joined(separator: " ")
            found.append(name.isEmpty ? "hypervisor" : name)
        }
        if text("/.dockerenv") != nil { found.append("docker") }
        if text("/run/.containerenv") != nil { found.append("podman") }
        return found.isEmpty ? "none" : found.joined(separator: ", ")
    }

    private static func libcVersion() -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe confstr(
                Int32(_CS_GNU_LIBC_VERSION), bytes.bindMemory(to: CChar.self).baseAddress,
                bytes.count)
        }
        guard count > 1 else { return "unknown" }
        return String(decoding: buffer.prefix(min(count, buffer.count) - 1), as: UTF8.self)
    }

    /// The first 64 bits of a digest, in hexadecimal.
    private static func mark(of text: String) -> String {
        String(SHA256Digest.hex(of: text).prefix(16))
    }

    // MARK: How busy

    /// The host's counters of lost time, at this moment.
    public func sample() -> HostSample {
        var sample = HostSample(monotonicNs: HostClock.monotonicNs())
        let processors = (text("/proc/stat") ?? "").split(separator: "\n").first ?? ""
        let ticks = processors.split(separator: " ").dropFirst().compactMap { UInt64($0) }
        // user nice system idle iowait irq softirq steal; guests are counted in user and nice.
        if ticks.count >= 8 {
            sample.totalTicks = ticks.prefix(8).reduce(0, &+)
            sample.stealTicks = ticks[7]
        }
        sample.cpuPressureUs = pressure("cpu")
        sample.memoryPressureUs = pressure("memory")
        sample.ioPressureUs = pressure("io")
        return sample
    }

    /// Microseconds in which some task waited for the resource, since the host started.
    private func pressure(_ resource: String) -> UInt64? {
        let some = (text("/proc/pressure/\(resource)") ?? "").split(separator: "\n").first {
            $0.hasPrefix("some ")
        }
        let total = some?.split(separator: " ").first { $0.hasPrefix("total=") }
        return total.flatMap { UInt64($0.dropFirst("total=".count)) }
    }

    // MARK: Files

    private func text(_ path: String) -> String? {
        FileBytes.text(root + path)
    }

    /// The first line of a file.
    private func line(_ path: String) -> String? {
        guard let text = text(path) else { return nil }
        return text.split(separator: "\n").first.map(String.init) ?? ""
    }

    /// The value of the first line `name : value`.
    private func field(_ name: String, of text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let isWhole = line[..<colon].dropFirst(name.count).allSatisfy(\.isWhitespace)
            if isWhole {
                return String(line[line.index(after: colon)...].drop(while: \.isWhitespace))
            }
        }
        return nil
    }
}

/// Counters of the time a host lost to others, at one moment.
public struct HostSample: Sendable, Equatable {
    /// When it was taken.
    public var monotonicNs: UInt64
    /// All processors' time together, in ticks.
    public var totalTicks: UInt64?
    /// What the hypervisor gave to others of it.
    public var stealTicks: UInt64?
    /// Time in which some task waited for a processor.
    public var cpuPressureUs: UInt64?
    /// Likewise for memory.
    public var memoryPressureUs: UInt64?
    /// Likewise for input and output.
    public var ioPressureUs: UInt64?

    /// A sample in which nothing is known yet.
    public init(monotonicNs: UInt64) {
        self.monotonicNs = monotonicNs
    }

    /// How busy the host was between `start` and this sample.
    public func conditions(since start: HostSample) -> HostConditions {
        var conditions = HostConditions()
        conditions.stealShare = Self.share(
            start.stealTicks, stealTicks, of: start.totalTicks, totalTicks)
        let before = start.monotonicNs / 1000
        let after = monotonicNs / 1000
        conditions.cpuPressureShare = Self.share(
            start.cpuPressureUs, cpuPressureUs, of: before, after)
        conditions.memoryPressureShare = Self.share(
            start.memoryPressureUs, memoryPressureUs, of: before, after)
        conditions.ioPressureShare = Self.share(
            start.ioPressureUs, ioPressureUs, of: before, after)
        return conditions
    }

    /// A counter's growth over another's, between 0 and 1; nil when one is unknown or stands still.
    private static func share(
        _ before: UInt64?, _ after: UInt64?, of wholeBefore: UInt64?, _ wholeAfter: UInt64?
    ) -> Double? {
        guard let before, let after, let wholeBefore, let wholeAfter, after >= before,
            wholeAfter > wholeBefore
        else { return nil }
        return min(1, Double(after - before) / Double(wholeAfter - wholeBefore))
    }
}
