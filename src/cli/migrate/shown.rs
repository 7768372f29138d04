//! An assessment as text, JSON and HTML.

use crate::migrate::assess::packing::picture;
use crate::migrate::assess::report;
use crate::migrate::overview::Overview;
use crate::migrate::verdict::{Level, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// For programs.
pub fn json(overview: &Overview) -> Value {
    let mut told = report::json(&overview.assessment);
    let more = json!({
        "numbers": overview.numbers(),
        "objects": overview.objects,
        "owners": overview.owned,
        "waves": overview.waves,
        "calls": calls(overview),
        "outside": overview.outside,
        "drift": overview.drift,
        "packing": overview.packing,
        "unread": overview.unread,
    });
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

/// Calls with where they were seen.
fn calls(overview: &Overview) -> Value {
    let edges = overview.calls.edges.iter();
    edges.map(|(edge, seen)| json!({"from": edge.from, "to": edge.to, "seen": seen})).collect()
}

/// For people: what needs one in full, the rest in numbers unless `all` is wanted.
pub fn text(overview: &Overview, all: bool) -> Vec<String> {
    let assessment = &overview.assessment;
    let mut lines = vec![format!("{} to EKS", assessment.cluster)];
    let counts = assessment.counts();
    let told: Vec<String> = Level::ALL
        .iter()
        .filter_map(|level| counts.get(level).map(|count| format!("{count} {level}")))
        .collect();
    lines.push(told.join(", "));
    lines.push(match (&assessment.config, assessment.is_blocked()) {
        (Some(_), false) => {
            "The ClusterConfig is whole and valid; nothing keeps the move from beginning.".into()
        }
        (Some(_), true) => {
            "The ClusterConfig is whole and valid; the Blockers have to go before the move.".into()
        }
        (None, true) => "There is no ClusterConfig before the Blockers are out of the way.".into(),
        (None, false) => {
            "There is no ClusterConfig before the ids of what kops made are known: read the account as well (--aws), or record \
             them as choices."
                .into()
        }
    });
    objects(overview, &mut lines);
    for level in Level::ALL {
        let in_full = all || matches!(level, Level::Blocker | Level::Choice | Level::Warning);
        let count = counts.get(&level).copied().unwrap_or_default();
        if count == 0 {
            continue;
        }
        if !in_full {
            lines.push(format!("\n{level}: {count}, listed with --all"));
            continue;
        }
        lines.push(format!("\n{level} ({count})"));
        let mut by_subject: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
        for verdict in assessment.of_level(level) {
            by_subject.entry(&verdict.subject).or_default().push(verdict);
        }
        for (subject, verdicts) in by_subject {
            lines.push(format!("  {subject}"));
            verdicts.into_iter().for_each(|one| verdict(one, &mut lines));
        }
    }
    if let Some(packing) = &overview.packing {
        lines.push("\nWhere everything would run".into());
        lines.extend(picture(packing).lines().map(|line| format!("  {line}")));
    }
    if !assessment.notes.is_empty() {
        lines.push("\nNotes".into());
        lines.extend(assessment.notes.iter().map(|note| format!("  {note}")));
    }
    lines
}

fn objects(overview: &Overview, lines: &mut Vec<String>) {
    if overview.objects.is_empty() {
        return;
    }
    let numbers = overview.numbers();
    let of = |class: &str| numbers.classes.get(class).copied().unwrap_or_default();
    lines.push(format!(
        "{} objects: {} carried over ({} declared somewhere, {} in the cluster only), {} replaced, {} left behind, {} to be decided.",
        overview.objects.len(),
        of("port"),
        numbers.declared,
        numbers.live_only,
        of("replace"),
        of("drop"),
        of("ask"),
    ));
    if !overview.waves.is_empty() {
        let waves: Vec<String> = overview
            .waves
            .iter()
            .map(|wave| wave.namespaces.iter().cloned().collect::<Vec<_>>().join(" + "))
            .collect();
        lines.push(format!("Namespaces that can move one after the other: {}.", waves.join(", ")));
    }
}

fn verdict(verdict: &Verdict, lines: &mut Vec<String>) {
    let becomes = verdict.becomes.as_deref().map(|to| format!(" -> {to}")).unwrap_or_default();
    if !verdict.field.is_empty() {
        lines.push(format!("    {}", verdict.field));
    }
    lines.push(format!("      {}{becomes}", verdict.says));
    for offer in &verdict.choices {
        let mark = if offer.proposed { "*" } else { "-" };
        lines.push(format!("      {mark} {}: {}", offer.id, offer.says));
    }
    lines.push(format!("      [{}] {}", verdict.rule, verdict.source));
}
