//! The stages of a wave of namespaces. At any time one side may write, and the other is fenced.

use super::bridges;
use super::desired::{Level, Part};
use super::fence::Fence;
use super::look::Known;
use super::owned::entry;
use super::plan::{StageOutcome, Way, waits};
use super::port::Port;
use super::seam::{self, Concern};
use super::sight::{Sight, is, is_in, name, namespace};
use super::surplus::surplus;
use super::whole::{limit, proven, with_target};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::migration_document::WaveSpec;
use crate::model::migration_journal::{Position, WHOLE};
use crate::transform::Phase;
use serde_json::Value;
use std::collections::BTreeSet;

/// A wave in a pass.
struct Wave<'a> {
    known: &'a Known<'a>,
    name: &'a str,
    namespaces: BTreeSet<String>,
    goal: Stage,
    position: Position,
    /// Where the move as a whole stands, this plan included: what its waves begin with is seen to be there.
    whole: &'a Position,
    /// Volumes and claims as the target gets them.
    prepared: Vec<Value>,
}

/// What a stage makes of a wave.
pub(super) fn stage(
    known: &Known<'_>,
    (name, goal): (&str, Stage),
    position: Position,
    whole: &Position,
    way: Way,
) -> StageOutcome {
    let declared = known.look.spec.waves.iter().find(|wave| wave.name == name);
    let namespaces: BTreeSet<String> = declared.iter().flat_map(|wave| &wave.namespaces).cloned().collect();
    // What comes before `Configure` is the move's, and leaves nothing of a wave.
    if position.stage < Stage::Configure {
        return StageOutcome::default();
    }
    let (stage, complete) = (position.stage, position.complete);
    let prepared = known.intent().prepared(&namespaces);
    let wave = Wave { known, name, namespaces, goal, position, whole, prepared };
    if way == Way::Forward && !wave.may_begin() {
        return waits(
            "the move as a whole has to be configured first".into(),
            limit(known, Stage::Provision),
        )
        .into();
    }
    if way == Way::Back && !known.look.journal.granted.is_empty() {
        return given_away().into();
    }
    let goes_back = way == Way::Back && stage >= Stage::HandOver;
    if let Some(unwilling) =
        known.look.target.filter(|_| goes_back).and_then(|target| wave.is_unwilling(target))
    {
        return unwilling;
    }
    with_target(known, |target| match (way, stage) {
        (Way::Forward, Stage::Configure) => wave.held(target, Level::Basis).into(),
        (Way::Forward, Stage::Sync) => wave.held(target, Level::Rest).into(),
        (Way::Forward, Stage::Verify) => wave.verify(target, complete),
        (Way::Forward, Stage::HandOver) if !complete => wave.hand_over(target).into(),
        (Way::Forward, Stage::Shift) => wave.after_hand_over(target, seam::traffic(&wave.concern(target))),
        (Way::Forward, Stage::Soak) if !complete => wave.soak(target),
        (Way::Forward, _) => wave.after_hand_over(target, Outcome::default()),
        (Way::Back, Stage::Shift) => seam::traffic(&wave.concern(target)).into(),
        (Way::Back, Stage::HandOver) => wave.hand_back(target),
        (Way::Back, Stage::Sync) => {
            wave.port(target).away(Some(&wave.namespaces), |phase| !is_basis(phase)).into()
        }
        (Way::Back, Stage::Configure) => wave.cleared(target).into(),
        (Way::Back, _) => StageOutcome::default(),
    })
}

/// Whether a fence of the target is down, so that something may run there already.
pub(super) fn is_open(target: &Sight, namespaces: &BTreeSet<String>) -> bool {
    let fenced: BTreeSet<&str> = target
        .of("", "ResourceQuota", namespaces)
        .filter(|quota| name(quota) == super::fence::FENCE)
        .filter_map(namespace)
        .collect();
    let there = target.objects.iter().filter(|object| is(object, "", "Namespace"));
    let mut there = there.map(name).filter(|name| namespaces.contains(*name));
    there.any(|namespace| !fenced.contains(namespace))
}

/// Whether objects of a step of the order stand on the target from `Configure` on.
fn is_basis(phase: Phase) -> bool {
    !matches!(
        phase,
        Phase::Services
            | Phase::Workloads
            | Phase::Scaling
            | Phase::Jobs
            | Phase::Custom
            | Phase::Ingresses
            | Phase::Aggregated
            | Phase::Admission
    )
}

