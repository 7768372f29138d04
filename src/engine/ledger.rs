//! What is known of one destination: every object that is declared or ours, and nothing else of it than the facts
//! that decisions need. Objects themselves stream by and are not kept.

use crate::drift::Baseline;
use crate::model::event::FieldDrift;
use crate::model::{Assessment, GroupKind, Gvk, Health, Object, ResourceId};
use crate::plan::annotations::{ApplyPolicy, Prune};
use crate::plan::{Comparison, Desired, LiveFact};
use crate::ports::ApiFailure;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Everything known of one destination.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By identity.
    pub objects: HashMap<ResourceId, Entry>,
    /// Live objects by the value of their application label.
    by_application: HashMap<Arc<str>, BTreeSet<ResourceId>>,
    /// Watched kinds.
    pub kinds: HashMap<GroupKind, KindState>,
    /// In which versions objects of a kind are declared, and how many.
    versions: HashMap<GroupKind, BTreeMap<Gvk, usize>>,
    /// Applications whose status has to be computed anew.
    pub touched: BTreeSet<Arc<str>>,
}

/// How far the watch of a kind is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindState {
    /// The first list is complete: what is not in the ledger does not exist.
    pub listed: bool,
    /// The watch's last failure, while it lasts.
    pub failure: Option<ApiFailure>,
    /// Identities seen in the list under way; `None` outside of one.
    pub listing: Option<BTreeSet<ResourceId>>,
}

/// One object.
#[derive(Default)]
pub(crate) struct Entry {
    /// What applications want of it, by application name. The first counts; a second one is told so.
    declared: Vec<(Arc<str>, Arc<Desired>)>,
    /// What is known of the live one.
    pub live: Option<Live>,
    /// Digest of the desired body that live was last known to equal.
    pub applied: String,
    /// What the server made of our last apply.
    pub baseline: Option<Baseline>,
    /// Whether the live object left the baseline.
    pub drifted: bool,
    /// What was last said of its drift, so that it is said once.
    pub told: Vec<FieldDrift>,
    /// Whether it has been said that the object is not there any more.
    pub loss_told: bool,
    /// Whether our `managedFields` entry was taken away: it is written back before the next apply.
    pub entry_lost: bool,
    /// A request of ours is on its way: events wait for its answer. Holds the last of them.
    pub in_flight: Option<Option<Seen>>,
    /// The live object, kept only where it does not literally equal the desired one and the server has to be asked.
    pub unequal: Option<Box<Object>>,
    /// It was last seen when nobody declared it: the watches had listed it before its application was rendered. It has to be
    /// read again before it can be compared.
    pub passed_by: bool,
    /// When it was mended, for the token bucket.
    pub mends: super::heal::Mends,
}

/// An event that waits.
pub(crate) enum Seen {
    /// The object as it was in the event.
    Present(Box<Object>),
    /// It went, or lost our label.
    Gone,
}

/// Facts of a live object.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub uid: String,
    pub resource_version: String,
    pub application: Option<Arc<str>>,
    pub ours: bool,
    pub terminating: bool,
    pub hook: bool,
    pub prune: Prune,
    pub delete: Prune,
    pub assessment: Assessment,
    /// A Job that has not ended: healthy by kstatus, but a later wave waits for its end.
    pub unfinished: bool,
}

impl Ledger {
    /// Replaces what an application declares.
    pub fn declare(&mut self, application: &Arc<str>, before: &[Arc<Desired>], now: &[Arc<Desired>]) {
        for desired in before {
            if let Some(entry) = self.objects.get_mut(&desired.id) {
                entry.declared.retain(|(name, _)| name != application);
            }
            if let Some(versions) = self.versions.get_mut(&desired.gvk.group_kind())
                && let Some(count) = versions.get_mut(&desired.gvk)
            {
                *count = count.saturating_sub(1);
            }
        }
        for desired in now {
            let versions = self.versions.entry(desired.gvk.group_kind()).or_default();
            *versions.entry(desired.gvk.clone()).or_default() += 1;
            let declared = &mut self.objects.entry(desired.id.clone()).or_default().declared;
            let at = declared.partition_point(|(name, _)| name < application);
            declared.insert(at, (application.clone(), desired.clone()));
        }
        for desired in before {
            if self.objects.get(&desired.id).is_some_and(Entry::is_forgettable) {
                self.objects.remove(&desired.id);
            }
        }
        self.touched.insert(application.clone());
    }

    /// The version in which a kind is watched best: the one it is watched in as long as an object is declared in that, else
    /// the one that most objects are declared in, of those that are served. `None`: no object of it is declared.
    pub fn version_to_watch(
        &self,
        kind: &GroupKind,
        watched: Option<&Gvk>,
        is_served: impl Fn(&Gvk) -> bool,
    ) -> Option<&Gvk> {
        let declared = self.versions.get(kind)?.iter().filter(|(gvk, count)| **count > 0 && is_served(gvk));
        declared.max_by_key(|(gvk, count)| (watched == Some(*gvk), **count)).map(|(gvk, _)| gvk)
    }

