import Testing

@testable import TracePipeline

/// Built-in detectors on file systems that are not this machine's.
@Suite("Resource detectors")
struct ResourceDetectorTests {
    #if arch(x86_64)
        static let architecture = "amd64"
    #else
        static let architecture = "arm64"
    #endif

    @Test("The host has a name, an id and an architecture")
    func host() throws {
        let machine = try FakeMachine([
            "/proc/sys/kernel/hostname": "mill-7\n",
            "/etc/machine-id": "fdbf79e8af94cb7f9e8df36789187052\n",
        ])
        let found = HostDetector(source: machine.source).detect()
        #expect(
            found.pairs == [
                "host.name=mill-7", "host.id=fdbf79e8af94cb7f9e8df36789187052",
                "host.arch=\(Self.architecture)",
            ])
        #expect(found.schemaURL == SemanticConventions.schemaURL)
    }

    @Test(
        "Without the first place of the host's facts the second one is read; an empty file is none")
    func hostElsewhere() throws {
        let machine = try FakeMachine([
            "/etc/hostname": "mill-8\n", "/etc/machine-id": "\n",
            "/var/lib/dbus/machine-id": "aa" + "\n",
        ])
        #expect(
            HostDetector(source: machine.source).detect().pairs
                == ["host.name=mill-8", "host.id=aa", "host.arch=\(Self.architecture)"])
    }

    @Test("The operating system is what os-release says of it, with its quotes taken off")
    func operatingSystem() throws {
        let machine = try FakeMachine([
            "/etc/os-release": """
            # a comment=1
            NAME="Debian GNU/Linux"
            VERSION_ID='1\\2'
            PRETTY_NAME="The \\"new\\" \\$1 Debian"
            BUILD_ID=2013-03-20.3
            """,
            "/proc/sys/kernel/osrelease": "6.1.0-9-amd64\n",
        ])
        #expect(
            OperatingSystemDetector(source: machine.source).detect().pairs == [
                "os.type=linux", "os.name=Debian GNU/Linux", "os.version=1\\2",
                "os.description=The \"new\" $1 Debian", "os.build_id=2013-03-20.3",
            ])
        let bare = try FakeMachine([
            "/usr/lib/os-release": "NAME=Arch", "/proc/sys/kernel/osrelease": "6.1.0-9-amd64\n",
        ])
        #expect(
            OperatingSystemDetector(source: bare.source).detect().pairs
                == ["os.type=linux", "os.name=Arch", "os.build_id=6.1.0-9-amd64"])
    }

    /// proc_pid_stat(5): 52 fields; the second one is in parentheses, whatever it holds.
    static func stat(_ command: String, start: Int) -> String {
        let middle = (5...21).map { "\($0)" }.joined(separator: " ")
        return "4711 (\(command)) S 17 \(middle) \(start) 23 24"
    }

    @Test("The process tells who it is, but not its arguments")
    func process() throws {
        let machine = try FakeMachine(
            [
                "/proc/self/stat": Self.stat("shop ) (x", start: 12_345),
                "/proc/self/cmdline": "/opt/shop\0--password\0hunter2\0\0",
                "/proc/self/status": "Name:\tshop\nUid:\t1000\t33\t1000\t1000\n",
                "/proc/stat": "cpu 1 2 3\nbtime 1700558611\nprocesses 4\n",
                "/etc/passwd": "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n",
            ], links: ["/proc/self/exe": "/opt/bin/shop (deleted)"])
        let found = ProcessDetector(source: machine.source).detect()
        #expect(
            found.pairs == [
                "process.pid=4711", "process.parent_pid=17", "process.executable.name=shop",
                "process.executable.path=/opt/bin/shop", "process.command=/opt/shop",
                "process.args_count=4",
                // date -u -d @1700558734 (and 450 ms): the machine's start and 123.45 s.
                "process.creation.time=2023-11-21T09:25:34.450Z", "process.owner=www-data",
            ])
        #expect(!found.pairs.joined().contains("hunter2"))
    }

    @Test(
        "A file that is not as it should be costs its own attributes only",
        arguments: ["", "4711", "4711 (a) S", "x (a) S 1 2", ") 4711 ("])
    func brokenStat(text: String) throws {
        let machine = try FakeMachine(
            [
                "/proc/self/stat": text, "/proc/self/status": "Uid:\t1", "/proc/stat": "btime x",
            ], links: ["/proc/self/exe": "/opt/shop"])
        #expect(
            ProcessDetector(source: machine.source).detect().pairs
                == ["process.executable.name=shop", "process.executable.path=/opt/shop"])
    }

    @Test("A pod is known by the downward API's variables")
    func kubernetesVariables() throws {
        let machine = try FakeMachine(variables: [
            "KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "shop-1", "K8S_POD_NAME": "",
            "MY_POD_NAMESPACE": "default", "POD_UID": "702cc0d1-1251-4dd8-8d74-4c40bcee810e",
            "NODE_NAME": "node-3", "K8S_CLUSTER_NAME": "west", "K8S_DEPLOYMENT_NAME": "shop",
            "K8S_CONTAINER_NAME": "app",
        ])
        #expect(
            KubernetesDetector(source: machine.source).detect().pairs == [
                "k8s.pod.name=shop-1", "k8s.pod.uid=702cc0d1-1251-4dd8-8d74-4c40bcee810e",
                "k8s.namespace.name=default", "k8s.node.name=node-3", "k8s.container.name=app",
                "k8s.cluster.name=west", "k8s.deployment.name=shop",
            ])
    }

    @Test("A pod is known by the downward API's files, labels too; variables go before them")
    func kubernetesFiles() throws {
        let machine = try FakeMachine(
            [
                "/etc/podinfo/name": "shop-2\n", "/etc/podinfo/namespace": "from-file\n",
                // As in the documentation of Kubernetes: key="value" with Go's escapes.
                "/etc/podinfo/labels": """
                app.kubernetes.io/name="shop"
                note="a \\"quoted\\" \\\\ word"
                broken
                bare=value
                """,
            ], variables: ["K8S_NAMESPACE_NAME": "from-variable"])
        #expect(
            KubernetesDetector(source: machine.source).detect().pairs == [
                "k8s.pod.name=shop-2", "k8s.namespace.name=from-variable",
                "k8s.pod.label.app.kubernetes.io/name=shop",
                "k8s.pod.label.note=a \"quoted\" \\ word",
            ])
    }

    @Test("What the downward API does not tell comes from the service account and the mounts")
    func kubernetesMounts() throws {
        let machine = try FakeMachine([
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace": "default",
            "/proc/self/mountinfo": """
            22 27 0:21 / /proc rw,relatime - proc proc rw
            2080 2070 254:1 /kubelet/pods/702cc0d1-1251-4dd8-8d74-4c40bcee810e/etc-hosts /etc/hosts rw
            2077 2070 254:1 /kubelet/pods/702cc0d1-1251-4dd8-8d74-4c40bcee810e/containers/app/6960 \
            /dev/termination-log rw,relatime - ext4 /dev/vda1 rw,discard
            """,
        ])
        #expect(
            KubernetesDetector(source: machine.source).detect().pairs == [
                "k8s.pod.uid=702cc0d1-1251-4dd8-8d74-4c40bcee810e", "k8s.namespace.name=default",
                "k8s.container.name=app",
            ])
    }

    @Test("Outside a cluster a POD_NAME means nothing")
    func noCluster() throws {
        let machine = try FakeMachine(variables: ["POD_NAME": "shop-1", "NODE_NAME": "n"])
        #expect(KubernetesDetector(source: machine.source).detect() == DetectedResource())
    }

    @Test("On a machine without files nothing fails")
    func emptyMachine() throws {
        let source = try FakeMachine().source
        #expect(ProcessDetector(source: source).detect() == DetectedResource())
        #expect(ContainerDetector(source: source).detect() == DetectedResource())
        #expect(HostDetector(source: source).detect().pairs == ["host.arch=\(Self.architecture)"])
        #expect(OperatingSystemDetector(source: source).detect().pairs == ["os.type=linux"])
    }
}
