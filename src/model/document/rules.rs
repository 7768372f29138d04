//! What a schema cannot say: rules between the fields of one document.

use super::validate::Violation;
use crate::model::application::{ApplicationSpec, RendererKind};
use crate::model::cluster::{ClusterSpec, IN_CLUSTER};
use serde_json::Value;

/// Rules of an Application.
pub(super) fn application(name: &str, spec: &ApplicationSpec, written: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |pointer: &str, message: &str, hint: &str| found.push(violation(pointer, message, hint));
    let has = |pointer: &str| written.pointer(pointer).is_some_and(|value| !value.is_null());

    if spec.destination.cluster.is_some() && spec.destination.selector.is_some() {
        wrong(
            "/spec/destination/selector",
            "`spec.destination` has both `cluster` and `selector`",
            "keep one of them",
        );
    }
    if spec.destination.selector.as_ref().is_some_and(std::collections::BTreeMap::is_empty) {
        let message = "`spec.destination.selector` is empty and would match every cluster";
        wrong("/spec/destination/selector", message, "name at least one label");
    }
    if spec.depends_on.iter().any(|other| other == name) {
        wrong("/spec/dependsOn", "`spec.dependsOn` names the application itself", "take it out");
    }
    if let Some(account) = &spec.service_account
        && !account.contains('/')
        && spec.namespace.is_none()
    {
        let message = "`spec.serviceAccount` has no namespace, and the application has none either";
        wrong("/spec/serviceAccount", message, "write it as `namespace/name`, or set `spec.namespace`");
    }
    if spec.sync.create_namespace && spec.namespace.is_none() {
        wrong(
            "/spec/sync/createNamespace",
            "`spec.sync.createNamespace` has no namespace to create",
            "set `spec.namespace`",
        );
    }
    match spec.source.kind {
        Some(kind @ (RendererKind::Plain | RendererKind::Kustomize)) if spec.source.helm.is_some() => {
            let message = format!("`spec.source.helm` means nothing where `type` is {}", kind.as_str());
            wrong("/spec/source/helm", &message, "take one of them out");
        }
        Some(kind @ (RendererKind::Helm | RendererKind::Kustomize)) => {
            for field in ["include", "exclude", "recurse"]
                .into_iter()
                .filter(|field| has(&format!("/spec/source/{field}")))
            {
                let message =
                    format!("`spec.source.{field}` means nothing where `type` is {}", kind.as_str());
                wrong(&format!("/spec/source/{field}"), &message, "take one of them out");
            }
        }
        _ => {}
    }
    for (index, file) in spec.source.helm.iter().flat_map(|helm| &helm.value_files).enumerate() {
        if leaves_repository(&spec.path, file) {
            let pointer = format!("/spec/source/helm/valueFiles/{index}");
            wrong(
                &pointer,
                &format!("`spec.source.helm.valueFiles[{index}]` leads out of the repository"),
                "name a file in it",
            );
        }
    }
    found.extend(reconcile("/spec/reconcile", written));
    found
}

/// Rules of a schedule, wherever it stands.
fn reconcile(at: &str, value: &Value) -> Vec<Violation> {
    let has = |field: &str| value.pointer(&format!("{at}/{field}")).is_some_and(|value| !value.is_null());
    let name = at.trim_start_matches('/').replace('/', ".");
    let mut found = Vec::new();
    if has("cron") && has("every") {
        let message = format!("`{name}` has both `cron` and `every`, and `cron` takes the place of `every`");
        found.push(violation(&format!("{at}/every"), &message, "keep one of them"));
    }
    if has("timeZone") && !has("cron") {
        let message = format!("`{name}.timeZone` means nothing without `cron`");
        found.push(violation(&format!("{at}/timeZone"), &message, "take it out"));
    }
    found
}

/// Rules of a Cluster.
pub(super) fn cluster(name: &str, spec: &ClusterSpec, value: &Value) -> Vec<Violation> {
    let ways = [
        ("kubeconfig", spec.kubeconfig.is_some()),
        ("inCluster", spec.in_cluster),
        ("eks", spec.eks.is_some()),
    ];
    let used: Vec<_> = ways.into_iter().filter_map(|(way, used)| used.then_some(way)).collect();
    let mut found = described(spec);
    found.extend(reconcile("/spec/eks/reconcile", value));
    found.extend(match used[..] {
        [] if spec.cluster_config.is_some() => Vec::new(),
        [] => vec![violation(
            "/spec",
            "`spec` does not say how the cluster is reached",
            "set one of `kubeconfig`, `inCluster: true` and `eks`",
        )],
        ["inCluster"] => Vec::new(),
        [way] if name == IN_CLUSTER => vec![violation(
            &format!("/spec/{way}"),
            "`in-cluster` is the name of the cluster that the daemon runs in",
            "give this cluster another name",
        )],
        [_] => Vec::new(),
        [_, second, ..] => vec![violation(
            &format!("/spec/{second}"),
            &format!("`spec` has several ways to reach the cluster: {}", used.join(", ")),
            "keep one of them",
        )],
    });
    found
}

/// Rules of a Cluster that a ClusterConfig describes.
fn described(spec: &ClusterSpec) -> Vec<Violation> {
    match (&spec.cluster_config, &spec.eks) {
        (Some(_), None) => vec![violation(
            "/spec/clusterConfig",
            "`spec.clusterConfig` needs `spec.eks`",
            "write `eks` with the `name` and `region` that the ClusterConfig has in its `metadata`",
        )],
        (None, Some(eks)) => {
            let fields = eks.managed_fields().into_iter();
            let means_nothing = |field: &str| {
                violation(
                    &format!("/spec/eks/{field}"),
                    &format!("`spec.eks.{field}` means nothing without `spec.clusterConfig`"),
                    "name the ClusterConfig that describes the cluster, or take it out",
                )
            };
            fields.map(means_nothing).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn violation(pointer: &str, message: &str, hint: &str) -> Violation {
    Violation { pointer: pointer.into(), message: message.into(), hint: Some(hint.into()) }
}

/// Whether a path relative to a folder of the repository leaves the repository. A glob in the folder counts as the
/// number of parts it has.
fn leaves_repository(folder: &str, file: &str) -> bool {
    if file.starts_with('/') {
        return true;
    }
    let mut depth = 0i64;
    folder.split('/').chain(file.split('/')).any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}
