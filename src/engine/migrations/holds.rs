//! Applications of this daemon that are held still by a migration: one writer for each namespace.
//!
//! On the source those of a wave's namespaces from its hand-over on, for as long as the wave is not back; on the target
//! all of a wave's until its objects are given to them. Nothing of this is stored: it follows from documents and journal.

use super::fleet::Movers;
use super::kept::Mover;
use crate::engine::unit::{Phase, Unit};
use crate::model::migration::Stage;
use crate::model::migration_document::WaveSpec;
use crate::model::migration_journal::WHOLE;
use std::collections::BTreeSet;

/// How the words of a hold begin.
const BY: &str = "held by the migration ";

impl Movers {
    /// Why an application may not be applied now, for a person; `None` when it may.
    pub fn holds(&self, unit: &Unit) -> Option<String> {
        self.all().iter().find_map(|mover| held_by(mover, unit))
    }
}

fn held_by(mover: &Mover, unit: &Unit) -> Option<String> {
    let wanted = mover.wanted()?;
    let spec = &wanted.spec;
    let on_source = spec.source.cluster.as_deref() == Some(&*unit.destination.name);
    let on_target = *spec.target.cluster == *unit.destination.name;
    if !on_source && !on_target {
        return None;
    }
    let namespaces = namespaces(unit);
    let waves = spec.waves.iter().filter(|wave| wave.namespaces.iter().any(|own| namespaces.contains(own)));
    let journal = mover.state().journal.clone();
    // Before the journal is read, what the document says is taken for done: nothing may be applied by mistake.
    let stage = |wave: &WaveSpec| {
        journal.as_ref().map_or_else(|| spec.stage_of(wave), |journal| journal.position(&wave.name).stage)
    };
    let given = journal.as_ref().is_some_and(|journal| {
        let whole = journal.position(WHOLE);
        !journal.granted.is_empty() && whole.stage == Stage::Decommission && whole.complete
    });
    let mut waves = waves.map(|wave| (wave, stage(wave)));
    let name = &mover.name;
    if on_source {
        let (wave, _) = waves.find(|(_, stage)| *stage >= Stage::HandOver)?;
        return Some(format!("{BY}{name}: wave {} was handed over", wave.name));
    }
    let (wave, _) = waves.find(|(_, stage)| *stage >= Stage::Configure && !given)?;
    Some(format!("{BY}{name}: wave {} is on its way here", wave.name))
}

/// Namespaces that an application writes to.
fn namespaces(unit: &Unit) -> BTreeSet<String> {
    let state = unit.state();
    let own = state.spec.as_ref().and_then(|spec| spec.application.namespace.clone());
    let desired = state.prepared.iter().flat_map(|prepared| prepared.desired.iter());
    own.into_iter().chain(desired.filter_map(|desired| desired.id.namespace.clone())).collect()
}

/// Whether a unit stands still because of a migration.
pub(super) fn is_held(unit: &Unit) -> bool {
    matches!(&unit.state().phase, Phase::WaitsFor(words) if words.starts_with(BY))
}

/// Applications that write to a wave's namespaces on the source and do not stand still, by namespace. All that are to
/// stop, or to go on, are woken.
pub(super) fn delivering(
    movers: &Movers,
    units: &[std::sync::Arc<Unit>],
    source: &str,
) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut by_namespace: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for unit in units {
        let (held, due) = (is_held(unit), movers.holds(unit).is_some());
        if held != due {
            unit.wake.notify_one();
        }
        let suspended = unit.state().spec.as_ref().is_some_and(|spec| spec.application.suspend);
        if *unit.destination.name == *source && !held && !suspended {
            for namespace in namespaces(unit) {
                by_namespace.entry(namespace).or_default().push(format!("Application {}", unit.name));
            }
        }
    }
    by_namespace
}
