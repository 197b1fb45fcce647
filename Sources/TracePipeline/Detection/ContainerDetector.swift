// The container around the process (semantic conventions, "Container"), by cgroups(7) and
// proc_pid_mountinfo(5): a runtime writes the container's id into the name of its control group, and
// into the paths of the files that it mounts.

/// `container.id`.
struct ContainerDetector: ResourceDetector {
    let name = "container"
    var source = DetectionSource()

    func detect() -> DetectedResource {
        var found = AttributeList()
        found.add(
            "container.id",
            Self.containerID(controlGroups: source.text("/proc/self/cgroup") ?? "")
                ?? Self.containerID(mounts: source.text("/proc/self/mountinfo") ?? ""))
        return found.resource
    }

    /// From the control groups. With version 1, and with version 2 where the container has the host's
    /// control group name space, a folder is named after the container: `/docker/<id>`,
    /// `/system.slice/docker-<id>.scope`, `…/cri-containerd-<id>.scope`, `…/crio-<id>`,
    /// `…/libpod-<id>.scope/container`, `/ecs/<task>/<id>`.
    static func containerID(controlGroups text: String) -> String? {
        for line in text.split(separator: "\n") {
            let fields = line.split(
                separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            // Innermost first: a container may run in another, and Podman has a folder in its own.
            for folder in fields[2].split(separator: "/").reversed() {
                if let id = id(in: folder.hasSuffix(".scope") ? folder.dropLast(6) : folder) {
                    return id
                }
            }
        }
        return nil
    }

    /// From the mounts: with version 2 the container sees its own control group as `/`, but its
    /// `/etc/hostname` and its like are mounted from `…/containers/<id>/…` (Docker) or
    /// `…/overlay-containers/<id>/…` (Podman). In a pod these files are the pod's, from the container
    /// that holds it together (`…/sandboxes/<id>/…` with containerd): then nothing is told.
    static func containerID(mounts text: String) -> String? {
        guard KubernetesDetector.Mounts(text).podUID == nil else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[4].hasPrefix("/etc/") || fields[4].hasPrefix("/run/")
            else { continue }
            let folders = fields[3].split(separator: "/")
            for (parent, child) in zip(folders, folders.dropFirst())
            where parent == "containers" || parent == "overlay-containers" {
                if let id = id(in: child) { return id }
            }
        }
        return nil
    }

    /// The id within a name that may begin with the runtime's: 64 hexadecimal digits, or the 32 and a
    /// number of a Fargate task.
    private static func id(in name: Substring) -> String? {
        let last = name.split(separator: "-").last ?? name
        if last.utf8.count == 64, last.utf8.allSatisfy(isHexadecimal) { return String(last) }
        let parts = name.split(separator: "-")
        if parts.count == 2, parts[0].utf8.count == 32, parts[0].utf8.allSatisfy(isHexadecimal),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        {
            return String(name)
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
}
