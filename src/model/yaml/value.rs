//! Nodes to JSON values, as sigs.k8s.io/yaml does it for kubectl.
//!
//! Keys become strings, floats without a fraction become integers, aliases and merges are expanded. Other than
//! kubectl this refuses duplicate keys, and it bounds what aliases may expand to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::budget::Budget;
use super::error::{Mark, YamlError, YamlErrorKind};
use super::key;
use super::limits::Limits;
use super::parse::too_deep;
use super::scalar::{Resolved, resolve};
use super::tree::{Content, NodeId, Scalar, Tag, Tree};

/// Why a node has no value.
enum Failure {
    /// kubectl stops here as well.
    Final(YamlError),
    /// A number without JSON notation. kubectl only notices if nothing replaces it in its mapping.
    Unless(YamlError),
}

impl From<YamlError> for Failure {
    fn from(error: YamlError) -> Self {
        Failure::Final(error)
    }
}

type Outcome<T> = Result<T, Failure>;

/// A mapping in the making.
#[derive(Default)]
struct Entries {
    values: Map<String, Value>,
    /// Keys whose value is a [`Failure::Unless`] so far.
    pending: BTreeMap<String, YamlError>,
}

impl Entries {
    /// Puts a value in. Says whether the key was there before.
    fn insert(&mut self, key: String, value: Outcome<Value>) -> Outcome<bool> {
        match value {
            Ok(value) if self.pending.is_empty() => Ok(self.values.insert(key, value).is_some()),
            Ok(value) => {
                let waited = self.pending.remove(&key).is_some();
                Ok(self.values.insert(key, value).is_some() || waited)
            }
            Err(Failure::Unless(error)) => {
                let known = self.values.remove(&key).is_some();
                Ok(self.pending.insert(key, error).is_some() || known)
            }
            Err(error) => Err(error),
        }
    }

    fn finish(self) -> Outcome<Value> {
        match self.pending.into_values().next() {
            None => Ok(Value::Object(self.values)),
            Some(error) => Err(Failure::Unless(error)),
        }
    }
}

struct Builder<'t, 'a> {
    tree: &'t Tree<'a>,
    max_depth: usize,
    budget: Budget,
}

/// Builds the JSON value of a document.
pub(super) fn build(tree: &Tree<'_>, root: NodeId, limits: &Limits) -> Result<Value, YamlError> {
    let mut builder = Builder { tree, max_depth: limits.max_depth, budget: Budget::new(limits) };
    builder.value(root, 0).map_err(|failure| match failure {
        Failure::Final(error) | Failure::Unless(error) => error,
    })
}

