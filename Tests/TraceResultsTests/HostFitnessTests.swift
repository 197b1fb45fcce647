import Testing

@testable import TraceResults

@Suite("Host fitness")
struct HostFitnessTests {
    @Test("memory, governor, boost and load of a machine that tells them")
    func told() throws {
        let host = try HostReaderTests.Host([
            "/proc/meminfo":
                "MemTotal:       12334524 kB\nMemFree: 1 kB\nMemAvailable:   10334524 kB\n",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
            "/sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
            "/proc/loadavg": "0.52 0.58 0.59 1/389 12345\n",
        ])
        let fitness = HostFitness(root: host.folder.path)
        #expect(fitness.memoryTotalBytes == 12_334_524 * 1024)
        #expect(fitness.memoryAvailableBytes == 10_334_524 * 1024)
        #expect(fitness.frequencyGovernor == "powersave")
        #expect(fitness.isBoostEnabled == true)
        #expect(fitness.loadAverage == 0.52)
        try host.set("/sys/devices/system/cpu/cpufreq/boost", "0\n")
        #expect(HostFitness(root: host.folder.path).isBoostEnabled == false)
    }

    @Test("a machine that tells nothing, or nonsense, is unknown")
    func untold() throws {
        let host = try HostReaderTests.Host([
            "/proc/meminfo": "MemTotal: many kB\nMemAvailable: 18446744073709551615 kB\n\n",
            "/proc/loadavg": "\n",
        ])
        let fitness = HostFitness(root: host.folder.path)
        #expect(fitness.memoryTotalBytes == nil)
        #expect(fitness.memoryAvailableBytes == nil)
        #expect(fitness.frequencyGovernor == nil)
        #expect(fitness.isBoostEnabled == nil)
        #expect(fitness.loadAverage == nil)
    }
}
