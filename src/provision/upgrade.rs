//! Versions: which one each resource shall have in this pass, so that a cluster climbs minor by minor.
//!
//! For each minor in turn: control plane, add-ons, node groups one after another, Fargate pods; the next minor only when
//! all match. The way back is the reverse, within AWS's window: nodes, add-ons, then the control plane (EKS User Guide,
//! "Roll back a cluster to a previous Kubernetes version").

use super::eks::addon::{LATEST, versions_fact};
use super::eks::{Minor, cluster};
use super::gates::{self, InCluster, Keeper};
use super::plan::FieldRule;
use super::resource::{Key, Kind, Live, Resource, Snapshot, State};
use super::rollback;
use super::wording;
use crate::model::plan::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The fields of a node group whose change replaces its nodes.
pub(super) const ROLLING: [&str; 3] = ["/version", "/releaseVersion", "/launchTemplate/version"];

/// Why no version moves while the API server does not answer.
pub(super) const UNKNOWN_INSIDE: &str =
    "what runs in the cluster could not be read, so nobody knows whether it stands another version";

/// Where a cluster is on its way to another version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// The control plane's version.
    pub current: Minor,
    /// The version in the file.
    pub target: Minor,
    /// What is being done, in words: `1.35 → 1.36: node groups (ng-1 before ng-2)`.
    pub now: String,
    /// What follows, step by step, with its costs: what a reader of the change has to know.
    pub outlook: Vec<String>,
}

/// What the versions of this pass are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Staged {
    /// The resources, with the versions they shall have now.
    pub resources: Vec<Resource>,
    /// What may be done about version fields.
    pub fields: BTreeMap<Key, BTreeMap<String, FieldRule>>,
    /// Add-ons that cannot be as declared, with the reason.
    pub forbidden: BTreeMap<Key, String>,
    /// Nodes of Fargate pods that run an older kubelet: their pods are to be evicted now, so that they come back on new
    /// ones.
    pub restart: Vec<String>,
    /// Where the cluster is; `None` when every version matches.
    pub course: Option<Course>,
}

/// What [`stage`] looks at beside the snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpgradeFacts<'a> {
    /// The inside of the cluster; `None` while its API server cannot be read: no version moves then.
    pub inside: Option<&'a InCluster>,
    /// Now, in RFC 3339: tells whether the way back is still open. `None`: it is taken as closed.
    pub now: Option<&'a str>,
}

/// Decides which versions the resources shall have in this pass. Everything but versions stays as declared.
#[must_use]
pub fn stage(resources: &[Resource], snapshot: &Snapshot, facts: UpgradeFacts<'_>) -> Staged {
    let mut staged = Staged { resources: resources.to_vec(), ..Staged::default() };
    let Some(cluster) =
        resources.iter().find(|resource| resource.key.kind == Kind::Cluster && !resource.existing)
    else {
        return staged;
    };
    let live = snapshot.live.get(&cluster.key);
    let Some(current) = live.and_then(|live| Minor::parse(live.actual["version"].as_str()?)) else {
        // Nothing is there yet: what is made takes the cluster's version by itself.
        for resource in staged.resources.iter_mut().filter(|resource| resource.key.kind == Kind::Nodegroup) {
            unset(resource, "version");
        }
        return staged;
    };
    let target = cluster.desired["version"].as_str().and_then(Minor::parse).unwrap_or(current);
    let scene = Scene { cluster, current, target, snapshot, facts };
    if target < current {
        rollback::stage(&scene, &mut staged);
    } else {
        climb(&scene, &mut staged);
    }
    if let Some(live) = live {
        let rules = super::eks::auto_mode::rules(cluster, live);
        if !rules.is_empty() {
            staged.fields.entry(cluster.key.clone()).or_default().extend(rules);
        }
    }
    staged
}

/// What both directions look at.
pub(super) struct Scene<'a> {
    pub cluster: &'a Resource,
    pub current: Minor,
    pub target: Minor,
    pub snapshot: &'a Snapshot,
    pub facts: UpgradeFacts<'a>,
}

impl Scene<'_> {
    pub fn force(&self) -> bool {
        self.cluster.desired[super::eks::api::aside::UPDATE]["force"] == json!(true)
    }

    /// The versions of an add-on that fit a Kubernetes version, the newest first; `None` while that is not known.
    pub fn versions(&self, addon: &str, kubernetes: Minor) -> Option<&Vec<Value>> {
        self.snapshot.facts.get(&versions_fact(addon, &kubernetes.to_string()))?.as_array()
    }

    pub fn live(&self, key: &Key) -> Option<&Live> {
        self.snapshot.live.get(key)
    }
}

