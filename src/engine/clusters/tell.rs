//! What is said of a cluster as events: each thing once, until something changes.

use super::kept::{Kept, Wanted};
use super::look::Found;
use super::shown;
use crate::model::SyncStatus;
use crate::model::application::DriftPolicy;
use crate::model::event::{FieldDrift, What};
use crate::provision::resource::Key;
use crate::provision::{CloudPlan, StepAction, Weight};
use std::collections::{BTreeMap, BTreeSet};

/// Marks in what was told: drift that is over is news when it comes again.
const DRIFT: &str = "drift ";

/// Fields that left their declared values; gives them by resource, none where the whole resource went.
pub fn drift(kept: &Kept, plan: &CloudPlan) -> Vec<(Key, Vec<FieldDrift>)> {
    let mut found: BTreeMap<&Key, (Vec<FieldDrift>, bool)> = BTreeMap::new();
    for step in &plan.steps {
        // Mended differences count as drift only when they arose in AWS.
        let mended = if step.drifted { step.differences.as_slice() } else { &[] };
        let whole = step.drifted && step.differences.is_empty() && step.action == StepAction::Create;
        if mended.is_empty() && step.reported.is_empty() && !whole {
            continue;
        }
        let (fields, mending) = found.entry(&step.key).or_default();
        fields.extend(mended.iter().chain(&step.reported).filter(|d| !d.field.is_empty()).map(shown::field));
        *mending |= step.drifted && step.is_actionable();
    }
    let mut current = BTreeSet::new();
    let drifted = found.iter().map(|(key, (fields, _))| ((*key).clone(), fields.clone())).collect();
    for (key, (fields, mending)) in found {
        let mark = format!("{DRIFT}{key} {fields:?}");
        current.insert(mark.clone());
        if kept.is_news(mark) {
            let mending = mending && !kept.context.read_only;
            kept.emit(What::ResourceDrifted { resource: key.to_string(), fields, mending });
        }
    }
    kept.state().told.retain(|mark| !mark.starts_with(DRIFT) || current.contains(mark));
    drifted
}

/// What will probably not work as it is meant.
pub fn warnings(kept: &Kept, wanted: &Wanted, found: &Found) {
    for problem in found.problems.iter().filter(|problem| problem.weight == Weight::Warning) {
        if kept.is_news(format!("warning {problem}")) {
            let origin = format!("{}{}", wanted.source, problem.at);
            kept.emit(What::Warned { origin, message: problem.message.clone() });
        }
    }
}

/// A plan that waits for an approval.
pub fn waiting(kept: &Kept) {
    let Some(waiting) = kept.record().waiting else { return };
    if kept.is_news(format!("held {}", waiting.digest)) {
        let (digest, reason, objects) = (waiting.digest, waiting.reason, waiting.objects);
        kept.emit(What::Held { digest, reason, objects });
    }
}

/// Something that keeps the whole cluster from being kept.
pub fn problem(kept: &Kept, message: &str) {
    if kept.is_news(format!("problem {message}")) {
        let revision = kept.wanted().map(|wanted| wanted.revision.clone()).unwrap_or_default();
        kept.emit(What::SyncFailed { revision, message: message.into() });
    }
}

/// The end of a pass that left nothing to do, or nothing without a person.
pub fn done(kept: &Kept, wanted: &Wanted, asked: bool) {
    let record = kept.record();
    let (written, begun) = {
        let mut state = kept.state();
        state.failures.clear();
        if asked {
            state.asked = false;
        }
        (std::mem::take(&mut state.written), state.begun.take())
    };
    let all = wanted.policy.drift != DriftPolicy::Report || record.drift.is_empty();
    if record.sync == SyncStatus::Synced
        && all
        && (written > 0 || kept.is_news(format!("synced {}", wanted.revision)))
    {
        let since = begun.map(|begun| kept.context.clock.now().duration_since(begun));
        let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default();
        kept.emit(What::Synced { revision: wanted.revision.clone(), written, millis });
    }
}
