//! Watches an application's pods on a real API server, from beside: how many of them were ready at every moment.

use futures::StreamExt as _;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was seen of the pods of one namespace since the watch began.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Fewest that were ready at once.
    pub fewest: usize,
    /// All that ever were, with their nodes.
    pub pods: BTreeMap<String, String>,
    /// Changes that were seen.
    pub changes: usize,
    /// How often the API server ended the watch: its upgrade does.
    pub broken: usize,
}

/// A watch over the pods of a namespace, for as long as it lives.
pub struct Throughout {
    seen: Arc<Mutex<Option<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Throughout {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Throughout {
    /// Begins to watch; what is there counts as the first thing seen.
    pub async fn begin(client: kube::Client, namespace: &str) -> Self {
        let pods: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource("", "v1", "Pod"));
        let seen = Arc::new(Mutex::new(None));
        let kept = seen.clone();
        let (looked, mut first) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                // An upgrade takes the API server away for a moment.
                let _ = follow(&pods, &kept, &looked).await;
                if let Some(seen) = kept.lock().unwrap().as_mut() {
                    seen.broken += 1;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        first.wait_for(|looked| *looked).await.unwrap();
        Self { seen, task }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone().unwrap()
    }
}

/// Lists, then watches until the server ends it.
async fn follow(
    pods: &Api<DynamicObject>,
    kept: &Mutex<Option<Seen>>,
    looked: &tokio::sync::watch::Sender<bool>,
) -> Result<(), kube::Error> {
    let list = pods.list(&ListParams::default()).await?;
    let mut now: BTreeMap<String, bool> = BTreeMap::new();
    for pod in &list.items {
        take(&mut now, kept, pod);
    }
    count(&now, kept);
    looked.send_replace(true);
    let version = list.metadata.resource_version.unwrap_or_default();
    let mut events = pods.watch(&WatchParams::default().timeout(290), &version).await?.boxed();
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => take(&mut now, kept, &pod),
            WatchEvent::Deleted(pod) => drop(now.remove(&name(&pod))),
            WatchEvent::Bookmark(_) => continue,
            // The history is gone: it is listed again.
            WatchEvent::Error(_) => return Ok(()),
        }
        count(&now, kept);
    }
    Ok(())
}

fn take(now: &mut BTreeMap<String, bool>, kept: &Mutex<Option<Seen>>, pod: &DynamicObject) {
    let conditions = pod.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().any(|each| each["type"] == "Ready" && each["status"] == "True");
    // One that is told to end takes no more requests.
    now.insert(name(pod), ready && pod.metadata.deletion_timestamp.is_none());
    let mut kept = kept.lock().unwrap();
    let seen = kept.get_or_insert_with(|| Seen { fewest: usize::MAX, ..Seen::default() });
    if let Some(node) = pod.data["spec"]["nodeName"].as_str() {
        seen.pods.insert(name(pod), node.to_owned());
    }
}

fn count(now: &BTreeMap<String, bool>, kept: &Mutex<Option<Seen>>) {
    let mut kept = kept.lock().unwrap();
    let seen = kept.get_or_insert_with(|| Seen { fewest: usize::MAX, ..Seen::default() });
    seen.fewest = seen.fewest.min(now.values().filter(|ready| **ready).count());
    seen.changes += 1;
}

fn name(pod: &DynamicObject) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}

/// A connection as a kubeconfig says.
pub async fn client(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    kube::Client::try_from(config.unwrap()).unwrap()
}

/// A node: what tells it from any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Of the instance.
    pub id: String,
    /// `v1.36.3`.
    pub kubelet: String,
    /// Managed node group; empty on Fargate.
    pub group: String,
    /// `SPOT`, `ON_DEMAND`; empty on Fargate.
    pub capacity: String,
}

pub async fn nodes(client: &kube::Client) -> Vec<Node> {
    let nodes: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "v1", "Node"));
    let list = nodes.list(&ListParams::default()).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let node = |node: DynamicObject| {
        let label = |name: &str| {
            node.metadata.labels.as_ref().and_then(|all| all.get(name)).cloned().unwrap_or_default()
        };
        Node {
            id: text(&node.data["spec"]["providerID"]),
            kubelet: text(&node.data["status"]["nodeInfo"]["kubeletVersion"]),
            group: label("eks.amazonaws.com/nodegroup"),
            capacity: label("eks.amazonaws.com/capacityType"),
        }
    };
    list.items.into_iter().map(node).collect()
}
