//! Everything that a plan of a migration is made from, and what follows from it for all parts alike.

use super::bridges::{self, Addresses, Bridge};
use super::desired::Intent;
use super::patch::patched;
use super::seam::Guarding;
use super::sight::Sight;
use crate::migrate::own::{self, Class, Classified, Index};
use crate::migrate::proof::{Answers, Key};
use crate::migrate::verdict::Verdict;
use crate::model::migration::{Effect, Gate, Side};
use crate::model::migration_document::{MigrationSpec, VolumeMethod};
use crate::model::migration_journal::{Entry, Journal};
use crate::model::{Object, ResourceId};
use crate::transform::{Context, Identity, Survey, Volumes, identity};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a pass has seen.
pub struct Look<'a> {
    /// Name of the `Migration` document.
    pub name: &'a str,
    /// What it says.
    pub spec: &'a MigrationSpec,
    /// What is remembered.
    pub journal: &'a Journal,
    /// The kops cluster.
    pub source: &'a Sight,
    /// The EKS cluster; `None` while it cannot be read.
    pub target: Option<&'a Sight>,
    /// Why the target cannot be used yet.
    pub provision: Option<Gate>,
    /// What of the target's cluster is not as its documents declare it, in words; `None`: all of it is, or nobody keeps it.
    pub unmade: Option<&'a str>,
    /// Name of the target in EKS; empty where it is none.
    pub target_name: &'a str,
    /// What kops' bootstrap channel says.
    pub index: &'a Index,
    /// Applications of this daemon that deliver to the source and do not stand still, by namespace.
    pub applications: &'a BTreeMap<String, Vec<String>>,
    /// Answers of both sides to what the source's RBAC names; asked for only while something is verified.
    pub answers: Option<&'a (Answers, Answers)>,
    /// Answers of AWS, as [`super::seam::Concern::reads`] has them.
    pub reads: &'a BTreeMap<String, Value>,
    /// What the names of [`super::names`] lead to.
    pub names: &'a Addresses,
    /// Whether everything has a place on the target that is planned; asked for only at `Preflight`.
    pub places: Inquiry<'a>,
    /// Whether the images of what goes over can be pulled; asked for only at `Preflight`.
    pub images: Inquiry<'a>,
    /// What the guard of the last stage decides by; asked for only there. The error is a sentence for a person.
    pub guard: Option<Result<&'a Guarding, String>>,
    /// The key of this run for digests of Secrets.
    pub key: &'a Key,
    /// Digests that a person approved.
    pub approved: &'a (dyn Fn(&str) -> bool + Sync),
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// What is known of something that is asked for only when the move stands at `Preflight`.
#[derive(Clone, Copy, Debug)]
pub enum Inquiry<'a> {
    /// Nothing, and nothing is asked: there is nobody to ask, or the document does not want it.
    Unknown,
    /// It has to be asked.
    Due,
    /// It cannot be told, in words.
    Unread(&'a str),
    /// What was told.
    Told(&'a [Verdict]),
}

/// What follows from what was seen for every part, whatever is asked for besides.
pub struct Found {
    /// The source's objects as they were before the migration wrote anything.
    pub before: Vec<Value>,
    /// What becomes of each object.
    pub classes: BTreeMap<ResourceId, Classified>,
    /// What the rules need to know.
    pub context: Context,
    /// Bridges that are due.
    pub(super) bridges: Vec<Bridge>,
    /// Services of which the target has a bridge instead.
    replaced: BTreeSet<ResourceId>,
}

/// What was seen, and what follows from it.
pub struct Known<'a> {
    /// What was seen.
    pub look: &'a Look<'a>,
    /// What follows from it.
    pub found: &'a Found,
}

impl std::ops::Deref for Known<'_> {
    type Target = Found;

    fn deref(&self) -> &Found {
        self.found
    }
}

impl Found {
    /// Works it out. It costs as much as everything else of a plan: a pass does it once.
    #[must_use]
    pub fn of(look: &Look<'_>) -> Self {
        let before = before(&look.source.objects, &look.journal.entries);
        let context = context(look, &before);
        let classes = classes(&before, look);
        let bridges = bridges::due(look, &before);
        let replaced = bridges::replaced(&bridges);
        Self { before, classes, context, bridges, replaced }
    }
}

impl Known<'_> {
    /// What belongs on the target.
    #[must_use]
    pub fn intent(&self) -> Intent<'_> {
        let (classes, context, replaced) = (&self.classes, &self.context, &self.replaced);
        Intent { source: &self.before, classes, context, replaced }
    }
}

