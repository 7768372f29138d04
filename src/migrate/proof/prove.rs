//! The proof as a whole.

use super::compare::{Found, Scaled, compare};
use super::digest::{Key, digested};
use super::extra::Held;
use super::facts::{Fact, compared, facts};
use crate::model::ResourceId;
use crate::transform::{Context, Edit, identity, transform_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a proof needs to know beside the objects.
#[derive(Clone, Debug)]
pub struct Explain {
    /// The key for Secrets.
    pub key: Key,
    /// The target's range of Services: an address out of it is no address that the target gave.
    pub service_range: Option<String>,
    /// Ready endpoints by Service as they have to be; `None`: they are not compared (nothing runs yet).
    pub endpoints: Option<BTreeMap<String, usize>>,
    /// What the rules changed on the way from the source, for the report.
    pub edits: BTreeMap<ResourceId, Vec<Edit>>,
    /// Whether explained differences are listed one by one. They are counted in any case; of ten thousand objects the list
    /// is long.
    pub keep_explained: bool,
}

impl Explain {
    /// Objects only, with every explained difference listed.
    #[must_use]
    pub const fn with(key: Key) -> Self {
        Self { key, service_range: None, endpoints: None, edits: BTreeMap::new(), keep_explained: true }
    }
}

/// A field, an object or an answer that is not the same on both sides. Values of Secrets are digests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The object, as `Kind.group namespace/name`.
    pub object: String,
    /// JSON pointer into it; empty: the object as a whole.
    pub pointer: String,
    /// As expected; `None`: nothing.
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// As it is held; `None`: nothing.
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The rule or the known default that made it; `None`: a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained_by: Option<String>,
}

/// A value that is there and null is not one that is missing.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How many there are of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Objects that were expected.
    pub expected: usize,
    /// Of these, objects without a difference that nothing explains.
    pub equal: usize,
    /// Expected objects that are not there.
    pub missing: usize,
    /// Objects that are there and that neither the source nor a known controller explains.
    pub extra: usize,
    /// Objects that are there because a known controller makes them.
    pub derived: usize,
    /// Differences by what explains them.
    pub explained: BTreeMap<String, usize>,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether every difference is explained and every fact the same.
    pub equal: bool,
    /// Differences: failures first, then by object and pointer.
    pub differences: Vec<Difference>,
    /// Numbers.
    pub counts: Counts,
    /// What a person asks first.
    pub facts: Vec<Fact>,
}

impl Proof {
    /// The differences that nothing explains.
    pub fn failures(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.explained_by.is_none())
    }

    /// The proof with more differences, such as those of [`prove_access`](super::prove_access).
    #[must_use]
    pub fn and(mut self, more: Vec<Difference>) -> Self {
        for difference in more {
            match &difference.explained_by {
                Some(line) => *self.counts.explained.entry(line.clone()).or_default() += 1,
                None => self.equal = false,
            }
            self.differences.push(difference);
        }
        self.sort();
        self
    }

    fn sort(&mut self) {
        self.differences.sort_by(|a, b| {
            let key = |d: &Difference| (d.explained_by.is_some(), d.object.clone(), d.pointer.clone());
            key(a).cmp(&key(b))
        });
    }
}

/// Compares the objects that the target has to hold (the source's, through the rules) with those that it holds.
///
/// What `actual` has beyond them is a failure unless a known controller makes it: give the objects of the namespaces and
/// kinds in question.
#[must_use]
pub fn prove(expected: &[Value], actual: &[Value], explain: &Explain) -> Proof {
    let (expected, actual) = (hidden(expected, &explain.key), hidden(actual, &explain.key));
    let mut run = Run { explain, proof: Proof::default() };
    let (wanted, twice) = index(&expected);
    let (held, _) = index(&actual);
    for id in twice {
        run.push(&id, "", Some("given twice".into()), None, None);
    }
    let scaled = autoscaled(wanted.values().copied());
    for (id, object) in &wanted {
        run.object(id, object, held.get(id).copied(), &scaled);
    }
    let makers = Held::of(&held);
    for (id, object) in held.iter().filter(|(id, _)| !wanted.contains_key(id)) {
        match makers.maker(object) {
            Some(_) => run.proof.counts.derived += 1,
            None => {
                run.proof.counts.extra += 1;
                run.push(id, "", None, Some("an object that nobody expects".into()), None);
            }
        }
    }
    run.facts(&wanted, &held, &scaled);
    let mut proof = run.proof;
    proof.equal = proof.failures().next().is_none() && proof.facts.iter().all(|fact| fact.equal);
    proof.sort();
    proof
}

