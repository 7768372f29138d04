//! Objects of the target towards what they have to be, and away again.

use super::desired::Desired;
use super::fence;
use super::owned::{MANAGER, covers, entry};
use super::patch::version_of;
use super::scaled::{Scalers, replicas};
use super::sight::{Sight, is, name};
use crate::migrate::proof::{Explain, Key, prove};
use crate::model::ResourceId;
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::transform::{Phase, identity, phase};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// No object ever has this resourceVersion: an apply that carries it creates, and never changes, an object.
pub(super) const ABSENT: &str = "1";
/// On a namespace that the migration made, for one that was there before stays, and on what says nothing else.
pub const MADE_BY: &str = "portolan.dev/made-by-migration";

/// A part of the move on the target.
#[derive(Clone, Copy)]
pub struct Port<'a> {
    /// Name of the migration.
    pub migration: &'a str,
    /// The wave; none for what lives in no namespace.
    pub wave: Option<&'a str>,
    /// The stage that it is done for.
    pub stage: Stage,
    /// What was seen there.
    pub target: &'a Sight,
    /// The range of Services of the target, where it is known.
    pub service_range: Option<&'a str>,
    /// How long kinds may take to be served, in seconds.
    pub limit_seconds: u64,
}

impl Port<'_> {
    /// Writes what differs, phase by phase. What is awaited once it is written (definitions) ends the outcome, and what
    /// refuses others' writes begins when everything before it is there.
    #[must_use]
    pub fn towards(&self, desired: &Desired) -> Outcome {
        let index = self.target.index();
        let (scalers, fenced) = (Scalers::of(self.target), fence::holding(self.target));
        let mut outcome = Outcome::default();
        for blocker in &desired.blockers {
            outcome.gates.push(Gate::Blocked {
                what: blocker.clone(),
                way_out: "settle it on the source, or record a choice in `spec.choices`".into(),
            });
        }
        let mut phases: BTreeMap<Phase, Vec<&Value>> = BTreeMap::new();
        for (phase, object) in &desired.objects {
            phases.entry(*phase).or_default().push(object);
        }
        for (phase, objects) in phases {
            let refuses = matches!(phase, Phase::Aggregated | Phase::Admission);
            if refuses && !outcome.steps.is_empty() {
                break;
            }
            let before = (outcome.steps.len(), outcome.gates.len());
            for object in objects {
                let Some(id) = identity(object) else { continue };
                if self.target.served.versions(&id.group_kind()).is_empty() {
                    let what = format!("{} is not served by the target yet", id.group_kind());
                    outcome.gates.push(Gate::Waiting { what, limit_seconds: self.limit_seconds });
                    continue;
                }
                match index.get(&id) {
                    Some(live) if live.pointer("/metadata/deletionTimestamp").is_some() => {
                        let what = format!("{id} is being deleted on the target");
                        outcome.gates.push(Gate::Waiting { what, limit_seconds: self.limit_seconds });
                    }
                    live => match self.towards_one(&id, object, live.copied(), (&scalers, &fenced)) {
                        Ok(step) => outcome.steps.extend(step),
                        Err(gate) => outcome.gates.push(gate),
                    },
                }
            }
            let is_awaited = refuses || phase == Phase::Definitions;
            if outcome.gates.len() > before.1 || (is_awaited && outcome.steps.len() > before.0) {
                break;
            }
        }
        outcome
    }

    fn towards_one(
        &self,
        id: &ResourceId,
        object: &Value,
        live: Option<&Value>,
        decide: (&Scalers, &BTreeSet<&str>),
    ) -> Result<Option<Step>, Gate> {
        let mut body = object.clone();
        let merged = is_shared(id);
        if let Some(live) = live {
            keep_scale(id, &mut body, live, decide);
            if entry(live).is_none() && !merged {
                return if self.is_equal(&body, live) {
                    // Somebody else declares the same there: nothing to do, and nothing to take back.
                    Ok(None)
                } else {
                    Err(Gate::Blocked {
                        what: format!("{id} is on the target already, and is another"),
                        way_out: "take it away there, or leave the source's behind with a choice".into(),
                    })
                };
            }
            if made_by(live) == Some(self.migration) {
                body["metadata"]["annotations"][MADE_BY] = self.migration.into();
            }
            if entry(live).is_some() && self.is_equal(&body, live) && covers(&body, live) {
                return Ok(None);
            }
            body["metadata"]["uid"] = live["metadata"]["uid"].clone();
        } else {
            if (id.group.is_empty() && id.kind == "Namespace") || is_bare(&body) {
                body["metadata"]["annotations"][MADE_BY] = self.migration.into();
            }
            // The account controller makes it in every namespace, a moment later than the namespace.
            if !merged {
                body["metadata"]["resourceVersion"] = ABSENT.into();
            }
        }
        let says = format!("{id} is written to the target");
        Ok(Some(self.step("port", id, Effect::Apply { side: Side::Target, object: body }, says)))
    }

    /// Whether a live object has everything that is wanted of it.
    fn is_equal(&self, object: &Value, live: &Value) -> bool {
        // Both sides get the same key, and no report leaves this function.
        let explain = Explain {
            service_range: self.service_range.map(String::from),
            keep_explained: false,
            ..Explain::with(Key::new([0; 32]))
        };
        let proof = prove(std::slice::from_ref(object), std::slice::from_ref(live), &explain);
        proof.failures().all(|difference| difference.expected.is_none())
    }

    /// Takes away what the migration made in some namespaces, of some phases; in the reverse order.
    #[must_use]
    pub fn away(&self, namespaces: Option<&BTreeSet<String>>, of: impl Fn(Phase) -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        let mut going: BTreeMap<std::cmp::Reverse<Phase>, Vec<(&Value, ResourceId)>> = BTreeMap::new();
        for object in &self.target.objects {
            let Some(id) = identity(object) else { continue };
            let is_namespace = is(object, "", "Namespace");
            let belongs = match namespaces {
                Some(all) if is_namespace => all.contains(name(object)),
                Some(all) => super::sight::is_in(object, all),
                None => id.namespace.is_none() && !is_namespace,
            };
            let phase = phase(&id.group_kind());
            let other = name(object) == super::fence::FENCE || super::bridges::is_bridge(object);
            if belongs && of(phase) && entry(object).is_some() && !other {
                going.entry(std::cmp::Reverse(phase)).or_default().push((object, id));
            }
        }
        let Some((_, objects)) = going.into_iter().next() else { return outcome };
        for (object, id) in objects {
            if object.pointer("/metadata/deletionTimestamp").is_some() {
                let what = format!("{id} is being deleted on the target");
                outcome.gates.push(Gate::Waiting { what, limit_seconds: self.limit_seconds });
                continue;
            }
            outcome.steps.push(self.gone(object, &id));
        }
        outcome
    }

    /// Takes one object away that the migration made, or what it gave to one that was there before.
    pub(super) fn gone(&self, object: &Value, id: &ResourceId) -> Step {
        let lent = (id.kind == "Namespace" && made_by(object) != Some(self.migration))
            || (id.kind == "ServiceAccount" && id.name == "default");
        if lent { self.released(object, id) } else { self.deleted(object, id) }
    }

    fn deleted(&self, object: &Value, id: &ResourceId) -> Step {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let effect = Effect::Delete {
            side: Side::Target,
            id: id.clone(),
            version: version_of(object),
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
        };
        self.step("away", id, effect, format!("{id} is taken away from the target"))
    }

    /// What was there before the migration keeps what others gave it: an apply of nothing gives our fields up.
    fn released(&self, object: &Value, id: &ResourceId) -> Step {
        let mut metadata = json!({"name": id.name, "uid": object["metadata"]["uid"]});
        if let Some(namespace) = &id.namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        let body = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata});
        let says = format!("what the migration gave {id} is taken away");
        self.step("release", id, Effect::Apply { side: Side::Target, object: body }, says)
    }

    fn step(&self, what: &str, id: &ResourceId, effect: Effect, says: String) -> Step {
        Step {
            key: format!("target/{what}/{id}"),
            stage: self.stage,
            wave: self.wave.map(String::from),
            effect,
            undo: Vec::new(),
            says,
            final_: false,
        }
    }
}

