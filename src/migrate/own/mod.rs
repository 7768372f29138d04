//! Whose an object of the old cluster is, and so what becomes of it.
//!
//! ```text
//! object ─► kinds that Kubernetes fills ─► owner reference ─► made by Kubernetes ─► kops' own ─► EKS' own ─► the users'
//! ```
//!
//! kops' own objects are known by the manifests of its bootstrap channel, then by their labels, then by what the
//! channels tool noted on namespaces, then by name (`migration.md` 2.1, 2.2). Whatever nothing claims is a user's and is
//! carried over: no object is left out without a rule and a reason.

mod derived;
mod eks;
mod facts;
mod finding;
mod index;
mod kops;
mod kubernetes;
mod names;
pub(in crate::migrate) mod references;
mod replacement;
mod table;
mod user;

pub use index::Index;
pub use replacement::{Chart, Replacement};

use super::verdict::{Level, Offer, Verdict};
use crate::model::{Object, ResourceId};
use facts::Facts;
use finding::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who keeps an object in the old cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Whose {
    /// kops, as a part of the add-on that is named where it is known.
    Kops {
        /// Name of the add-on in the bootstrap channel: `coredns.addons.k8s.io`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addon: Option<String>,
    },
    /// Kubernetes itself, in every cluster.
    Kubernetes,
    /// EKS, in the new cluster.
    Eks,
    /// The people who use the cluster.
    User,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// It is carried over.
    Port,
    /// Something else takes its place.
    Replace {
        /// Id of the [`Replacement`].
        by: String,
    },
    /// It is left behind.
    Drop {
        /// Why nothing is missing then.
        why: String,
    },
    /// A person has to say.
    Ask {
        /// What there is to decide.
        why: String,
    },
}

impl Class {
    /// The class's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Replace { .. } => "replace",
            Self::Drop { .. } => "drop",
            Self::Ask { .. } => "ask",
        }
    }
}

/// An object with its class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Classified {
    /// The object.
    pub id: ResourceId,
    /// Who keeps it.
    pub whose: Whose,
    /// What becomes of it.
    pub class: Class,
    /// The rule's stable id, such as `own.kops.index`.
    pub rule: String,
    /// Where the rule comes from.
    pub source: String,
    /// What a person should know beside the class; empty where there is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The object that makes this one, where it is left to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<ResourceId>,
}

/// What a person answered to a [`Class::Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Carry it over.
    Port,
    /// Leave it behind.
    Drop,
}

/// What is known about the move beside the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The release of kops that applied the cluster last, such as `1.28.5`.
    pub kops_version: Option<String>,
    /// Answers that the `Migration` document holds.
    pub answers: BTreeMap<ResourceId, Answer>,
}

/// Gives every object its class. One answer for each object, in the order of their identities, whatever the order of
/// the input.
#[must_use]
pub fn classify(objects: &[Object], index: &Index, context: &Context) -> Vec<Classified> {
    let facts = Facts::gather(objects, index, context);
    let findings = decide_all(&facts);
    let mut classified: Vec<Classified> = facts
        .objects
        .iter()
        .zip(findings)
        .map(|(fact, finding)| finished(&fact.id, finding, context))
        .collect();
    keep_inhabited_namespaces(&mut classified);
    classified.sort();
    classified
}

