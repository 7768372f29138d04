//! The literal comparison at a cold start, when there is no baseline: is the live object exactly what we declare?
//!
//! Equal means two things: every declared leaf has its live value, **and** the fields that our Apply entry owns are
//! exactly the declared leaves. Without the second, a field that left git while the daemon was down would stay for
//! ever. The answer may be a wrong "differs" (the server fills defaults into atomic values, normalises quantities):
//! that costs a dry run. It is never a wrong "equal".
//!
//! No schema is read: how a list merges is taken from the structure of our own entry, which the server wrote when it
//! applied the same manifest. Which paths it writes for which values: structured-merge-diff `typed/tofieldset.go`.

use super::defaults;
use super::fieldset::{FieldSet, Node};
use super::managed::{Entry, entries, owned_by_us};
use super::path::{PathElement, agrees};
use super::scalar::{Scalar, same};
use super::trail::{Step, Trail};
use crate::model::Object;
use crate::model::quantity;
use serde_json::{Map, Value};

/// What the literal comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// An apply would change nothing.
    Equal,
    /// An apply may change something at these paths: ask the server.
    Differs(Vec<String>),
}

/// Most paths named in a [`Literal::Differs`]; one is enough to ask the server.
const NAMED: usize = 16;

/// Metadata that the server keeps for itself and leaves out of `managedFields`
/// (apimachinery `util/managedfields/internal/stripmeta.go`).
const SERVER_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Groups whose kinds are part of Kubernetes: their objects have omitted empty fields and quantities in normal form,
/// and a `status` in an apply is dropped.
const BUILT_IN: [&str; 20] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Mappings whose values are quantities, wherever they stand in a built-in object.
const QUANTITIES: [&str; 12] = [
    "capacity",
    "default",
    "defaultRequest",
    "hard",
    "limits",
    "max",
    "maxLimitRequestRatio",
    "min",
    "overhead",
    "podFixed",
    "requests",
    "allocatable",
];

/// Compares a declared body (exactly what an apply would send: our labels in it, ignored paths out of it) with the
/// live object.
#[must_use]
pub fn literal(desired: &Value, live: &Object) -> Literal {
    let mut comparison = Comparison { kind: live.kind(), built_in: is_built_in(live), differs: Vec::new() };
    let version = desired.get("apiVersion");
    let entries_agree =
        entries(live).filter(Entry::is_ours).all(|e| version.is_some_and(|v| v == e.api_version));
    match (desired.as_object(), owned_by_us(live)) {
        (Some(_), None) => comparison.differs.push("metadata.managedFields".into()),
        _ if version != live.body().get("apiVersion") || !entries_agree => {
            comparison.differs.push("apiVersion".into());
        }
        (Some(desired), Some(owned)) => comparison.object(desired, live.body(), &owned),
        (None, _) => comparison.differs.push("kind".into()),
    }
    if comparison.differs.is_empty() { Literal::Equal } else { Literal::Differs(comparison.differs) }
}

fn is_built_in(object: &Object) -> bool {
    BUILT_IN.contains(&object.gvk().group.as_str())
}

struct Comparison<'a> {
    kind: &'a str,
    built_in: bool,
    differs: Vec<String>,
}

