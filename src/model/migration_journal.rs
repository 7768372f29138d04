//! The journal of a migration: how far each part of it is, and what cannot be seen any more because it was changed.

use super::cloud::Service;
use super::migration::{Effect, Stage, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name under which the move as a whole stands in [`Journal::positions`]; waves stand under their own.
pub const WHOLE: &str = "";

/// See the module. It is stored by compare-and-swap, each time with the next [`sequence`](Self::sequence).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Journal {
    /// Counts what was stored: of two journals of a migration the one with the larger number is in force.
    pub sequence: u64,
    /// How far each part is.
    pub positions: BTreeMap<String, Position>,
    /// Steps that were made, or are about to be made, by their keys.
    pub entries: BTreeMap<String, Entry>,
    /// PodSecurityPolicies that admitted pods, by namespace: only pods tell, and behind the fence there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub admitted: BTreeMap<String, BTreeSet<String>>,
    /// Waves of which something was started on the target since they were handed over: from then on it may have
    /// written. Noted before the start.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub started: BTreeSet<String>,
    /// Which time each wave is handed over: another one needs another snapshot, for the source has written between. Set
    /// when the hand-over begins, taken away before the source is opened again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, String>,
    /// Steps without a way back that a person approved, by the digests of their keys.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub granted: BTreeSet<String>,
    /// What was proven of each part that is past its proof, in words. The proof is made once, and nothing else of it is left
    /// when the daemon ends between this and what it tells.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub proofs: BTreeMap<String, String>,
}

/// Before the key of a step that takes another one back by its entry.
pub const UNDO: &str = "undo/";
/// How long Route 53 may take to tell all its servers, in seconds, where it cannot be asked.
const LOST: i64 = 60;

/// The answer to a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The change that Route 53 made of it; empty for everything else.
    pub change: String,
}

fn is_of_records(effect: &Effect) -> bool {
    matches!(effect, Effect::Call { call, .. } if call.service == Service::Route53)
}

/// How far a part of a migration is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The stage that was begun last.
    pub stage: Stage,
    /// Whether its exit gate was passed.
    pub complete: bool,
    /// When it was begun or completed, in seconds since 1970.
    pub since: i64,
}

/// A step that was made, or is about to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts entries: they are taken back in the reverse order.
    pub number: u64,
    /// What it belongs to.
    pub stage: Stage,
    /// The wave that it belongs to; none for the move as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// What takes it back. Never holds a value of a Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Effect>,
    /// When it was answered, or first seen to be done, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<i64>,
    /// Idempotency token of its call.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// A change of records that Route 53 has taken and not told all its servers of: its id (`/change/C…`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pending: String,
    /// The step's words, for whoever reads the journal.
    pub says: String,
}

impl Journal {
    /// How far a part is; nothing was begun: the stage `Inventory`, not complete.
    #[must_use]
    pub fn position(&self, part: &str) -> Position {
        self.positions.get(part).cloned().unwrap_or_default()
    }

