//! `portolan cluster`: clusters that a ClusterConfig describes.

mod apply;
mod delete;
mod drift;
mod explain;
mod export;
mod kubeconfig;
mod named;
mod plan;
mod shown;
mod status;

use super::Context;
use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

pub use status::print as print_status;

/// Clusters that an eksctl ClusterConfig describes: planned, applied, looked at, taken away.
///
/// The daemon does all of this from the repository: merging a change of the file changes AWS.
///
/// Examples:
///   portolan cluster plan shop
///   portolan cluster apply shop
///   portolan cluster status shop
///   KUBECONFIG=<(portolan cluster kubeconfig shop) kubectl get nodes
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Cluster {
    #[command(subcommand)]
    command: Command,
}

// Each command's own words are its help: a comment of documentation here would take their place.
#[derive(Subcommand)]
enum Command {
    Plan(plan::Plan),
    Apply(apply::Apply),
    Status(status::Status),
    Drift(drift::Drift),
    Kubeconfig(kubeconfig::Kubeconfig),
    Token(kubeconfig::Token),
    Delete(delete::Delete),
    Export(export::Export),
    Explain(explain::Explain),
}

impl Cluster {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Plan(command) => command.run(context).await,
            Command::Apply(command) => command.run(context).await,
            Command::Status(command) => command.run(context).await,
            Command::Drift(command) => command.run(context).await,
            Command::Kubeconfig(command) => command.run(context).await,
            Command::Token(command) => command.run(context).await,
            Command::Delete(command) => command.run(context).await,
            Command::Export(command) => command.run(context).await,
            Command::Explain(command) => command.run(context),
        }
    }
}
