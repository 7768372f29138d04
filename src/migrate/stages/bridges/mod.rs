//! Bridges: while a Service and those who call it are in different clusters, a Service of its name leads across.
//!
//! ```text
//! calling side                          the side of its pods
//! Service without selector ─► slice ─►  what the document gives (addresses, and names that are looked up again and again),
//!                                       or its internal load balancer, or node ports: its own, or those of a Service
//!                                       `portolan-bridge-NAME` beside it
//! ```
//!
//! Which bridges are due follows from how far the waves are, and from nothing else. The move as a whole makes them and
//! takes them away; a wave that is handed over waits for those that it needs. On the target the Service of a bridge
//! becomes the real one when its own wave is handed over, so that its address stays; on the source the Service keeps
//! everything but its selector, which the journal holds.

mod far;
mod left;
mod names;
mod near;
mod write;

pub(super) use left::{Left, left};
pub use names::{Addresses, names};

use super::fence::side_word;
use super::look::{Known, Look};
use super::sight::{Sight, name, namespace};
use super::wave::is_open;
use crate::migrate::calls::{BRIDGE, Caller, Declared, Graph};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::migration_document::{BridgeEnd, BridgeSpec, MigrationSpec};
use crate::model::migration_journal::WHOLE;
use crate::model::{Object, ResourceId};
use serde_json::Value;
use std::collections::BTreeSet;

/// How the keys of a bridge's steps begin.
const KEY: &str = "bridge/";
/// The key of the step that takes the selector of a Service of the source.
const SELECTOR: &str = "selector";
/// The value of the label on a namespace that was made for bridges alone.
const NAMESPACE: &str = "namespace";
/// How the name of a Service begins that opens node ports for a bridge.
pub(super) const OPENER: &str = "portolan-bridge-";

/// A bridge that is due.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    declared: BridgeSpec,
    namespace: String,
    name: String,
    /// Where the callers are, and so where it stands.
    near: Side,
    /// The wave that moves the Service; none where none does.
    home: Option<String>,
    /// Waves whose namespaces call from where it stands.
    callers: BTreeSet<String>,
}

/// Who calls whom, as objects show and people declare it.
pub(super) fn calls(spec: &MigrationSpec, objects: &[Value]) -> Graph {
    let objects: Vec<Object> = objects.iter().filter_map(|object| Object::new(object.clone()).ok()).collect();
    let declared: Vec<Declared> =
        spec.edges.iter().map(|edge| Declared { from: edge.from.clone(), to: edge.to.clone() }).collect();
    Graph::of(&objects, &declared)
}

/// Whether an object is a part of a bridge, or was made by a controller for one: those copy the labels of a Service.
pub(super) fn is_bridge(object: &Value) -> bool {
    bridged(object).is_some()
}

/// The Service that a part of a bridge is for.
fn bridged(object: &Value) -> Option<&str> {
    object.pointer("/metadata/labels")?.get(BRIDGE)?.as_str()
}

/// The wave of a namespace.
fn wave_of<'a>(spec: &'a MigrationSpec, namespace: &str) -> Option<&'a str> {
    let wave = spec.waves.iter().find(|wave| wave.namespaces.iter().any(|own| own == namespace))?;
    Some(&wave.name)
}

/// Waves that call a Service from elsewhere; `None` among them: a namespace that no wave moves.
fn callers<'a>(
    spec: &'a MigrationSpec,
    graph: &Graph,
    (namespace, name): (&str, &str),
) -> BTreeSet<Option<&'a str>> {
    let home = wave_of(spec, namespace);
    let calls = graph.edges.keys().filter(|edge| {
        edge.to.namespace == namespace && edge.to.service.as_deref().is_none_or(|service| service == name)
    });
    let waves = calls.filter_map(|edge| match &edge.from {
        // The source's API server calls webhooks for as long as anything is left there.
        Caller::ApiServer => spec.waves.last().map(|wave| Some(wave.name.as_str())),
        other => other.namespace().filter(|own| *own != namespace).map(|own| wave_of(spec, own)),
    });
    waves.filter(|wave| home.is_none() || *wave != home).collect()
}

/// Every bridge that is due.
pub(super) fn due(look: &Look<'_>, before: &[Value]) -> Vec<Bridge> {
    let spec = look.spec;
    if spec.bridges.is_empty() {
        return Vec::new();
    }
    let graph = calls(spec, before);
    let mut due = Vec::new();
    for declared in &spec.bridges {
        let Some((namespace, name)) = declared.service.split_once('/') else { continue };
        let callers = callers(spec, &graph, (namespace, name));
        let home = wave_of(spec, namespace);
        for near in [Side::Source, Side::Target] {
            if is_due(look, near, home, &callers) {
                due.push(Bridge {
                    declared: declared.clone(),
                    namespace: namespace.into(),
                    name: name.into(),
                    near,
                    home: home.map(String::from),
                    callers: callers.iter().flatten().map(|wave| (*wave).to_owned()).collect(),
                });
            }
        }
    }
    due
}