fn climb(scene: &Scene<'_>, staged: &mut Staged) {
    let addons = settle_addons(scene, staged, scene.current);
    let groups = settle_node_groups(scene, staged, &addons);
    let strangers = old_strangers(scene, staged);
    let (waiting_nodes, fargate) = old_kubelets(scene);
    if addons.is_empty() && groups.is_empty() {
        staged.restart.clone_from(&fargate);
    }
    let still: Vec<String> = [
        (!addons.is_empty()).then(|| format!("add-ons {}", wording::list(&addons))),
        (!groups.is_empty()).then(|| format!("node groups, one after another: {}", wording::list(&groups))),
        (!waiting_nodes.is_empty()).then(|| format!("nodes {}", waiting_nodes.join(", "))),
        (!fargate.is_empty()).then(|| format!("Fargate pods on {}", fargate.join(", "))),
    ]
    .into_iter()
    .flatten()
    .collect();

    let version = "/version".to_owned();
    if scene.target == scene.current {
        let others = addons.union(&groups).any(|key| is_old(scene, staged, key));
        if others || !waiting_nodes.is_empty() || !fargate.is_empty() {
            staged.course = Some(course(scene, format!("to {}: {}", scene.current, still.join("; "))));
        }
        return;
    }
    let next = scene.current.next();
    set(staged, &scene.cluster.key, "version", json!(next.to_string()));
    let rules = staged.fields.entry(scene.cluster.key.clone()).or_default();
    let (rule, now) = if !still.is_empty() {
        let waits = format!("everything has to be at {} first: {}", scene.current, still.join("; "));
        let keys = addons.union(&groups).cloned().collect();
        let rule = FieldRule { verdict: Verdict::Allowed, waits_for: keys, waits: waits.clone() };
        (rule, waits)
    } else if let Some(reason) = strangers {
        (blocked(reason.clone()), reason)
    } else if let Some(inside) = scene.facts.inside {
        let reasons = gates::against_upgrade(next, scene.snapshot, inside, scene.force());
        if reasons.is_empty() {
            (allowed(), format!("control plane from {} to {next}", scene.current))
        } else {
            let reasons = reasons.join("; ");
            (blocked(format!("{next} has to wait: {reasons}")), reasons)
        }
    } else {
        let words =
            "what runs in the cluster could not be read, so nobody knows whether it stands the new version";
        (deferred(words), words.to_owned())
    };
    rules.insert(version, rule);
    staged.course = Some(course(scene, now));
}

/// Whether something is there in another version than it shall have; what is only being made is not.
fn is_old(scene: &Scene<'_>, staged: &Staged, key: &Key) -> bool {
    let field = if key.kind == Kind::Addon { "addonVersion" } else { "version" };
    let wanted =
        staged.resources.iter().find(|resource| resource.key == *key).map(|each| &each.desired[field]);
    let live = scene.live(key).map(|live| &live.actual[field]);
    matches!((wanted, live), (Some(wanted), Some(live)) if !wanted.is_null() && wanted != live)
}

fn course(scene: &Scene<'_>, now: String) -> Course {
    let mut outlook = Vec::new();
    let mut version = scene.current;
    while version < scene.target {
        version = version.next();
        outlook.push(format!("control plane to {version}, about 10 min"));
        let of_kind = |kind: Kind| {
            scene
                .snapshot
                .live
                .values()
                .filter(move |live| live.key.kind == kind)
                .map(|live| live.key.name.as_str())
        };
        let addons: Vec<&str> = of_kind(Kind::Addon).collect();
        if !addons.is_empty() {
            outlook.push(format!("add-ons to versions that fit {version}: {}", addons.join(", ")));
        }
        for group in scene.snapshot.live.values().filter(|live| live.key.kind == Kind::Nodegroup) {
            let nodes = group.actual["scalingConfig"]["desiredSize"].as_u64().unwrap_or(0);
            let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
            outlook.push(format!("node group {} to {version}: {nodes} replaced", group.key.name));
        }
        if of_kind(Kind::FargateProfile).next().is_some() {
            outlook.push(format!("Fargate pods restarted on {version}"));
        }
    }
    Course { current: scene.current, target: scene.target, now, outlook }
}

