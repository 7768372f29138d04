//! What becomes of a whole cluster: its specs, its objects, its calls, what is around it, and where everything will run.
//!
//! ```text
//! Inventory ─┬─► assess (specs) ───────────┐
//!            ├─► classify, owners, rules ──┤
//!            ├─► calls, waves, outside ────┼─► Overview ─► report, files to commit
//!            ├─► packing ──────────────────┤
//!            └─► kops drift ───────────────┘
//! ```

mod choices;
mod documents;
mod exported;
mod mapping;
mod moved;
mod outside;
mod page;
mod places;
mod waves;

pub use documents::{Documents, Names, dns_label, documents};
pub use exported::exported;
pub use moved::{context, context_of_objects};
pub use page::page;
pub use waves::Wave;

use super::assess::packing::Packing;
use super::assess::{Assessment, Facts, assess};
use super::calls::outside::Reference;
use super::calls::{Declared, Graph};
use super::dump::{Drifted, Inventory, Unread, drift, facts};
use super::own::{Classified, Whose, classify};
use super::owner::{Owned, OwnerClass, Sources, owners};
use super::verdict::{Level, Verdict};
use crate::model::Object;
use crate::model::kops::{KopsState, ReadError};
use crate::transform::Context;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a cluster, as a whole.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Verdicts on fields of the specs, on objects, calls, places and drift; the ClusterConfig.
    pub assessment: Assessment,
    /// Every object with its class.
    pub objects: Vec<Classified>,
    /// Who declares what is carried over.
    pub owned: Vec<Owned>,
    /// Namespaces that move together, as they are proposed: no call is cut.
    pub waves: Vec<Wave>,
    /// Who calls whom.
    pub calls: Graph,
    /// What the rules on objects are told.
    pub rules: Context,
    /// Things outside that name the cluster.
    pub outside: Vec<Reference>,
    /// Where everything would run; none where nodes, pods or the config are missing.
    pub packing: Option<Packing>,
    /// Where files, state store and what is live differ.
    pub drift: Vec<Drifted>,
    /// What was not read.
    pub unread: BTreeSet<Unread>,
}

/// Numbers for the head of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Objects by what becomes of them: `port`, `replace`, `drop`, `ask`.
    pub classes: BTreeMap<String, usize>,
    /// Objects of the users that somebody declares.
    pub declared: usize,
    /// Objects of the users that exist in the cluster only.
    pub live_only: usize,
    /// Nodes that hold everything.
    pub nodes: Option<usize>,
}

impl Overview {
    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let mut numbers = Numbers::default();
        for object in &self.objects {
            *numbers.classes.entry(object.class.name().to_owned()).or_default() += 1;
        }
        let declared = |owned: &&Owned| matches!(owned.class, OwnerClass::Declared(_));
        numbers.declared = self.owned.iter().filter(declared).count();
        numbers.live_only = self.owned.len() - numbers.declared;
        numbers.nodes = self.packing.as_ref().map(|packing| packing.nodes.len());
        numbers
    }
}

/// What is known beside what was read.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Facts of the account, which count before those of the inventory.
    pub facts: Facts,
    /// Choices that people recorded, as in [`assess`].
    pub choices: BTreeMap<String, String>,
    /// Where objects are declared, as far as somebody told.
    pub sources: Sources,
    /// Calls that no object shows.
    pub calls: Vec<Declared>,
}

/// Assesses everything that was read. `given` are facts that count before those of the inventory; `choices` are those
/// that people recorded, as in [`assess`].
///
/// # Errors
/// [`ReadError`] where the inventory has no kops cluster.
pub fn overview(
    inventory: &Inventory,
    given: Option<&Facts>,
    choices: &BTreeMap<String, String>,
) -> Result<Overview, ReadError> {
    let facts = given.cloned().unwrap_or_default();
    overview_with(inventory, &Given { facts, choices: choices.clone(), ..Given::default() })
}

/// The same with everything that is known beside.
///
/// # Errors
/// [`ReadError`] where the inventory has no kops cluster.
pub fn overview_with(inventory: &Inventory, given: &Given) -> Result<Overview, ReadError> {
    let choices = &given.choices;
    let kops = inventory.kops()?;
    let read = facts(inventory, Some(&kops));
    let facts = given.facts.clone().completed_by(read);
    // Choices about objects are no questions of the specs': what answers neither is told at the end.
    let mut assessment = assess(&kops, &facts, choices);
    let drift = drift(inventory);
    let mut overview = Overview { unread: inventory.unread.clone(), ..Overview::default() };
    overview.rules = moved::context(inventory, &kops, &facts, choices, &assessment);
    let mut verdicts: Vec<Verdict> = drift.iter().map(Drifted::verdict).collect();
    let mut used = BTreeSet::new();
    if !inventory.objects.is_empty() {
        overview.objects = classified(inventory, &kops, choices, &mut used);
        let moving = moving(inventory, &overview.objects);
        let target = super::assess::cluster_name(&kops.cluster.name);
        overview.owned = owners(&moving, &Sources { target, ..given.sources.clone() });
        verdicts.extend(moved::verdicts(&overview.objects, &moving, &overview.rules));
        overview.calls = inventory.calls(&given.calls);
        overview.waves = waves::proposed(&overview.calls, &moving);
        verdicts.extend(waves::verdicts(&overview.calls, &overview.waves));
        if let Some(config) = &assessment.config {
            let placed = places::pack(inventory, &overview.objects, config, &facts, &overview.rules);
            verdicts.extend(placed.verdicts);
            overview.packing = placed.packing;
        }
    }
    overview.outside = outside::references(inventory, &kops);
    verdicts.extend(overview.outside.iter().map(outside::verdict));
    choices::settle(&mut verdicts, choices, &mut used);
    let answered: Vec<String> =
        used.iter().map(|key| format!("the recorded choice `{key}` answers")).collect();
    assessment.notes.retain(|note| !answered.iter().any(|begin| note.starts_with(begin)));
    assessment.notes.extend(inventory.unread.iter().map(|unread| format!("not read: {unread}")));
    assessment.verdicts.extend(verdicts);
    overview.drift = drift;
    overview.assessment = assessment;
    Ok(overview)
}

fn classified(
    inventory: &Inventory,
    kops: &KopsState,
    choices: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> Vec<Classified> {
    let index = inventory.index(Some(kops));
    let mut context =
        super::own::Context { kops_version: kops.version.clone(), ..super::own::Context::default() };
    let first = classify(&inventory.objects, &index, &context);
    context.answers = choices::answers(&first, choices, used);
    if context.answers.is_empty() { first } else { classify(&inventory.objects, &index, &context) }
}

/// The objects that are carried over.
fn moving(inventory: &Inventory, classified: &[Classified]) -> Vec<Object> {
    let ported: BTreeSet<_> =
        classified.iter().filter(|one| one.class.name() == "port").map(|one| &one.id).collect();
    inventory.objects.iter().filter(|object| ported.contains(&object.id())).cloned().collect()
}

/// Whether an object is one of the users'.
fn is_users(classified: &Classified) -> bool {
    classified.whose == Whose::User
}

/// The level that asks most of a reader, of the verdicts of a report.
#[must_use]
pub fn worst(assessment: &Assessment) -> Option<Level> {
    assessment.verdicts.iter().map(|verdict| verdict.level).max()
}
