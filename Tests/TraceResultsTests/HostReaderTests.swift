import FoundationEssentials
import Glibc
import Testing

@testable import TraceResults

@Suite("Host facts")
struct HostReaderTests {
    /// Copies of a host's files in a folder of their own.
    final class Host {
        let folder: AtomicFileTests.Folder
        var reader: HostReader { HostReader(root: folder.path) }

        init(_ files: [String: String]) throws {
            folder = try AtomicFileTests.Folder()
            for (path, text) in files { try set(path, text) }
        }

        func set(_ path: String, _ text: String) throws {
            let full = folder.path + path
            let parent = full[..<(full.lastIndex(of: "/") ?? full.endIndex)]
            try FileManager.default.createDirectory(
                atPath: String(parent), withIntermediateDirectories: true)
            try AtomicFile.write(Array(text.utf8), to: full)
        }
    }

    @Test("a virtual x86-64 machine with a container")
    func virtualMachine() throws {
        let host = try Host([
            "/proc/cpuinfo":
                "processor\t: 0\nmodel name\t: Some(R) Processor @ 2.1GHz\n"
                + "flags\t\t: fpu hypervisor nx\n",
            "/proc/self/status": "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,6,8-9\n",
            "/proc/self/cgroup": "0::/user/job\n",
            "/sys/fs/cgroup/user/job/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/user/cpu.max": "250000 100000\n",
            "/proc/sys/kernel/osrelease": "6.1.0-13\n",
            "/sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
            "/sys/class/dmi/id/product_name": "c7i.large\n",
            "/.dockerenv": "",
            "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
            "/proc/sys/kernel/random/boot_id": "boot-1\n",
        ])
        let facts = host.reader.environment()
        #expect(facts.hard.cpuModel == "Some(R) Processor @ 2.1GHz")
        #expect(facts.hard.cpuCount == 7)
        #expect(facts.hard.cpuQuota == 2.5)
        #expect(facts.soft.kernel == "6.1.0-13")
        #expect(facts.soft.libc.hasPrefix("glibc "))
        #expect(facts.soft.virtualisation == "Amazon EC2 c7i.large, docker")
        #expect(facts.soft.hostHash.count == 16)
        let before = facts.soft
        try host.set("/proc/sys/kernel/random/boot_id", "boot-2\n")
        let after = host.reader.environment().soft
        #expect(after.hostHash == before.hostHash)
        #expect(after.bootHash != before.bootHash)
    }

    @Test("an arm64 machine with the old control groups and nothing around it")
    func bareArm() throws {
        let host = try Host([
            "/proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
            "/proc/self/cgroup": "4:memory:/m\n2:cpu,cpuacct:/a/b\n0::/\n",
            "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
            "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        ])
        let reader = host.reader
        #expect(reader.cpuModel() == "arm 0x41 part 0xd0c")
        #expect(reader.cpuQuota() == 0.5)
        #expect(reader.virtualisation() == "none")
        #expect(reader.cpuCount() >= 1)
    }

    @Test("a host that tells nothing is no error")
    func silentHost() throws {
        let host = try Host([:])
        let facts = host.reader.environment()
        #expect(facts.hard.cpuModel == "unknown")
        #expect(facts.hard.cpuQuota == nil)
        #expect(facts.soft.kernel == "unknown")
        let conditions = host.reader.sample().conditions(since: host.reader.sample())
        #expect(conditions == HostConditions())
    }

    @Test("steal and pressure are shares of what passed between two samples")
    func conditions() throws {
        let host = try Host([
            "/proc/stat": "cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
            "/proc/pressure/cpu":
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull total=9\n",
            "/proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        ])
        var start = host.reader.sample()
        try host.set("/proc/stat", "cpu  150 0 120 820 0 0 0 110 60 0\n")
        try host.set("/proc/pressure/cpu", "some avg10=1.00 total=501000\n")
        var end = host.reader.sample()
        start.monotonicNs = 10_000_000_000
        end.monotonicNs = 12_000_000_000
        let conditions = end.conditions(since: start)
        #expect(conditions.stealShare == 0.05)
        #expect(conditions.cpuPressureShare == 0.25)
        #expect(conditions.ioPressureShare == 0)
        #expect(conditions.memoryPressureShare == nil)
    }

    @Test("this host and this process can be read")
    func thisHost() {
        let facts = HostReader().environment()
        #expect(facts.hard.cpuModel != "unknown")
        #expect(facts.hard.cpuCount > 0)
        #expect(facts.soft.kernel != "unknown")
        let usage = ProcessUsage.now()
        #expect(usage.cpuNs > 0)
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.peakResidentBytes >= usage.residentBytes)
        let before = HostClock.threadCPUNs()
        #expect(HostClock.threadCPUNs() >= before)
        #expect(HostClock.processCPUNs() >= before)
    }

    @Test("resetting the peak of memory forgets what was freed")
    func peakReset() async {
        await #expect(processExitsWith: .success) {
            var block: [UInt8]? = [UInt8](repeating: 1, count: 200 << 20)
            try #require(block?.last == 1)
            let peak = ProcessUsage.now().peakResidentBytes
            try #require(peak > 200 << 20)
            block = nil
            if ProcessUsage.resetPeak() {
                try #require(ProcessUsage.now().peakResidentBytes < peak - (100 << 20))
            }
        }
    }

    @Test(
        "moments are written as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_795_262_400_012_000_000, "2026-11-21T12:00:00.012Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] as [(UInt64, String)])
    func timestamps(wallNs: UInt64, text: String) {
        #expect(HostClock.timestamp(wallNs: wallNs) == text)
    }
}
