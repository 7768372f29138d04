//! The proof of a part: what the target holds is what the source held, through the rules and the stage's own holding.

use super::desired::{Desired, Level, Part};
use super::fence::FENCE;
use super::look::Known;
use super::port::MADE_BY;
use super::sight::{Sight, is, is_in, name};
use crate::migrate::proof::{Answers, Question};
use crate::migrate::proof::{Explain, Proof, mapped, prove, prove_access, questions};
use crate::model::migration::Gate;
use crate::transform::identity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Questions of both sides: those that the source's RBAC raises, and the same as the target knows the subjects.
#[must_use]
pub fn asked(known: &Known<'_>) -> (BTreeSet<Question>, BTreeSet<Question>) {
    // Only roles that go over can be asked about: kops' own and Kubernetes' own are the cluster's.
    let carried: Vec<Value> = known
        .before
        .iter()
        .filter(|object| {
            let class = identity(object).and_then(|id| known.classes.get(&id)).map(|one| &one.class);
            matches!(class, Some(crate::migrate::own::Class::Port))
        })
        .cloned()
        .collect();
    let there = questions(&carried);
    let here = there.iter().filter_map(|question| mapped(question, &known.context.identities)).collect();
    (there, here)
}

/// Proves a part; `None` while the answers about access are not there.
#[must_use]
pub fn proof(known: &Known<'_>, target: &Sight, part: Part<'_>, level: Level) -> Option<Proof> {
    let Desired { objects, edits, .. } = known.intent().desired(part, level);
    let index = target.index();
    let expected: Vec<Value> = objects
        .into_iter()
        .map(|(_, mut object)| {
            // The mark of what the migration made is its own, and no difference.
            let live = identity(&object).and_then(|id| index.get(&id).copied());
            if let Some(mark) =
                live.and_then(|live| live.pointer("/metadata/annotations")?.get(MADE_BY).cloned())
            {
                object["metadata"]["annotations"][MADE_BY] = mark;
            }
            object
        })
        .collect();
    let kinds: BTreeSet<&str> = expected.iter().filter_map(|object| object["kind"].as_str()).collect();
    let ids: BTreeSet<_> = expected.iter().filter_map(identity).collect();
    let belongs = |object: &&Value| match part {
        Part::Wave(namespaces) => {
            (is_in(object, namespaces) && kinds.contains(object["kind"].as_str().unwrap_or_default()))
                || (is(object, "", "Namespace") && namespaces.contains(name(object)))
        }
        // What lives in no namespace is the cluster's as well: only what is expected is looked at.
        Part::Whole => identity(object).is_some_and(|id| ids.contains(&id)),
    };
    // What every namespace or every cluster has of its own, where nothing of it is carried over.
    let is_shared = |object: &&Value| {
        let own = is(object, "", "ServiceAccount") || is(object, "", "Namespace");
        let default = own && name(object) == "default";
        let own = name(object) == FENCE || default || super::bridges::is_bridge(object);
        own && identity(object).is_none_or(|id| !ids.contains(&id))
    };
    let actual: Vec<Value> =
        target.objects.iter().filter(belongs).filter(|object| !is_shared(object)).cloned().collect();
    let explain = Explain { edits, keep_explained: false, ..Explain::with(known.look.key.clone()) };
    let mut proof = prove(&expected, &actual, &explain);
    let (there, _) = asked(known);
    if !there.is_empty() {
        let (before, after) = known.look.answers?;
        let of_part = |question: &Question| match part {
            Part::Wave(namespaces) => namespaces.contains(&question.namespace),
            Part::Whole => question.namespace.is_empty(),
        };
        let expected: Answers =
            before.iter().filter(|(question, _)| of_part(question)).map(|(q, a)| (q.clone(), *a)).collect();
        proof = proof.and(prove_access(&expected, after, &known.context.identities));
    }
    Some(proof)
}

/// The gate of a proof.
#[must_use]
pub fn gate(proof: &Proof) -> Option<Gate> {
    if proof.equal {
        return None;
    }
    let failures: Vec<String> =
        proof.failures().map(|difference| format!("{} {}", difference.object, difference.pointer)).collect();
    let facts = proof.facts.iter().filter(|fact| !fact.equal).map(|fact| fact.what.clone());
    let all: Vec<String> = failures.into_iter().chain(facts).collect();
    let first = all.first().map(String::as_str).unwrap_or_default().trim().to_owned();
    Some(Gate::Blocked {
        what: format!(
            "{} of {} objects are equal; {} differences are not explained, the first is {first}",
            proof.counts.equal,
            proof.counts.expected,
            all.len()
        ),
        way_out: "mend the target, or the source; what is equal again passes by itself".into(),
    })
}

/// What a proof comes to, for the status.
#[must_use]
pub fn summary(proof: &Proof) -> BTreeMap<String, usize> {
    BTreeMap::from([
        ("expected".to_owned(), proof.counts.expected),
        ("equal".to_owned(), proof.counts.equal),
        ("unexplained".to_owned(), proof.failures().count()),
    ])
}