/// Gives each add-on the version it shall have with a Kubernetes version; returns those that are not there yet.
pub(super) fn settle_addons(scene: &Scene<'_>, staged: &mut Staged, kubernetes: Minor) -> BTreeSet<Key> {
    let mut behind = BTreeSet::new();
    for resource in staged.resources.iter_mut().filter(|each| each.key.kind == Kind::Addon && !each.existing)
    {
        let live = scene.live(&resource.key);
        let has = live.and_then(|live| live.actual["addonVersion"].as_str());
        let versions = scene.versions(&resource.key.name, kubernetes);
        let declared = resource.desired["addonVersion"].as_str().map(str::to_owned);
        let wanted = match fitting(declared.as_deref(), has, versions) {
            Ok(wanted) => wanted,
            Err(words) if scene.target == kubernetes => {
                staged.forbidden.insert(resource.key.clone(), format!("for Kubernetes {kubernetes} {words}"));
                declared
            }
            // The declared version is for the cluster's later version: until then what is there, or the default.
            Err(_) => fitting(None, has, versions).unwrap_or_default(),
        };
        match &wanted {
            Some(version) => resource.desired["addonVersion"] = json!(version),
            None => unset(resource, "addonVersion"),
        }
        let Some(live) = live else {
            behind.insert(resource.key.clone());
            continue;
        };
        let moves = wanted.is_some_and(|wanted| has != Some(&wanted));
        if moves || live.state != State::Ready {
            behind.insert(resource.key.clone());
        }
    }
    behind
}

/// Which version an add-on shall have: the declared one where it fits; else the one it has where that fits, else the
/// default. `None` leaves the choice to EKS, or things as they are.
fn fitting(
    declared: Option<&str>,
    has: Option<&str>,
    versions: Option<&Vec<Value>>,
) -> Result<Option<String>, String> {
    let Some(versions) = versions else {
        return Ok(declared.filter(|version| *version != LATEST).map(str::to_owned));
    };
    let name = |version: &Value| version["version"].as_str().unwrap_or_default().to_owned();
    let fits = |wanted: &str| versions.iter().any(|version| name(version) == wanted);
    match declared {
        Some(LATEST) => Ok(versions.first().map(name)),
        Some(version) if fits(version) => Ok(Some(version.to_owned())),
        Some(version) => {
            let offered: Vec<String> = versions.iter().take(3).map(name).collect();
            let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
            Err(format!("there is no version {version} of this add-on; the newest are {offered}"))
        }
        None => match has {
            None => Ok(None),
            Some(has) if fits(has) => Ok(None),
            Some(_) => {
                let default = versions.iter().find(|version| version["default"] == json!(true));
                Ok(default.or_else(|| versions.first()).map(name))
            }
        },
    }
}

/// Gives each managed node group the cluster's version; returns those that are not there yet. They follow one after
/// another, after the add-ons: a first group that fails keeps the others as they are.
fn settle_node_groups(scene: &Scene<'_>, staged: &mut Staged, addons: &BTreeSet<Key>) -> BTreeSet<Key> {
    let mut behind = BTreeSet::new();
    let mut under_way = None;
    for resource in
        staged.resources.iter_mut().filter(|each| each.key.kind == Kind::Nodegroup && !each.existing)
    {
        let live = scene.live(&resource.key);
        match_release(resource, scene.current);
        let Some(live) = live else {
            unset(resource, "version");
            behind.insert(resource.key.clone());
            continue;
        };
        if live.actual["amiType"] == json!("CUSTOM") {
            unset(resource, "version");
        } else {
            resource.desired["version"] = json!(scene.current.to_string());
        }
        let has = live.actual["version"].as_str().and_then(Minor::parse);
        let moves = resource.desired["version"].is_string() && has != Some(scene.current);
        if moves || live.state != State::Ready {
            behind.insert(resource.key.clone());
        }
        if matches!(live.state, State::Pending(_)) {
            under_way = Some(resource.key.clone());
        }
    }
    let first = under_way.or_else(|| behind.iter().find(|key| scene.live(key).is_some()).cloned());
    let tight = scene.facts.inside.and_then(|inside| gates::tight_budgets(&inside.tight_budgets));
    let groups: Vec<Key> = staged
        .resources
        .iter()
        .filter(|each| each.key.kind == Kind::Nodegroup)
        .map(|each| each.key.clone())
        .collect();
    for key in groups {
        let old_addons: BTreeSet<Key> =
            addons.iter().filter(|addon| scene.live(addon).is_some()).cloned().collect();
        let (fields, rule) = if let Some(tight) = tight.as_ref().filter(|_| !scene.force()) {
            (&ROLLING[..], blocked(tight.clone()))
        } else if behind.contains(&key) && !old_addons.is_empty() {
            (&ROLLING[..], after(old_addons))
        } else if let Some(first) = first.as_ref().filter(|first| **first != key) {
            (&ROLLING[..], after(BTreeSet::from([first.clone()])))
        } else if scene.facts.inside.is_none() {
            (&ROLLING[..1], deferred(UNKNOWN_INSIDE))
        } else {
            continue;
        };
        let rules = fields.iter().map(|field| ((*field).to_owned(), rule.clone()));
        staged.fields.entry(key).or_default().extend(rules);
    }
    behind
}

