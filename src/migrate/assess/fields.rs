//! One verdict for every field that the specs set.

use super::context::Context;
use super::rule::{Rule, Ruling, Set, accepted, offers};
use super::table;
use crate::migrate::verdict::{Level, Verdict};
use crate::model::kops::{Field, Kind, Pattern, Role, Spec, is_known, nearest_known};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Verdicts of the Cluster as written, of what kops added to it, of the groups, and of what stands beside them.
pub(super) fn verdicts(context: &Context<'_>) -> Vec<Verdict> {
    let state = context.state;
    let mut verdicts: Vec<Verdict> = document(context, &state.cluster, &state.cluster.fields, false);
    if let Some(completed) = &state.completed
        && completed.origin != state.cluster.origin
    {
        let written: BTreeSet<&str> =
            state.cluster.fields.iter().map(|field| field.pointer.as_str()).collect();
        let newest: BTreeSet<_> = state.cluster.fields.iter().map(|field| &field.path).collect();
        let added: Vec<Field> = completed
            .fields
            .iter()
            .filter(|field| !written.contains(field.pointer.as_str()) && !newest.contains(&field.path))
            .cloned()
            .collect();
        verdicts.extend(document(context, completed, &added, true));
    }
    for group in &state.groups {
        verdicts.extend(document(context, group, &group.fields, false));
    }
    verdicts.extend(state.others.iter().map(|other| table::others::verdict(context, other)));
    verdicts
}

fn document(context: &Context<'_>, spec: &Spec, fields: &[Field], by_default: bool) -> Vec<Verdict> {
    fields.iter().map(|field| one(context, &Set { spec, by_default, field })).collect()
}

/// How a document is told: what kops added is told apart from what a person wrote.
fn subject(set: &Set<'_>) -> String {
    if set.by_default { format!("{} (completed)", set.spec.subject()) } else { set.spec.subject() }
}

fn one(context: &Context<'_>, set: &Set<'_>) -> Verdict {
    let subject = subject(set);
    let pointer = &set.field.pointer;
    if !is_known(set.spec.kind, &set.field.path) {
        let near = nearest_known(set.spec.kind, &set.field.path);
        let hint = near.map(|near| format!("; did its author mean `{near}`?")).unwrap_or_default();
        let says = format!(
            "`{}` is no field of kops 1.10 to 1.37, and nobody knows what it does{hint}",
            set.field.path
        );
        let offers = accepted("it is left out: no release of kops has acted on it");
        return context.verdict(&subject, pointer, UNKNOWN, KOPS_API, Ruling::blocker(says, offers));
    }
    if let Some(ruling) = of_dropped_group(set) {
        return context.verdict(&subject, pointer, ruling.0, KOPS_API, ruling.1);
    }
    let Some(rule) = rule_of(set.spec.kind, set.field) else {
        if is_empty(&set.field.value) {
            return context.verdict(
                &subject,
                pointer,
                EMPTY,
                KOPS_API,
                Ruling::irrelevant("it says nothing"),
            );
        }
        let says = format!("no rule says what becomes of `{}`", set.field.path);
        let offers = accepted("it is left out");
        return context.verdict(
            &subject,
            pointer,
            "kops.field.no-rule",
            KOPS_API,
            Ruling::blocker(says, offers),
        );
    };
    let mut ruling = rule.judge.map_or_else(Ruling::as_written, |judge| judge(context, set));
    if let Some(accept) = rule.waivable
        && ruling.level.is_none()
        && ruling.offers.is_empty()
    {
        ruling.offers = accepted(accept);
    }
    if ruling.level == Some(Level::Choice) || (ruling.level.is_none() && rule.level == Level::Choice) {
        let any = ruling.offers.iter().any(|offer| offer.proposed);
        if !any {
            ruling.offers = offers(ruling.offers);
        }
    }
    let level = ruling.level.unwrap_or(rule.level);
    let carried = !matches!(level, Level::Irrelevant);
    context.settle(Verdict {
        subject,
        field: pointer.clone(),
        level,
        rule: rule.id.to_owned(),
        source: rule.source.to_owned(),
        says: ruling.says.unwrap_or_else(|| rule.says.to_owned()),
        becomes: ruling.becomes.or_else(|| rule.becomes.filter(|_| carried).map(str::to_owned)),
        choices: ruling.offers,
    })
}

/// The rule of lists and mappings with nothing in them, which say as much as none.
const EMPTY: &str = "kops.field.empty";

fn is_empty(value: &serde_json::Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// The rule of unknown fields.
pub(super) const UNKNOWN: &str = "kops.field.unknown";
const KOPS_API: &str = "kops API, pkg/apis/kops of its releases 1.10 to 1.37";

/// Groups that EKS has no place for are told as wholes: what stands in them goes with them.
fn of_dropped_group(set: &Set<'_>) -> Option<(&'static str, Ruling)> {
    if set.spec.kind != Kind::InstanceGroup || set.field.path.last_key() == "role" {
        return None;
    }
    match set.spec.role() {
        Role::ControlPlane => Some((
            "kops.group.control-plane",
            Ruling::irrelevant("EKS runs the control plane; the group goes"),
        )),
        Role::Bastion => {
            Some(("kops.group.bastion", Ruling::irrelevant("the bastion is told as a whole by its role")))
        }
        Role::Node | Role::Other(_) => None,
    }
}

struct Row {
    pattern: Pattern<'static>,
    rule: &'static Rule,
}

/// The most exact row that fits.
fn rule_of(kind: Kind, field: &Field) -> Option<&'static Rule> {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let mut rows: Vec<Row> = table::all()
            .flat_map(|rule| rule.fields.iter().map(move |text| Row { pattern: Pattern::new(text), rule }))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.pattern.exactness(), row.rule.kind.is_some())));
        rows
    });
    let fits = |row: &&Row| row.rule.kind.is_none_or(|of| of == kind) && row.pattern.matches(&field.path);
    ROWS.iter().find(fits).map(|row| row.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kops::{Path, known_fields};
    use serde_json::json;

    #[test]
    fn every_field_that_kops_has_had_has_a_rule() {
        for kind in [Kind::Cluster, Kind::InstanceGroup] {
            let ruled = |path: &Path| {
                rule_of(kind, &Field { pointer: String::new(), path: path.clone(), value: json!("x") })
                    .is_some()
            };
            let fields = known_fields(kind);
            assert!(fields.len() > 150, "{}", fields.len());
            let without: Vec<String> =
                fields.iter().filter(|path| !ruled(path)).map(Path::to_string).collect();
            assert_eq!(without, [""; 0], "{kind}");
        }
    }

    #[test]
    fn ids_of_rules_are_well_formed_and_each_stands_once_for_a_kind() {
        let mut seen = BTreeSet::new();
        for rule in table::all() {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
            assert!(rule.id.starts_with("kops.") && rule.id.chars().all(word), "{}", rule.id);
            assert!(!rule.source.is_empty() && !rule.fields.is_empty(), "{}", rule.id);
            for field in rule.fields {
                assert!(seen.insert((rule.kind.map(Kind::as_str), *field)), "{field} stands twice");
            }
        }
    }
}
