//! How long a plan takes: the longest chain of steps that wait for each other.

use super::plan::{Step, StepAction};
use super::resource::Key;
use super::wording::{minutes_to_create, minutes_to_delete};
use std::collections::{BTreeMap, BTreeSet};

/// Minutes until the last of the steps is done, if nobody has to be waited for; what takes seconds counts for nothing, and
/// so do updates, whose cost their own words tell.
#[must_use]
pub fn minutes(steps: &[Step]) -> u32 {
    let by_key: BTreeMap<&Key, &Step> = steps.iter().map(|step| (&step.key, step)).collect();
    let mut known = BTreeMap::new();
    by_key.keys().map(|key| until(key, &by_key, &mut known, &mut BTreeSet::new())).max().unwrap_or(0)
}

/// Minutes until one step is done, those before it included.
fn until<'a>(
    key: &'a Key,
    steps: &BTreeMap<&'a Key, &'a Step>,
    known: &mut BTreeMap<&'a Key, u32>,
    on_the_way: &mut BTreeSet<&'a Key>,
) -> u32 {
    if let Some(minutes) = known.get(key) {
        return *minutes;
    }
    let Some(step) = steps.get(key).filter(|_| on_the_way.insert(key)) else { return 0 };
    let own = match step.action {
        StepAction::Create => minutes_to_create(key.kind),
        StepAction::Replace => minutes_to_delete(key.kind) + minutes_to_create(key.kind),
        // What goes with something else takes no time of its own.
        StepAction::Delete if !step.calls.is_empty() => minutes_to_delete(key.kind),
        _ => 0,
    };
    let before = step.waits_for.iter().map(|other| until(other, steps, known, on_the_way)).max().unwrap_or(0);
    on_the_way.remove(key);
    known.insert(key, own + before);
    own + before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Verdict;
    use crate::provision::resource::Kind;

    fn step(kind: Kind, action: StepAction, after: &[Kind]) -> Step {
        let mut step = Step::new(&Key::new(kind, "a"), action, Verdict::Allowed);
        step.waits_for = after.iter().map(|kind| Key::new(*kind, "a")).collect();
        step
    }

    #[test]
    fn the_longest_chain_counts_and_circles_end() {
        use StepAction::Create;
        let steps = [
            step(Kind::Vpc, Create, &[]),
            step(Kind::NatGateway, Create, &[Kind::Vpc]),
            step(Kind::Cluster, Create, &[Kind::Vpc]),
            step(Kind::Addon, Create, &[Kind::Cluster]),
            step(Kind::Nodegroup, Create, &[Kind::Addon, Kind::NatGateway]),
        ];
        assert_eq!(minutes(&steps), 10 + 1 + 3);
        assert_eq!(minutes(&[]), 0);
        let circle =
            [step(Kind::Cluster, Create, &[Kind::Addon]), step(Kind::Addon, Create, &[Kind::Cluster])];
        assert!(minutes(&circle) >= 10);
    }
}
