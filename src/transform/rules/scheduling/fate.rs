//! What becomes of one node label in a term of scheduling.

use super::super::super::context::Context;
use super::super::super::tables::{LABELS, LabelFate};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It is told in another way. The value is the one to write for the one that was asked about.
    Rename {
        /// The new key.
        key: String,
        /// The new value, where one was asked about.
        value: Option<String>,
        /// Why.
        why: String,
    },
    /// Every node of the target passes.
    Always(String),
    /// No node of the target passes.
    Never(String),
    /// It names one node of the old cluster.
    Pinned(String),
    /// It has to be renamed, and nobody has said how.
    Custom(String),
    /// The instance group has no node group.
    NoNodeGroup(String),
}

/// What becomes of a label, with one of its values or (a topology key, `Exists`) without.
#[must_use]
pub fn fate(context: &Context, key: &str, value: Option<&str>) -> Fate {
    if let Some(fate) = chosen(context, key, value) {
        return fate;
    }
    let Some(row) = LABELS.iter().find(|row| row.fits(key, value)) else {
        return Fate::Keep;
    };
    let why = row.why.clone();
    let to = row.to.clone().unwrap_or_default();
    match row.becomes {
        LabelFate::Unchanged => Fate::Keep,
        LabelFate::Rename => Fate::Rename { key: to, value: value.map(String::from), why },
        LabelFate::InstanceGroup => match value.map(|group| (group, context.node_groups.get(group))) {
            None => Fate::Rename { key: to, value: None, why },
            Some((_, Some(node_group))) => Fate::Rename { key: to, value: Some(node_group.clone()), why },
            Some((group, None)) => Fate::NoNodeGroup(group.to_owned()),
        },
        LabelFate::Capacity => {
            let spot = |value: &str| if value == "false" { "ON_DEMAND" } else { "SPOT" };
            Fate::Rename { key: to, value: value.map(|value| spot(value).to_owned()), why }
        }
        LabelFate::Always => Fate::Always(why),
        LabelFate::Never if context.forget_control_plane => {
            Fate::Always(format!("{why}, and it was agreed that the pod may run on any"))
        }
        LabelFate::Never => Fate::Never(why),
        LabelFate::Pinned => Fate::Pinned(why),
        LabelFate::Custom => Fate::Custom(why),
    }
}

/// What a person has decided.
fn chosen(context: &Context, key: &str, value: Option<&str>) -> Option<Fate> {
    let exact = value.and_then(|value| context.node_labels.get(&format!("{key}={value}")));
    let to = exact.or_else(|| context.node_labels.get(key))?;
    let why = "the migration's mapping of node labels says so".to_owned();
    if to.is_empty() {
        return Some(Fate::Always(why));
    }
    let (new, new_value) = match to.split_once('=') {
        Some((new, value)) => (new, Some(value.to_owned())),
        None => (to.as_str(), None),
    };
    let value = value.map(|value| new_value.unwrap_or_else(|| value.to_owned()));
    Some(Fate::Rename { key: new.to_owned(), value, why })
}
