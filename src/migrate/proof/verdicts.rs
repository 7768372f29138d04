//! What rules say about objects, in the assessment's words.

use crate::migrate::verdict::{Level, Offer, Verdict};
use crate::transform::{Remark, Transformed, Weight};

/// Remarks and the reason for leaving an object behind, as verdicts. `subject` names the object.
#[must_use]
pub fn verdicts(subject: &str, done: &Transformed) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = done.remarks.iter().map(verdict).collect();
    if let Some(dropped) = &done.dropped {
        verdicts.push(Verdict {
            subject: subject.into(),
            field: String::new(),
            level: Level::Irrelevant,
            rule: dropped.rule.clone(),
            source: crate::transform::rule(&dropped.rule).map_or_else(String::new, |rule| rule.source.into()),
            says: format!("It stays behind: {}", dropped.reason),
            becomes: None,
            choices: Vec::new(),
        });
    }
    verdicts
}

fn verdict(remark: &Remark) -> Verdict {
    let offer = |(place, (id, says)): (usize, &(String, String))| Offer {
        id: id.clone(),
        says: says.clone(),
        proposed: place == 0,
    };
    Verdict {
        subject: remark.subject.clone(),
        field: remark.pointer.clone(),
        level: match remark.weight {
            Weight::Warning => Level::Warning,
            Weight::Choice => Level::Choice,
            Weight::Blocker => Level::Blocker,
        },
        rule: remark.rule.clone(),
        source: remark.source.clone(),
        says: remark.says.clone(),
        becomes: None,
        choices: remark.offers.iter().enumerate().map(offer).collect(),
    }
}
