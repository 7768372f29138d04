//! Terms of node affinity. A term is a row of expressions that all have to hold; of several terms one is enough.

use super::super::super::edit::Weight;
use super::super::super::pointer::at;
use super::super::super::templates::scheduling_places;
use super::super::super::work::Work;
use super::fate::{Fate, fate};
use super::{tell, tell_zone, texts};
use serde_json::json;

/// What has become of an expression or a term.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// On some nodes, as before.
    Somewhere,
    /// On every node.
    Everywhere,
}

pub(super) fn node_affinity(work: &mut Work<'_>) {
    for place in scheduling_places(&work.object) {
        let affinity = format!("{place}/affinity/nodeAffinity");
        let required = at(&affinity, "requiredDuringSchedulingIgnoredDuringExecution");
        terms(work, &required);
        let preferred = at(&affinity, "preferredDuringSchedulingIgnoredDuringExecution");
        for item in work.items(&preferred) {
            if term(work, &at(&item, "preference")) == Holds::Everywhere {
                work.remove_for(
                    &item,
                    "every node of EKS has the preferred label: nothing is preferred by it",
                );
            }
        }
        if work.get(&preferred).is_some() && work.len(&preferred) == 0 {
            work.remove(&preferred);
        }
        for emptied in [affinity, at(&place, "affinity")] {
            if work.get(&emptied).is_some() && work.keys(&emptied).is_empty() && was_filled(work, &emptied) {
                work.remove(&emptied);
            }
        }
    }
}

/// Whether an empty mapping had something in it before the rules.
fn was_filled(work: &Work<'_>, pointer: &str) -> bool {
    work.original.pointer(pointer).and_then(serde_json::Value::as_object).is_some_and(|map| !map.is_empty())
}

/// A list of terms below `nodeSelectorTerms`. A term that holds everywhere makes the whole requirement vain. (An empty
/// term would hold nowhere.)
pub fn terms(work: &mut Work<'_>, requirement: &str) {
    let list = at(requirement, "nodeSelectorTerms");
    let items = work.items(&list);
    let vain = items.iter().map(|item| term(work, item)).filter(|holds| *holds == Holds::Everywhere).count();
    if vain > 0 {
        work.remove_for(requirement, "every node of EKS passes");
    }
}

fn term(work: &mut Work<'_>, pointer: &str) -> Holds {
    let expressions = at(pointer, "matchExpressions");
    let fields = at(pointer, "matchFields");
    let had = work.len(&expressions);
    for item in work.items(&expressions) {
        if expression(work, &item) == Holds::Everywhere {
            work.remove_for(&item, "it holds on every node of EKS");
        }
    }
    for item in work.items(&fields) {
        if work.text(&at(&item, "key")) == Some("metadata.name") {
            let why = Fate::Pinned("the named node does not exist in the new cluster".into());
            tell(work, &item, "metadata.name", &why);
        }
    }
    if had > 0 && work.len(&expressions) == 0 {
        if work.len(&fields) == 0 {
            return Holds::Everywhere;
        }
        work.remove(&expressions);
    }
    Holds::Somewhere
}

fn expression(work: &mut Work<'_>, pointer: &str) -> Holds {
    let Some(key) = work.text(&at(pointer, "key")).map(String::from) else { return Holds::Somewhere };
    let operator = work.text(&at(pointer, "operator")).unwrap_or_default().to_owned();
    let values = texts(work.get(&at(pointer, "values")));
    tell_zone(work, pointer, &key);
    match operator.as_str() {
        "In" => any_of(work, pointer, &key, &values),
        "Exists" => match fate(work.context, &key, None) {
            Fate::Always(_) => Holds::Everywhere,
            Fate::Rename { key: new, why, .. } => renamed(work, pointer, &new, None, &why),
            // A node's own name is a label of every node.
            Fate::Pinned(_) => Holds::Somewhere,
            other => told(work, pointer, &key, &other),
        },
        "NotIn" | "DoesNotExist" => none_of(work, pointer, &key, &operator, &values),
        _ => match fate(work.context, &key, None) {
            Fate::Rename { key: new, why, .. } => renamed(work, pointer, &new, None, &why),
            other => told(work, pointer, &key, &other),
        },
    }
}

