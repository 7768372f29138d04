//! What one pass will do for one cluster in AWS: complete data, decided before anything is called.

use super::owner::Incarnation;
use super::resource::{Difference, Driver, Key, Kind, Owner, Resource, Scope, Snapshot};
use super::{approval, judge, order, surplus};
use crate::model::application::{Adopt, DriftPolicy};
use crate::model::cloud::Call;
use crate::model::plan::{Verdict, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepAction {
    /// It is not there.
    Create,
    /// It is ours and differs.
    Update,
    /// It cannot be changed in place, or failed: deleted, and created again by the pass that finds it gone.
    Replace,
    /// It is ours and no longer declared.
    Delete,
    /// It exists, is not ours, and gets our tags. What else differs is mended by the pass after.
    Adopt,
    /// It is as declared, or drifted under a policy that only reports.
    Unchanged,
    /// It is on its way (`CREATING`, `UPDATING`, `DELETING`), or could not be read.
    Wait,
}

impl StepAction {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::Unchanged => "unchanged",
            Self::Wait => "wait",
        }
    }
}

impl fmt::Display for StepAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was last found in place as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Digest of the declaration, outputs filled in, tags included.
    pub digest: String,
    /// Names of the tags that the file declared: those it no longer declares are taken off.
    pub tags: BTreeSet<String>,
}

/// What may be done about one field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldRule {
    /// Whether it may be mended.
    pub verdict: Verdict,
    /// What it waits for all the same, once it may.
    pub waits_for: BTreeSet<Key>,
    /// The same in words; empty when it waits for nothing.
    pub waits: String,
}

/// One thing to do with one resource. A resource has several steps when its differences have several verdicts: a label
/// that may be changed at once, and an instance type that cannot be changed at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which resource.
    pub key: Key,
    /// What is done.
    pub action: StepAction,
    /// Where it stands in the file, as a JSON pointer; empty when it is not declared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub declared_at: String,
    /// The very thing that was judged; whoever executes the step refuses it when this no longer holds. `None` when
    /// there is nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Incarnation>,
    /// What is declared, with outputs of other resources filled in: to be kept when the step is Unchanged, and given to
    /// the next plans as `applied`. `None` for deletions and while an output is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Applied>,
    /// What differs and is mended by this step, by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What differs and is only reported: drift under the policy `Report`, tags that somebody else put there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<Difference>,
    /// Whether the differences arose in AWS, the declaration being the one that was applied before: drift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
    /// The calls that are due now, in order; [`super::resource::TOKEN`] stands for the attempt's token. In a step that
    /// is not Allowed they show what would be called, unresolved outputs as [`Key::output`] has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Calls that follow when those have settled (the service takes one update at a time): the next passes plan them
    /// anew, from what they find then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Call>,
    /// Whether it may be executed.
    pub verdict: Verdict,
    /// The resources that the step waits for; a held one too, once it is approved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waits_for: BTreeSet<Key>,
    /// The same in words; empty when it waits for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waits: String,
    /// What it costs in replaced nodes and time, in words; empty when it costs neither.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cost: String,
    /// What an approval of this step is bound to: action, incarnation, differences. Empty when it needs none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub approval: String,
}

impl Step {
    pub(super) fn new(key: &Key, action: StepAction, verdict: Verdict) -> Self {
        Self {
            key: key.clone(),
            action,
            declared_at: String::new(),
            precondition: None,
            desired: None,
            differences: Vec::new(),
            reported: Vec::new(),
            drifted: false,
            calls: Vec::new(),
            later: Vec::new(),
            verdict,
            waits_for: BTreeSet::new(),
            waits: String::new(),
            cost: String::new(),
            approval: String::new(),
        }
    }

    /// Makes it wait for resources; a held or blocked step stays what it is, and waits when it is let through.
    pub(super) fn wait_for(&mut self, keys: BTreeSet<Key>, words: String) {
        if words.is_empty() {
            return;
        }
        if self.verdict == Verdict::Allowed {
            self.verdict = Verdict::Deferred(words.clone());
        }
        self.waits_for = keys;
        self.waits = words;
    }

