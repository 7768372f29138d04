//! `portolan local kops`.

use super::super::{Context, output};
use super::aws::{Adapter, variables};
use super::show_progress;
use crate::failure::{Failure, FailureKind};
use crate::local::Places;
use crate::local::kops::{self, KopsInstance, Wish};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A cluster that the kops program itself has made, in an AWS on this machine: the source of a migration to try.
///
/// kops is built once by the Go toolchain. Its state store, Auto Scaling groups, volumes, network and roles are in a local
/// AWS; its nodes and add-ons are on a local control plane. Everything ends with `down`.
///
/// Examples:
///   eval "$(portolan local kops up --workloads)"
///   kubectl get nodes --label-columns kops.k8s.io/instancegroup
///   portolan local kops up --name mine --spec cluster.yaml
///   portolan local kops down
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct LocalKops {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts it in the background and prints the variables that lead there.
    ///
    /// Example:
    ///   eval "$(portolan local kops up --spec cluster.yaml)"
    #[command(verbatim_doc_comment)]
    Up {
        /// Its name.
        #[arg(long, default_value = "kops")]
        name: String,
        /// Which kops, 1.28.5 or 1.36.0; the one for the cluster's Kubernetes by default.
        #[arg(long)]
        version: Option<String>,
        /// A file with one kops Cluster and its InstanceGroups; the demo's cluster by default.
        #[arg(long, value_name = "FILE")]
        spec: Option<PathBuf>,
        /// Region of the AWS; the file's zones have to lie in it.
        #[arg(long, default_value = "eu-central-1")]
        region: String,
        /// Applies the demo's workloads too.
        #[arg(long)]
        workloads: bool,
    },
    /// Takes it down, with the AWS that it lies in.
    ///
    /// Example:
    ///   portolan local kops down --name mine
    #[command(verbatim_doc_comment)]
    Down {
        /// Its name.
        #[arg(long, default_value = "kops")]
        name: String,
    },
    /// Lists those that run, with the variables that lead there.
    ///
    /// Example:
    ///   portolan local kops list
    #[command(verbatim_doc_comment)]
    List,
    /// What `up` runs in the background.
    #[command(hide = true)]
    Serve {
        /// Its folder.
        folder: PathBuf,
    },
}

/// By these our program comes to `Serve`.
const SERVE: [&str; 3] = ["local", "kops", "serve"];

impl LocalKops {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let places = Places::from_env()?;
        match self.command {
            Command::Up { name, version, spec, region, workloads } => {
                let specification = spec.map(|path| read(&path)).transpose()?;
                let wish = Wish { name, kops: version, specification, region, workloads };
                let instance = kops::up(&places, &wish, &SERVE, &mut show_progress).await;
                output::end_progress();
                show(context, &[instance.map_err(failure)?])?;
            }
            Command::Down { name } => kops::down(&places, &name).await.map_err(failure)?,
            Command::List => show(context, &kops::list(&places).map_err(failure)?)?,
            Command::Serve { folder } => {
                kops::serve(places, &folder, &Adapter).await.map_err(failure)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(FailureKind::Environment, format!("cannot read {}: {error}", path.display()))
    })
}

fn show(context: &Context, instances: &[KopsInstance]) -> Result<(), Failure> {
    if context.is_structured() {
        return output::value(context.output, &instances);
    }
    for instance in instances {
        output::line(&format!(
            "# kops cluster {:?}: {}, by kops {}, on Kubernetes {}",
            instance.name, instance.cluster, instance.kops, instance.version
        ));
        output::line(&format!("export KUBECONFIG={}", instance.kubeconfig.display()));
        output::line(&format!("export KOPS_STATE_STORE={}", instance.state_store));
        output::line(&format!("export KOPS_CLUSTER_NAME={}", instance.cluster));
        for (name, value) in variables(&instance.access) {
            output::line(&format!("export {name}={value}"));
        }
    }
    Ok(())
}

fn failure(error: kops::Error) -> Failure {
    Failure::new(FailureKind::Environment, error)
}
