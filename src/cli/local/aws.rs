//! `portolan local aws`.

use super::super::{Context, output};
use super::show_progress;
use crate::failure::{Failure, FailureKind};
use crate::local::Places;
use crate::local::aws::{self, Access, AwsInstance, Connect};
use crate::ports::{Cloud, CloudFailure};
use async_trait::async_trait;
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// An AWS on this machine: moto for most services, and EKS whose clusters are real control planes.
///
/// Everything is in memory and ends with `down`. The keys that are printed are good for this simulation only.
///
/// Examples:
///   eval "$(portolan local aws up)"
///   aws eks list-clusters
///   portolan local aws down
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct LocalAws {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts it in the background and prints the variables that lead there.
    ///
    /// Example:
    ///   eval "$(portolan local aws up --region eu-central-1)"
    #[command(verbatim_doc_comment)]
    Up {
        /// Region.
        #[arg(long, default_value = "eu-central-1")]
        region: String,
        /// Port of 127.0.0.1; a free one by default.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Its name.
        #[arg(long, default_value = "aws")]
        name: String,
    },
    /// Takes it down, with all clusters in it.
    ///
    /// Example:
    ///   portolan local aws down
    #[command(verbatim_doc_comment)]
    Down {
        /// Its name.
        #[arg(long, default_value = "aws")]
        name: String,
    },
    /// Shows what runs, and the variables that lead there.
    ///
    /// Example:
    ///   portolan local aws status
    #[command(verbatim_doc_comment)]
    Status,
    /// What `up` runs in the background.
    #[command(hide = true)]
    Serve {
        /// Its folder.
        folder: PathBuf,
    },
}

/// By these our program comes to `Serve`.
const SERVE: [&str; 3] = ["local", "aws", "serve"];

impl LocalAws {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let places = Places::from_env()?;
        match self.command {
            Command::Up { region, port, name } => {
                let instance = aws::up(&places, &name, &region, port, &SERVE, &mut show_progress).await;
                output::end_progress();
                show(context, &[instance.map_err(failure)?])?;
            }
            Command::Down { name } => aws::down(&places, &name).await.map_err(failure)?,
            Command::Status => show(context, &aws::list(&places).map_err(failure)?)?,
            Command::Serve { folder } => {
                aws::serve(places, &folder, &Adapter).await.map_err(failure)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(context: &Context, instances: &[AwsInstance]) -> Result<(), Failure> {
    if context.is_structured() {
        return output::value(context.output, &instances);
    }
    for instance in instances {
        output::line(&format!("# local AWS {:?}, account {}", instance.name, instance.access.account));
        for (name, value) in variables(&instance.access) {
            output::line(&format!("export {name}={value}"));
        }
    }
    Ok(())
}

/// What leads AWS's own programs and SDKs there.
pub(in crate::cli) fn variables(access: &Access) -> [(&'static str, &str); 6] {
    [
        ("AWS_ENDPOINT_URL", &access.endpoint),
        ("AWS_REGION", &access.region),
        ("AWS_DEFAULT_REGION", &access.region),
        ("AWS_ACCESS_KEY_ID", &access.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &access.secret_access_key),
        // There is no instance here that could be asked who it is.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

fn failure(error: aws::Error) -> Failure {
    Failure::new(FailureKind::Environment, error)
}

/// The world's own way to moto.
pub(in crate::cli) struct Adapter;

#[async_trait]
impl Connect for Adapter {
    async fn connect(&self, access: &Access) -> Result<Arc<dyn Cloud>, CloudFailure> {
        let keys = (access.access_key_id.as_str(), access.secret_access_key.as_str());
        crate::app::eks::cloud_at(&access.endpoint, &access.region, keys).await
    }
}
