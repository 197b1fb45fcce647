import Testing

@testable import TracePipeline

@Suite("Container detector")
struct ContainerDetectorTests {
    /// Lines of /proc/self/cgroup as other projects have recorded them: neuvector's
    /// share/system/cgroup_test.go (Debian, CentOS, Ubuntu, RancherOS, Kubernetes, Bottlerocket, host),
    /// the documentation of Amazon ECS and of Podman for the rest.
    static let controlGroups: [(name: String, text: String, id: String?)] = [
        (
            "Debian",
            "10:net_prio:/4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970\n",
            "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
        ),
        (
            "CentOS",
            """
            2:cpuacct,cpu:/system.slice/docker-\
            9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d.scope
            """,
            "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
        ),
        (
            "Ubuntu",
            "1:cpuset:/docker/31cb02944da7a12196a193cf0e0f6c226d7c453a1db62e65ba98287593a2ee30",
            "31cb02944da7a12196a193cf0e0f6c226d7c453a1db62e65ba98287593a2ee30"
        ),
        (
            "RancherOS, a container in another",
            """
            9:name=systemd:/docker/a9a5ad238e59234193ee7ec3fcff5e735b3708ea1068826952255b69e3cfa413\
            /docker/ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a
            """,
            "ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a"
        ),
        (
            "Kubernetes, cgroupfs, after a controller outside",
            """
            3:rdma:/
            11:devices:/kubepods/besteffort/pod74ba62da-1a3d-11e7-bb11-080027cb0e22/\
            cb1eadb7abe3a6545e9856411207073277838e1bdc003337c2f8685faeedc32c
            """,
            "cb1eadb7abe3a6545e9856411207073277838e1bdc003337c2f8685faeedc32c"
        ),
        (
            "Bottlerocket, containerd",
            """
            11:cpuset:/kubepods.slice/kubepods-besteffort.slice/\
            kubepods-besteffort-poddd1bf9d1_241d_47f5_8e25_12de83135812.slice/\
            cri-containerd-f45298cd514d1930c4fe3afc4412e59547f7e3148fddd22ca33cefce046eb830.scope
            """,
            "f45298cd514d1930c4fe3afc4412e59547f7e3148fddd22ca33cefce046eb830"
        ),
        (
            "kube-proxy, a folder within the container's",
            """
            11:freezer:/kubepods/besteffort/podf8a694f2-7c08-11e9-98da-000c29077430/\
            c04e0a88a1de067f25bece337d4dbb897396e0b623c2a65330850fc9823f1903/kube-proxy
            """,
            "c04e0a88a1de067f25bece337d4dbb897396e0b623c2a65330850fc9823f1903"
        ),
        (
            "Podman, version 2",
            """
            0::/machine.slice/libpod-\
            b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc3315af0bc70.scope/container
            """,
            "b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc3315af0bc70"
        ),
        (
            "Fargate",
            "1:name=systemd:/ecs/10aa2bb2dcd74d5d8d6e6e9a3ba08ee5/10aa2bb2dcd74d5d8d6e6e9a3ba08ee5-2531612879",
            "10aa2bb2dcd74d5d8d6e6e9a3ba08ee5-2531612879"
        ),
        ("a host", "13:name=systemd:/\n1:cpuset:/\n", nil),
        ("a session", "11:hugetlb:/user/1000.user/c2.session\n0::/user.slice/user-1000.slice", nil),
        ("version 2 in a name space of its own", "0::/\n", nil),
        ("garbage", "docker\n::\n1:a\n\n", nil),
        (
            "upper case is no id",
            "1:a:/docker/31CB02944DA7A12196A193CF0E0F6C226D7C453A1DB62E65BA98287593A2EE30", nil
        ),
    ]

    @Test("The id is the innermost folder that is one", arguments: controlGroups)
    func controlGroup(_ sample: (name: String, text: String, id: String?)) {
        #expect(
            ContainerDetector.containerID(controlGroups: sample.text) == sample.id, "\(sample.name)"
        )
    }

    static let docker = """
        1520 900 0:134 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/\
        l/9F1C2E,upperdir=/var/lib/docker/overlay2/\
        0d9f6bf186030d796505b87d6daa92297355e47641e283d3c09d83a7f221e462/diff
        1521 1520 0:135 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
        779 761 8:5 /var/lib/docker/containers/\
        ea3b3a00a57231354f3b27e748f2e224b34537a5911a205f835c7cb4c6551de1/hosts /mnt/other rw - ext4 x rw
        780 759 8:5 /var/lib/docker/containers/\
        c33988ec7651ebc867cb24755eaf637a6734088bc7eef59d5799293a9e5450f7/resolv.conf \
        /etc/resolv.conf rw,relatime - ext4 /dev/sda5 rw,errors=remount-ro
        """

    @Test("With version 2 the id comes from where the runtime's own files are mounted from")
    func mounts() {
        #expect(
            ContainerDetector.containerID(mounts: Self.docker)
                == "c33988ec7651ebc867cb24755eaf637a6734088bc7eef59d5799293a9e5450f7")
        let podman = """
            567 566 0:80 /containers/storage/overlay-containers/\
            c184118df0a6eb770d018766ef8e32c948924b0ba77d85ec04a32e50cbafcb3a/userdata/.containerenv \
            /run/.containerenv rw,relatime - tmpfs tmpfs rw
            """
        #expect(
            ContainerDetector.containerID(mounts: podman)
                == "c184118df0a6eb770d018766ef8e32c948924b0ba77d85ec04a32e50cbafcb3a")
    }

    @Test("In a pod the mounts name the container that holds the pod together: nothing is told")
    func podMounts() {
        // Recorded in a cluster with Docker: the id under /etc/hostname is not this container's.
        let pod = """
            2077 2070 254:1 /kubelet/pods/702cc0d1-1251-4dd8-8d74-4c40bcee810e/containers/some/69604667 \
            /dev/termination-log rw,relatime - ext4 /dev/vda1 rw,discard
            2079 2070 254:1 /docker/containers/\
            acb5d7abd5a2a1edfab75dad79fea1e52fae910bb35fa16bd46149ceb6775d69/hostname /etc/hostname \
            rw,relatime - ext4 /dev/vda1 rw,discard
            """
        #expect(ContainerDetector.containerID(mounts: pod) == nil)
        let containerd = """
            99 90 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/\
            ffde0b824a13e5c81699b3059dc0bfe39ca8d8e6b7c6966c8d2562d00741ce99/hostname /etc/hostname \
            rw - ext4 /dev/sda1 rw
            """
        #expect(ContainerDetector.containerID(mounts: containerd) == nil)
    }

    @Test("The control groups go before the mounts; without either there is no container")
    func detector() throws {
        let both = try FakeMachine([
            "/proc/self/cgroup": Self.controlGroups[2].text, "/proc/self/mountinfo": Self.docker,
        ])
        #expect(
            ContainerDetector(source: both.source).detect().pairs
                == ["container.id=31cb02944da7a12196a193cf0e0f6c226d7c453a1db62e65ba98287593a2ee30"]
        )
        let mounts = try FakeMachine([
            "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": Self.docker,
        ])
        #expect(
            ContainerDetector(source: mounts.source).detect().pairs
                == ["container.id=c33988ec7651ebc867cb24755eaf637a6734088bc7eef59d5799293a9e5450f7"]
        )
        let host = try FakeMachine(["/proc/self/cgroup": "0::/user.slice\n"])
        let found = ContainerDetector(source: host.source).detect()
        #expect(found == DetectedResource())
    }
}
