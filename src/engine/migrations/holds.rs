//! Applications of this daemon that are held still by a migration: one writer for each namespace.
//!
//! On the source those of a wave's namespaces from its hand-over on, for as long as the wave is not back; on the target
//! all of a wave's until its objects are given to them. Nothing of this is stored: it follows from documents and journal.

use super::fleet::Movers;
use super::kept::Mover;
use crate::engine::unit::Unit;
use crate::model::migration::Stage;
use crate::model::migration_document::{MigrationSpec, WaveSpec};
use crate::model::migration_journal::{Journal, WHOLE};
use std::collections::BTreeSet;

impl Movers {
    /// Why an application may not be applied now, for a person; `None` when it may.
    pub fn holds(&self, unit: &Unit) -> Option<String> {
        self.all().iter().find_map(|mover| held_by(mover, unit))
    }
}

fn held_by(mover: &Mover, unit: &Unit) -> Option<String> {
    let wanted = mover.wanted()?;
    let journal = mover.state().journal.clone();
    held(&mover.name, &wanted.spec, journal.as_ref(), &unit.destination.name, &namespaces(unit))
}

/// Why an application of a destination and some namespaces may not be applied. `journal`: `None` before it is read; then
/// what the document says is taken for done: nothing may be applied by mistake.
fn held(
    name: &str,
    spec: &MigrationSpec,
    journal: Option<&Journal>,
    destination: &str,
    namespaces: &BTreeSet<String>,
) -> Option<String> {
    let on_source = spec.source.cluster.as_deref() == Some(destination);
    let on_target = spec.target.cluster == destination;
    if !on_source && !on_target {
        return None;
    }
    let waves = spec.waves.iter().filter(|wave| wave.namespaces.iter().any(|own| namespaces.contains(own)));
    let stage = |wave: &WaveSpec| {
        journal.map_or_else(|| spec.stage_of(wave), |journal| journal.position(&wave.name).stage)
    };
    let given = journal.is_some_and(|journal| {
        let whole = journal.position(WHOLE);
        !journal.granted.is_empty() && whole.stage == Stage::Decommission && whole.complete
    });
    let mut waves = waves.map(|wave| (wave, stage(wave)));
    if on_source {
        let (wave, _) = waves.find(|(_, stage)| *stage >= Stage::HandOver)?;
        return Some(format!("held by the migration {name}: wave {} was handed over", wave.name));
    }
    let (wave, _) = waves.find(|(_, stage)| *stage >= Stage::Configure && !given)?;
    Some(format!("held by the migration {name}: wave {} is on its way here", wave.name))
}

/// Namespaces that an application writes to.
fn namespaces(unit: &Unit) -> BTreeSet<String> {
    let state = unit.state();
    let own = state.spec.as_ref().and_then(|spec| spec.application.namespace.clone());
    let desired = state.prepared.iter().flat_map(|prepared| prepared.desired.iter());
    own.into_iter().chain(desired.filter_map(|desired| desired.id.namespace.clone())).collect()
}

/// Whether a unit stands still because of a migration: the pass that found the hold has ended, and none began since.
fn is_held(unit: &Unit) -> bool {
    unit.state().held
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::migration_document::{MigrationSource, MigrationTarget};
    use crate::model::migration_journal::Position;

    fn spec(stage: Stage) -> MigrationSpec {
        MigrationSpec {
            source: MigrationSource { cluster: Some("old".into()), ..MigrationSource::default() },
            target: MigrationTarget { cluster: "new".into() },
            stage,
            waves: vec![WaveSpec { name: "shop".into(), namespaces: vec!["shop".into()], stage: None }],
            ..MigrationSpec::default()
        }
    }

    fn journal(wave: Stage, whole: (Stage, bool), granted: &[&str]) -> Journal {
        let position = |stage, complete| Position { stage, complete, since: 0 };
        Journal {
            positions: [("shop".into(), position(wave, true)), (WHOLE.into(), position(whole.0, whole.1))]
                .into(),
            granted: granted.iter().map(|one| (*one).to_owned()).collect(),
            ..Journal::default()
        }
    }

    #[test]
    fn one_side_at_a_time_is_applied_to() {
        let shop: BTreeSet<String> = ["shop".to_owned()].into();
        let holds = |at: Stage, destination: &str| {
            held("move", &spec(Stage::Soak), Some(&journal(at, (at, true), &[])), destination, &shop)
                .is_some()
        };
        let table = [
            (Stage::Provision, (false, false)),
            (Stage::Configure, (false, true)),
            (Stage::Verify, (false, true)),
            (Stage::HandOver, (true, true)),
            (Stage::Soak, (true, true)),
        ];
        for (stage, (source, target)) in table {
            assert_eq!((holds(stage, "old"), holds(stage, "new")), (source, target), "{stage}");
            assert!(!holds(stage, "another"), "{stage}");
        }
    }

    #[test]
    fn what_is_given_away_is_held_no_longer_and_what_is_not_read_is() {
        let shop: BTreeSet<String> = ["shop".to_owned()].into();
        let ask = |journal: Option<&Journal>, destination: &str, stage| {
            held("move", &spec(stage), journal, destination, &shop).is_some()
        };
        let end = (Stage::Decommission, true);
        let given = journal(Stage::Soak, end, &["1"]);
        assert!(!ask(Some(&given), "new", Stage::Decommission), "its Application keeps it from now on");
        assert!(ask(Some(&given), "old", Stage::Decommission), "and the old one stands still");
        assert!(ask(Some(&journal(Stage::Soak, end, &[])), "new", Stage::Decommission));
        // Before the journal is read the document counts.
        assert!(ask(None, "old", Stage::HandOver) && !ask(None, "old", Stage::Sync));
        let other: BTreeSet<String> = ["blog".to_owned()].into();
        assert_eq!(held("move", &spec(Stage::Soak), None, "old", &other), None);
    }
}
