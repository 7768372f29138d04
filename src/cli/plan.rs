//! `portolan plan`.

use super::output::{self, Colour, coloured};
use super::{Context, run};
use crate::app::{self, Surroundings};
use crate::drift::FieldChange;
use crate::engine::{ChangePreview, Preview, Previewed};
use crate::failure::{Failure, FailureKind};
use crate::model::plan::{Action, Verdict};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

/// Shows what applying the repository would change, as the API server would make it.
///
/// Exit codes as of `kubectl diff`: 0 nothing would change, 1 something would, above 1 it could not be told.
///
/// Examples:
///   portolan plan
///   portolan plan shop --revision my-branch
///   portolan plan --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Plan {
    /// Application; all of them when absent.
    application: Option<String>,
    #[command(flatten)]
    at: At,
}

/// Which revision is looked at.
#[derive(clap::Args)]
pub struct At {
    /// Branch, tag, semver range or commit, in the place of what the daemon's file says.
    #[arg(long)]
    revision: Option<String>,
    /// The repository that `--revision` is of. Default: the first in the daemon's file.
    #[arg(long, requires = "revision")]
    repository: Option<String>,
}

impl At {
    /// Renders and plans once. Documents that cannot be taken are said at once, beside the result.
    pub async fn preview(&self, context: &Context, application: Option<&str>) -> Result<Previewed, Failure> {
        let mut config = context.config()?;
        if let Some(revision) = &self.revision {
            let wanted = self.repository.clone().unwrap_or_else(|| config.repositories[0].name.clone());
            let repository = config.repositories.iter_mut().find(|repository| repository.name == wanted);
            let repository = repository.ok_or_else(|| {
                Failure::new(FailureKind::User, format!("the daemon's file names no repository {wanted}"))
            })?;
            repository.revision = Some(revision.clone());
        }
        let surroundings =
            Surroundings { program: run::own_program()?, tool_folders: run::tool_folders(), observer: None };
        let composed = app::compose(&config, &surroundings, Arc::new(Vec::new())).await?;
        let previewed = composed
            .preview(application)
            .await
            .map_err(|words| Failure::new(FailureKind::Environment, words))?;
        previewed.refused.iter().for_each(|problem| output::note(&problem.to_string()));
        if previewed.applications.is_empty() {
            let words = match application {
                Some(name) => format!("no application {name} is declared"),
                None => "no application is declared in the repositories of the daemon's file".into(),
            };
            // With a document that cannot be taken, that is what is to be mended.
            let kind = if previewed.refused.is_empty() { FailureKind::User } else { FailureKind::Config };
            if application.is_some() {
                return Err(Failure::new(kind, words));
            }
            output::note(&words);
        }
        Ok(previewed)
    }
}

