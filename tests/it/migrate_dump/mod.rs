//! A kops cluster read as a whole: the dump's form, a state store in S3, a real API server, the commands.

mod command;
mod form;
mod moto;
mod source;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;

/// The value of every Secret here, as it is and in base64: neither may be in anything that is written.
pub const SECRET: &str = "hunter2-of-the-dump";
pub const SECRET_BASE64: &str = "aHVudGVyMi1vZi10aGUtZHVtcA==";

pub const NAME: &str = "old.example.com";

/// A state store with one cluster, as kops lays it out.
pub fn store() -> BTreeMap<String, String> {
    let cluster = format!(
        "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: {NAME}\nspec:\n  cloudProvider: aws\n  \
         configBase: s3://kops-state/{NAME}\n  kubernetesVersion: 1.24.17\n  networkCIDR: 172.20.0.0/16\n  nonMasqueradeCIDR: 100.64.0.0/10\n  \
         networking:\n    calico: {{}}\n  api:\n    loadBalancer: {{type: Public}}\n  kubernetesApiAccess: [0.0.0.0/0]\n  subnets:\n  \
         - {{name: eu-central-1a, type: Public, zone: eu-central-1a, cidr: 172.20.32.0/19}}\n  \
         - {{name: eu-central-1b, type: Public, zone: eu-central-1b, cidr: 172.20.64.0/19}}\n"
    );
    let group = |name: &str, role: &str| {
        format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata:\n  name: {name}\n  labels: {{kops.k8s.io/cluster: {NAME}}}\n\
             spec:\n  role: {role}\n  machineType: m5.large\n  minSize: 2\n  maxSize: 4\n  subnets: [eu-central-1a, eu-central-1b]\n"
        )
    };
    let channel = "kind: Addons\nmetadata: {name: bootstrap}\nspec:\n  addons:\n  - id: k8s-1.12\n    manifest: coredns.addons.k8s.io/k8s-1.12.yaml\n    \
                   manifestHash: abc\n    name: coredns.addons.k8s.io\n    selector: {k8s-addon: coredns.addons.k8s.io}\n";
    let manifest = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: coredns, namespace: kube-system}}\n---\napiVersion: v1\nkind: Secret\n\
         metadata: {{name: cilium-ipsec-keys, namespace: kube-system}}\nstringData: {{keys: {SECRET}}}\n"
    );
    let files = [
        ("config", cluster.clone()),
        ("cluster-completed.spec", cluster + "  clusterDNSDomain: cluster.local\n"),
        ("instancegroup/nodes", group("nodes", "Node")),
        ("instancegroup/master-eu-central-1a", group("master-eu-central-1a", "Master")),
        ("kops-version.txt", "1.28.5".to_owned()),
        ("addons/bootstrap-channel.yaml", channel.to_owned()),
        ("addons/coredns.addons.k8s.io/k8s-1.12.yaml", manifest),
        ("secrets/dockerconfig", SECRET.to_owned()),
        ("secrets/admin", SECRET.to_owned()),
        ("pki/private/kubernetes-ca/keyset.yaml", SECRET.to_owned()),
        ("backups/etcd/main/one/etcd.backup.gz", SECRET.to_owned()),
        ("backups/etcd/main/two/etcd.backup.gz", SECRET.to_owned()),
        ("igconfig/node/nodes/nodeupconfig.yaml", SECRET.to_owned()),
    ];
    files.into_iter().map(|(key, text)| (format!("{NAME}/{key}"), text)).collect()
}

/// The same as a folder.
pub fn store_folder(folder: &Path) {
    for (key, text) in store() {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Fails where a file of a dump holds a Secret's value.
pub fn no_secret(content: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in content {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(SECRET) && !text.contains(SECRET_BASE64), "{path} holds a secret");
    }
}