impl Wave<'_> {
    /// Whether what lives in no namespace is there.
    fn may_begin(&self) -> bool {
        (self.whole.stage, self.whole.complete) >= (Stage::Configure, true)
    }

    fn port<'t>(&'t self, target: &'t Sight) -> Port<'t> {
        Port {
            migration: self.known.look.name,
            wave: Some(self.name),
            stage: self.position.stage,
            target,
            service_range: None,
            limit_seconds: limit(self.known, self.position.stage),
        }
    }

    fn fence<'t>(&'t self, side: Side, sight: &'t Sight) -> Fence<'t> {
        Fence {
            side,
            stage: Stage::HandOver,
            wave: self.name,
            namespaces: &self.namespaces,
            sight,
            entries: &self.known.look.journal.entries,
            limit_seconds: limit(self.known, Stage::HandOver),
        }
    }

    fn concern<'t>(&'t self, target: &'t Sight) -> Concern<'t> {
        Concern::of(self.known, (self.name, self.goal), &self.namespaces, &self.prepared, target)
    }

    /// What keeps a way back past the hand-over from being begun: nothing is stopped before a person has agreed to what
    /// the source gets.
    fn is_unwilling(&self, target: &Sight) -> Option<StageOutcome> {
        if self.goal >= Stage::HandOver {
            return None;
        }
        let concern = self.concern(target);
        if let Some(gate) = seam::not_read(&concern) {
            return Some(Outcome { steps: Vec::new(), gates: vec![gate] }.into());
        }
        let held = seam::consent(&concern)?;
        let gates = vec![Gate::Approval { digest: held.digest.clone() }];
        let outcome = Outcome { steps: Vec::new(), gates };
        Some(StageOutcome { outcome, held: Some(held), ..StageOutcome::default() })
    }

    fn part(&self) -> Part<'_> {
        Part::Wave(&self.namespaces)
    }

    /// The target at rest behind its fence: first the namespaces, then the fence and what needs none, then what it keeps
    /// from running.
    fn held(&self, target: &Sight, level: Level) -> Outcome {
        let basis = self.port(target).towards(&self.known.intent().desired(self.part(), Level::Basis));
        let closed = {
            let made = basis.steps.iter().filter_map(made_namespace).collect();
            self.fence(Side::Target, target).close(&made)
        };
        let closed = join([basis, closed]);
        if !closed.is_done() || level == Level::Basis {
            return closed;
        }
        let (port, desired) = (self.port(target), self.known.intent().desired(self.part(), level));
        let outcome = port.towards(&desired);
        // On the way back the source is fenced, and what it has is what it gets again.
        if !outcome.is_done() || self.goal < Stage::Sync {
            return outcome;
        }
        surplus(self.known, &port, &desired, Some(&self.namespaces))
    }

    fn verify(&self, target: &Sight, complete: bool) -> StageOutcome {
        let held = self.held(target, Level::Rest);
        if !held.is_done() || complete {
            return held.into();
        }
        proven(self.known, target, self.part())
    }

    /// The writer's place moves to the target.
    fn hand_over(&self, target: &Sight) -> Outcome {
        if let Some(gate) = self.delivered() {
            return Outcome { steps: Vec::new(), gates: vec![gate] };
        }
        if let Some(gate) = bridges::before_fence(self.known, self.name) {
            return Outcome { steps: Vec::new(), gates: vec![gate] };
        }
        let ready = seam::before_fence(&self.concern(target));
        if !ready.is_done() {
            return ready;
        }
        let fenced = self.fence(Side::Source, self.known.look.source).raise();
        if !fenced.is_done() {
            return fenced;
        }
        // What changed on the source until the fence stood.
        let opened = is_open(target, &self.namespaces);
        if !opened {
            let synced = self.held(target, Level::Rest);
            if !synced.is_done() {
                return synced;
            }
        }
        let volumes = seam::volumes(&self.concern(target));
        if !volumes.is_done() {
            return volumes;
        }
        let open = self.fence(Side::Target, target).lower();
        if !open.is_done() {
            return open;
        }
        let started = self.port(target).towards(&self.known.intent().desired(self.part(), Level::Running));
        if !started.is_done() {
            return started;
        }
        let starting = self.starting(target).or_else(|| bridges::after_start(self.known, self.name));
        Outcome { steps: Vec::new(), gates: starting.into_iter().collect() }
    }

    /// An Application of this daemon that would go on delivering to the source.
    fn delivered(&self) -> Option<Gate> {
        let (namespace, names) = self
            .known
            .look
            .applications
            .iter()
            .find(|(namespace, names)| self.namespaces.contains(*namespace) && !names.is_empty())?;
        // The daemon holds its own from the moment that the hand-over is noted, and a pass that is under way ends first.
        Some(Gate::Waiting {
            what: format!("{} still deliver to {namespace} of the source", names.join(", ")),
            limit_seconds: limit(self.known, Stage::HandOver),
        })
    }

    /// Workloads of the target that are not up yet.
    fn starting(&self, target: &Sight) -> Option<Gate> {
        let kinds = ["Deployment", "StatefulSet"];
        let workloads = kinds.iter().flat_map(|kind| target.of("apps", kind, &self.namespaces));
        let number = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        let missing: Vec<String> = workloads
            .filter(|object| entry(object).is_some())
            .filter(|object| {
                let wanted = number(object, "/spec/replicas").unwrap_or(1);
                let seen =
                    number(object, "/status/observedGeneration") >= number(object, "/metadata/generation");
                !seen || number(object, "/status/readyReplicas").unwrap_or_default() < wanted
            })
            .map(|object| {
                format!(
                    "{} {}/{}",
                    object["kind"].as_str().unwrap_or_default(),
                    namespace(object).unwrap_or_default(),
                    name(object)
                )
            })
            .collect();
        let first = missing.first()?;
        Some(Gate::Waiting {
            what: format!("{} workloads are not ready on the target, the first is {first}", missing.len()),
            limit_seconds: limit(self.known, Stage::HandOver),
        })
    }

    /// After the hand-over the target is its own; of the source only the fence is kept, and of the volumes their tags.
    fn after_hand_over(&self, target: &Sight, outcome: Outcome) -> StageOutcome {
        let fence = self.fence(Side::Source, self.known.look.source).raise();
        // From the last stage on the tags are what the guard makes them.
        let (notes, tags) = match self.known.look.journal.position(WHOLE).stage {
            Stage::Decommission => Default::default(),
            _ => seam::watched(&self.concern(target)),
        };
        let steps = fence.steps.into_iter().chain(tags.steps).chain(outcome.steps).collect();
        let outcome = Outcome { steps, gates: outcome.gates };
        StageOutcome { outcome, notes, ..StageOutcome::default() }
    }

    fn soak(&self, target: &Sight) -> StageOutcome {
        let until =
            self.position.since + i64::try_from(limit(self.known, Stage::Soak)).unwrap_or(i64::MAX / 2);
        let left = until - self.known.look.now;
        let outcome = if left > 0 {
            waits(format!("both sides are watched for {left} s more"), 0)
        } else {
            Outcome::default()
        };
        self.after_hand_over(target, outcome)
    }

    /// The writer's place moves back to the source.
    fn hand_back(&self, target: &Sight) -> StageOutcome {
        let held = self.held(target, Level::Rest);
        let port = self.port(target);
        let pods =
            port.away(Some(&self.namespaces), |phase| matches!(phase, Phase::Ingresses | Phase::Admission));
        let bare = self.bare_pods(target);
        let stopping = join([held, pods, bare]);
        if !stopping.is_done() {
            return stopping.into();
        }
        let fenced = self.fence(Side::Target, target).raise();
        if !fenced.is_done() {
            return fenced.into();
        }
        let volumes = seam::volumes(&self.concern(target));
        if !volumes.is_done() {
            return volumes.into();
        }
        if bridges::left(self.known).is_of(&self.namespaces) {
            return waits("bridges to it are taken away".into(), limit(self.known, Stage::HandOver)).into();
        }
        let open = self.fence(Side::Source, self.known.look.source).lower();
        if !open.is_done() {
            return open.into();
        }
        seam::dismissed(&self.concern(target)).into()
    }

    /// Pods of no workload that the migration started.
    fn bare_pods(&self, target: &Sight) -> Outcome {
        let pods =
            target.of("", "Pod", &self.namespaces).filter(|pod| entry(pod).is_some()).cloned().collect();
        let only = Sight { objects: pods, ..Sight::default() };
        self.port(&only).away(Some(&self.namespaces), |_| true)
    }

    /// The namespaces are as they were before: those that the migration made are gone.
    fn cleared(&self, target: &Sight) -> Outcome {
        if let Some(what) = bridges::in_use(self.known, self.name) {
            return waits(what, 0);
        }
        let away = self.port(target).away(Some(&self.namespaces), |_| true);
        if !away.is_done() {
            return away;
        }
        let left = target
            .objects
            .iter()
            .filter(|object| is_in(object, &self.namespaces))
            .any(|object| entry(object).is_some());
        if left { self.fence(Side::Target, target).lower() } else { Outcome::default() }
    }
}

/// The namespace that a step makes.
fn made_namespace(step: &Step) -> Option<&str> {
    match &step.effect {
        Effect::Apply { object, .. } if is(object, "", "Namespace") => Some(name(object)),
        _ => None,
    }
}

fn given_away() -> Outcome {
    let gate = Gate::Blocked {
        what: "objects are given to their Applications: from here nothing goes back".into(),
        way_out: "set `spec.stage` to Decommission again".into(),
    };
    Outcome { steps: Vec::new(), gates: vec![gate] }
}

/// What has to be read in AWS for a wave.
pub(super) fn reads(known: &Known<'_>, wave: &WaveSpec) -> Vec<seam::Asked> {
    let Some(target) = known.look.target else { return Vec::new() };
    let namespaces: BTreeSet<String> = wave.namespaces.iter().cloned().collect();
    let goal = known.look.spec.stage_of(wave);
    seam::reads(&Concern::of(known, (&wave.name, goal), &namespaces, &[], target))
}

/// Several outcomes that do not need each other.
fn join(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    outcomes.into_iter().fold(Outcome::default(), |mut all, one| {
        all.steps.extend(one.steps);
        all.gates.extend(one.gates);
        all
    })
}
