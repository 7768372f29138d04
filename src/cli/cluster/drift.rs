//! `portolan cluster drift`.

use super::named;
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::provision::StepAction;
use std::process::ExitCode;
use std::sync::Arc;

/// Shows which fields left their declared values in AWS.
///
/// Exit codes: 0 none did, 1 some did, above 1 it could not be told.
///
/// Example:
///   portolan cluster drift shop
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Drift {
    /// Name of the `Cluster` document.
    name: String,
}

impl Drift {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let composed = named::compose(context, Arc::new(Vec::new())).await?;
        let mut preview = composed.cluster_preview(&self.name, false).await.map_err(named::not_looked)?;
        // Who did it, the daemon learns from the audit log; without one nobody has asked.
        if let Ok(store) = named::store(context).await
            && let Ok(Some(record)) = named::record(store.as_ref(), &self.name).await
        {
            preview.trace(&record.drift);
        }
        let drifted: Vec<_> = preview.drifted().collect();
        if context.is_structured() {
            output::value(context.output, &drifted)?;
        } else {
            for step in &drifted {
                let gone =
                    if step.fields.is_empty() && step.reported.is_empty() { ": it is gone" } else { "" };
                output::line(&format!("{}{gone}", step.resource));
                step.fields.iter().chain(&step.reported).for_each(|field| {
                    let by = match (&field.manager, &field.time) {
                        (Some(by), Some(at)) => format!(" (by {by} at {at})"),
                        _ => String::new(),
                    };
                    output::line(&format!(
                        "  {}: {} instead of {}{by}",
                        field.path, field.live, field.declared
                    ));
                });
            }
            let not_made = format!("Cluster/{}", preview.cluster);
            let made = preview.steps.iter().find(|step| step.resource == not_made);
            if drifted.is_empty() && made.is_some_and(|step| step.action == StepAction::Create) {
                output::line(&format!(
                    "{0}: the EKS cluster {1} is not there yet; `portolan cluster plan {0}` shows what would be made",
                    self.name, preview.cluster
                ));
            } else if drifted.is_empty() {
                output::line(&format!("{}: {} resources as declared", self.name, preview.unchanged));
            }
        }
        if !preview.unread.is_empty() {
            return Ok(ExitCode::from(FailureKind::Environment.exit_code()));
        }
        Ok(if drifted.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