fn is_due(look: &Look<'_>, near: Side, home: Option<&str>, callers: &BTreeSet<Option<&str>>) -> bool {
    let at = |wave: &str| look.journal.position(wave);
    let spec = look.spec;
    let of = |wave: &str| spec.waves.iter().find(|one| one.name == wave);
    let stays = |wave: &str| of(wave).is_some_and(|wave| spec.stage_of(wave) >= Stage::HandOver);
    match near {
        // While its own wave is handed over, the Service is that wave's.
        Side::Target => {
            let calls = |wave: &str| {
                let stage = at(wave).stage;
                stage > Stage::HandOver || (stage == Stage::HandOver && stays(wave))
            };
            callers.iter().flatten().any(|wave| calls(wave))
                && home.is_none_or(|home| at(home).stage < Stage::HandOver)
        }
        Side::Source => {
            let Some(home) = home else { return false };
            let position = at(home);
            let opened = || {
                let namespaces: BTreeSet<String> =
                    of(home).iter().flat_map(|wave| &wave.namespaces).cloned().collect();
                look.target.is_some_and(|target| is_open(target, &namespaces))
            };
            let away = position.stage > Stage::HandOver
                || (position.stage == Stage::HandOver && stays(home) && (position.complete || opened()));
            // Where all of them go back, each is on its side until it is there.
            let moved = |wave: &str| {
                let position = at(wave);
                (position.stage, position.complete) >= (Stage::HandOver, true)
                    && (stays(wave) || !stays(home))
            };
            // What still calls there in the end goes with the old cluster.
            let given_up = look.journal.position(WHOLE).stage == Stage::Decommission;
            away && !given_up && callers.iter().any(|wave| wave.is_none_or(|wave| !moved(wave)))
        }
    }
}

/// Services of a wave in whose place a bridge stands on the target.
pub(super) fn replaced(due: &[Bridge]) -> BTreeSet<ResourceId> {
    let there = due.iter().filter(|bridge| bridge.near == Side::Target && bridge.home.is_some());
    there.map(Bridge::id).collect()
}

/// What keeps a declared bridge from being of any use, before anything is begun.
pub(super) fn problems(known: &Known<'_>, graph: &Graph) -> Vec<Gate> {
    let spec = known.look.spec;
    let mut gates = Vec::new();
    for declared in &spec.bridges {
        let Some((namespace, name)) = declared.service.split_once('/') else { continue };
        let mut wrong = |what: String, way_out: &str| {
            gates.push(Gate::Blocked {
                what: format!("bridge to {}: {what}", declared.service),
                way_out: way_out.into(),
            });
        };
        let id = ResourceId::new("", "Service", namespace, name);
        let service =
            known.before.iter().find(|object| crate::transform::identity(object).as_ref() == Some(&id));
        let Some(service) = service else {
            wrong("there is no such Service on the source".into(), "correct its name in `spec.bridges`");
            continue;
        };
        if callers(spec, graph, (namespace, name)).is_empty() {
            wrong(
                "nothing is known to call it from another wave".into(),
                "declare the call in `spec.edges`, or take the bridge out",
            );
        }
        let ends = [&declared.on_source, &declared.on_target];
        if service.pointer("/spec/type") == Some(&"ExternalName".into()) {
            wrong("it is another name for a host".into(), "bridge the Service that it names");
        } else if ends.iter().any(|end| end.is_none())
            && let Some(why) = far::unopenable(service)
        {
            wrong(why.into(), "give `onSource` and `onTarget` addresses in `spec.bridges`");
        }
    }
    gates
}

impl Bridge {
    fn id(&self) -> ResourceId {
        ResourceId::new("", "Service", &self.namespace, &self.name)
    }

    /// The side of the pods.
    fn far(&self) -> Side {
        match self.near {
            Side::Source => Side::Target,
            Side::Target => Side::Source,
        }
    }

    /// Where a person says that the Service is reached.
    fn end(&self) -> Option<&BridgeEnd> {
        match self.near {
            Side::Source => self.declared.on_target.as_ref(),
            Side::Target => self.declared.on_source.as_ref(),
        }
    }

    fn step(&self, key: &str, effect: Effect, undo: Vec<Effect>, says: String) -> Step {
        Step {
            key: format!("{KEY}{}/{}/{key}", side_word(self.near), self.declared.service),
            stage: Stage::HandOver,
            wave: self.home.clone(),
            effect,
            undo,
            says,
            final_: false,
        }
    }

    fn waits(&self, known: &Known<'_>, what: String) -> Gate {
        let limit_seconds = super::whole::limit(known, Stage::HandOver);
        Gate::Waiting { what: format!("bridge to {}: {what}", self.declared.service), limit_seconds }
    }