    /// Whether the step does something and may.
    #[must_use]
    pub fn is_actionable(&self) -> bool {
        !matches!(self.action, StepAction::Unchanged | StepAction::Wait) && self.verdict == Verdict::Allowed
    }
}

/// Something of the cluster that the file does not declare and that is not ours: named, and left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undeclared {
    /// Which.
    pub key: Key,
    /// Physical id or name.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What becomes of it, and what one can do.
    pub words: String,
}

/// All that one pass will do for one cluster in AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudPlan {
    /// Whose resources: cluster, account, region.
    pub scope: Scope,
    /// Revision the file comes from.
    pub revision: String,
    /// In the order of execution: what is declared, in the order of needs; then deletions, in the reverse.
    pub steps: Vec<Step>,
    /// What is neither declared nor ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<Undeclared>,
    /// Kinds that could not be read, with the reason: nothing of them is created, changed or deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<Kind, String>,
    /// Digest of the steps that are held, to be approved; empty when none is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub held: String,
    /// Approvals in force, as [`Step::approval`] has them. To be stored before anything is executed and given to the
    /// next plan: what was approved as a whole takes many passes, and each sees a smaller rest.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub granted: BTreeSet<String>,
}

impl CloudPlan {
    /// Whether executing it would do nothing, now or later.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.steps.iter().all(|step| step.action == StepAction::Unchanged)
    }

    /// What pods have to find when they are created, and is still to come: a Fargate profile takes no pod that was there
    /// before it, and a pod identity association gives none its credentials (both act at admission; EKS User Guide,
    /// "Fargate profile" and "Pod Identity"). What waits for a person keeps no pod waiting.
    #[must_use]
    pub fn before_pods(&self) -> BTreeSet<Key> {
        let kinds = [Kind::FargateProfile, Kind::PodIdentityAssociation];
        self.steps
            .iter()
            .filter(|step| kinds.contains(&step.key.kind))
            .filter(|step| matches!(step.action, StepAction::Create | StepAction::Wait))
            .filter(|step| matches!(step.verdict, Verdict::Allowed | Verdict::Deferred(_)))
            .map(|step| step.key.clone())
            .collect()
    }

    /// How many steps there are of an action.
    #[must_use]
    pub fn count(&self, action: StepAction) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// The steps that may be executed now, in order.
    pub fn actionable(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.is_actionable())
    }

    /// Whether something is on its way or deferred, so that looking again will find more to do.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.action == StepAction::Wait || matches!(step.verdict, Verdict::Deferred(_)))
    }

    /// Every field that left its declared value in AWS, mended by this plan or only reported.
    pub fn findings(&self) -> impl Iterator<Item = (&Key, &Difference)> {
        self.steps.iter().flat_map(|step| {
            let mended = if step.drifted { step.differences.as_slice() } else { &[] };
            mended.iter().chain(&step.reported).map(move |difference| (&step.key, difference))
        })
    }

    /// Digest over the whole plan: equal for equal decisions, whatever the order of the input.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(self)
    }
}

