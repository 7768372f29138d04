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

#[derive(Subcommand)]
enum Command {
    /// Shows what keeping a cluster would change in AWS, with its costs; changes nothing.
    Plan(plan::Plan),
    /// Has a cluster made as declared now, and shows how far it is.
    Apply(apply::Apply),
    /// Shows where clusters stand.
    Status(status::Status),
    /// Shows which fields left their declared values in AWS.
    Drift(drift::Drift),
    /// Prints a kubeconfig for an EKS cluster; tokens are made by this program.
    Kubeconfig(kubeconfig::Kubeconfig),
    /// Prints a token for the API server of an EKS cluster, as kubectl's credential plugins do.
    Token(kubeconfig::Token),
    /// Shows what taking a cluster away would delete; with an approval, has it done.
    Delete(delete::Delete),
    /// Writes the ClusterConfig of a cluster that exists, whoever made it.
    Export(export::Export),
    /// Explains the fields of a ClusterConfig: what is acted on, and what is refused with which way out.
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
