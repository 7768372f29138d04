//! From watch events to facts: what the server says is projected into the ledger and dropped.

use super::destination::Destination;
use super::ledger::{KindState, Live, Seen};
use crate::drift::{self, Baseline, Check, Finding, FindingKind, Literal};
use crate::model::event::{FieldDrift, What};
use crate::model::ownership::{APPLICATION, FIELD_MANAGER, PART_OF};
use crate::model::{GroupKind, Object, ResourceId};
use crate::plan::annotations::Directives;
use crate::ports::{ApiFailureKind, WatchEvent};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What follows from an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Nothing.
    None,
    /// Declared fields left their values.
    Drifted(ResourceId, Vec<FieldDrift>),
    /// A declared object went, or lost our label: only reading it by name tells which.
    Vanished(ResourceId),
    /// It is declared in another version than it was seen in: fields are not comparable between the two.
    InAnotherVersion(ResourceId),
}

/// Reads the watches' events until the destination goes away.
pub(crate) async fn watch_events(
    destination: Arc<Destination>,
    mut events: mpsc::Receiver<(GroupKind, WatchEvent)>,
) {
    while let Some((kind, event)) = events.recv().await {
        match event {
            WatchEvent::Restarted => {
                destination.ledger().kinds.entry(kind).or_default().listing = Some(BTreeSet::new());
            }
            WatchEvent::Initial(object) => {
                if let Some(listing) = destination.ledger().kinds.entry(kind).or_default().listing.as_mut() {
                    listing.insert(object.id());
                }
                react(&destination, destination.see(object));
            }
            WatchEvent::Listed => {
                let is_back =
                    destination.ledger().kinds.get(&kind).is_some_and(|state| state.failure.is_some());
                for id in destination.finish_listing(&kind) {
                    react(&destination, destination.see_gone(&id));
                }
                destination.listed.send_modify(|count| *count += 1);
                if is_back {
                    destination.emit("", What::DestinationBack);
                    destination.wake_failed();
                }
            }
            WatchEvent::Changed(object) => react(&destination, destination.see(object)),
            WatchEvent::Gone(object) => react(&destination, destination.see_gone(&object.id())),
            // A CRD that was deleted takes its kind along: nobody who declares it is left to wait for it.
            WatchEvent::Failed(failure)
                if failure.kind == ApiFailureKind::NotFound && !destination.is_declared(&kind) =>
            {
                destination.forget_kind(&kind);
            }
            WatchEvent::Failed(failure) => {
                let message = format!("watching {kind}: {failure}");
                destination.ledger().kinds.entry(kind).or_default().failure = Some(failure);
                destination.emit("", What::DestinationFailed { message });
                destination.listed.send_modify(|count| *count += 1);
            }
        }
        destination.touched.notify_one();
    }
}

fn react(destination: &Arc<Destination>, reaction: Reaction) {
    match reaction {
        Reaction::None => {}
        Reaction::Drifted(id, fields) => super::heal::drifted(destination, id, fields),
        Reaction::Vanished(id) => super::heal::vanished(destination, id),
        Reaction::InAnotherVersion(id) => {
            let of = destination.clone();
            destination.tasks.spawn(async move { of.see_as_declared(&id).await });
        }
    }
}