/// Everything that a plan depends on. [`PlanInput::new`] gives the defaults.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    /// Whose resources.
    pub scope: &'a Scope,
    /// Revision the file comes from.
    pub revision: &'a str,
    /// What is declared, as [`super::resources`] gives it, after [`super::upgrade::stage`]. Kept as it was last known
    /// when the document is gone: its needs still give the order.
    pub resources: &'a [Resource],
    /// What was found.
    pub snapshot: &'a Snapshot,
    /// How each kind is made and changed: [`super::drivers`].
    pub drivers: &'a [&'a dyn Driver],
    /// What happens to drift.
    pub drift: DriftPolicy,
    /// Whether a person asked for this pass: then drift is mended whatever the policy, `Freeze` excepted.
    pub asked: bool,
    /// What happens to what exists under a declared name and is not ours. `Never` refuses; `IfUnowned` asks for an
    /// approval; `Always` takes it over at once, except what a CloudFormation stack owns: that asks.
    pub adopt: Adopt,
    /// Why nothing at all may be done; `None` when it may.
    pub frozen: Option<&'a str>,
    /// Whether the document is gone: then everything of ours goes.
    pub removed: bool,
    /// [`Step::desired`] of what was last found in place, by resource. A difference from that is a change of the file;
    /// else it is drift.
    pub applied: &'a BTreeMap<Key, Applied>,
    /// Resources that may not be touched, with the reason and the way out.
    pub forbidden: &'a BTreeMap<Key, String>,
    /// Fields whose difference has a verdict of its own, by the field's pointer ([`super::upgrade::stage`] gives those of
    /// versions).
    pub fields: &'a BTreeMap<Key, BTreeMap<String, FieldRule>>,
    /// Why what is declared is not known completely (zones that were not read yet): nothing is deleted for being
    /// undeclared then.
    pub incomplete: Option<&'a str>,
    /// Whether a digest ([`CloudPlan::held`]) has been approved.
    pub approved: &'a dyn Fn(&str) -> bool,
    /// [`CloudPlan::granted`] of the plan before.
    pub granted: &'a BTreeSet<String>,
}

static NOTHING_APPLIED: BTreeMap<Key, Applied> = BTreeMap::new();
static NOTHING_FORBIDDEN: BTreeMap<Key, String> = BTreeMap::new();
static NO_FIELDS: BTreeMap<Key, BTreeMap<String, FieldRule>> = BTreeMap::new();
static NO_GRANTS: BTreeSet<String> = BTreeSet::new();

impl<'a> PlanInput<'a> {
    /// The input with nothing applied before, nothing approved, drift mended and adoption asked for.
    #[must_use]
    pub fn new(
        scope: &'a Scope,
        resources: &'a [Resource],
        snapshot: &'a Snapshot,
        drivers: &'a [&'a dyn Driver],
    ) -> Self {
        Self {
            scope,
            revision: "",
            resources,
            snapshot,
            drivers,
            drift: DriftPolicy::Correct,
            asked: false,
            adopt: Adopt::IfUnowned,
            frozen: None,
            removed: false,
            applied: &NOTHING_APPLIED,
            forbidden: &NOTHING_FORBIDDEN,
            fields: &NO_FIELDS,
            incomplete: None,
            approved: &|_| false,
            granted: &NO_GRANTS,
        }
    }

    /// The driver of a kind.
    pub(super) fn driver(&self, kind: Kind) -> Option<&'a dyn Driver> {
        self.drivers.iter().copied().find(|driver| driver.kind() == kind)
    }

    /// Why nothing may be written, if so.
    pub(super) fn stop(&self) -> Option<String> {
        match (self.frozen, self.drift) {
            (Some(why), _) => Some(why.into()),
            (None, DriftPolicy::Freeze) => Some("its drift policy is Freeze: nothing is written".into()),
            (None, _) => None,
        }
    }
}

/// Decides everything that one pass will do.
#[must_use]
pub fn plan(input: &PlanInput<'_>) -> CloudPlan {
    let mut steps = Vec::new();
    if !input.removed {
        let mut unfinished = BTreeSet::new();
        for resource in order::by_needs(input.resources) {
            let judged = judge::judge(input, resource, &unfinished);
            if judged.iter().any(judge::keeps_others_waiting) {
                unfinished.insert(resource.key.clone());
            }
            steps.extend(judged);
        }
    }
    let capacity_to_come = surplus::capacity_to_come(&steps);
    let (deletions, undeclared) = surplus::judge(input, &capacity_to_come);
    steps.extend(deletions);
    let (held, granted) = approval::settle(input, &mut steps);
    CloudPlan {
        scope: input.scope.clone(),
        revision: input.revision.into(),
        steps,
        undeclared,
        unread: input.snapshot.unread.clone(),
        held,
        granted,
    }
}