impl Plan {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let Previewed { applications: previews, refused } =
            self.at.preview(context, self.application.as_deref()).await?;
        if context.is_structured() {
            output::value(context.output, &previews)?;
        } else {
            for preview in &previews {
                print(preview);
            }
        }
        let broken = |preview: &Preview| {
            !preview.problems.is_empty() || preview.refusals().any(|refusal| refusal.is_invalid)
        };
        if !refused.is_empty() || previews.iter().any(broken) {
            return Ok(ExitCode::from(FailureKind::Config.exit_code()));
        }
        if previews.iter().any(|preview| preview.refusals().next().is_some()) {
            return Ok(ExitCode::from(FailureKind::Environment.exit_code()));
        }
        Ok(if previews.iter().any(Preview::has_changes) { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn print(preview: &Preview) {
    let mut title = format!("{} on {}", preview.application, preview.destination);
    if !preview.revision.is_empty() {
        title.push_str(&format!(" at {}", preview.revision));
    }
    output::line(&format!("{title}: {}", summary(preview)));
    for problem in &preview.problems {
        output::line(&coloured(Colour::Red, &format!("  ! {problem}")));
    }
    for warning in &preview.warnings {
        output::line(&coloured(Colour::Yellow, &format!("  ? {warning}")));
    }
    let repeated = repeated_notes(preview);
    for change in &preview.changes {
        print_change(change, &repeated);
    }
    for (note, count) in &repeated {
        output::line(&coloured(Colour::Dim, &format!("  {count} of them {note}")));
    }
    for hook in &preview.hooks {
        output::line(&format!("  * hook {hook}"));
    }
    if let Some(plan) = &preview.plan {
        if let Some(why) = &plan.prune_waits {
            output::line(&coloured(Colour::Yellow, &format!("  nothing is pruned for now: {why}")));
        }
        if !plan.held.is_empty() {
            output::line(&format!("  to approve: portolan approve {} {}", preview.application, plan.held));
        }
    }
}

/// Notes that many changes share: said once, after them.
fn repeated_notes(preview: &Preview) -> BTreeMap<&str, usize> {
    const SAID_EACH_TIME: usize = 2;
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for note in preview
        .changes
        .iter()
        .flat_map(|change| &change.notes)
        .filter(|note| note.starts_with("not validated"))
    {
        *count.entry(note).or_default() += 1;
    }
    count.retain(|_, count| *count > SAID_EACH_TIME);
    count
}

fn summary(preview: &Preview) -> String {
    if !preview.waits.is_empty() {
        return preview.waits.clone();
    }
    if preview.plan.is_none() {
        return "cannot be told".into();
    }
    let count = |action| preview.changes.iter().filter(|change| change.action == action).count();
    let all =
        [Action::Create, Action::Adopt, Action::Update, Action::Replace, Action::Delete, Action::Orphan];
    let mut parts: Vec<String> = all
        .into_iter()
        .filter(|action| count(*action) > 0)
        .map(|action| format!("{} to {action}", count(action)))
        .collect();
    if !preview.hooks.is_empty() {
        parts.push(format!("{} hooks to run", preview.hooks.len()));
    }
    let refused = preview.refusals().count();
    if refused > 0 {
        parts.push(format!("{refused} of them would fail"));
    }
    if parts.is_empty() { "nothing to change".into() } else { parts.join(", ") }
}

fn print_change(change: &ChangePreview, repeated: &BTreeMap<&str, usize>) {
    let (sign, colour) = match change.action {
        Action::Create => ("+", Colour::Green),
        Action::Delete => ("-", Colour::Red),
        _ => ("~", Colour::Yellow),
    };
    output::line(&coloured(colour, &format!("  {sign} {} {}", change.action, change.id)));
    match &change.verdict {
        Verdict::Allowed => {}
        Verdict::Held(why) => output::line(&format!("      held: {why}")),
        Verdict::Blocked(why) => output::line(&format!("      blocked: {why}")),
        Verdict::Deferred(why) => output::line(&format!("      later: {why}")),
    }
    // A new object is its manifest: what is to be looked at is what changes.
    if change.action != Action::Create {
        change.fields.iter().for_each(print_field);
    }
    for note in change.notes.iter().filter(|note| !repeated.contains_key(note.as_str())) {
        output::line(&coloured(Colour::Dim, &format!("      {note}")));
    }
    // What is blocked says so already.
    if let (Some(refusal), Verdict::Allowed | Verdict::Held(_)) = (&change.refusal, &change.verdict) {
        output::line(&coloured(Colour::Red, &format!("      would be refused: {}", refusal.message)));
    }
}

fn print_field(field: &FieldChange) {
    if let Some(text) = &field.text {
        output::line(&format!("      {}:", field.path));
        for line in text.lines() {
            let colour = match line.as_bytes().first() {
                Some(b'+') => Colour::Green,
                Some(b'-') => Colour::Red,
                _ => Colour::Dim,
            };
            output::line(&coloured(colour, &format!("        {line}")));
        }
        return;
    }
    let shown = |value: &Option<crate::drift::Shown>| {
        value.as_ref().map_or_else(|| "(none)".into(), ToString::to_string)
    };
    output::line(&format!("      {}: {} -> {}", field.path, shown(&field.before), shown(&field.after)));
}
