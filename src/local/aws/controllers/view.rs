//! What a pass looks at, read once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Failed;
use crate::local::aws::account::text;
use crate::local::aws::kubernetes::{Api, Refusal};

/// Objects of a cluster, by kind.
#[derive(Default)]
pub(super) struct View {
    pub(super) deployments: Vec<Value>,
    pub(super) nodes: Vec<Value>,
    pub(super) driver_nodes: Vec<Value>,
    pub(super) claims: Vec<Value>,
    pub(super) volumes: Vec<Value>,
    pub(super) classes: Vec<Value>,
    pub(super) attachments: Vec<Value>,
    pub(super) services: Vec<Value>,
    pub(super) ingresses: Vec<Value>,
    pub(super) slices: Vec<Value>,
    /// TargetGroupBindings, where the cluster has the kind.
    pub(super) bindings: Vec<Value>,
}

impl View {
    /// Reads from the API server's memory: a look that is a moment old is as good as a watch.
    pub(super) async fn read(api: &Api) -> Result<View, Failed> {
        Ok(View {
            deployments: list(api, "/apis/apps/v1/deployments").await?,
            nodes: list(api, "/api/v1/nodes").await?,
            driver_nodes: list(api, "/apis/storage.k8s.io/v1/csinodes").await?,
            claims: list(api, "/api/v1/persistentvolumeclaims").await?,
            volumes: list(api, "/api/v1/persistentvolumes").await?,
            classes: list(api, "/apis/storage.k8s.io/v1/storageclasses").await?,
            attachments: list(api, "/apis/storage.k8s.io/v1/volumeattachments").await?,
            services: list(api, "/api/v1/services").await?,
            ingresses: list(api, "/apis/networking.k8s.io/v1/ingresses").await?,
            slices: list(api, "/apis/discovery.k8s.io/v1/endpointslices").await?,
            bindings: match list(api, "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings").await {
                Err(Refusal { status: 404, .. }) => Vec::new(),
                other => other?,
            },
        })
    }

    /// An object of a list by its name.
    pub(super) fn named<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
        objects.iter().find(|object| object["metadata"]["name"] == name)
    }

    /// Ids of the instances behind the nodes that take traffic.
    pub(super) fn instances(&self) -> BTreeSet<String> {
        let nodes = self.nodes.iter().filter(|node| {
            let labels = &node["metadata"]["labels"];
            labels.get("node.kubernetes.io/exclude-from-external-load-balancers").is_none()
        });
        nodes.map(instance_of).filter(|id| id.starts_with("i-")).collect()
    }
}

async fn list(api: &Api, path: &str) -> Result<Vec<Value>, Refusal> {
    api.list(&format!("{path}?resourceVersion=0")).await
}

/// The instance behind a node.
pub(super) fn instance_of(node: &Value) -> String {
    text(&node["spec"], "providerID").rsplit('/').next().unwrap_or_default().to_owned()
}

/// The zone of a node.
pub(super) fn zone_of(node: &Value) -> String {
    let labels = &node["metadata"]["labels"];
    let keys = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
    keys.iter().find_map(|key| labels[*key].as_str()).unwrap_or_default().to_owned()
}

/// `namespace/name`.
pub(super) fn shown(object: &Value) -> String {
    let metadata = &object["metadata"];
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{}", text(metadata, "name")),
        None => text(metadata, "name"),
    }
}

/// Whether an object is being deleted.
pub(super) fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// The finalizers of an object, with one more.
pub(super) fn with_finalizer(object: &Value, finalizer: &str) -> Option<Value> {
    let mut all = finalizers(object);
    if all.iter().any(|one| one == finalizer) {
        return None;
    }
    all.push(finalizer.to_owned());
    // The version makes it a change of what was seen: nobody else's finalizer gets lost.
    Some(
        serde_json::json!({"metadata": {"finalizers": all, "resourceVersion": object["metadata"]["resourceVersion"]}}),
    )
}

/// The finalizers of an object, with one less.
pub(super) fn without_finalizer(object: &Value, finalizer: &str) -> Option<Value> {
    let all = finalizers(object);
    let left: Vec<&String> = all.iter().filter(|one| *one != finalizer).collect();
    (left.len() < all.len()).then(|| {
        serde_json::json!({"metadata": {"finalizers": left, "resourceVersion": object["metadata"]["resourceVersion"]}})
    })
}

fn finalizers(object: &Value) -> Vec<String> {
    let list = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}