impl Comparison<'_> {
    /// The top level, where some fields are the server's.
    fn object(&mut self, desired: &Map<String, Value>, live: &Value, owned: &FieldSet) {
        let root = Trail::root();
        if desired.get("kind") != live.get("kind") {
            self.differ(&root.then(Step::Field("kind")));
        }
        for (key, value) in desired {
            let trail = root.then(Step::Field(key));
            let node = owned.get_field(key);
            match key.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    let live = live.get("metadata").unwrap_or(&Value::Null);
                    let below = node.and_then(|node| node.below.as_deref());
                    let declared = value.as_object().into_iter().flatten();
                    let declared = declared.filter(|(key, _)| !SERVER_METADATA.contains(&key.as_str()));
                    self.fields(declared, live, below, &trail);
                }
                "status" if node.is_none() && (self.built_in || is_hollow(value)) => {}
                _ => self.value(value, live.get(key), node, &trail),
            }
        }
        for node in owned.nodes() {
            let declared = matches!(&node.element, PathElement::Field(name) if desired.contains_key(&**name));
            if !declared {
                self.differ(&root.then(Step::Element(&node.element)));
            }
        }
    }

    fn value(&mut self, desired: &Value, live: Option<&Value>, node: Option<&Node>, trail: &Trail<'_>) {
        let live = live.filter(|live| !live.is_null());
        let leaf = node.is_some_and(|node| node.member && node.is_leaf());
        let agrees = match desired {
            // An explicit null is owned and leaves nothing.
            Value::Null => live.is_none() && node.is_none_or(Node::is_leaf),
            // An empty mapping is owned itself, whether it is atomic or has content of others' later.
            Value::Object(map) if map.is_empty() => leaf && self.is_empty(live, trail),
            // An empty list is owned only where it is atomic, and that cannot be told.
            Value::Array(list) if list.is_empty() => {
                node.is_none_or(Node::is_leaf) && self.is_empty(live, trail)
            }
            _ if leaf => match live {
                Some(live) => self.same_leaf(desired, live, trail),
                None => self.built_in && defaults::is_omitted(desired, trail),
            },
            Value::Object(map) => {
                let below = node.and_then(|node| node.below.as_deref());
                return match live {
                    Some(live @ Value::Object(_)) if below.is_some() => {
                        self.fields(map.iter(), live, below, trail)
                    }
                    _ => self.differ(trail),
                };
            }
            Value::Array(items) => {
                let below = node.and_then(|node| node.below.as_deref());
                return match (live, below) {
                    (Some(live @ Value::Array(_)), Some(below)) => self.items(items, live, below, trail),
                    _ => self.differ(trail),
                };
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if !agrees {
            self.differ(trail);
        }
    }

    fn is_empty(&self, live: Option<&Value>, trail: &Trail<'_>) -> bool {
        match live {
            // A custom resource keeps what it was given, also when that is empty; but its metadata is typed.
            None => self.built_in || matches!(trail.steps().first(), Some(Step::Field("metadata"))),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        }
    }

    fn same_leaf(&self, desired: &Value, live: &Value, trail: &Trail<'_>) -> bool {
        if same(desired, live) {
            return true;
        }
        if !self.built_in {
            return false;
        }
        let below = trail.parent().and_then(Trail::last_field);
        let is_quantity =
            trail.last_field() == Some("sizeLimit") || below.is_some_and(|name| QUANTITIES.contains(&name));
        (is_quantity && quantity::equal(desired, live))
            || defaults::filled(desired, trail, self.kind).is_some_and(|filled| same(&filled, live))
    }

    fn fields<'a>(
        &mut self,
        desired: impl Iterator<Item = (&'a String, &'a Value)>,
        live: &Value,
        owned: Option<&FieldSet>,
        trail: &Trail<'_>,
    ) {
        let mut covered = 0;
        for (key, value) in desired {
            let node = owned.and_then(|owned| owned.get_field(key));
            covered += usize::from(node.is_some());
            self.value(value, live.get(key), node, &trail.then(Step::Field(key)));
        }
        if covered != owned.map_or(0, |owned| owned.nodes().len()) {
            // A field is owned that is no longer declared.
            self.differ(trail);
        }
    }

    /// A list that is not owned as a whole: keyed, or a set.
    fn items(&mut self, desired: &[Value], live: &Value, owned: &FieldSet, trail: &Trail<'_>) {
        let nodes = owned.nodes();
        if desired.len() != nodes.len() {
            return self.differ(trail);
        }
        let mut last = None;
        for (item, node) in desired.iter().zip(pair(desired, nodes)) {
            let Some(node) = node else {
                return self.differ(trail);
            };
            let trail = trail.then(Step::Element(&node.element));
            let Some((place, value)) = node.element.position(live) else {
                return self.differ(&trail);
            };
            let PathElement::Key(fields) = &node.element else {
                continue;
            };
            // The server puts the items of an apply in the order of the apply; the order of sets means nothing.
            if last.is_some_and(|last| last >= place) || is_twice(fields, live) {
                return self.differ(&trail);
            }
            last = Some(place);
            self.value(item, Some(value), Some(node), &trail);
        }
    }

    fn differ(&mut self, trail: &Trail<'_>) {
        if self.differs.len() < NAMED {
            self.differs.push(trail.path().to_string());
        }
    }
}

/// The owned item that each declared item stands for; none twice.
fn pair<'n>(desired: &[Value], nodes: &'n [Node]) -> Vec<Option<&'n Node>> {
    let mut free: Vec<Option<&Node>> = nodes.iter().map(Some).collect();
    let mut choose = |item| {
        let fits = |node: &Option<&Node>| node.is_some_and(|node| stands_for(item, node));
        free.iter_mut().find(|node| fits(node)).and_then(Option::take)
    };
    desired.iter().map(&mut choose).collect()
}

fn stands_for(item: &Value, node: &Node) -> bool {
    match &node.element {
        PathElement::Value(value) => value.is(item),
        PathElement::Key(fields) => {
            // A key field that the manifest leaves out is a default only if we do not own it: else it left the
            // manifest. So `53` stands for `53/TCP` and never for `53/UDP`, whose protocol had to be declared.
            let owns = |name: &str| node.below.as_ref().is_some_and(|below| below.get_field(name).is_some());
            agrees(fields, item) && fields.iter().all(|(name, _)| item.get(&**name).is_some() || !owns(name))
        }
        PathElement::Field(_) | PathElement::Index(_) => false,
    }
}

/// Whether two live items have one key: the server tolerates that in what is stored, but not in an apply.
fn is_twice(fields: &[(Box<str>, Scalar)], live: &Value) -> bool {
    let has_key =
        |item: &&Value| fields.iter().all(|(name, v)| item.get(&**name).is_some_and(|live| v.is(live)));
    live.as_array().is_some_and(|items| items.iter().filter(has_key).count() > 1)
}

/// Whether there is nothing in a value but empty mappings, empty lists and nulls: `status: {loadBalancer: {}}` as
/// tools print it.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_hollow),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
