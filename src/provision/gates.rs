//! Gates before a step of an upgrade: pure functions over facts that give the reasons why it must not be made now.

use super::eks::Minor;
use super::eks::addon::versions_fact;
use super::eks::cluster::{INSIGHTS, VERSIONS};
use super::resource::{Kind, Live, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kubelet may be older than the API server by this many minors (Kubernetes version skew policy since 1.28).
const KUBELET_SKEW: u32 = 3;
/// How many things a sentence names.
const NAMED: usize = 5;

/// What has to be known of the inside of a cluster before its version changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InCluster {
    /// API versions that some Kubernetes version removes, and that the repository or the cluster still uses.
    pub removed_apis: Vec<ApiUse>,
    /// Budgets that allow no disruption now, though all their pods are there: draining a node would wait for ever.
    pub tight_budgets: Vec<TightBudget>,
    /// The kubelets of all nodes.
    pub kubelets: Vec<Kubelet>,
}

/// A use of an API version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiUse {
    /// `policy/v1beta1 PodDisruptionBudget`.
    pub api: String,
    /// The first Kubernetes version without it.
    pub removed_in: Minor,
    /// Where: a file and line of the repository, or an object in the cluster.
    pub place: String,
}

/// A PodDisruptionBudget that lets no pod go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TightBudget {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Why: `minAvailable 2 of 2 pods`.
    pub because: String,
}

/// A node's kubelet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubelet {
    /// Node.
    pub node: String,
    /// Its version.
    pub version: Minor,
    /// Whose node it is.
    pub keeper: Keeper,
}

/// Who keeps a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Keeper {
    /// A managed node group (label `eks.amazonaws.com/nodegroup`).
    Nodegroup(String),
    /// A self-managed node group of the file (its Auto Scaling group).
    AutoScalingGroup(String),
    /// Fargate (label `eks.amazonaws.com/compute-type: fargate`): one pod.
    Fargate,
    /// Somebody else: Karpenter, Auto Mode, a hybrid node.
    Other,
}

/// Reasons against moving the control plane up to `next`. `force` passes over what EKS itself can be told to pass over.
#[must_use]
pub fn against_upgrade(next: Minor, snapshot: &Snapshot, inside: &InCluster, force: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    reasons.extend(not_offered(next, snapshot));
    reasons.extend(removed_apis(next, &inside.removed_apis));
    reasons.extend(kubelet_skew(next, &inside.kubelets));
    reasons.extend(addon_health(snapshot));
    reasons.extend(addons_without_version(next, snapshot));
    if !force {
        reasons.extend(insights(snapshot));
        reasons.extend(tight_budgets(&inside.tight_budgets));
    }
    reasons
}

/// EKS does not serve the version.
fn not_offered(next: Minor, snapshot: &Snapshot) -> Option<String> {
    let versions = snapshot.facts.get(VERSIONS)?.as_array()?;
    let offered: Vec<&str> =
        versions.iter().filter_map(|version| version["clusterVersion"].as_str()).collect();
    (!offered.iter().any(|version| Minor::parse(version) == Some(next)))
        .then(|| format!("EKS does not offer {next}; it offers {}", offered.join(", ")))
}

/// What still uses an API version that `next` no longer serves.
#[must_use]
pub fn removed_apis(next: Minor, uses: &[ApiUse]) -> Option<String> {
    let mut gone: Vec<&ApiUse> = uses.iter().filter(|each| each.removed_in <= next).collect();
    gone.sort();
    let named = some(gone.iter().map(|each| format!("{} in {}", each.api, each.place)));
    (!gone.is_empty()).then(|| {
        format!("{next} no longer serves what is still used: {named}; write these in a newer version first")
    })
}

/// Nodes that would be too old for the control plane.
#[must_use]
pub fn kubelet_skew(next: Minor, kubelets: &[Kubelet]) -> Option<String> {
    let mut old: Vec<&Kubelet> =
        kubelets.iter().filter(|kubelet| kubelet.version.behind(next) > KUBELET_SKEW).collect();
    old.sort();
    let named = some(old.iter().map(|kubelet| format!("{} ({})", kubelet.node, kubelet.version)));
    (!old.is_empty()).then(|| {
        format!(
            "nodes would be more than {KUBELET_SKEW} minors behind {next}: {named}; replace these nodes first"
        )
    })
}

/// Add-ons that are not well: an upgrade would hide what ails them.
#[must_use]
pub fn addon_health(snapshot: &Snapshot) -> Option<String> {
    let ill = snapshot
        .live
        .values()
        .filter(|live| live.key.kind == Kind::Addon)
        .filter_map(|live| Some(format!("{} ({})", live.key.name, ailment(live)?)));
    let named = some(ill);
    (!named.is_empty()).then(|| format!("add-ons are not well: {named}; mend them first"))
}

fn ailment(addon: &Live) -> Option<String> {
    let status = addon.outputs.get("status").and_then(Value::as_str).unwrap_or("ACTIVE");
    let issues = addon.outputs.get("issues").and_then(Value::as_str);
    match (status, issues) {
        ("ACTIVE" | "CREATING" | "UPDATING", None) => None,
        (_, Some(issues)) => Some(issues.to_owned()),
        (status, None) => Some(status.to_owned()),
    }
}

/// Add-ons that have no version for `next`.
fn addons_without_version(next: Minor, snapshot: &Snapshot) -> Option<String> {
    let without = snapshot.live.values().filter(|live| live.key.kind == Kind::Addon).filter(|live| {
        let versions = snapshot.facts.get(&versions_fact(&live.key.name, &next.to_string()));
        versions.and_then(Value::as_array).is_some_and(Vec::is_empty)
    });
    let named = some(without.map(|live| live.key.name.clone()));
    (!named.is_empty()).then(|| format!("there is no version for {next} yet of the add-ons {named}"))
}

/// What EKS itself found against it: insights of status ERROR block the call (EKS User Guide, cluster insights).
#[must_use]
pub fn insights(snapshot: &Snapshot) -> Option<String> {
    let errors = snapshot.facts.get(INSIGHTS)?.as_array()?.iter().filter_map(|insight| {
        let status = &insight["insightStatus"];
        (status["status"].as_str() == Some("ERROR")).then(|| {
            let name = insight["name"].as_str().unwrap_or_default();
            let reason = status["reason"].as_str().unwrap_or_default();
            format!("{name}: {reason}").trim_end_matches(": ").to_owned()
        })
    });
    let named = some(errors);
    (!named.is_empty()).then(|| {
        format!("EKS's insights report errors: {named}; resolve them, or set metadata.forceUpdateVersion to pass over them")
    })
}

/// Budgets that would keep nodes from being drained.
#[must_use]
pub fn tight_budgets(budgets: &[TightBudget]) -> Option<String> {
    let mut budgets: Vec<&TightBudget> = budgets.iter().collect();
    budgets.sort();
    let named = some(budgets.iter().map(|b| format!("{}/{} ({})", b.namespace, b.name, b.because)));
    (!named.is_empty()).then(|| {
        format!("nodes cannot be drained while PodDisruptionBudgets let no pod go: {named}; allow one disruption, or add a replica")
    })
}

/// The first few, sorted already, and how many more there are.
fn some(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(NAMED);
    let mut shown = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    shown
}