impl Destination {
    /// Takes an object as the server has it now.
    pub fn see(&self, object: Object) -> Reaction {
        let id = object.id();
        let mut ledger = self.ledger();
        if let Some(entry) = ledger.objects.get_mut(&id) {
            if let Some(waiting) = &mut entry.in_flight {
                *waiting = Some(Seen::Present(Box::new(object)));
                return Reaction::None;
            }
            if let Some(live) = &entry.live
                && live.uid == object.uid().unwrap_or_default()
                && is_older(object.resource_version(), &live.resource_version)
            {
                return Reaction::None;
            }
        }
        let live = self.facts_of(&object);
        let entry = ledger.set_live(&id, live);
        entry.passed_by = entry.desired().is_none();
        let Some(desired) = entry.desired().cloned() else { return Reaction::None };
        // One watch serves all objects of a kind, and applications may declare them in different versions.
        if desired.gvk != object.gvk() && self.discovery().kind(&desired.gvk).is_some() {
            return Reaction::InAnotherVersion(id);
        }
        if let Some(baseline) = &entry.baseline {
            if baseline.check(&object) == Check::Same {
                entry.drifted = false;
                entry.told.clear();
                return Reaction::None;
            }
            let findings = baseline.findings(&object);
            entry.entry_lost = findings.iter().any(|finding| finding.kind == FindingKind::Entry);
            let fields = field_drifts(&findings);
            // A drift that is not mended at once comes again with every status event of the object: it is said, and a
            // mend is tried, when it changes. What a mend could not do, the pass tries again, with its back-off.
            let news = !entry.drifted || entry.told != fields;
            entry.drifted = true;
            entry.told.clone_from(&fields);
            if !news {
                return Reaction::None;
            }
            return Reaction::Drifted(id, fields);
        }
        // Not compared yet: after a start, or when the object came under our label just now.
        let equal = serde_json::from_slice(&desired.body)
            .is_ok_and(|wanted| drift::literal(&wanted, &object) == Literal::Equal);
        if equal {
            entry.baseline = Baseline::of(&object, &self.salt);
            entry.applied.clone_from(&desired.digest);
            entry.unequal = None;
        } else {
            entry.unequal = Some(Box::new(object));
        }
        Reaction::None
    }

    /// Reads an object in the version that it is declared in, and takes it as seen. What cannot be read now is judged by the
    /// next event, or by the next full pass.
    pub async fn see_as_declared(self: &Arc<Self>, id: &ResourceId) {
        let gvk = self.ledger().objects.get(id).and_then(|entry| Some(entry.desired()?.gvk.clone()));
        let Some(kind) = gvk.and_then(|gvk| self.served(&gvk)) else { return };
        if let Ok(Some(live)) = super::execute::read(self, &kind, id).await
            && self.has_label(&live)
        {
            react(self, self.see(live));
            self.touched.notify_one();
        }
    }

    /// Whether an object is one that our watches see.
    pub fn has_label(&self, object: &Object) -> bool {
        object.label(PART_OF) == Some(self.parent.id())
    }

    /// Takes the news that an object went, or lost our label.
    pub fn see_gone(&self, id: &ResourceId) -> Reaction {
        let mut ledger = self.ledger();
        let Some(entry) = ledger.objects.get_mut(id) else { return Reaction::None };
        if let Some(waiting) = &mut entry.in_flight {
            *waiting = Some(Seen::Gone);
            // A replacement waits for this.
            let claimant = entry.claimant().cloned();
            ledger.touched.extend(claimant);
            return Reaction::None;
        }
        let was_there = entry.live.is_some();
        let declared = entry.desired().is_some();
        if was_there && declared {
            return Reaction::Vanished(id.clone());
        }
        let application = entry.live.as_ref().and_then(|live| live.application.clone());
        ledger.set_gone(id);
        drop(ledger);
        if let Some(application) = application {
            self.wake_for(&application, id);
        }
        Reaction::None
    }

    /// An application whose last pass ended on an object (a finalizer that kept it) has nothing to wait for once that is
    /// gone.
    fn wake_for(&self, application: &str, id: &ResourceId) {
        let unit = self.units().get(application).cloned();
        if let Some(unit) = unit.filter(|unit| unit.state().problems.contains_key(&id.to_string())) {
            unit.wake.notify_one();
        }
    }

    /// Marks an object as having a request of ours under way. False when it has one already.
    pub fn begin(&self, id: &ResourceId) -> bool {
        let mut ledger = self.ledger();
        let entry = ledger.objects.entry(id.clone()).or_default();
        if entry.in_flight.is_some() {
            return false;
        }
        entry.in_flight = Some(None);
        true
    }

