//! Storage add-ons: CSI drivers and the snapshot controller.

use serde_json::{Value, json};

use super::Setting;
use super::parts::{
    account, budget, configure, container, daemon_set, deployment, everywhere, labels, role, rule,
};

/// A CSI driver.
pub(super) struct Driver {
    /// Name of the CSIDriver.
    name: &'static str,
    /// Beginning of its objects' names.
    prefix: &'static str,
    image: &'static str,
    /// Its own container, in both parts.
    plugin: &'static str,
    attaches: bool,
}

pub(super) const EBS: Driver = Driver {
    name: "ebs.csi.aws.com",
    prefix: "ebs-csi",
    image: "aws-ebs-csi-driver",
    plugin: "ebs-plugin",
    attaches: true,
};
pub(super) const EFS: Driver = Driver {
    name: "efs.csi.aws.com",
    prefix: "efs-csi",
    image: "aws-efs-csi-driver",
    plugin: "efs-plugin",
    attaches: false,
};

/// Controller, node part, and what they may do.
pub(super) fn driver(driver: &Driver, setting: &Setting<'_>) -> Vec<Value> {
    let named = |part: &str| format!("{}-{part}", driver.prefix);
    let (controller_app, node_app) = (named("controller"), named("node"));
    let plugin = || container(driver.plugin, driver.image, setting, "10m", "40Mi");
    let side = |name: &str| container(name, name, setting, "10m", "40Mi");

    let mut controller = plugin();
    controller["env"] = json!([{"name": "AWS_REGION", "value": setting.region}]);
    let mut sides = vec![controller, side("csi-provisioner")];
    if driver.attaches {
        sides.extend([side("csi-attacher"), side("csi-snapshotter"), side("csi-resizer")]);
    }
    sides.push(side("liveness-probe"));
    let pod = json!({
        "serviceAccountName": named("controller-sa"), "containers": sides,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoExecute", "operator": "Exists", "tolerationSeconds": 300},
        ],
    });
    let mut workload = deployment(&controller_app, &controller_app, setting, 2, pod);
    configure(&mut workload, &setting.configuration["controller"]);

    let mut node = plugin();
    node["securityContext"] = json!({"privileged": true});
    let pod = json!({
        "serviceAccountName": named("node-sa"), "hostNetwork": !driver.attaches, "tolerations": everywhere(),
        "containers": [node, side("node-driver-registrar"), side("liveness-probe")],
        "volumes": [{"name": "kubelet-dir", "hostPath": {"path": "/var/lib/kubelet", "type": "Directory"}}],
    });
    let mut daemon = daemon_set(&node_app, &node_app, setting, pod);
    configure(&mut daemon, &setting.configuration["node"]);

    let controls = json!([
        rule("", &["persistentvolumes"], &["get", "list", "watch", "create", "delete", "patch", "update"]),
        rule("", &["persistentvolumeclaims"], &["get", "list", "watch", "update", "patch"]),
        rule("", &["nodes", "events"], &["get", "list", "watch", "create", "patch"]),
        rule(
            "storage.k8s.io",
            &["storageclasses", "csinodes", "volumeattachments"],
            &["get", "list", "watch", "patch"]
        ),
    ]);
    let looks = json!([rule("", &["nodes"], &["get", "patch"])]);
    let mut objects = vec![
        account(&named("controller-sa"), &controller_app, setting, true),
        account(&named("node-sa"), &node_app, setting, !driver.attaches),
    ];
    objects.extend(role(&named("controller-role"), &named("controller-sa"), setting, &controls));
    objects.extend(role(&named("node-role"), &named("node-sa"), setting, &looks));
    objects.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": driver.name},
        "spec": {"attachRequired": driver.attaches, "podInfoOnMount": false, "fsGroupPolicy": "ReadWriteOnceWithFSType"},
    }));
    if driver.attaches && setting.configuration["defaultStorageClass"]["enabled"] == true {
        objects.push(default_class(setting));
    }
    objects.push(budget(&controller_app, &controller_app, setting));
    objects.extend([workload, daemon]);
    objects
}

/// The storage class that the EBS driver brings when it is asked to.
pub(super) fn default_class(setting: &Setting<'_>) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {
            "name": "ebs-csi-default-sc", "labels": labels("ebs-csi-controller", setting),
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": EBS.name, "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
    })
}

/// The controller for snapshots of volumes. Their kinds are left to whoever uses them.
pub(super) fn snapshot_controller(setting: &Setting<'_>) -> Vec<Value> {
    let name = "snapshot-controller";
    let controller = container(name, name, setting, "10m", "32Mi");
    let pod = json!({"serviceAccountName": name, "containers": [controller]});
    let mut workload = deployment(name, name, setting, 2, pod);
    configure(&mut workload, setting.configuration);
    let rules = json!([
        rule("", &["persistentvolumes", "persistentvolumeclaims"], &["get", "list", "watch", "update"]),
        rule(
            "snapshot.storage.k8s.io",
            &["*"],
            &["get", "list", "watch", "create", "update", "patch", "delete"]
        ),
    ]);
    let mut objects = vec![account(name, name, setting, false)];
    objects.extend(role("snapshot-controller-runner", name, setting, &rules));
    objects.push(budget(name, name, setting));
    objects.push(workload);
    objects
}
