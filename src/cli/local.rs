//! `portolan local`.

pub(super) mod aws;
mod kops;

use super::{Context, output};
use crate::failure::Failure;
use crate::local::{self, Options, Phase, Places, Progress};
use clap::Subcommand;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Real Kubernetes control planes on this machine, without containers.
///
/// etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK, built once from pinned sources by the Go
/// toolchain and cached. Nodes and pods are simulated; everything else is real.
///
/// Examples:
///   portolan local up
///   portolan local up --version v1.24.17 --nodes 5 --name old
///   KUBECONFIG=$(portolan local kubeconfig) kubectl get nodes
///   portolan local down
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Local {
    #[command(subcommand)]
    command: Command,
}

// Each command's own words are its help: a comment of documentation here would take their place.
#[derive(Subcommand)]
enum Command {
    /// Starts a control plane and prints its kubeconfig's path.
    ///
    /// Example:
    ///   portolan local up --version v1.24.17 --nodes 5 --name old
    #[command(verbatim_doc_comment)]
    Up {
        /// Kubernetes version.
        #[arg(long)]
        version: Option<String>,
        /// Number of nodes.
        #[arg(long)]
        nodes: Option<u32>,
        /// Name of the control plane.
        #[arg(long, default_value = "local")]
        name: String,
    },
    /// Stops a control plane and removes its folder.
    ///
    /// Example:
    ///   portolan local down --name old
    #[command(verbatim_doc_comment)]
    Down {
        /// Name of the control plane.
        #[arg(long, default_value = "local")]
        name: String,
    },
    /// Lists the control planes of this machine.
    ///
    /// Example:
    ///   portolan local list
    #[command(verbatim_doc_comment)]
    List,
    /// Prints the kubeconfig's path of a control plane.
    ///
    /// Example:
    ///   KUBECONFIG=$(portolan local kubeconfig) kubectl get nodes
    #[command(verbatim_doc_comment)]
    Kubeconfig {
        /// Name of the control plane.
        #[arg(long, default_value = "local")]
        name: String,
    },
    Aws(aws::LocalAws),
    Kops(kops::LocalKops),
}

impl Local {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let places = Places::from_env()?;
        match self.command {
            Command::Up { version, nodes, name } => {
                let mut options = Options { name: Some(name), ..Options::default() };
                if let Some(version) = version {
                    options.version = version;
                }
                if let Some(nodes) = nodes {
                    options.nodes = nodes;
                }
                let instance = local::up(&places, options, &mut show_progress).await;
                output::end_progress();
                output::line(&instance?.kubeconfig.display().to_string());
            }
            Command::Down { name } => local::down(&places, &name).await?,
            Command::List => {
                let instances = local::list(&places).await?;
                if context.is_structured() {
                    output::value(context.output, &instances)?;
                } else {
                    let rows: Vec<Vec<String>> = instances
                        .iter()
                        .map(|i| {
                            vec![
                                i.name.clone(),
                                i.version.clone(),
                                i.endpoint.clone(),
                                i.kubeconfig.display().to_string(),
                            ]
                        })
                        .collect();
                    for line in output::table(&["NAME", "VERSION", "ENDPOINT", "KUBECONFIG"], &rows) {
                        output::line(&line);
                    }
                }
            }
            Command::Aws(command) => return command.run(context).await,
            Command::Kops(command) => return command.run(context).await,
            Command::Kubeconfig { name } => {
                output::line(&local::find(&places, &name).await?.kubeconfig.display().to_string());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows how far a build or a start is: one line that moves where a person watches, else a line at each step and every
/// half minute, so that the log of a machine does not fall silent for the time of a build.
pub fn show_progress(progress: Progress) {
    /// The step and the half minute that were told last.
    static TOLD: Mutex<Option<(Phase, u64)>> = Mutex::new(None);
    let doing = match progress.phase {
        Phase::Lock => "waiting for another build",
        Phase::Download => "downloading",
        Phase::Compile => "compiling",
        Phase::Start => "starting",
    };
    let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
    let seconds = progress.elapsed.as_secs();
    let text = format!("{doing} {}{total} {} ({seconds} s)", progress.done, progress.what);
    if output::is_watched() {
        return output::progress(&text);
    }
    let now = Some((progress.phase, seconds / 30));
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if *told != now {
        *told = now;
        output::note(&text);
    }
}
