import CJemalloc
import FoundationEssentials
import Glibc
import TraceResults

/// What decides whether paired runs on this machine tell anything: how steady its pace is, what others take
/// of it, what limits a run has. Measuring takes half a second.
struct MachineSteadiness: Encodable {
    /// Twenty pieces of the calibration kernel.
    private static let pieces = 20

    /// The longest piece over the shortest, the two extremes at either end left out.
    var calibrationSpread: Double
    /// The median piece, ns.
    var calibrationNs: Double
    /// Processor time that the hypervisor gave to others meanwhile; nil where it cannot tell.
    var stealShare: Double?
    /// Time in which some task waited for a processor meanwhile; nil where the kernel does not tell.
    var cpuPressureShare: Double?
    /// What the kernel reads its clock from, such as `tsc`; nil where it does not tell.
    var clockSource: String?
    /// Files and sockets a process may have open.
    var openFilesMax: UInt64
    /// The largest file it may write; nil without a limit.
    var fileBytesMax: UInt64?
    /// The memory its control group allows; nil without a limit.
    var memoryBytesMax: UInt64?
    /// jemalloc's version; nil when another allocator is linked.
    var jemalloc: String?

    init(root: String = "") {
        let reader = HostReader(root: root)
        let before = reader.sample()
        var times = (0..<Self.pieces).map { _ in
            Double(CalibrationKernel.run(share: 1 / Double(Self.pieces)))
        }
        let conditions = reader.sample().conditions(since: before)
        times.sort()
        calibrationNs = OrderStatistics.median(times)
        calibrationSpread = times[times.count - 3] / max(1, times[2])
        stealShare = conditions.stealShare
        cpuPressureShare = conditions.cpuPressureShare
        clockSource = Self.line(
            root + "/sys/devices/system/clocksource/clocksource0/current_clocksource")
        var limit = rlimit()
        openFilesMax =
            unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 ? UInt64(limit.rlim_cur) : 0
        let hasFileLimit = unsafe getrlimit(__rlimit_resource_t(1), &limit) == 0
        fileBytesMax = hasFileLimit && limit.rlim_cur != .max ? UInt64(limit.rlim_cur) : nil
        memoryBytesMax =
            Self.line(root + "/sys/fs/cgroup/memory.max").flatMap { UInt64($0) }
            ?? Self.line(root + "/sys/fs/cgroup/memory/memory.limit_in_bytes").flatMap {
                UInt64($0)
            }
            .flatMap { $0 < 1 << 60 ? $0 : nil }
        jemalloc = Self.jemallocVersion()
    }

    /// The first line of a small file.
    private static func line(_ path: String) -> String? {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return nil }
        return String(decoding: data.prefix(200), as: UTF8.self).split(separator: "\n").first
            .map(String.init)
    }

    private static func jemallocVersion() -> String? {
        var text: UnsafePointer<CChar>?
        var size = unsafe MemoryLayout<UnsafePointer<CChar>?>.size
        guard unsafe mallctl("version", &text, &size, nil, 0) == 0, let text = unsafe text else {
            return nil
        }
        return String(unsafe String(cString: text).prefix { $0 != "-" })
    }

    /// The facts for people, with what to do about each.
    var lines: [MachineFacts.Line] {
        var lines = [
            MachineFacts.Line(
                "pace",
                "longest piece of work × \(NumberText.fixed(calibrationSpread, decimals: 2)) of the "
                    + "shortest, \(NumberText.duration(ns: calibrationNs)) in the median",
                isGood: calibrationSpread < 1.15,
                advice:
                    "end what else runs here, or use more rounds: gates judge pairs, docs/gate.md")
        ]
        if let stealShare {
            lines.append(
                MachineFacts.Line(
                    "steal", NumberText.percent(share: stealShare), isGood: stealShare < 0.02,
                    advice: "the host is overcommitted: ask for a machine of your own"))
        }
        if let cpuPressureShare {
            lines.append(
                MachineFacts.Line(
                    "waiting for processors", NumberText.percent(share: cpuPressureShare),
                    isGood: cpuPressureShare < 0.1,
                    advice: "more runs here than there are processors for"))
        }
        if let clockSource {
            lines.append(
                MachineFacts.Line(
                    "clock source", TerminalText.neutralised(clockSource),
                    isGood: ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"]
                        .contains(clockSource),
                    advice:
                        "slow to read: boot with clocksource=tsc where the processor's is invariant"
                ))
        }
        return lines + limits
    }

    private var limits: [MachineFacts.Line] {
        var lines = [
            MachineFacts.Line(
                "open files", NumberText.grouped(openFilesMax), isGood: openFilesMax >= 256,
                advice: "connections may not fit: ulimit -n 1024")
        ]
        if let fileBytesMax {
            lines.append(
                MachineFacts.Line(
                    "largest file", NumberText.size(bytes: Double(fileBytesMax)),
                    isGood: fileBytesMax >= 256 << 20,
                    advice: "results of many runs may not fit: ulimit -f unlimited"))
        }
        if let memoryBytesMax {
            lines.append(
                MachineFacts.Line(
                    "memory limit", NumberText.size(bytes: Double(memoryBytesMax)),
                    isGood: memoryBytesMax >= 512 << 20,
                    advice: "the default queue and its load take half a gibibyte: raise the limit"))
        }
        lines.append(
            MachineFacts.Line(
                "allocator", jemalloc.map { "jemalloc \($0)" } ?? "not jemalloc",
                isGood: jemalloc != nil,
                advice:
                    "allocatedBytesPerSpan and held memory are not counted: build with make build"))
        return lines
    }
}