impl Classified {
    /// The verdict on the object: only what asks something of a person, or takes something from the users, is urgent.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (level, says, becomes) = match &self.class {
            Class::Port if self.says.is_empty() => (Level::Mapped, "carried over".to_owned(), None),
            Class::Port => (Level::Warning, format!("carried over; {}", self.says), None),
            Class::Replace { by } => {
                let says = Replacement::named(by).map_or(by.as_str(), |replacement| &replacement.says);
                (Level::Mapped, format!("replaced: {says}"), Some(by.clone()))
            }
            Class::Drop { why } if self.whose == Whose::User && self.maker.is_none() => {
                (Level::Warning, format!("left behind: {why}"), None)
            }
            Class::Drop { why } => (Level::Irrelevant, format!("left behind: {why}"), None),
            Class::Ask { why } => (Level::Choice, why.clone(), None),
        };
        let choices = match self.class {
            Class::Ask { .. } => vec![
                Offer {
                    id: "port".into(),
                    says: "carry it over".into(),
                    proposed: self.whose == Whose::User,
                },
                Offer {
                    id: "drop".into(),
                    says: "leave it behind".into(),
                    proposed: self.whose != Whose::User,
                },
            ],
            _ => Vec::new(),
        };
        Verdict {
            subject: self.id.to_string(),
            field: String::new(),
            level,
            rule: self.rule.clone(),
            source: self.source.clone(),
            says,
            becomes,
            choices,
        }
    }
}

/// The finding on every object, in the order of the facts.
fn decide_all(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Option<Finding>> = vec![None; facts.objects.len()];
    for at in 0..facts.objects.len() {
        // From an object up to the first one that is decided or has no owner in the export; a ring of owners ends it.
        let mut chain = vec![at];
        while let Some(owner) = derived::owner_of(facts, chain[chain.len() - 1]) {
            if findings[owner].is_some() || chain.contains(&owner) {
                break;
            }
            chain.push(owner);
        }
        for place in chain.into_iter().rev() {
            if findings[place].is_none() {
                let owner = derived::owner_of(facts, place).and_then(|owner| findings[owner].as_ref());
                findings[place] = Some(decide(facts, place, owner));
            }
        }
    }
    findings.into_iter().map(|finding| finding.expect("the loop visits every place")).collect()
}

fn decide(facts: &Facts<'_>, at: usize, owner: Option<&Finding>) -> Finding {
    kubernetes::kind(facts, at)
        .or_else(|| kops::node_local(facts, at))
        .or_else(|| derived::made_by_owner(facts, at, owner))
        // First what kops itself says: some of its objects carry the label of those that the API server makes.
        .or_else(|| kops::marked(facts, at))
        .or_else(|| kubernetes::object(facts, at))
        .or_else(|| eks::labelled(facts, at))
        .or_else(|| kops::named(facts, at))
        .or_else(|| eks::named(facts, at))
        .or_else(|| user::resource(facts, at))
        .or_else(|| derived::orphan(facts, at))
        .or_else(|| user::program(facts, at))
        .or_else(|| user::kind(facts, at))
        .unwrap_or_else(|| user::anything(facts, at))
}

fn finished(id: &ResourceId, finding: Finding, context: &Context) -> Classified {
    let class = match (finding.class, context.answers.get(id)) {
        (Class::Ask { .. }, Some(Answer::Port)) => Class::Port,
        (Class::Ask { why }, Some(Answer::Drop)) => {
            Class::Drop { why: format!("decided by a person: {why}") }
        }
        (class, _) => class,
    };
    Classified {
        id: id.clone(),
        whose: finding.whose,
        class,
        rule: finding.rule.id.into(),
        source: finding.rule.source.into(),
        says: finding.says,
        maker: finding.maker,
    }
}

/// A namespace that kops made for an add-on is kept while anything in it is carried over.
fn keep_inhabited_namespaces(classified: &mut [Classified]) {
    let inhabited: std::collections::BTreeSet<String> = classified
        .iter()
        .filter(|one| matches!(one.class, Class::Port | Class::Ask { .. }))
        .filter_map(|one| one.id.namespace.clone())
        .collect();
    for one in classified {
        let is_namespace = one.id.group.is_empty() && one.id.kind == "Namespace";
        let is_kops = matches!(one.whose, Whose::Kops { .. });
        if is_namespace && is_kops && one.class != Class::Port && inhabited.contains(&one.id.name) {
            one.class = Class::Port;
            one.rule = finding::INHABITED.id.into();
            one.source = finding::INHABITED.source.into();
            one.says = "kops made it for an add-on, and users' objects are in it".into();
        }
    }
}