    /// Makes it, or says what it waits for; nothing of either: it stands, and something answers at its other end.
    pub fn towards(&self, known: &Known<'_>) -> Outcome {
        self.looked_at(known).0
    }

    /// The same, and why it leads where it led before, where a name could not be looked up.
    fn looked_at(&self, known: &Known<'_>) -> (Outcome, Option<String>) {
        let Some(target) = known.look.target else { return (Outcome::default(), None) };
        let (near, far) = match self.near {
            Side::Source => (known.look.source, target),
            Side::Target => (target, known.look.source),
        };
        let reached = match far::reached(self, known, (near, far)) {
            Ok(reached) => reached,
            Err(outcome) => return (outcome, None),
        };
        let mut outcome = near::towards(self, known, near, &reached);
        if outcome.gates.is_empty() && !far::answers(self, far) {
            let what = format!("it has no ready endpoint on the {}", side_word(self.far()));
            outcome.gates.push(self.waits(known, what));
        }
        (outcome, reached.of_before)
    }
}

/// What a wave waits for before its fence is raised: bridges to what it calls and leaves behind.
pub(super) fn before_fence(known: &Known<'_>, wave: &str) -> Option<Gate> {
    let own = |bridge: &&Bridge| bridge.near == Side::Target && bridge.callers.contains(wave);
    // Before the journal says that it is handed over, nothing is due for it: that is the next pass.
    let spec = known.look.spec;
    let position = known.look.journal.position(wave).stage;
    if !spec.bridges.is_empty() && position < Stage::HandOver {
        return Some(Gate::Waiting {
            what: "bridges to what it leaves behind are looked at".into(),
            limit_seconds: 0,
        });
    }
    first_gate(known, known.bridges.iter().filter(own))
}

/// What a wave waits for before its hand-over is complete: bridges for those who call it and stay behind.
pub(super) fn after_start(known: &Known<'_>, wave: &str) -> Option<Gate> {
    let own = |bridge: &&Bridge| bridge.near == Side::Source && bridge.home.as_deref() == Some(wave);
    first_gate(known, known.bridges.iter().filter(own))
}

fn first_gate<'b>(known: &Known<'_>, bridges: impl Iterator<Item = &'b Bridge>) -> Option<Gate> {
    for bridge in bridges {
        let Outcome { steps, gates } = bridge.towards(known);
        if let Some(gate) = gates.into_iter().next() {
            return Some(gate);
        }
        if !steps.is_empty() {
            return Some(bridge.waits(known, format!("it is being made on the {}", side_word(bridge.near))));
        }
    }
    None
}

/// What keeps the namespaces of a wave from being taken away: somebody on the target calls into them across a bridge.
pub(super) fn in_use(known: &Known<'_>, wave: &str) -> Option<String> {
    let used = known
        .bridges
        .iter()
        .find(|bridge| bridge.near == Side::Target && bridge.home.as_deref() == Some(wave))?;
    let callers: Vec<&str> = used.callers.iter().map(String::as_str).collect();
    Some(format!(
        "{} is called across a bridge here: wave {} goes back first",
        used.declared.service,
        callers.join(", ")
    ))
}

/// What still leads from the target to the source, where the old cluster is to be given up.
pub(super) fn lasting(known: &Known<'_>) -> Option<Gate> {
    let bridge = known.bridges.iter().find(|bridge| bridge.near == Side::Target)?;
    Some(Gate::Blocked {
        what: format!(
            "{} is called on the source across a bridge, and would go with it",
            bridge.declared.service
        ),
        way_out: "move its namespace in a wave, or take the bridge out of `spec.bridges`".into(),
    })
}

/// Everything that bridges are due for, made or mended; and what of them is due no more, taken away.
pub(super) fn kept(known: &Known<'_>) -> (Vec<Step>, Vec<String>, Vec<String>) {
    let Left { parts, forget } = left(known);
    let mut steps: Vec<Step> = parts.into_iter().map(|(_, step)| step).collect();
    let mut notes = Vec::new();
    for bridge in &known.bridges {
        let (outcome, of_before) = bridge.looked_at(known);
        steps.extend(outcome.steps);
        let (near, far) = (side_word(bridge.near), side_word(bridge.far()));
        notes.push(match (outcome.gates.first(), of_before) {
            (Some(Gate::Waiting { what, .. } | Gate::Blocked { what, .. }), _) => what.clone(),
            (_, Some(words)) => {
                format!("bridge to {}: it leads where it led before: {words}", bridge.declared.service)
            }
            _ => format!(
                "{} is called from the {near} across a bridge: the {far} has to let these addresses in",
                bridge.declared.service
            ),
        });
    }
    (steps, forget, notes)
}

/// The object of a kind, a namespace and a name.
fn find<'s>(sight: &'s Sight, kind: &str, of: (&str, &str)) -> Option<&'s Value> {
    sight
        .objects
        .iter()
        .find(|object| object["kind"] == kind && (namespace(object).unwrap_or_default(), name(object)) == of)
}