impl<'a> Builder<'_, 'a> {
    fn value(&mut self, id: NodeId, depth: usize) -> Outcome<Value> {
        let node = self.tree.node(id);
        self.budget.count(node.mark)?;
        if depth > self.max_depth {
            return Err(too_deep(node.mark, self.max_depth).into());
        }
        match &node.content {
            Content::Scalar(scalar) => self.scalar(scalar, node.mark),
            Content::Alias { target } => {
                self.budget.enter_alias();
                let value = self.value(*target, depth);
                self.budget.leave_alias();
                value
            }
            Content::Sequence { first } => {
                let mut values = Vec::new();
                for entry in self.tree.chain(*first) {
                    values.push(self.value(entry, depth + 1)?);
                }
                Ok(Value::Array(values))
            }
            Content::Mapping { first } => {
                let mut entries = Entries::default();
                self.mapping(*first, &mut entries, depth)?;
                entries.finish()
            }
        }
    }

    /// Puts the pairs of a mapping into `entries`, which holds others already when this one is merged into it.
    fn mapping(&mut self, first: Option<NodeId>, entries: &mut Entries, depth: usize) -> Outcome<()> {
        let tree = self.tree;
        // The keys of this mapping alone are remembered only if others can be in `entries`, too.
        let mut own: Option<BTreeSet<String>> = None;
        if !entries.values.is_empty() || !entries.pending.is_empty() || self.has_merge(first) {
            own = Some(BTreeSet::new());
        }
        for (key_id, value_id) in tree.pairs(first) {
            if key::is_merge(tree, key_id) {
                self.merge(value_id, entries, depth)?;
                continue;
            }
            let key = self.key(key_id)?;
            let value = self.value(value_id, depth + 1);
            let repeated = match &mut own {
                Some(own) => {
                    let repeated = !own.insert(key.clone());
                    entries.insert(key, value)?;
                    repeated
                }
                None => entries.insert(key, value)?,
            };
            if repeated {
                return Err(duplicate(tree, first, key_id).into());
            }
        }
        Ok(())
    }

    fn has_merge(&self, first: Option<NodeId>) -> bool {
        self.tree.pairs(first).any(|(key, _)| key::is_merge(self.tree, key))
    }

    /// Merges at the place where `<<` stands: it replaces keys before it and is replaced by keys behind it. That is
    /// what go-yaml v2 does, though the YAML merge type says that keys of the mapping itself always win.
    fn merge(&mut self, id: NodeId, entries: &mut Entries, depth: usize) -> Outcome<()> {
        if let Content::Sequence { first } = &self.tree.node(id).content {
            // Earlier sources win, so they come last.
            let mut sources: Vec<NodeId> = self.tree.chain(*first).collect();
            sources.reverse();
            for source in sources {
                self.merge_one(source, entries, depth)?;
            }
            return Ok(());
        }
        self.merge_one(id, entries, depth)
    }

    fn merge_one(&mut self, id: NodeId, entries: &mut Entries, depth: usize) -> Outcome<()> {
        let node = self.tree.node(id);
        let (mapping, is_alias) = match &node.content {
            Content::Alias { target } => (*target, true),
            _ => (id, false),
        };
        let Content::Mapping { first } = &self.tree.node(mapping).content else {
            return Err(YamlError::new(
                YamlErrorKind::Merge,
                node.mark,
                "'<<' can only take a mapping or a list of mappings; put \"<<\" into quotes if it is a plain key",
            )
            .into());
        };
        if depth > self.max_depth {
            return Err(too_deep(node.mark, self.max_depth).into());
        }
        self.budget.count(node.mark)?;
        if is_alias {
            self.budget.enter_alias();
            self.budget.count(node.mark)?;
        }
        // The depth grows so that a long chain of merges is bounded, too.
        let outcome = self.mapping(*first, entries, depth + 1);
        if is_alias {
            self.budget.leave_alias();
        }
        outcome
    }

    fn key(&mut self, id: NodeId) -> Outcome<String> {
        let node = self.tree.node(id);
        self.budget.count(node.mark)?;
        match &node.content {
            Content::Scalar(scalar) => {
                self.budget.charge(scalar, node.mark)?;
                Ok(key::print(scalar, node.mark)?)
            }
            Content::Alias { target } => {
                self.budget.enter_alias();
                let key = self.key(*target);
                self.budget.leave_alias();
                key
            }
            Content::Sequence { .. } | Content::Mapping { .. } => Err(key::not_a_key(node.mark).into()),
        }
    }

    fn scalar(&mut self, scalar: &Scalar<'a>, mark: Mark) -> Outcome<Value> {
        self.budget.charge(scalar, mark)?;
        match resolve(scalar).map_err(|_| tag_mismatch(scalar.tag, mark))? {
            Resolved::Null => Ok(Value::Null),
            Resolved::Bool(value) => Ok(Value::Bool(value)),
            Resolved::Int(value) => Ok(Value::from(value)),
            // Go's decoder knows int64 and float64 only.
            Resolved::Uint(value) => Ok(Value::from(value as f64)),
            Resolved::Float(value) => float(value).ok_or_else(|| {
                Failure::Unless(YamlError::new(
                    YamlErrorKind::Number,
                    mark,
                    "JSON has no infinity and no not-a-number; put the value into quotes if it is a string",
                ))
            }),
            Resolved::Text => Ok(Value::from(scalar.text.as_ref())),
            Resolved::Decoded(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Value::String(text)),
                Err(_) => Err(key::not_text(mark).into()),
            },
        }
    }
}

/// The JSON number for a float. Go writes it without a fraction where it can, and its decoder then takes it for an
/// integer; so `3.0` is 3. Infinities and not-a-number have none.
fn float(value: f64) -> Option<Value> {
    let number = Number::from_f64(value)?;
    if value.abs() >= 1e-6 && value.abs() < 1e21 || value == 0.0 {
        // The shortest digits, padded with zeros: not always the exact integer, but what Go writes.
        if let Ok(integer) = value.to_string().parse::<i64>() {
            return Some(Value::from(integer));
        }
    }
    Some(Value::Number(number))
}

fn tag_mismatch(tag: Tag, mark: Mark) -> YamlError {
    YamlError::new(
        YamlErrorKind::Tag,
        mark,
        format!("the value does not fit its tag {}; correct the value or remove the tag", tag.name()),
    )
}

/// The error for a key that stands in its mapping a second time.
fn duplicate(tree: &Tree<'_>, first: Option<NodeId>, second: NodeId) -> YamlError {
    let mark = tree.node(second).mark;
    let name = key::of_node(tree, second).unwrap_or_default();
    let earlier = tree
        .pairs(first)
        .map(|(key, _)| key)
        .filter(|key| !key::is_merge(tree, *key))
        .find(|key| key::of_node(tree, *key).as_deref() == Some(name.as_str()));
    let earlier = earlier.map_or(mark, |key| tree.node(key).mark);
    YamlError::new(
        YamlErrorKind::DuplicateKey { first: earlier },
        mark,
        format!(
            "the key {name:?} stands in this mapping already, at {earlier}; kubectl would silently keep the last \
             one, so remove one of them"
        ),
    )
}
