//! Plans of clusters as text.

use crate::cli::output::{self, Colour, coloured};
use crate::engine::clusters::{ClusterPreview, StepPreview};
use crate::model::event::FieldDrift;
use crate::model::plan::Verdict;
use crate::provision::resource::Kind;
use crate::provision::{StepAction, wording};
use std::collections::BTreeMap;

/// As many steps with one reason have it told once.
const SHARED: usize = 3;

/// Prints a plan. `approve` is the command that approves what is held: `cluster apply`.
pub fn plan(preview: &ClusterPreview, approve: &str) {
    let ClusterPreview { name, cluster, region, account, revision, .. } = preview;
    output::line(&format!(
        "{name}: EKS cluster {cluster} in {region} of account {account} at {revision}: {}",
        summary(preview)
    ));
    for problem in &preview.problems {
        output::line(&coloured(Colour::Yellow, &format!("  ? {problem}")));
    }
    unread(preview);
    if let Some(course) = &preview.course {
        output::line(&format!("  version {} -> {}: {}", course.current, course.target, course.now));
        for next in &course.outlook {
            output::line(&coloured(Colour::Dim, &format!("      then {next}")));
        }
    }
    for leftover in &preview.leftovers {
        output::line(&coloured(Colour::Red, &format!("  ! first has to go: {leftover}")));
    }
    let shared = shared_reason(&preview.steps);
    preview.steps.iter().for_each(|each| step(each, shared.as_deref(), &preview.unread));
    if let Some(reason) = &shared {
        let same: Vec<&str> = preview
            .steps
            .iter()
            .filter_map(stopped)
            .filter(|(_, why)| *why == reason)
            .map(|(how, _)| how)
            .collect();
        let how = same.first().copied().unwrap_or_default();
        output::line(&format!("  {how}, {} of these: {reason}", same.len()));
    }
    for undeclared in &preview.undeclared {
        output::line(&coloured(Colour::Dim, &format!("  . not declared: {undeclared}")));
    }
    if !preview.held.is_empty() {
        output::line(&format!("  to approve: portolan {approve} {name} --approve {}", preview.held));
    }
}

/// What could not be read, mostly all for one reason: that is told once.
fn unread(preview: &ClusterPreview) {
    let mut kinds = preview.unread.iter();
    let Some((kind, reason)) = kinds.next() else { return };
    output::line(&coloured(Colour::Red, &format!("  ! {kind:?} cannot be read: {reason}")));
    let others: Vec<String> = kinds.map(|(kind, _)| format!("{kind:?}")).collect();
    if !others.is_empty() {
        output::line(&coloured(Colour::Red, &format!("  ! nor can {}", others.join(", "))));
    }
}

/// How many of each action there are.
fn summary(preview: &ClusterPreview) -> String {
    let all = [
        StepAction::Create,
        StepAction::Adopt,
        StepAction::Update,
        StepAction::Replace,
        StepAction::Delete,
        StepAction::Wait,
    ];
    let count = |action| preview.steps.iter().filter(|step| step.action == action).count();
    let parts: Vec<String> = all
        .into_iter()
        .filter(|action| count(*action) > 0)
        .map(|action| match action {
            StepAction::Wait => format!("{} on the way", count(action)),
            _ => format!("{} to {action}", count(action)),
        })
        .collect();
    if parts.is_empty() {
        return format!("nothing to change, {} resources as declared", preview.unchanged);
    }
    let time = wording::minutes(preview.minutes);
    let time = if time.is_empty() { time } else { format!("; {time} in all") };
    format!("{}{time}", parts.join(", "))
}

/// How and why a step waits for a person.
fn stopped(step: &StepPreview) -> Option<(&'static str, &String)> {
    match &step.verdict {
        Verdict::Held(why) => Some(("held", why)),
        Verdict::Blocked(why) => Some(("blocked", why)),
        _ => None,
    }
}

/// The reason of many steps that wait for a person, which is told once for all of them.
fn shared_reason(steps: &[StepPreview]) -> Option<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for (_, why) in steps.iter().filter_map(stopped) {
        *counts.entry(why).or_default() += 1;
    }
    let (why, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= SHARED).then(|| why.clone())
}

/// One step; a reason that many share is marked only, and why a kind could not be read was told.
fn step(step: &StepPreview, shared: Option<&str>, unread: &BTreeMap<Kind, String>) {
    let (sign, colour) = match step.action {
        StepAction::Create => ("+", Colour::Green),
        StepAction::Delete => ("-", Colour::Red),
        StepAction::Wait | StepAction::Unchanged => (".", Colour::Dim),
        StepAction::Update | StepAction::Replace | StepAction::Adopt => ("~", Colour::Yellow),
    };
    let drifted = if step.drifted { " (drifted)" } else { "" };
    let is_shared = stopped(step).is_some_and(|(_, why)| Some(why.as_str()) == shared);
    let mark = stopped(step).filter(|_| is_shared).map_or_else(String::new, |(how, _)| format!(" ({how})"));
    output::line(&coloured(colour, &format!("  {sign} {} {}{drifted}{mark}", step.action, step.resource)));
    match &step.verdict {
        Verdict::Allowed => {}
        Verdict::Held(_) | Verdict::Blocked(_) if is_shared => {}
        Verdict::Held(why) => output::line(&format!("      held: {why}")),
        Verdict::Blocked(why) => output::line(&coloured(Colour::Red, &format!("      blocked: {why}"))),
        Verdict::Deferred(why) => {
            let why = unread.values().find_map(|reason| why.strip_suffix(reason.as_str())).unwrap_or(why);
            let why = why.trim_end_matches([':', ' ']);
            output::line(&coloured(Colour::Dim, &format!("      later: {why}")));
        }
    }
    if !step.cost.is_empty() {
        output::line(&format!("      costs: {}", step.cost));
    }
    step.fields.iter().for_each(field);
    for told in &step.reported {
        output::line(&coloured(
            Colour::Dim,
            &format!("      only told: {}: {} -> {}", told.path, told.live, told.declared),
        ));
    }
}

/// A field as it is, and as it shall be.
fn field(field: &FieldDrift) {
    output::line(&format!("      {}: {} -> {}", field.path, field.live, field.declared));
}