    /// Takes the server's answer to our apply as the new baseline, then the event that waited for it.
    pub fn settle(self: &Arc<Self>, id: &ResourceId, answer: &Object, applied: &str) {
        let waiting = {
            let mut ledger = self.ledger();
            let live = self.facts_of(answer);
            let entry = ledger.set_live(id, live);
            entry.baseline = Baseline::of(answer, &self.salt);
            applied.clone_into(&mut entry.applied);
            entry.drifted = false;
            entry.told.clear();
            entry.entry_lost = false;
            entry.unequal = None;
            entry.in_flight.take().flatten()
        };
        self.take_waiting(id, waiting);
    }

    /// Ends a request that gave no new baseline (a failure, a deletion), then takes the event that waited for it.
    pub fn release(self: &Arc<Self>, id: &ResourceId) {
        let waiting = {
            let mut ledger = self.ledger();
            let Some(entry) = ledger.objects.get_mut(id) else { return };
            let waiting = entry.in_flight.take().flatten();
            if entry.live.is_none() && waiting.is_none() {
                ledger.set_gone(id);
            }
            waiting
        };
        self.take_waiting(id, waiting);
    }

    fn take_waiting(self: &Arc<Self>, id: &ResourceId, waiting: Option<Seen>) {
        match waiting {
            Some(Seen::Present(object)) => react(self, self.see(*object)),
            Some(Seen::Gone) => react(self, self.see_gone(id)),
            None => {}
        }
        self.touched.notify_one();
    }

    /// The identities that were in the ledger and are not in the list that just ended.
    fn finish_listing(&self, kind: &GroupKind) -> Vec<ResourceId> {
        let mut ledger = self.ledger();
        let state = ledger.kinds.entry(kind.clone()).or_default();
        // The end of a list that another one has taken the place of: what it held was not noted, so that nothing is known to
        // be gone.
        let Some(seen) = state.listing.take() else { return Vec::new() };
        *state = KindState { listed: true, failure: None, listing: None };
        ledger
            .objects
            .iter()
            .filter(|(id, entry)| {
                entry.live.is_some() && id.kind == kind.kind && id.group == kind.group && !seen.contains(*id)
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn facts_of(&self, object: &Object) -> Live {
        let directives = Directives::of(object);
        Live {
            uid: object.uid().unwrap_or_default().into(),
            resource_version: object.resource_version().unwrap_or_default().into(),
            application: object.label(APPLICATION).map(Arc::from),
            ours: self.has_every_sign(object),
            terminating: object.is_terminating(),
            hook: directives.hook.is_some(),
            prune: directives.prune,
            delete: directives.delete,
            assessment: crate::health::assess(object, self.clock.now().as_second()),
            unfinished: crate::health::awaits_completion(object),
        }
    }

    /// Whether every sign says that an object is ours to delete. Labels alone lie: Kubernetes copies a Service's to
    /// its EndpointSlices, and operators copy those of their resources.
    pub fn has_every_sign(&self, object: &Object) -> bool {
        let controlled = object
            .body()
            .pointer("/metadata/ownerReferences")
            .and_then(serde_json::Value::as_array)
            .is_some_and(|owners| {
                owners.iter().any(|o| o.get("controller").and_then(serde_json::Value::as_bool) == Some(true))
            });
        self.has_label(object)
            && object.label(APPLICATION).is_some()
            && drift::has_our_entry(object)
            && !controlled
    }
}

/// Findings in the form that events carry.
pub(crate) fn field_drifts(findings: &[Finding]) -> Vec<FieldDrift> {
    let not_us = |manager: &String| manager != FIELD_MANAGER;
    let one = |finding: &Finding| {
        let drift = FieldDrift::from(finding.clone());
        FieldDrift { manager: drift.manager.filter(not_us), ..drift }
    };
    findings.iter().map(one).collect()
}

/// Whether an event is older than what is known. Resource versions are compared as numbers, as Kubernetes allows since
/// 1.35 (KEP-5504) and etcd has always made them; what is no number is taken as newer.
fn is_older(event: Option<&str>, known: &str) -> bool {
    match (event.and_then(|v| v.parse::<u64>().ok()), known.parse::<u64>()) {
        (Some(event), Ok(known)) => event < known,
        _ => false,
    }
}
