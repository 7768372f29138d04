//! The prune guard: what may not be deleted unasked.

use crate::model::application::names_kind;
use crate::model::plan::{Action, Change, Verdict, digest_of};
use crate::model::{PruneGuard, ResourceId};

/// Deletions up to this number are not judged by their share: in a small application every object is a large share.
const SHARE_COUNTS_FROM: usize = 4;

/// Holds deletions that exceed the guard until the digest of what is held is approved. Returns that digest, empty
/// when nothing is held (or all that would be is approved).
///
/// An object that is replaced is deleted first, and what it holds goes with it: replacing one of a protected kind is
/// held as well, whatever `sync.replace` or its annotations allow.
///
/// The digest covers exactly the changes that need the approval, uids included, with application and destination:
/// applying the rest of the plan does not change it, and an object that is created anew under the same name is not
/// covered by an older approval.
pub fn hold(
    application: &str,
    destination: &str,
    changes: &mut [&mut Change],
    owned_before: usize,
    guard: &PruneGuard,
    approved: &dyn Fn(&str) -> bool,
    held_before: Option<(&str, &str)>,
) -> String {
    let counts =
        |c: &Change| c.action == Action::Delete && matches!(c.verdict, Verdict::Allowed | Verdict::Held(_));
    let deletions = changes.iter().filter(|c| counts(c)).count();
    // What was held as too much stays held: the new objects of the same commit make its share smaller, but no safer.
    let all: Vec<_> = changes.iter().filter(|c| counts(c)).map(|c| judged(c)).collect();
    let again = held_before.filter(|(digest, _)| digest_of(&(application, destination, &all)) == *digest);
    let bulk =
        bulk_reason(deletions, owned_before, guard).or_else(|| again.map(|(_, reason)| reason.to_owned()));
    for change in changes.iter_mut().filter(|change| change.verdict == Verdict::Allowed) {
        let kind = change.id.group_kind();
        let is_protected = names_kind(&guard.protected_kinds, &kind);
        match (change.action, &bulk) {
            (Action::Delete, _) if is_protected => {
                change.verdict = Verdict::Held(format!("{kind} is a protected kind"));
            }
            (Action::Replace, _) if is_protected => {
                change.verdict =
                    Verdict::Held(format!("{kind} is a protected kind, and replacing one deletes it first"));
            }
            (Action::Delete, Some(reason)) => change.verdict = Verdict::Held(reason.clone()),
            _ => {}
        }
    }
    let held: Vec<_> =
        changes.iter().filter(|c| matches!(c.verdict, Verdict::Held(_))).map(|c| judged(c)).collect();
    if held.is_empty() {
        return String::new();
    }
    let digest = digest_of(&(application, destination, held));
    if !approved(&digest) {
        return digest;
    }
    for change in changes.iter_mut().filter(|c| matches!(c.verdict, Verdict::Held(_))) {
        change.verdict = Verdict::Allowed;
    }
    String::new()
}

/// What the digest of an approval covers of a change.
fn judged(change: &Change) -> (Action, &ResourceId, &Option<String>, &str) {
    (change.action, &change.id, &change.precondition.uid, &change.desired)
}

fn bulk_reason(deletions: usize, owned_before: usize, guard: &PruneGuard) -> Option<String> {
    if deletions > guard.max_objects as usize {
        return Some(format!("{deletions} deletions are more than maxObjects ({})", guard.max_objects));
    }
    if deletions > 0 && deletions == owned_before {
        return Some(format!("all objects of the application ({deletions}) would go"));
    }
    let percent = deletions * 100 / owned_before.max(1);
    if deletions >= SHARE_COUNTS_FROM && percent > guard.max_percent as usize {
        return Some(format!(
            "{deletions} of {owned_before} objects ({percent} %) are more than maxPercent ({} %)",
            guard.max_percent
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceId;
    use crate::model::plan::Precondition;

    fn deletion(kind: &str, name: &str) -> Change {
        Change {
            action: Action::Delete,
            id: ResourceId::new("", kind, "shop", name),
            desired: String::new(),
            precondition: Precondition {
                uid: Some(format!("uid-{name}")),
                resource_version: Some("7".into()),
            },
            verdict: Verdict::Allowed,
        }
    }

    fn run(changes: &mut [Change], owned: usize, approved: &str) -> String {
        let mut all: Vec<&mut Change> = changes.iter_mut().collect();
        hold("shop", "prod", &mut all, owned, &PruneGuard::default(), &|digest| digest == approved, None)
    }

    #[test]
    fn a_few_deletions_go_unasked() {
        let mut changes = [deletion("ConfigMap", "a"), deletion("ConfigMap", "b")];
        assert_eq!(run(&mut changes, 20, ""), "");
        assert!(changes.iter().all(|c| c.verdict == Verdict::Allowed));
    }

    #[test]
    fn many_are_held_and_released_by_exactly_their_digest() {
        let mut changes: Vec<Change> = (0..11).map(|n| deletion("ConfigMap", &format!("c{n}"))).collect();
        let digest = run(&mut changes, 100, "");
        assert!(!digest.is_empty() && changes.iter().all(|c| matches!(c.verdict, Verdict::Held(_))));

        let mut again: Vec<Change> = (0..11).map(|n| deletion("ConfigMap", &format!("c{n}"))).collect();
        assert_eq!(run(&mut again, 100, &digest), "");
        assert!(again.iter().all(|c| c.verdict == Verdict::Allowed));

        let mut recreated: Vec<Change> = (0..11).map(|n| deletion("ConfigMap", &format!("c{n}"))).collect();
        recreated[3].precondition.uid = Some("another".into());
        assert_ne!(run(&mut recreated, 100, &digest), "");
    }

    #[test]
    fn replacing_a_protected_kind_is_held_until_that_is_approved() {
        let replacing = |kind| [Change { action: Action::Replace, ..deletion(kind, "data") }];
        let mut job = replacing("Job");
        assert_eq!((run(&mut job, 50, ""), &job[0].verdict), (String::new(), &Verdict::Allowed));
        let mut claim = replacing("PersistentVolumeClaim");
        let digest = run(&mut claim, 50, "");
        assert!(
            matches!(&claim[0].verdict, Verdict::Held(why) if why.contains("replacing one deletes it")),
            "{claim:?}"
        );
        let mut again = replacing("PersistentVolumeClaim");
        assert_eq!((run(&mut again, 50, &digest), &again[0].verdict), (String::new(), &Verdict::Allowed));
    }

    #[test]
    fn the_last_objects_and_protected_kinds_are_held() {
        let mut all = [deletion("ConfigMap", "a"), deletion("ConfigMap", "b")];
        assert_ne!(run(&mut all, 2, ""), "");
        let mut claim = [deletion("PersistentVolumeClaim", "data")];
        assert_ne!(run(&mut claim, 50, ""), "");
        let mut half = [
            deletion("ConfigMap", "a"),
            deletion("ConfigMap", "b"),
            deletion("ConfigMap", "c"),
            deletion("ConfigMap", "d"),
        ];
        assert_ne!(run(&mut half, 6, ""), "");
    }
}
