//! For a terminal.

use super::{Assessment, Level, by_subject, field};
use std::fmt::Write;

pub(super) fn write(assessment: &Assessment, all: bool) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = lines(assessment, all, &mut out);
    out
}

fn lines(assessment: &Assessment, all: bool, out: &mut String) -> std::fmt::Result {
    writeln!(out, "kops cluster {} to EKS", assessment.cluster)?;
    let counts = assessment.counts();
    let count = |level: &Level| counts.get(level).copied().unwrap_or_default();
    let told: Vec<String> =
        Level::ALL.iter().map(|level| format!("{} {}", count(level), plural(*level, count(level)))).collect();
    writeln!(out, "{}", told.join(", "))?;
    match (&assessment.config, assessment.is_blocked()) {
        (Some(_), false) => writeln!(out, "The ClusterConfig is whole and valid.")?,
        (Some(_), true) => writeln!(out, "The ClusterConfig is valid, and blockers remain.")?,
        (None, true) => writeln!(out, "There is no ClusterConfig before the blockers are out of the way.")?,
        (None, false) => {
            writeln!(out, "There is no ClusterConfig before the ids of what kops made are known.")?
        }
    }
    for level in Level::ALL {
        if count(&level) == 0 || (level == Level::Irrelevant && !all) {
            continue;
        }
        writeln!(out, "\n{level} ({})", count(&level))?;
        for (subject, verdicts) in by_subject(assessment, level) {
            writeln!(out, "  {subject}")?;
            for verdict in verdicts {
                writeln!(out, "    {}", field(verdict))?;
                let becomes = verdict.becomes.as_deref().map(|to| format!(" -> {to}")).unwrap_or_default();
                writeln!(out, "      {}{becomes}", verdict.says)?;
                for offer in &verdict.choices {
                    let mark = if offer.proposed { "*" } else { "-" };
                    writeln!(out, "      {mark} {}: {}", offer.id, offer.says)?;
                }
                writeln!(out, "      [{}] {}", verdict.rule, verdict.source)?;
            }
        }
    }
    if !assessment.notes.is_empty() {
        writeln!(out, "\nNotes")?;
        for note in &assessment.notes {
            writeln!(out, "  {note}")?;
        }
    }
    Ok(())
}

fn plural(level: Level, count: usize) -> String {
    match level {
        Level::Mapped | Level::Irrelevant => level.as_str().to_lowercase(),
        _ if count == 1 => level.as_str().to_lowercase(),
        _ => format!("{}s", level.as_str().to_lowercase()),
    }
}
