//! Recorded choices about objects and calls: those about specs are the assessment's.

use crate::migrate::own::{Answer, Class, Classified};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::ResourceId;
use std::collections::{BTreeMap, BTreeSet};

/// What was chosen: an entry `RULE@SUBJECT/POINTER` counts before `RULE@SUBJECT` and `RULE`, as for specs.
fn chosen<'a>(
    choices: &'a BTreeMap<String, String>,
    rule: &str,
    subject: &str,
    field: &str,
) -> Option<(&'a String, &'a str)> {
    let keys = [format!("{rule}@{subject}{field}"), format!("{rule}@{subject}"), rule.to_owned()];
    keys.iter().find_map(|key| choices.get_key_value(key)).map(|(key, value)| (key, value.as_str()))
}

/// Answers about objects that the rules ask about.
pub(super) fn answers(
    classified: &[Classified],
    choices: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> BTreeMap<ResourceId, Answer> {
    let asked = classified.iter().filter(|one| matches!(one.class, Class::Ask { .. }));
    let answered = asked.filter_map(|one| {
        let (key, value) = chosen(choices, &one.rule, &one.id.to_string(), "")?;
        let answer = match value {
            "port" => Answer::Port,
            "drop" => Answer::Drop,
            _ => return None,
        };
        used.insert(key.clone());
        Some((one.id.clone(), answer))
    });
    answered.collect()
}

/// Applies what was chosen to verdicts that offer something.
pub(super) fn settle(
    verdicts: &mut [Verdict],
    choices: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) {
    for verdict in verdicts.iter_mut().filter(|verdict| !verdict.choices.is_empty()) {
        let Some((key, value)) = chosen(choices, &verdict.rule, &verdict.subject, &verdict.field) else {
            continue;
        };
        used.insert(key.clone());
        match verdict.choices.iter().find(|offer| offer.id == value) {
            Some(offer) => {
                let accepted = verdict.level == Level::Blocker && value == "accept";
                verdict.level = if accepted { Level::Warning } else { Level::Mapped };
                verdict.says = format!("as chosen: {}", offer.says);
                verdict.choices.clear();
            }
            None => {
                let ids: Vec<&str> = verdict.choices.iter().map(|offer| offer.id.as_str()).collect();
                verdict.says =
                    format!("{}; the recorded choice `{value}` is none of {}", verdict.says, ids.join(", "));
            }
        }
    }
}
