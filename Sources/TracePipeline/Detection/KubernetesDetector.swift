// The pod around the process (semantic conventions, "Kubernetes"), by what the downward API gives:
// variables and files that the pod's manifest asks for. No request to the cluster is made.

/// `k8s.*`: pod, namespace, node, container, cluster, the workload that owns the pod, and the pod's
/// labels.
struct KubernetesDetector: ResourceDetector {
    let name = "kubernetes"
    var source = DetectionSource()

    /// Where a manifest mounts the downward API's volume (the place in the documentation of Kubernetes).
    private static let podInfo = "/etc/podinfo"
    private static let serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Each attribute, the variables that may hold it, and the file under `podInfo`. The downward API
    /// names nothing by itself: `K8S_…` is the attribute's own name, the others are what the
    /// documentation of Kubernetes, the OpenTelemetry operator and most charts use.
    static let attributes: [(key: String, variables: [String], file: String?)] = [
        (
            "k8s.pod.name",
            ["K8S_POD_NAME", "POD_NAME", "MY_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"],
            "name"
        ),
        (
            "k8s.pod.uid",
            ["K8S_POD_UID", "POD_UID", "MY_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_POD_UID"], "uid"
        ),
        (
            "k8s.namespace.name",
            ["K8S_NAMESPACE_NAME", "K8S_NAMESPACE", "POD_NAMESPACE", "MY_POD_NAMESPACE"],
            "namespace"
        ),
        (
            "k8s.node.name",
            ["K8S_NODE_NAME", "NODE_NAME", "MY_NODE_NAME", "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"],
            nil
        ),
        ("k8s.container.name", ["K8S_CONTAINER_NAME"], nil),
        ("k8s.cluster.name", ["K8S_CLUSTER_NAME"], nil),
        ("k8s.deployment.name", ["K8S_DEPLOYMENT_NAME"], nil),
        ("k8s.replicaset.name", ["K8S_REPLICASET_NAME"], nil),
        ("k8s.statefulset.name", ["K8S_STATEFULSET_NAME"], nil),
        ("k8s.daemonset.name", ["K8S_DAEMONSET_NAME"], nil),
        ("k8s.job.name", ["K8S_JOB_NAME"], nil),
        ("k8s.cronjob.name", ["K8S_CRONJOB_NAME"], nil),
    ]

    /// Set by the kubelet in every container.
    private static let serviceHost = "KUBERNETES_SERVICE_HOST"
    /// All that it reads.
    static let variables = [serviceHost] + attributes.flatMap(\.variables)

    /// Nothing outside a cluster: a `POD_NAME` may mean anything there.
    func detect() -> DetectedResource {
        var found = AttributeList()
        let mounts = Mounts(source.text("/proc/self/mountinfo") ?? "")
        let namespace = source.line(Self.serviceAccount + "/namespace")
        let labels = source.text(Self.podInfo + "/labels")
        guard
            source.variable(Self.serviceHost) != nil || namespace != nil
                || labels != nil || mounts.podUID != nil
        else { return found.resource }
        for (key, variables, file) in Self.attributes {
            var value = variables.lazy.compactMap { source.variable($0) }.first
            if value == nil, let file { value = source.line(Self.podInfo + "/" + file) }
            if value == nil {
                switch key {
                case "k8s.namespace.name": value = namespace
                case "k8s.pod.uid": value = mounts.podUID
                case "k8s.container.name": value = mounts.containerName
                default: break
                }
            }
            found.add(key, value)
        }
        for (key, value) in Self.labels(of: labels ?? "") {
            found.add("k8s.pod.label." + key, value)
        }
        return found.resource
    }

    /// What the kubelet's mounts tell: `/dev/termination-log` comes from
    /// `…/pods/<uid>/containers/<name>/<instance>`.
    struct Mounts {
        var podUID: String?
        var containerName: String?

        init(_ text: String) {
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count > 4 else { continue }
                let folders = fields[3].split(separator: "/")
                guard let pods = folders.firstIndex(of: "pods"), folders.count > pods + 1,
                    folders[pods + 1].utf8.count == 36
                else { continue }
                podUID = podUID ?? String(folders[pods + 1])
                if folders.count > pods + 3, folders[pods + 2] == "containers" {
                    containerName = containerName ?? String(folders[pods + 3])
                }
            }
        }
    }

    /// Lines `key="value"`, the value as a Go string literal.
    static func labels(of text: String) -> [(key: String, value: String)] {
        text.split(separator: "\n").compactMap { line in
            guard let equals = line.firstIndex(of: "=") else { return nil }
            var value = line[line.index(after: equals)...]
            guard value.utf8.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else {
                return nil
            }
            value = value.dropFirst().dropLast()
            var text = ""
            var isEscaped = false
            for character in value {
                if !isEscaped, character == "\\" {
                    isEscaped = true
                } else {
                    text.append(character)
                    isEscaped = false
                }
            }
            return (String(line[..<equals]), text)
        }
    }
}
