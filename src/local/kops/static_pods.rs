//! The pods that kubelets of a kops cluster run from files, as the API server shows them: mirror pods.

use serde_json::{Value, json};

/// By name: label `k8s-app`, image without its version where it follows Kubernetes.
const OF_CONTROL_PLANE: [(&str, &str, bool); 5] = [
    ("etcd-manager-events", "registry.k8s.io/etcd-manager/etcd-manager-slim", false),
    ("etcd-manager-main", "registry.k8s.io/etcd-manager/etcd-manager-slim", false),
    ("kube-apiserver", "registry.k8s.io/kube-apiserver", true),
    ("kube-controller-manager", "registry.k8s.io/kube-controller-manager", true),
    ("kube-scheduler", "registry.k8s.io/kube-scheduler", true),
];
const OF_EVERY_NODE: (&str, &str, bool) = ("kube-proxy", "registry.k8s.io/kube-proxy", true);

/// The mirror pods of a node. `proxied` says whether kops runs kube-proxy; with Cilium in its place it does not.
pub(super) fn of(node: &Value, version: &str, control_plane: bool, proxied: bool) -> Vec<Value> {
    let own = OF_CONTROL_PLANE.iter().filter(|_| control_plane);
    let all = [OF_EVERY_NODE];
    own.chain(all.iter().filter(|_| proxied))
        .map(|(name, image, follows)| {
            let image = if *follows { format!("{image}:{version}") } else { (*image).to_owned() };
            mirror(node, name, &image)
        })
        .collect()
}

/// As a kubelet makes it (`pkg/kubelet/pod/mirror_client.go`): bound, owned by its node, marked by the hash of its file.
fn mirror(node: &Value, name: &str, image: &str) -> Value {
    let node_name = &node["metadata"]["name"];
    let full = format!("{name}-{}", node_name.as_str().unwrap_or_default());
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": full, "namespace": "kube-system", "labels": {"k8s-app": name},
            "annotations": {
                "kubernetes.io/config.mirror": "local", "kubernetes.io/config.hash": "local",
                "kubernetes.io/config.source": "file",
            },
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": node_name, "uid": node["metadata"]["uid"], "controller": true,
            }],
        },
        "spec": {
            "nodeName": node_name, "hostNetwork": true, "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": name, "image": image}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_runs_five_and_a_worker_its_proxy() {
        let node = json!({"metadata": {"name": "i-1", "uid": "u"}});
        let names = |control_plane, proxied| -> Vec<String> {
            let pods = of(&node, "v1.24.17", control_plane, proxied);
            pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(names(false, true), ["kube-proxy-i-1"]);
        assert_eq!(names(false, false), Vec::<String>::new());
        assert_eq!(names(true, false).len(), 5);
        assert!(of(&node, "v1.24.17", true, true)[2].to_string().contains("kube-apiserver:v1.24.17"));
    }
}
