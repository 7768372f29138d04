//! Where volumes and traffic join the stages: what their planners are given, and what they give.
//!
//! Each is a pure function of [`Concern`] to [`Outcome`], called in every pass of a wave that is at `HandOver` (volumes)
//! or `Shift` (traffic), in both directions: `goal` says where the wave goes. What was changed before is in
//! `originals`, and what AWS holds is in `reads`, by the calls that the planner itself asked for.

use crate::model::cloud::Call;
use crate::model::migration::{Gate, Outcome, Stage};
use crate::model::migration_document::{MigrationSpec, VolumeMethod};
use crate::model::migration_journal::Entry;
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
    /// The same as they were before anything was changed: replicas, reclaim policies.
    pub source_before: &'a [Value],
    /// Volumes, claims and snapshots as the rules make them for the target.
    pub prepared: &'a [Value],
    /// Whether something of the wave was started on the target: from then on it may have written.
    pub started: bool,
    /// Digests that a person has approved.
    pub approved: &'a (dyn Fn(&str) -> bool + Sync),
    /// Objects of the target.
    pub target: &'a [Value],
    /// Answers of AWS to what [`reads`] asked for, by [`Call::to_string`] with its input: `ec2:DescribeVolumes {…}`.
    pub reads: &'a BTreeMap<String, Value>,
    /// What was changed before, by the steps' keys.
    pub originals: &'a BTreeMap<String, Entry>,
    /// Since when the wave is at its stage, in seconds since 1970.
    pub since: i64,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// How an answer stands in [`Concern::reads`].
#[must_use]
pub fn read_key(call: &Call) -> String {
    format!("{call} {}", call.input)
}

/// What has to be read in AWS before [`volumes`] and [`traffic`] can plan.
#[must_use]
pub fn reads(_concern: &Concern<'_>) -> Vec<Call> {
    Vec::new()
}

/// What must be so before the source is scaled to 0, such as reclaim policies.
#[must_use]
pub fn before_fence(_concern: &Concern<'_>) -> Outcome {
    Outcome::default()
}

/// The volumes of a wave, towards its goal.
#[must_use]
pub fn volumes(concern: &Concern<'_>) -> Outcome {
    let left_behind = |claim: &&Value| {
        let name = |pointer: &str| claim.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = format!("{}/{}", name("/metadata/namespace"), name("/metadata/name"));
        concern.spec.volumes.exclude.contains(&name)
    };
    let claims: Vec<&Value> = concern
        .source
        .iter()
        .filter(|object| super::sight::is(object, "", "PersistentVolumeClaim"))
        .filter(|claim| super::sight::is_in(claim, concern.namespaces) && !left_behind(claim))
        .collect();
    match claims.first() {
        Some(first)
            if concern.goal >= Stage::HandOver && concern.spec.volumes.method == VolumeMethod::HandOver =>
        {
            let what = format!(
                "{} claims of wave {} have volumes, the first is {}",
                claims.len(),
                concern.wave,
                super::sight::name(first)
            );
            let way_out = "this version hands no volumes over: leave them behind with `spec.volumes.exclude`, or bring \
                           the data yourself with `spec.volumes.method: Provision`";
            Outcome { steps: Vec::new(), gates: vec![Gate::Blocked { what, way_out: way_out.into() }] }
        }
        _ => Outcome::default(),
    }
}

/// The traffic of a wave, towards its goal.
#[must_use]
pub fn traffic(concern: &Concern<'_>) -> Outcome {
    let records = concern.spec.traffic.records.iter().filter(|record| record.wave == concern.wave);
    match records.clone().next() {
        Some(first) if concern.goal >= Stage::Shift => {
            let what = format!("record {} of wave {} would move", first.name, concern.wave);
            let way_out = "this version moves no records: take them out of `spec.traffic.records`, and move them yourself";
            Outcome { steps: Vec::new(), gates: vec![Gate::Blocked { what, way_out: way_out.into() }] }
        }
        _ => Outcome::default(),
    }
}