fn told(work: &mut Work<'_>, pointer: &str, key: &str, fate: &Fate) -> Holds {
    tell(work, pointer, key, fate);
    Holds::Somewhere
}

fn renamed(work: &mut Work<'_>, pointer: &str, key: &str, values: Option<Vec<String>>, why: &str) -> Holds {
    work.set_for(&at(pointer, "key"), key, why);
    if let Some(values) = values {
        work.set_for(&at(pointer, "values"), json!(values), why);
    }
    Holds::Somewhere
}

fn any_of(work: &mut Work<'_>, pointer: &str, key: &str, values: &[String]) -> Holds {
    let fates: Vec<Fate> = values.iter().map(|value| fate(work.context, key, Some(value))).collect();
    if fates.iter().any(|fate| matches!(fate, Fate::Always(_))) {
        return Holds::Everywhere;
    }
    // Values that no node has any more do not matter beside one that some have.
    let possible = |fate: &&Fate| matches!(fate, Fate::Keep | Fate::Rename { .. });
    let mut kept: Vec<&Fate> = fates.iter().filter(possible).collect();
    if kept.is_empty() {
        return fates.first().map_or(Holds::Somewhere, |first| told(work, pointer, key, first));
    }
    for (fate, value) in fates.iter().zip(values).filter(|(fate, _)| !possible(fate)) {
        let says = format!("{key}={value} is on no node of the target; another value of the list is");
        work.remark(Weight::Warning, pointer, says);
        kept.retain(|other| *other != fate);
    }
    rename_all(work, pointer, key, values, &fates)
}

/// Renames a list of values where all of them go to one key.
fn rename_all(work: &mut Work<'_>, pointer: &str, key: &str, values: &[String], fates: &[Fate]) -> Holds {
    let mut new_key: Option<(&str, &str)> = None;
    let mut new_values = Vec::new();
    for (fate, value) in fates.iter().zip(values) {
        match fate {
            Fate::Rename { key: new, value: renamed, why } => {
                if new_key.is_some_and(|(other, _)| other != new) {
                    return apart(work, pointer, key);
                }
                new_key = Some((new, why));
                let renamed = renamed.clone().unwrap_or_else(|| value.clone());
                if !new_values.contains(&renamed) {
                    new_values.push(renamed);
                }
            }
            Fate::Keep if new_key.is_some() => return apart(work, pointer, key),
            _ => {}
        }
    }
    match new_key {
        None => Holds::Somewhere,
        Some(_) if fates.contains(&Fate::Keep) => apart(work, pointer, key),
        Some((new, why)) => {
            let (new, why) = (new.to_owned(), why.to_owned());
            renamed(work, pointer, &new, Some(new_values), &why)
        }
    }
}

fn apart(work: &mut Work<'_>, pointer: &str, key: &str) -> Holds {
    work.remark(
        Weight::Choice,
        pointer,
        format!("values of {key} are told by several labels in the target: one expression cannot say it; write several terms"),
    );
    Holds::Somewhere
}

fn none_of(work: &mut Work<'_>, pointer: &str, key: &str, operator: &str, values: &[String]) -> Holds {
    let asked: Vec<Option<&str>> = if operator == "NotIn" {
        values.iter().map(|value| Some(value.as_str())).collect()
    } else {
        vec![None]
    };
    let fates: Vec<Fate> = asked.iter().map(|value| fate(work.context, key, *value)).collect();
    if fates.iter().any(|fate| matches!(fate, Fate::Always(_))) && !work.context.node_labels.contains_key(key)
    {
        work.remark(
            Weight::Blocker,
            pointer,
            format!(
                "{key} excluded every worker: the pod ran on the control plane, which has no node in EKS"
            ),
        );
        return Holds::Somewhere;
    }
    if operator == "NotIn" {
        return rename_all(work, pointer, key, values, &fates);
    }
    match fates.into_iter().next() {
        Some(Fate::Rename { key: new, why, .. }) => renamed(work, pointer, &new, None, &why),
        // What no node has, no node has.
        _ => Holds::Somewhere,
    }
}
