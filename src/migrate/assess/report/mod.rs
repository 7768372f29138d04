//! An assessment for people: as text for a terminal, as JSON for programs, as one HTML page for a review.

mod html;
mod text;

pub use html::escaped;

use super::Assessment;
use super::packing::Packing;
use crate::migrate::verdict::{Level, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As text, the most urgent first. Irrelevant fields are counted, and listed if `all`.
#[must_use]
pub fn text(assessment: &Assessment, all: bool) -> String {
    text::write(assessment, all)
}

/// As one HTML page that loads nothing from anywhere.
#[must_use]
pub fn html(assessment: &Assessment) -> String {
    html::write(assessment, None, "")
}

/// The same page with the packing as a picture, each planned node with what is taken of it, and with more sections, which
/// are HTML already.
#[must_use]
pub fn html_with(assessment: &Assessment, packing: Option<&Packing>, sections: &str) -> String {
    html::write(assessment, packing, sections)
}

/// As JSON: counts, verdicts, the ClusterConfig, notes.
#[must_use]
pub fn json(assessment: &Assessment) -> Value {
    let counts: BTreeMap<&str, usize> =
        assessment.counts().into_iter().map(|(level, count)| (level.as_str(), count)).collect();
    json!({
        "cluster": assessment.cluster,
        "counts": counts,
        "blocked": assessment.is_blocked(),
        "verdicts": assessment.verdicts,
        "clusterConfig": assessment.config,
        "notes": assessment.notes,
    })
}

/// Verdicts of a level, by subject.
fn by_subject(assessment: &Assessment, level: Level) -> BTreeMap<&str, Vec<&Verdict>> {
    let mut groups: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    for verdict in assessment.of_level(level) {
        groups.entry(&verdict.subject).or_default().push(verdict);
    }
    groups
}

/// A field as people read it; a subject as a whole has none.
fn field(verdict: &Verdict) -> &str {
    if verdict.field.is_empty() { "(as a whole)" } else { &verdict.field }
}
