//! What a move comes to: the proof, how long each stage took, and what nobody expected.

use super::chronicle::{Chronicle, Stay};
use super::moving::equal;
use super::told::{Told, seconds};
use crate::cli::output;
use crate::migrate::overview::Overview;
use crate::migrate::proof::{self, Proof};
use crate::migrate::verdict::Level;
use crate::model::event::{Event, What};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Something that a person should know before the real move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Surprise {
    /// Where it showed: `assessment`, `rehearsal`, or the part of the move.
    pub from: String,
    /// What it is about.
    pub what: String,
    /// In words.
    pub says: String,
}

/// How a story ends.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Its chapters.
    pub chapters: Vec<Told>,
    /// The proof of each part.
    pub proofs: BTreeMap<String, Proof>,
    /// How long each part was at each stage.
    pub stages: Vec<Stay>,
    /// What nobody expected.
    pub surprises: Vec<Surprise>,
}

impl Surprise {
    /// One of them.
    pub fn new(from: &str, what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { from: from.into(), what: what.into(), says: says.into() }
    }

    /// What an assessment warns of.
    pub fn assessed(overview: &Overview) -> Vec<Self> {
        let told = |level| matches!(level, Level::Warning | Level::Blocker);
        let verdicts = overview.assessment.verdicts.iter().filter(|verdict| told(verdict.level));
        verdicts
            .map(|verdict| {
                let what = format!("{} {}", verdict.subject, verdict.field);
                Self::new("assessment", what.trim(), format!("{} [{}]", verdict.says, verdict.rule))
            })
            .collect()
    }

    /// What went wrong, or was warned of, while the daemon moved a cluster.
    pub fn met(chronicle: &Chronicle, migration: &str) -> Vec<Self> {
        let events = chronicle.since(0);
        let ours = |event: &&Event| event.subject.destination == migration;
        let met = events.iter().filter(ours).filter_map(|event| match &event.what {
            What::Warned { origin, message } => Some(Self::new(origin, "warning", message)),
            What::ResourceFailed { resource, message, .. } => Some(Self::new(migration, resource, message)),
            What::SyncFailed { message, .. } => Some(Self::new(migration, "a pass", message)),
            _ => None,
        });
        met.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl End {
    /// For programs.
    pub fn json(&self) -> Value {
        let proofs: BTreeMap<&str, Value> =
            self.proofs.iter().map(|(part, proof)| (name(part), json!(proof))).collect();
        let (equal, expected) = equal(&self.proofs);
        json!({
            "held": self.held(),
            "chapters": self.chapters,
            "stages": self.stages,
            "proof": {"equal": equal, "expected": expected, "parts": proofs},
            "surprises": self.surprises,
        })
    }

    /// Whether every chapter held.
    pub fn held(&self) -> bool {
        self.chapters.iter().all(|told| told.held)
    }
}

fn name(part: &str) -> &str {
    if part.is_empty() { "the move" } else { part }
}

/// Prints the proof, the stages and the surprises for a person.
pub fn report(end: &End) {
    output::line("\nHow long each stage took");
    let mut by_stage: BTreeMap<(&str, &str), &Stay> = BTreeMap::new();
    let mut order: Vec<(&str, &str)> = Vec::new();
    for stay in &end.stages {
        let key = (stay.part.as_str(), stay.stage.as_str());
        // The last time counts: what was gone back from was done again.
        if by_stage.insert(key, stay).is_none() {
            order.push(key);
        }
    }
    let row = |key: &(&str, &str)| {
        let stay = by_stage[key];
        let working = stay.millis.saturating_sub(stay.waited);
        vec![key.0.to_owned(), key.1.to_owned(), seconds(stay.millis), seconds(working)]
    };
    let rows: Vec<Vec<String>> = order.iter().map(row).collect();
    output::table(&["PART", "STAGE", "TIME", "AT WORK"], &rows).iter().for_each(|line| output::line(line));
    if !end.surprises.is_empty() {
        output::line(&format!("\nSurprises ({})", end.surprises.len()));
        for surprise in &end.surprises {
            output::line(&format!("  {} · {}: {}", surprise.from, surprise.what, surprise.says));
        }
    }
    let (equal, expected) = equal(&end.proofs);
    if expected == 0 {
        return;
    }
    output::line("\nThe proof");
    for (part, proof) in &end.proofs {
        output::line(&format!("{}:", name(part)));
        proof::text(proof).lines().for_each(|line| output::line(&format!("  {line}")));
    }
    output::line(&format!("{equal} of {expected} objects equal."));
}
