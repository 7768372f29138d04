//! What a pass asks the server about objects that it knows too little of: after a start, when there are no baselines.

use super::destination::lock;
use super::execute;
use super::observe::field_drifts;
use super::pass::Pass;
use super::rendering::rendering_of;
use crate::drift::{Baseline, FindingKind};
use crate::model::event::{FieldDrift, What};
use crate::model::{DriftPolicy, Object, ResourceId};
use crate::plan::Desired;
use crate::plan::annotations::ApplyPolicy;
use crate::ports::ApiFailureKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an earlier revision declared, by identity.
pub(crate) type Before = BTreeMap<ResourceId, Arc<Desired>>;

impl Pass<'_> {
    /// Asks about live objects that are not literally as desired (defaults, quantities and webhooks make that of
    /// objects which are), and about objects that are not there although they were applied.
    pub async fn compare_unknown(&self) {
        self.look_for_missing().await;
        self.look_at_passed_by().await;
        self.look_in_declared_versions().await;
        let unknown: Vec<Arc<Desired>> = {
            let ledger = self.destination().ledger();
            self.prepared
                .desired
                .iter()
                .filter(|d| {
                    ledger.objects.get(&d.id).is_some_and(|entry| {
                        entry.live.is_some()
                            && entry.baseline.is_none()
                            && entry.in_flight.is_none()
                            && entry.unequal.is_some()
                    })
                })
                .cloned()
                .collect()
        };
        let comparisons = unknown.iter().map(|desired| self.compare(desired));
        futures::future::join_all(comparisons).await;
    }

    /// Objects that were applied whole and are in no list now: somebody deleted them, or took the label away by which we
    /// list. Either is drift, and told as such.
    async fn look_for_missing(&self) {
        if self.is_new() {
            return;
        }
        let missing: Vec<Arc<Desired>> = {
            let ledger = self.destination().ledger();
            let is_listed =
                |d: &Desired| ledger.kinds.get(&d.gvk.group_kind()).is_some_and(|kind| kind.listed);
            let is_missing = |d: &Desired| {
                ledger.objects.get(&d.id).is_some_and(|entry| {
                    entry.live.is_none()
                        && entry.in_flight.is_none()
                        && !entry.loss_told
                        && entry.claimant() == Some(&self.unit.name)
                })
            };
            let kept = |d: &Desired| d.directives.apply == ApplyPolicy::Always;
            let desired = self.prepared.desired.iter();
            desired.filter(|d| kept(d) && is_listed(d) && is_missing(d)).cloned().collect()
        };
        futures::future::join_all(missing.iter().map(|desired| self.look_for(desired))).await;
    }

    /// Objects that the watches had listed before this application was rendered, as charts and kustomizations are after
    /// every start: nothing was there to compare them with. Unread they would all be written anew, and what somebody changed
    /// meanwhile would be overwritten untold.
    async fn look_at_passed_by(&self) {
        let passed_by: Vec<Arc<Desired>> = {
            let ledger = self.destination().ledger();
            let is_one = |d: &&Arc<Desired>| {
                ledger.objects.get(&d.id).is_some_and(|entry| {
                    entry.passed_by
                        && entry.live.is_some()
                        && entry.baseline.is_none()
                        && entry.in_flight.is_none()
                        && entry.claimant() == Some(&self.unit.name)
                })
            };
            self.prepared.desired.iter().filter(is_one).cloned().collect()
        };
        let looks = passed_by.iter().map(async |desired| {
            let destination = self.destination();
            let Some(kind) = destination.served(&desired.gvk) else { return };
            match execute::read(destination, &kind, &desired.id).await {
                Ok(Some(live)) => drop(destination.see(live)),
                // The watch tells that it is gone.
                Ok(None) => {}
                Err(failure) => {
                    let words = format!("it cannot be compared with what is declared: {failure}");
                    lock(&self.uncompared).insert(desired.id.clone(), words);
                }
            }
        });
        futures::future::join_all(looks).await;
    }

    /// Objects that were listed in another version than they are declared in, and not been read in that yet.
    async fn look_in_declared_versions(&self) {
        let unread: Vec<Arc<Desired>> = {
            let ledger = self.destination().ledger();
            let is_unread = |d: &Desired| {
                ledger.objects.get(&d.id).is_some_and(|entry| {
                    entry.live.is_some()
                        && entry.baseline.is_none()
                        && entry.unequal.is_none()
                        && entry.in_flight.is_none()
                })
            };
            self.prepared.desired.iter().filter(|d| is_unread(d)).cloned().collect()
        };
        let destination = self.destination();
        let reads = unread
            .iter()
            .filter(|desired| destination.is_seen_in_another_version(&desired.gvk))
            .map(|desired| destination.see_as_declared(&desired.id));
        futures::future::join_all(reads).await;
    }

    async fn look_for(&self, desired: &Desired) {
        let destination = self.destination();
        let Some(kind) = destination.served(&desired.gvk) else { return };
        match execute::read(destination, &kind, &desired.id).await {
            // Without its label, but ours: compared like every other.
            Ok(Some(live)) if execute::is_one_of_ours(destination, &live) && !live.is_terminating() => {
                destination.see(live);
            }
            Ok(None) => {
                if let Some(entry) = destination.ledger().objects.get_mut(&desired.id) {
                    entry.loss_told = true;
                }
                self.drifted(desired, Vec::new());
            }
            // What took its place is judged, and what cannot be read is said, when it is created.
            Ok(Some(_)) | Err(_) => {}
        }
    }

    async fn compare(&self, desired: &Arc<Desired>) {
        let destination = self.destination();
        let uid = {
            let ledger = destination.ledger();
            ledger.objects.get(&desired.id).and_then(|e| e.live.as_ref()).map(|live| live.uid.clone())
        };
        let Some(uid) = uid else { return };
        // Nothing was committed since: what differs was changed by somebody while we were away.
        let same_as_before = !self.is_new();
        let baseline = match execute::dry_run(destination, self.unit, desired, Some(&uid)).await {
            Ok(answer) => {
                self.baseline(&answer.object).ok_or_else(|| "the server names no field of ours".into())
            }
            // The drift itself stands in the way (kubernetes/kubernetes#130292).
            Err(failure) if failure.kind == ApiFailureKind::Invalid && same_as_before => {
                let elsewhere = execute::dry_run_elsewhere(destination, self.unit, desired).await;
                elsewhere.and_then(|answer| self.baseline(&answer)).ok_or_else(|| failure.to_string())
            }
            Err(failure) => Err(failure.to_string()),
        };
        let baseline = match baseline {
            Ok(baseline) => baseline,
            // What fails here fails again, and is reported, when it is applied.
            Err(why) => {
                let words = format!("it cannot be compared with what is declared: {why}");
                lock(&self.uncompared).insert(desired.id.clone(), words);
                return;
            }
        };
        let before = {
            let mut ledger = destination.ledger();
            let Some(entry) = ledger.objects.get_mut(&desired.id) else { return };
            let Some(live) = entry.unequal.take() else { return };
            let findings = baseline.findings(&live);
            let lost = findings.iter().any(|finding| finding.kind == FindingKind::Entry);
            if findings.is_empty() || same_as_before {
                let fields = field_drifts(&findings);
                entry.applied.clone_from(&desired.digest);
                entry.baseline = Some(baseline);
                entry.drifted = !fields.is_empty();
                entry.entry_lost = lost;
                entry.told.clone_from(&fields);
                drop(ledger);
                if !fields.is_empty() {
                    self.drifted(desired, fields);
                }
                return;
            }
            if !lost {
                return;
            }
            baseline
        };
        // An apply takes away what our entry has and the declaration has not. The entry is gone, so it is written back
        // first: the one of the earlier commit, or what that declared would stay.
        let before = self.baseline_before(desired, &uid).await.unwrap_or(before);
        if let Some(entry) = destination.ledger().objects.get_mut(&desired.id) {
            entry.baseline = Some(before);
            entry.entry_lost = true;
            entry.unequal = None;
        }
    }

    fn baseline(&self, answer: &Object) -> Option<Baseline> {
        Baseline::of(answer, &self.destination().salt)
    }

    /// The baseline that the revision applied last would have now.
    async fn baseline_before(&self, desired: &Desired, uid: &str) -> Option<Baseline> {
        let before = self.before.get_or_init(|| self.render_before()).await;
        let earlier = before.get(&desired.id)?;
        let answer = execute::dry_run(self.destination(), self.unit, earlier, Some(uid)).await.ok()?;
        self.baseline(&answer.object)
    }

    async fn render_before(&self) -> Before {
        let revision = self.unit.state().applied_revision.clone();
        let Some((_, commit)) = revision.rsplit_once('@') else { return Before::new() };
        let Some(prepared) = rendering_of(self.world, self.unit, &self.spec, commit).await else {
            let message = format!(
                "{revision}, which was applied last, cannot be rendered any more; what left the repository since may stay on \
                 objects whose `managedFields` somebody took away"
            );
            let origin = self.unit.name.to_string();
            self.destination().emit(&self.unit.name, What::Warned { origin, message });
            return Before::new();
        };
        prepared.desired.into_iter().map(|desired| (desired.id.clone(), desired)).collect()
    }

    fn drifted(&self, desired: &Desired, fields: Vec<FieldDrift>) {
        let wanted = self.spec.application.drift.policy == DriftPolicy::Correct || self.asked;
        let mending = wanted && self.frozen().is_none();
        self.destination().emit(&self.unit.name, What::Drifted { id: desired.id.clone(), fields, mending });
    }
}