    /// Objects that an application declares or has, and that count for another one, with that other one's name.
    pub fn claimed_by_others(
        &self,
        application: &str,
        desired: &[Arc<Desired>],
    ) -> BTreeMap<ResourceId, Arc<str>> {
        let labelled = self.by_application.get(application).into_iter().flatten();
        let mut others = BTreeMap::new();
        for id in desired.iter().map(|d| &d.id).chain(labelled) {
            if let Some(claimant) = self.objects.get(id).and_then(Entry::claimant)
                && **claimant != *application
            {
                others.insert(id.clone(), claimant.clone());
            }
        }
        others
    }

    /// Live facts of all that an application declares or that carries its label.
    pub fn facts(&self, application: &str, desired: &[Arc<Desired>]) -> BTreeMap<ResourceId, LiveFact> {
        let labelled = self.by_application.get(application).into_iter().flatten();
        desired
            .iter()
            .map(|d| &d.id)
            .chain(labelled)
            .filter_map(|id| Some((id.clone(), self.objects.get(id)?.fact()?)))
            .collect()
    }

    /// Takes the facts of a live object. Returns its entry.
    pub fn set_live(&mut self, id: &ResourceId, live: Live) -> &mut Entry {
        let application = live.application.clone();
        let entry = self.objects.entry(id.clone()).or_default();
        entry.loss_told = false;
        let before = entry.live.replace(live).and_then(|old| old.application);
        if before != application {
            if let Some(before) = before {
                self.by_application.entry(before.clone()).or_default().remove(id);
                self.touched.insert(before);
            }
            if let Some(application) = &application {
                self.by_application.entry(application.clone()).or_default().insert(id.clone());
            }
        }
        self.touched.extend(application);
        let entry = self.objects.get_mut(id).expect("inserted above");
        self.touched.extend(entry.declared.iter().map(|(name, _)| name.clone()));
        entry
    }

    /// Notes that an object is gone. Its entry stays while somebody declares it or a request is on its way.
    pub fn set_gone(&mut self, id: &ResourceId) {
        let Some(entry) = self.objects.get_mut(id) else { return };
        if let Some(application) = entry.live.take().and_then(|live| live.application) {
            self.by_application.entry(application.clone()).or_default().remove(id);
            self.touched.insert(application);
        }
        entry.baseline = None;
        entry.unequal = None;
        entry.passed_by = false;
        entry.drifted = false;
        entry.told.clear();
        entry.applied.clear();
        self.touched.extend(entry.declared.iter().map(|(name, _)| name.clone()));
        if entry.is_forgettable() {
            self.objects.remove(id);
        }
    }
}

impl Entry {
    /// What is wanted of the object.
    pub fn desired(&self) -> Option<&Arc<Desired>> {
        self.declared.first().map(|(_, desired)| desired)
    }

    /// The application that the object's declaration counts for.
    pub fn claimant(&self) -> Option<&Arc<str>> {
        self.declared.first().map(|(name, _)| name)
    }

    const fn is_forgettable(&self) -> bool {
        self.declared.is_empty() && self.live.is_none() && self.in_flight.is_none()
    }

    fn fact(&self) -> Option<LiveFact> {
        let live = self.live.as_ref()?;
        let comparison = if self.drifted {
            Comparison::Drifted
        } else if self.baseline.is_some() {
            Comparison::AsApplied
        } else {
            Comparison::Unknown
        };
        Some(LiveFact {
            uid: live.uid.clone(),
            resource_version: live.resource_version.clone(),
            application: live.application.clone(),
            applied: self.applied.clone(),
            comparison,
            ours: live.ours,
            terminating: live.terminating,
            hook: live.hook,
            prune: live.prune.clone(),
            delete: live.delete.clone(),
        })
    }

    /// Whether the object is there, as far as the last event says, one that waits included.
    pub fn is_there(&self) -> bool {
        let uid = self.live.as_ref().map(|live| live.uid.as_str());
        match &self.in_flight {
            Some(Some(Seen::Gone)) => false,
            Some(Some(Seen::Present(object))) => object.uid() == uid,
            _ => uid.is_some(),
        }
    }

    /// Health as it counts for the application: an object that is declared and not there is Missing.
    pub fn health(&self) -> Assessment {
        self.live.as_ref().map_or_else(
            || Assessment::new(Health::Missing, "it is not there"),
            |live| live.assessment.clone(),
        )
    }

    /// Whether the live object is as desired, or its own annotations keep us from writing it.
    pub fn is_synced(&self) -> bool {
        self.desired().is_some_and(|desired| match &desired.directives.apply {
            ApplyPolicy::Always => self.live.is_some() && self.applied == desired.digest && !self.drifted,
            ApplyPolicy::IfNotPresent(_) | ApplyPolicy::Never(_) => true,
        })
    }
}