/// Leaves the number of replicas to who decides over it: an autoscaler within its bounds; and behind a fence that holds,
/// whoever scales up what may not run, for the two would write against each other without end.
fn keep_scale(
    id: &ResourceId,
    body: &mut Value,
    live: &Value,
    (scalers, fenced): (&Scalers, &BTreeSet<&str>),
) {
    let (Some(wanted), Some(now)) = (replicas(body), replicas(live)) else { return };
    let is_fenced = || id.namespace.as_deref().is_some_and(|own| fenced.contains(own));
    if (wanted > 0 && scalers.decides(id, now)) || (wanted == 0 && is_fenced()) {
        body["spec"]["replicas"] = now.into();
    }
}

/// What every namespace, or every cluster, has already: written into, never refused as somebody else's.
fn is_shared(id: &ResourceId) -> bool {
    match (id.group.as_str(), id.kind.as_str(), id.name.as_str()) {
        ("", "Namespace", _) => true,
        ("", "ServiceAccount", name) => name == "default",
        _ => false,
    }
}

/// Whether an object says nothing but its identity. The server keeps no entry in `managedFields` for whoever applies no
/// field (structured-merge-diff, stripmeta.go), so that it would not be known again without a mark.
fn is_bare(object: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let own = |fields: &[&str], value: &Value| {
        let all = value.as_object().into_iter().flatten();
        all.into_iter().all(|(key, value)| fields.contains(&key.as_str()) || is_empty(value))
    };
    own(&["apiVersion", "kind", "metadata"], object) && own(&["name", "namespace"], &object["metadata"])
}

pub(super) fn made_by(object: &Value) -> Option<&str> {
    object.pointer("/metadata/annotations")?.get(MADE_BY)?.as_str()
}

/// Gives an object away: the migration's entry in `managedFields` takes the name of the one that keeps it from now on.
/// Nothing of its spec is written (KEP-555: managers are transferred by editing `managedFields`).
#[must_use]
pub fn handed_over(live: &Value, to: &str) -> Option<Vec<Value>> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}),
    ];
    let ours =
        entries.iter().position(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply")?;
    let theirs = entries.iter().any(|entry| {
        entry["manager"] == to
            && entry["operation"] == "Apply"
            && entry["apiVersion"] == entries[ours]["apiVersion"]
    });
    // Two entries of one manager are refused; what the new one applied counts.
    operations.push(if theirs {
        json!({"op": "remove", "path": format!("/metadata/managedFields/{ours}")})
    } else {
        json!({"op": "replace", "path": format!("/metadata/managedFields/{ours}/manager"), "value": to})
    });
    if made_by(live).is_some() {
        let pointer = crate::transform::pointer_at("/metadata/annotations", MADE_BY);
        operations.push(json!({"op": "remove", "path": pointer}));
    }
    Some(operations)
}
