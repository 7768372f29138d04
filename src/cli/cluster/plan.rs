//! `portolan cluster plan`.

use super::{named, shown};
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use std::process::ExitCode;
use std::sync::Arc;

/// Shows what keeping a cluster would change in AWS, with its costs; changes nothing.
///
/// Exit codes: 0 nothing would change, 1 something would, above 1 it could not be told.
///
/// Examples:
///   portolan cluster plan shop
///   portolan cluster plan shop --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Plan {
    /// Name of the `Cluster` document.
    name: String,
}

impl Plan {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let composed = named::compose(context, Arc::new(Vec::new())).await?;
        let preview = composed.cluster_preview(&self.name, false).await.map_err(named::not_looked)?;
        if context.is_structured() {
            output::value(context.output, &preview)?;
        } else {
            shown::plan(&preview, "cluster apply");
        }
        if preview.refused {
            return Ok(ExitCode::from(FailureKind::Config.exit_code()));
        }
        if !preview.unread.is_empty() {
            return Ok(ExitCode::from(FailureKind::Environment.exit_code()));
        }
        Ok(if preview.has_changes() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}