    /// Notes steps before they are made. What was noted of a step stays: a step that is made again finds its object
    /// changed already, and the original is what was found first.
    pub fn note<'s>(
        &mut self,
        steps: impl IntoIterator<Item = &'s Step>,
        token: impl Fn(&str, u64) -> String,
    ) {
        let mut next = self.entries.values().map(|entry| entry.number + 1).max().unwrap_or_default();
        for step in steps {
            let wants_token = matches!(&step.effect, Effect::Call { token: Some(_), .. });
            if step.undo.is_empty() && !wants_token {
                continue;
            }
            if let Some(entry) = self.entries.get_mut(&step.key) {
                // It was answered, and the need is there again: another attempt, which is no repetition of the first.
                if wants_token && entry.made.is_some() {
                    entry.token = token(&step.key, entry.number);
                }
                continue;
            }
            let number = next;
            next += 1;
            let token = if wants_token { token(&step.key, number) } else { String::new() };
            self.entries.insert(
                step.key.clone(),
                Entry {
                    number,
                    stage: step.stage,
                    wave: step.wave.clone(),
                    undo: step.undo.clone(),
                    made: None,
                    token,
                    pending: String::new(),
                    says: step.says.clone(),
                },
            );
        }
    }

    /// Notes what became of steps: `due` are to be made now, and are not made yet, whatever was made before; `answered`
    /// were answered since the last time, with the id of their change; `settled` are changes that every server of Route 53
    /// knows by now. What was neither answered nor is due was seen to be done.
    pub fn follow(
        &mut self,
        due: &BTreeSet<&str>,
        answered: &BTreeMap<String, Answered>,
        settled: &BTreeSet<String>,
        now: i64,
    ) {
        for (key, entry) in &mut self.entries {
            if due.contains(key.as_str()) {
                (entry.made, entry.pending) = (None, String::new());
                continue;
            }
            match (entry.made, answered.get(key)) {
                (None, Some(answer)) => {
                    (entry.made, entry.pending) = (Some(answer.at), answer.change.clone());
                }
                // Its answer was lost: nobody can ask how far the change is. A minute is what it takes as a rule.
                (None, None) => {
                    let wait = if entry.undo.iter().any(is_of_records) { LOST } else { 0 };
                    entry.made = Some(now + wait);
                }
                (Some(_), _) => {}
            }
            if settled.contains(&entry.pending) {
                (entry.made, entry.pending) = (Some(now), String::new());
            }
        }
    }

    /// Drops what was taken back by steps that were answered: it needs no inverse any more.
    pub fn take_back(&mut self, answered: &BTreeMap<String, Answered>) {
        for key in answered.keys().filter_map(|key| key.strip_prefix(UNDO)) {
            self.entries.remove(key);
        }
    }

    /// Whether any part has begun what leaves something on the target.
    #[must_use]
    pub fn is_on_target(&self) -> bool {
        self.positions.values().any(|position| position.stage >= Stage::Configure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceId;
    use crate::model::cloud::Call;
    use crate::model::migration::Side;
    use serde_json::json;

    fn step(key: &str, replicas: u32) -> Step {
        let patch = |value: u32| Effect::Patch {
            side: Side::Source,
            id: ResourceId::new("apps", "Deployment", "shop", "web"),
            version: "v1".into(),
            operations: vec![json!({"op": "replace", "path": "/spec/replicas", "value": value})],
        };
        Step {
            key: key.into(),
            stage: Stage::HandOver,
            wave: Some("shop".into()),
            effect: patch(0),
            undo: vec![patch(replicas)],
            says: "scaled to 0".into(),
            final_: false,
        }
    }

    #[test]
    fn the_first_original_stays() {
        let mut journal = Journal::default();
        journal.note([&step("scale/web", 3), &step("scale/api", 2)], |_, _| String::new());
        journal.note([&step("scale/web", 0)], |_, _| String::new());
        let numbers: Vec<u64> = journal.entries.values().map(|entry| entry.number).collect();
        assert_eq!(numbers, [1, 0]);
        assert_eq!(journal.entries["scale/web"].undo, step("", 3).undo);
        let text = serde_json::to_string(&journal).unwrap();
        assert_eq!(serde_json::from_str::<Journal>(&text).unwrap(), journal);
    }

    #[test]
    fn what_is_made_again_is_not_made_yet() {
        let mut journal = Journal::default();
        let change = Effect::Call {
            call: Call::new(Service::Route53, "ChangeResourceRecordSets", json!({})),
            token: None,
        };
        let weight = Step { effect: change.clone(), undo: vec![change], ..step("weight/a/5", 0) };
        journal.note([&weight], |_, _| String::new());
        let none = BTreeMap::new();
        let made = |journal: &Journal| journal.entries["weight/a/5"].made;
        journal.follow(&["weight/a/5"].into(), &none, &BTreeSet::new(), 10);
        assert_eq!(made(&journal), None);
        let answered =
            BTreeMap::from([("weight/a/5".into(), Answered { at: 11, change: "/change/C1".into() })]);
        journal.follow(&BTreeSet::new(), &answered, &BTreeSet::new(), 12);
        assert_eq!(
            (made(&journal), journal.entries["weight/a/5"].pending.as_str()),
            (Some(11), "/change/C1")
        );
        journal.follow(&BTreeSet::new(), &none, &["/change/C1".to_owned()].into(), 40);
        assert_eq!((made(&journal), journal.entries["weight/a/5"].pending.as_str()), (Some(40), ""));
        // Made anew, and this time its answer is lost.
        journal.follow(&["weight/a/5"].into(), &none, &BTreeSet::new(), 50);
        journal.follow(&BTreeSet::new(), &none, &BTreeSet::new(), 60);
        assert_eq!(made(&journal), Some(60 + LOST));
    }
}
