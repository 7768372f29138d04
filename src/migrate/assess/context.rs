//! What every rule and every part of the translation looks at, and how recorded choices are found.

use super::facts::Facts;
use super::rule::{ACCEPT, Ruling};
use crate::migrate::verdict::{Level, Offer, Verdict};
use crate::model::kops::{KopsState, Path, Spec, Step};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The source, the account and the choices.
pub(super) struct Context<'a> {
    pub state: &'a KopsState,
    pub facts: &'a Facts,
    choices: &'a BTreeMap<String, String>,
    /// Choices that something looked for; others are told to be of no use.
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(state: &'a KopsState, facts: &'a Facts, choices: &'a BTreeMap<String, String>) -> Self {
        Self { state, facts, choices, used: RefCell::default() }
    }

    pub(super) fn cluster(&self) -> &'a Spec {
        &self.state.cluster
    }

    /// What was chosen for one field: an entry `RULE@SUBJECT/POINTER` counts before `RULE@SUBJECT` and `RULE`.
    pub(super) fn chosen(&self, rule: &str, subject: &str, pointer: &str) -> Option<&'a str> {
        let keys = [format!("{rule}@{subject}{pointer}"), format!("{rule}@{subject}"), rule.to_owned()];
        let key = keys.into_iter().find(|key| self.choices.contains_key(key))?;
        let value = self.choices.get(&key).map(String::as_str);
        self.used.borrow_mut().insert(key);
        value
    }

    /// What was chosen about the Cluster as a whole.
    pub(super) fn chosen_of_cluster(&self, rule: &str) -> Option<&'a str> {
        self.chosen(rule, &self.cluster().subject(), "")
    }

    /// Which of some ways was chosen; the first where none of them was.
    pub(super) fn way<'w>(&self, rule: &str, subject: &str, pointer: &str, ways: &[&'w str]) -> &'w str {
        let chosen = self.chosen(rule, subject, pointer);
        let way = chosen.and_then(|chosen| ways.iter().find(|way| **way == chosen));
        way.or_else(|| ways.first()).copied().unwrap_or_default()
    }

    /// The same about the Cluster as a whole.
    pub(super) fn way_of_cluster<'w>(&self, rule: &str, ways: &[&'w str]) -> &'w str {
        self.way(rule, &self.cluster().subject(), "", ways)
    }

    /// Recorded choices that nothing asked for.
    pub(super) fn unused(&self) -> Vec<&'a str> {
        let used = self.used.borrow();
        self.choices.keys().filter(|key| !used.contains(*key)).map(String::as_str).collect()
    }

    /// Where the Cluster's author wrote something below `spec`, by its newest name.
    pub(super) fn pointer(&self, path: &str) -> String {
        let mut steps = vec![Step::Key("spec".into())];
        steps.extend(
            path.split('.').map(|word| word.parse().map_or_else(|_| Step::Key(word.into()), Step::Index)),
        );
        self.cluster().pointer(&Path(steps))
    }

    /// A verdict about something that no single field says.
    pub(super) fn verdict(
        &self,
        subject: &str,
        field: &str,
        rule: &str,
        source: &str,
        ruling: Ruling,
    ) -> Verdict {
        self.settle(Verdict {
            subject: subject.to_owned(),
            field: field.to_owned(),
            level: ruling.level.unwrap_or(Level::Warning),
            rule: rule.to_owned(),
            source: source.to_owned(),
            says: ruling.says.unwrap_or_default(),
            becomes: ruling.becomes,
            choices: ruling.offers,
        })
    }

    /// Applies what was chosen.
    pub(super) fn settle(&self, mut verdict: Verdict) -> Verdict {
        if verdict.choices.is_empty() {
            return verdict;
        }
        let Some(chosen) = self.chosen(&verdict.rule, &verdict.subject, &verdict.field) else {
            return verdict;
        };
        match verdict.choices.iter().find(|offer| takes(offer, chosen)) {
            Some(offer) => {
                let accepted = verdict.level == Level::Blocker && chosen == ACCEPT;
                verdict.level = if accepted { Level::Warning } else { Level::Mapped };
                let what = if offer.id == chosen { String::new() } else { format!(" `{chosen}`") };
                verdict.says = format!("as chosen{what}: {}", offer.says);
                verdict.choices.clear();
            }
            None => {
                let ids: Vec<&str> = verdict.choices.iter().map(|offer| offer.id.as_str()).collect();
                verdict.says =
                    format!("{}; the recorded choice `{chosen}` is none of {}", verdict.says, ids.join(", "));
            }
        }
        verdict
    }
}

/// Whether an offer is what was chosen. An offer in angle brackets takes any text of its kind: `<subnet-id>` what begins
/// with `subnet-`, others anything.
fn takes(offer: &Offer, chosen: &str) -> bool {
    let Some(kind) = offer.id.strip_prefix('<').and_then(|id| id.strip_suffix('>')) else {
        return offer.id == chosen;
    };
    match kind {
        "subnet-id" => chosen.split(',').all(|id| id.trim().starts_with("subnet-")),
        "vpc-id" => chosen.starts_with("vpc-"),
        "arn" => chosen.starts_with("arn:"),
        "version" => chosen.starts_with("1."),
        _ => !chosen.is_empty() && chosen != ACCEPT,
    }
}