/// Transforms the source and proves the target: [`prove`] with the rules' own changes among the explained differences.
#[must_use]
pub fn prove_move(source: &[Value], context: &Context, actual: &[Value], explain: &Explain) -> Proof {
    let mut explain = explain.clone();
    let mut expected = Vec::new();
    for (object, done) in source.iter().zip(transform_all(source, context)) {
        if let (Some(id), true) = (identity(object), done.dropped.is_none()) {
            explain.edits.entry(id).or_default().extend(done.edits);
        }
        expected.extend(done.objects);
    }
    prove(&expected, actual, &explain)
}

/// Objects with digests in place of what must not be seen.
fn hidden<'v>(objects: &'v [Value], key: &Key) -> Vec<Cow<'v, Value>> {
    let hide = |object: &'v Value| match object["kind"] == "Secret" {
        true => Cow::Owned(digested(object, key)),
        false => Cow::Borrowed(object),
    };
    objects.iter().map(hide).collect()
}

fn index<'v>(objects: &'v [Cow<'_, Value>]) -> (BTreeMap<ResourceId, &'v Value>, Vec<ResourceId>) {
    let mut index: BTreeMap<ResourceId, &Value> = BTreeMap::new();
    let mut twice = Vec::new();
    for object in objects.iter().map(AsRef::as_ref) {
        let Some(id) = identity(object) else { continue };
        if index.insert(id.clone(), object).is_some_and(|before| before != object) {
            twice.push(id);
        }
    }
    (index, twice)
}

/// Bounds of replicas by what an autoscaler of the set scales.
fn autoscaled<'v>(objects: impl Iterator<Item = &'v Value>) -> Scaled {
    let mut scaled = Scaled::new();
    for object in objects.filter(|object| object["kind"] == "HorizontalPodAutoscaler") {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        let target = text("/spec/scaleTargetRef/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let (kind, name) = (text("/spec/scaleTargetRef/kind"), text("/spec/scaleTargetRef/name"));
        let id = ResourceId::new(target, kind, text("/metadata/namespace"), name);
        if let Some(most) = number("/spec/maxReplicas") {
            scaled.insert(id.to_string(), (number("/spec/minReplicas").unwrap_or(1), most));
        }
    }
    scaled
}

struct Run<'a> {
    explain: &'a Explain,
    proof: Proof,
}

impl Run<'_> {
    fn object(&mut self, id: &ResourceId, expected: &Value, actual: Option<&Value>, scaled: &Scaled) {
        self.proof.counts.expected += 1;
        if let Some(edits) = self.explain.edits.get(id) {
            for edit in edits {
                self.push(id, &edit.pointer, edit.old.clone(), edit.new.clone(), Some(edit.rule.clone()));
            }
        }
        let Some(actual) = actual else {
            self.proof.counts.missing += 1;
            return self.push(id, "", Some("the object".into()), None, None);
        };
        let range = self.explain.service_range.as_deref();
        let bounds = scaled.get(&id.to_string()).copied();
        let found = compare(expected, actual, &id.group_kind().to_string(), range, bounds);
        self.proof.counts.equal += usize::from(found.iter().all(|found| found.explained_by.is_some()));
        for Found { pointer, expected, actual, explained_by } in found {
            self.push(id, &pointer, expected, actual, explained_by);
        }
    }

    fn push(
        &mut self,
        id: &ResourceId,
        pointer: &str,
        expected: Option<Value>,
        actual: Option<Value>,
        explained_by: Option<String>,
    ) {
        if let Some(line) = &explained_by {
            *self.proof.counts.explained.entry(line.clone()).or_default() += 1;
            if !self.explain.keep_explained {
                return;
            }
        }
        let (object, pointer) = (id.to_string(), pointer.to_owned());
        self.proof.differences.push(Difference { object, pointer, expected, actual, explained_by });
    }

    /// Facts of the objects that were expected; what else is there has been told already.
    fn facts(
        &mut self,
        wanted: &BTreeMap<ResourceId, &Value>,
        held: &BTreeMap<ResourceId, &Value>,
        scaled: &Scaled,
    ) {
        let key = &self.explain.key;
        let mut expected = facts(wanted.values().copied(), key);
        let mut actual = facts(wanted.keys().filter_map(|id| held.get(id).copied()), key);
        // Within its bounds the autoscaler decides.
        for (name, (least, most)) in scaled {
            if let (Some(before), Some(now)) = (expected.replicas.get_mut(name), actual.replicas.get(name))
                && (least..=most).contains(&now)
            {
                *before = *now;
            }
        }
        if let Some(endpoints) = &self.explain.endpoints {
            let now = super::facts::endpoints(held.values().copied());
            actual.endpoints =
                now.into_iter().filter(|(service, _)| endpoints.contains_key(service)).collect();
            expected.endpoints = endpoints.clone();
        }
        self.proof.facts = compared(&expected, &actual);
    }
}
