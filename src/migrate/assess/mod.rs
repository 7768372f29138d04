//! What becomes of a kops cluster on EKS: a verdict for every field of its specs, and the ClusterConfig that they amount to.
//!
//! ```text
//! KopsState ─┬─► table: a rule for every field ─► verdicts ─┐
//! Facts ─────┤                                              ├─► Assessment
//! choices ───┴─► translate: parts of a ClusterConfig ───────┘
//! ```
//!
//! Rules and translation ask the same functions, so that no verdict says what the config does not.

mod context;
mod facts;
mod fields;
pub mod packing;
pub mod report;
mod rule;
mod rules_context;
mod table;
mod translate;

pub use facts::{AccessMapping, EksVersion, Facts, GroupSize, InstanceType, PodRole, Subnet, Vpc};
pub use rules_context::rules_context;
pub use translate::labels::{LabelFate, node_label};
pub use translate::names::{cluster_name, node_group_name};

use super::verdict::{Level, Verdict};
use crate::model::cluster_config::{self, ClusterConfig};
use crate::model::kops::{Cloud, KopsState};
use context::Context;
use rule::Ruling;
use serde::Serialize;
use std::collections::BTreeMap;

/// What becomes of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// The kops cluster's name.
    pub cluster: String,
    /// Every verdict: by subject and field, in the order of their documents.
    pub verdicts: Vec<Verdict>,
    /// The ClusterConfig. Valid by our own reader; with open choices as they are proposed. None while a Blocker keeps it
    /// from being whole.
    pub config: Option<ClusterConfig>,
    /// What the ClusterConfig has no word for and a person or a later stage does.
    pub notes: Vec<String>,
}

impl Assessment {
    /// How many verdicts there are of each level.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Level, usize> {
        let mut counts = BTreeMap::new();
        for verdict in &self.verdicts {
            *counts.entry(verdict.level).or_default() += 1;
        }
        counts
    }

    /// Verdicts of a level.
    pub fn of_level(&self, level: Level) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(move |verdict| verdict.level == level)
    }

    /// Whether anything keeps the move from beginning.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.of_level(Level::Blocker).next().is_some()
    }
}

/// Assesses a cluster. `choices` are those recorded by a person: by rule, or by rule and subject (`RULE@SUBJECT`), or by
/// rule, subject and field (`RULE@SUBJECT/POINTER`), the id of an offer.
#[must_use]
pub fn assess(state: &KopsState, facts: &Facts, choices: &BTreeMap<String, String>) -> Assessment {
    let context = Context::new(state, facts, choices);
    let cluster = state.cluster.name.clone();
    if let Some(refusal) = other_cloud(&context) {
        return Assessment { cluster, verdicts: vec![refusal], ..Assessment::default() };
    }
    let mut verdicts = unreadable(&context);
    verdicts.extend(fields::verdicts(&context));
    let mut draft = translate::Draft::default();
    translate::all(&context, &mut draft);
    let structural = draft.is_broken;
    verdicts.extend(draft.verdicts);
    let config = if structural { None } else { valid(&context, draft.config, &mut verdicts) };
    let mut notes = draft.notes;
    for key in context.unused() {
        notes
            .push(format!("the recorded choice `{key}` answers no question of this assessment; take it out"));
    }
    Assessment { cluster, verdicts, config, notes }
}

/// Clusters of other clouds have nothing that could become an EKS cluster in place.
fn other_cloud(context: &Context<'_>) -> Option<Verdict> {
    let cloud = context.state.cloud();
    let says = match &cloud {
        Cloud::Aws => return None,
        Cloud::Unsaid => {
            "the spec does not say in which cloud the cluster runs; set `cloudProvider`".to_owned()
        }
        other => format!(
            "the cluster runs on {other} (`{}`), and only clusters on AWS can move to EKS in place; export its objects and \
             deliver them to a new cluster instead",
            name(other)
        ),
    };
    let pointer = context.pointer("cloudProvider");
    let source = "kops API, ClusterSpec.cloudProvider";
    let ruling = Ruling::blocker(says, Vec::new());
    Some(context.verdict(&context.cluster().subject(), &pointer, "kops.cloud", source, ruling))
}

fn name(cloud: &Cloud) -> &str {
    match cloud {
        Cloud::Aws => "aws",
        Cloud::Other(name) => name,
        Cloud::Unsaid => "",
    }
}

/// A document that cannot be read may be a group that nobody would miss until its pods are pending.
fn unreadable(context: &Context<'_>) -> Vec<Verdict> {
    let blockers = context.state.problems.iter().map(|problem| {
        let place = if problem.line == 0 {
            problem.origin.clone()
        } else {
            format!("{}:{}", problem.origin, problem.line)
        };
        let says = format!("it cannot be read: {}", problem.message);
        context.verdict(&place, "", "kops.unreadable", "the text itself", Ruling::blocker(says, Vec::new()))
    });
    blockers.collect()
}

/// The config as our own reader takes it; what it refuses is a Blocker.
fn valid(context: &Context<'_>, config: ClusterConfig, verdicts: &mut Vec<Verdict>) -> Option<ClusterConfig> {
    let text = match serde_json::to_string(&config) {
        Ok(text) => text,
        Err(error) => {
            verdicts.push(refused(context, error.to_string()));
            return None;
        }
    };
    match cluster_config::read(&text, "the translated ClusterConfig") {
        Ok((config, _)) => Some(config),
        Err(problems) => {
            let wrong = problems.0.iter().filter(|problem| problem.is_error());
            verdicts.extend(wrong.map(|problem| {
                let hint = problem.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
                refused(context, format!("{}{hint}", problem.message))
            }));
            None
        }
    }
}

fn refused(context: &Context<'_>, message: String) -> Verdict {
    let says = format!("what the specs amount to is no valid ClusterConfig: {message}");
    let source = "Portolan's rules of a ClusterConfig";
    context.verdict(
        &context.cluster().subject(),
        "",
        "kops.config",
        source,
        Ruling::blocker(says, Vec::new()),
    )
}
