//! Where volumes and traffic join the stages: what their planners are given, and what they give.
//!
//! Each is a pure function of [`Concern`] to [`Outcome`], called in every pass of a wave that is at `HandOver` (volumes)
//! or `Shift` (traffic), in both directions: `goal` says where the wave goes. What was changed before is in
//! `originals`, and what AWS holds is in `reads`, by the calls that [`reads`] asked for.

mod guard;
mod traffic;
mod volumes;

pub use guard::{Decommission, Guarding, decommission, guard_reads, taken_back};
pub use traffic::{is_pause, lifts, settled, traffic};
pub use volumes::{before_fence, consent, dismissed, volumes, watched};

use super::look::Known;
use super::sight::Sight;
use crate::model::Object;
use crate::model::cloud::Call;
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage};
use crate::model::migration_document::MigrationSpec;
use crate::model::migration_journal::{Entry, Journal};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a planner of volumes or traffic is given.
#[derive(Clone, Copy)]
pub struct Concern<'a> {
    /// Name of the `Migration` document.
    pub migration: &'a str,
    /// Name of the wave.
    pub wave: &'a str,
    /// Its namespaces.
    pub namespaces: &'a BTreeSet<String>,
    /// Where the wave goes: `HandOver` or later, and the volumes belong to the target; earlier, to the source. `Shift`
    /// or later, and the traffic goes to the target.
    pub goal: Stage,
    /// What the document says.
    pub spec: &'a MigrationSpec,
    /// Name of the target in EKS; empty where it is none.
    pub target_name: &'a str,
    /// Objects of the source as they are now.
    pub source: &'a [Value],
    /// Volumes, claims and snapshots as the rules make them for the target.
    pub prepared: &'a [Value],
    /// Whether something of the wave was started on the target: from then on it may have written.
    pub started: bool,
    /// Which time the wave is handed over; empty until that is noted.
    pub run: &'a str,
    /// Digests that a person has approved.
    pub approved: &'a (dyn Fn(&str) -> bool + Sync),
    /// Objects of the target.
    pub target: &'a [Value],
    /// Answers of AWS to what [`reads`] asked for, by [`Asked::key`].
    pub reads: &'a BTreeMap<String, Value>,
    /// What was changed before, by the steps' keys.
    pub originals: &'a BTreeMap<String, Entry>,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// A read of AWS, and in whose account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The account of this side.
    pub side: Side,
    /// The call.
    pub call: Call,
}

impl Asked {
    fn of(side: Side, call: Call) -> Self {
        Self { side, call }
    }

    /// How the answer stands in [`Concern::reads`].
    #[must_use]
    pub fn key(&self) -> String {
        let side = match self.side {
            Side::Source => "source",
            Side::Target => "target",
        };
        format!("{side} {} {}", self.call, self.call.input)
    }
}

impl<'a> Concern<'a> {
    /// What concerns a wave of a look.
    #[must_use]
    pub fn of(
        known: &'a Known<'a>,
        (wave, goal): (&'a str, Stage),
        namespaces: &'a BTreeSet<String>,
        prepared: &'a [Value],
        target: &'a Sight,
    ) -> Self {
        let look = known.look;
        Self {
            migration: look.name,
            wave,
            namespaces,
            goal,
            spec: look.spec,
            target_name: look.target_name,
            source: &look.source.objects,
            prepared,
            started: look.journal.started.contains(wave),
            run: look.journal.runs.get(wave).map(String::as_str).unwrap_or_default(),
            approved: look.approved,
            target: &target.objects,
            reads: look.reads,
            originals: &look.journal.entries,
            now: look.now,
        }
    }

    /// What AWS answered; `None` where it was not asked yet.
    fn answer(&self, asked: &Asked) -> Option<&'a Value> {
        self.reads.get(&asked.key())
    }

    /// The first of some reads that is not there.
    fn unread(&self, asked: &[Asked]) -> Option<Gate> {
        let missing = asked.iter().find(|asked| self.answer(asked).is_none())?;
        Some(if self.spec.source.kops.is_none() {
            Gate::Blocked {
                what: format!(
                    "{} has to be asked, and the account of the kops cluster is not known",
                    missing.call
                ),
                way_out: "set `spec.source.kops`, or leave volumes and records to yourself: \
                          `spec.volumes.method: Provision`, no `spec.traffic.records`"
                    .into(),
            }
        } else {
            Gate::Waiting { what: format!("{} was not answered yet", missing.call), limit_seconds: 0 }
        })
    }

    /// The inverses of the journal, by the steps' keys.
    fn inverses(&self) -> BTreeMap<String, Vec<Effect>> {
        self.originals.iter().map(|(key, entry)| (key.clone(), entry.undo.clone())).collect()
    }
}

/// What has to be read in AWS before [`volumes`], [`traffic`] and their kin can plan.
#[must_use]
pub fn reads(concern: &Concern<'_>) -> Vec<Asked> {
    let mut all = volumes::reads(concern);
    all.extend(traffic::reads(concern));
    all
}

/// What is not read yet, of everything that concerns a wave.
#[must_use]
pub fn not_read(concern: &Concern<'_>) -> Option<Gate> {
    concern.unread(&reads(concern))
}

/// Changes of records of which Route 53 says that every server of it knows them.
#[must_use]
pub fn in_sync(journal: &Journal, reads: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let pending = journal.entries.values().map(|entry| &entry.pending).filter(|pending| !pending.is_empty());
    let told = |change: &&String| {
        let answer = reads.get(&traffic::change_read(change).key());
        // A change that Route 53 has forgotten is an old one.
        answer.is_some_and(|answer| answer.is_null() || answer["ChangeInfo"]["Status"] == "INSYNC")
    };
    pending.filter(told).cloned().collect()
}

/// Objects of kinds that a planner looks at.
fn of_kinds(values: &[Value], kinds: &[&str]) -> Vec<Object> {
    let wanted =
        values.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)));
    wanted.filter_map(|object| Object::new(object.clone()).ok()).collect()
}

fn waiting(gate: Gate) -> Outcome {
    Outcome { steps: Vec::new(), gates: vec![gate] }
}