/// The source as it was: what the journal says is undone in thought, the last change first.
fn before(source: &[Value], entries: &BTreeMap<String, Entry>) -> Vec<Value> {
    let mut undo: BTreeMap<&ResourceId, Vec<(u64, &[Value])>> = BTreeMap::new();
    for entry in entries.values() {
        for effect in &entry.undo {
            if let Effect::Patch { side: Side::Source, id, operations, .. } = effect {
                undo.entry(id).or_default().push((entry.number, operations.as_slice()));
            }
        }
    }
    undo.values_mut().for_each(|changes| changes.sort_by_key(|(number, _)| std::cmp::Reverse(*number)));
    let stands = |object: &&Value| {
        let fence = object["kind"] == "ResourceQuota" && super::sight::name(object) == super::fence::FENCE;
        !fence && !bridges::is_bridge(object)
    };
    source
        .iter()
        .filter(stands)
        .map(|object| {
            let changes = identity(object).and_then(|id| undo.get(&id));
            let changes = changes.into_iter().flatten();
            changes.fold(object.clone(), |object, (_, operations)| patched(&object, operations))
        })
        .collect()
}

/// Policies that admitted pods, by namespace, as the pods of the source say now.
#[must_use]
pub fn admitted(source: &Sight) -> BTreeMap<String, BTreeSet<String>> {
    let mut admitted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pod in source.objects.iter().filter(|object| super::sight::is(object, "", "Pod")) {
        let policy = pod.pointer("/metadata/annotations/kubernetes.io~1psp").and_then(Value::as_str);
        if let (Some(namespace), Some(policy)) = (super::sight::namespace(pod), policy) {
            admitted.entry(namespace.into()).or_default().insert(policy.into());
        }
    }
    admitted
}

/// Pods that stand for those that ran before the fence.
fn admitted_pods(admitted: &BTreeMap<String, BTreeSet<String>>) -> Vec<Value> {
    let pods = admitted
        .iter()
        .flat_map(|(namespace, policies)| policies.iter().map(move |policy| (namespace, policy)));
    pods.map(|(namespace, policy)| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": format!("admitted.by.{policy}"), "namespace": namespace,
            "annotations": {"kubernetes.io/psp": policy},
        }})
    })
    .collect()
}

/// What becomes of each object, with the answers that the document holds.
fn classes(objects: &[Value], look: &Look<'_>) -> BTreeMap<ResourceId, Classified> {
    let objects: Vec<Object> = objects.iter().filter_map(|object| Object::new(object.clone()).ok()).collect();
    let context = own::Context::default();
    let mut classes: BTreeMap<ResourceId, Classified> = BTreeMap::new();
    for mut one in own::classify(&objects, look.index, &context) {
        if let Class::Ask { why } = &one.class {
            let keys = [format!("{}@{}", one.rule, one.id), one.rule.clone()];
            let chosen = keys.iter().find_map(|key| look.spec.choices.get(key)).map(String::as_str);
            match chosen {
                Some("port") => one.class = Class::Port,
                Some("drop") => one.class = Class::Drop { why: format!("decided by a person: {why}") },
                _ => {}
            }
        }
        classes.insert(one.id.clone(), one);
    }
    classes
}

fn context(look: &Look<'_>, objects: &[Value]) -> Context {
    let side = |sight: &Sight, name: &str, region: &str| crate::transform::Side {
        name: name.into(),
        minor: sight.minor(),
        served: sight.served.clone(),
        region: region.into(),
        ..crate::transform::Side::default()
    };
    let kops = look.spec.source.kops.as_ref();
    let (old, region) = kops.map_or(("", ""), |kops| (kops.cluster_name.as_str(), kops.region.as_str()));
    let mapping = &look.spec.mapping;
    let identity = |new: &String| match new.as_str() {
        "" => Identity::Drop("as the document says".into()),
        new => Identity::Rename(new.into()),
    };
    Context {
        source: side(look.source, old, region),
        target: look.target.map(|sight| side(sight, look.target_name, region)).unwrap_or_default(),
        migration: look.name.into(),
        node_groups: mapping.node_groups.clone(),
        node_labels: mapping.node_labels.clone(),
        images: look.spec.images.clone(),
        storage_classes: mapping.storage_classes.clone(),
        ingress_classes: mapping.ingress_classes.clone(),
        roles: mapping.roles.clone(),
        identities: mapping.identities.iter().map(|(who, new)| (who.clone(), identity(new))).collect(),
        volumes: match look.spec.volumes.method {
            VolumeMethod::HandOver => Volumes::HandOver,
            VolumeMethod::Provision => Volumes::Provision,
        },
        helm_releases: look.spec.choices.get("secret.helm-release").is_some_and(|choice| choice == "keep"),
        survey: Survey::of(objects.iter().chain(&admitted_pods(&look.journal.admitted))),
        ..Context::default()
    }
}
