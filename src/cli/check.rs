//! `portolan check`.

use super::{Context, output};
use crate::config::check::{CheckOptions, check};
use crate::failure::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks files without a cluster: the daemon's file, documents, or a repository.
///
/// Examples:
///   portolan check config/portolan.yaml
///   portolan check .            # a repository with its documents in portolan/
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Check {
    /// A file or folder.
    path: PathBuf,
    /// Folder of the documents in the repository.
    #[arg(long)]
    documents: Option<String>,
}

impl Check {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let options = CheckOptions { documents: self.documents.as_deref(), render: None };
        let report = check(&self.path, options);
        let errors = report.problems.iter().filter(|problem| problem.is_error()).count();
        if context.is_structured() {
            output::value(context.output, &report)?;
        } else {
            for problem in &report.problems {
                output::line(&problem.to_string());
            }
            output::line(&format!(
                "{} files: {} applications, {} clusters, {} ClusterConfigs, {} migrations, {} repositories; {errors} errors, \
                 {} warnings",
                report.files,
                report.applications,
                report.clusters,
                report.cluster_configs,
                report.migrations,
                report.repositories,
                report.problems.len() - errors
            ));
        }
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
