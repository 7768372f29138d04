//! Requirements on labels: of nodes, and of pods in the same place.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// A requirement on one label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selector {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq)]
enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
    Greater(i64),
    Less(i64),
    /// No operator of Kubernetes': nothing fulfils it.
    Unknown,
}

impl Selector {
    pub(super) fn of(key: String, operator: &Value, values: &Value) -> Self {
        let values: BTreeSet<String> =
            values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let number = || values.first().and_then(|value| value.parse().ok());
        let operator = match operator.as_str() {
            Some("In") => Operator::In(values),
            Some("NotIn") => Operator::NotIn(values),
            Some("Exists") => Operator::Exists,
            Some("DoesNotExist") => Operator::DoesNotExist,
            Some("Gt") => number().map_or(Operator::Unknown, Operator::Greater),
            Some("Lt") => number().map_or(Operator::Unknown, Operator::Less),
            _ => Operator::Unknown,
        };
        Self { key, operator }
    }

    pub(super) fn fits(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Greater(than) => number().is_some_and(|number| number > *than),
            Operator::Less(than) => number().is_some_and(|number| number < *than),
            Operator::Unknown => false,
        }
    }

    /// In words.
    pub(super) fn told(&self) -> String {
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(" or ");
        match &self.operator {
            Operator::In(values) => format!("{}={}", self.key, list(values)),
            Operator::NotIn(values) => format!("{} not {}", self.key, list(values)),
            Operator::Exists => format!("a label {}", self.key),
            Operator::DoesNotExist => format!("no label {}", self.key),
            Operator::Greater(than) => format!("{} above {than}", self.key),
            Operator::Less(than) => format!("{} below {than}", self.key),
            Operator::Unknown => format!("an unknown requirement on {}", self.key),
        }
    }
}

/// A label selector as Kubernetes has it. Without anything in it, it means every pod; absent, none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PodSelector(Option<Vec<Selector>>);

impl PodSelector {
    fn read(value: &Value) -> Self {
        let Some(fields) = value.as_object() else { return Self(None) };
        let labels = fields.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
        let mut all: Vec<Selector> = labels
            .map(|(key, value)| {
                let only = Operator::In(BTreeSet::from([value.as_str().unwrap_or_default().to_owned()]));
                Selector { key: key.clone(), operator: only }
            })
            .collect();
        let expressions = fields.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
        all.extend(expressions.map(|expression| {
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            Selector::of(key, &expression["operator"], &expression["values"])
        }));
        Self(Some(all))
    }

    pub(super) fn fits(&self, labels: &Labels) -> bool {
        self.0.as_ref().is_some_and(|all| all.iter().all(|selector| selector.fits(labels)))
    }
}

/// Pods that have to be, or must not be, in the same place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    selector: PodSelector,
    /// Namespaces; none: every one.
    namespaces: Option<BTreeSet<String>>,
    /// The label whose value says what one place is.
    pub topology: String,
}

impl Term {
    pub(super) fn read(term: &Value, own: &str, key: impl Fn(&str) -> String) -> Self {
        let named: BTreeSet<String> = term["namespaces"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        // A selector of namespaces needs their labels, which are not here: it is taken to mean every one.
        let namespaces = match (named.is_empty(), term["namespaceSelector"].is_object()) {
            (_, true) => None,
            (true, false) => Some(BTreeSet::from([own.to_owned()])),
            (false, false) => Some(named),
        };
        Self {
            selector: PodSelector::read(&term["labelSelector"]),
            namespaces,
            topology: key(term["topologyKey"].as_str().unwrap_or_default()),
        }
    }

    pub(super) fn means(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespaces.as_ref().is_none_or(|names| names.contains(namespace)) && self.selector.fits(labels)
    }
}

/// How evenly pods have to be spread (KEP-895).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread {
    selector: PodSelector,
    /// The label whose value says what one place is.
    pub topology: String,
    /// Most that one place may have beyond the emptiest.
    pub skew: usize,
}

impl Spread {
    pub(super) fn read(constraint: &Value, key: impl Fn(&str) -> String) -> Self {
        let skew = constraint["maxSkew"].as_u64().and_then(|skew| usize::try_from(skew).ok());
        Self {
            selector: PodSelector::read(&constraint["labelSelector"]),
            topology: key(constraint["topologyKey"].as_str().unwrap_or_default()),
            skew: skew.unwrap_or(1).max(1),
        }
    }

    pub(super) fn means(&self, labels: &Labels) -> bool {
        self.selector.fits(labels)
    }
}