/// A release is of one minor: one that is declared for a later minor is left out until then.
pub(super) fn match_release(group: &mut Resource, kubernetes: Minor) {
    let release = group.desired["releaseVersion"].as_str().and_then(Minor::parse);
    if release.is_some_and(|release| release != kubernetes) {
        unset(group, "releaseVersion");
    }
}

/// Managed node groups that nobody declared and that are behind: EKS refuses to move the control plane before them.
fn old_strangers(scene: &Scene<'_>, staged: &Staged) -> Option<String> {
    let declared: BTreeSet<&Key> = staged.resources.iter().map(|resource| &resource.key).collect();
    let old: BTreeSet<Key> = scene
        .snapshot
        .live
        .values()
        .filter(|live| live.key.kind == Kind::Nodegroup && !declared.contains(&live.key))
        .filter(|live| live.actual["version"].as_str().and_then(Minor::parse) != Some(scene.current))
        .map(|live| live.key.clone())
        .collect();
    (!old.is_empty()).then(|| {
        format!(
            "{} are not declared and not at {}: EKS moves the control plane only when all node groups match; bring them up, or delete them",
            wording::list(&old),
            scene.current
        )
    })
}

/// Self-managed nodes and Fargate nodes with an older kubelet than the control plane.
fn old_kubelets(scene: &Scene<'_>) -> (Vec<String>, Vec<String>) {
    let mut nodes = Vec::new();
    let mut fargate = Vec::new();
    let kubelets = scene.facts.inside.map(|inside| inside.kubelets.as_slice()).unwrap_or_default();
    for kubelet in kubelets.iter().filter(|kubelet| kubelet.version < scene.current) {
        match kubelet.keeper {
            Keeper::Fargate => fargate.push(kubelet.node.clone()),
            Keeper::AutoScalingGroup(_) => nodes.push(kubelet.node.clone()),
            // A group's own version says it, and others' nodes are nobody's to replace: the skew gate watches them.
            Keeper::Nodegroup(_) | Keeper::Other => {}
        }
    }
    nodes.sort();
    fargate.sort();
    (nodes, fargate)
}

pub(super) fn unset(resource: &mut Resource, member: &str) {
    if let Value::Object(members) = &mut resource.desired {
        members.remove(member);
    }
}

pub(super) fn set(staged: &mut Staged, key: &Key, member: &str, value: Value) {
    if let Some(resource) = staged.resources.iter_mut().find(|resource| resource.key == *key) {
        resource.desired[member] = value;
    }
}

pub(super) fn allowed() -> FieldRule {
    FieldRule { verdict: Verdict::Allowed, waits_for: BTreeSet::new(), waits: String::new() }
}

pub(super) fn blocked(words: String) -> FieldRule {
    FieldRule { verdict: Verdict::Blocked(words), waits_for: BTreeSet::new(), waits: String::new() }
}

fn deferred(words: &str) -> FieldRule {
    FieldRule { verdict: Verdict::Allowed, waits_for: BTreeSet::new(), waits: words.to_owned() }
}

fn after(keys: BTreeSet<Key>) -> FieldRule {
    let words = format!("goes after {}", wording::list(&keys));
    FieldRule { verdict: Verdict::Allowed, waits_for: keys, waits: words }
}

/// The version that DescribeCluster gives, of a cluster that was found.
#[must_use]
pub fn version_of(snapshot: &Snapshot, cluster_name: &str) -> Option<Minor> {
    let live = snapshot.live.get(&Key::new(Kind::Cluster, cluster_name))?;
    Minor::parse(live.actual["version"].as_str()?)
}

/// Names of facts that are read only when a version moves.
pub const FACTS: [&str; 3] = [cluster::INSIGHTS, cluster::UPDATES, cluster::VERSIONS];
