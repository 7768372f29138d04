//! Where a command's inventory comes from.

use super::folder;
use crate::app::inventory::{self, Request};
use crate::cli::output;
use crate::failure::{Failure, FailureKind};
use crate::migrate::dump::{self, Inventory};
use std::path::PathBuf;

/// What is read live.
#[derive(clap::Args)]
pub struct Live {
    /// State store of kops: s3://bucket/prefix, or a folder of the same layout.
    #[arg(long, value_name = "STORE")]
    state: Option<String>,
    /// Name of the kops cluster, where a store or file has several.
    #[arg(long)]
    name: Option<String>,
    /// File or folder with the specs of the cluster, such as a clone of the repository that keeps them.
    #[arg(long = "files", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Context of the kubeconfig that leads to the cluster's API server; without it no objects are read.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Read the account as well: groups, load balancers, volumes, records, roles, policies.
    #[arg(long)]
    aws: bool,
    /// AWS region. Default: that of the cluster's zones.
    #[arg(long)]
    region: Option<String>,
    /// Role to assume for AWS.
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Minor version that the new cluster will have, such as 1.34: objects are read in versions that it serves.
    #[arg(long, value_name = "VERSION")]
    target_version: Option<String>,
}

/// Live, or a dump.
#[derive(clap::Args)]
pub struct Input {
    /// Folder that `portolan migrate dump` wrote: nothing else is read.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["state", "files", "context", "kubeconfig", "aws", "region", "role_arn"])]
    dump: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
}

impl Live {
    /// The context, where one was named.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Reads what is named.
    ///
    /// # Errors
    /// Nothing is named, or what is named cannot be read at all.
    pub async fn read(&self) -> Result<Inventory, Failure> {
        let api = match (&self.kubeconfig, &self.context) {
            (None, None) => None,
            (Some(file), context) => Some((file.clone(), context.clone())),
            (None, context) => Some((kubeconfig()?, context.clone())),
        };
        if self.state.is_none() && self.files.is_empty() && api.is_none() {
            let words = "nothing is named that could be read";
            return Err(Failure::new(FailureKind::User, words)
                .hint("name the state store (--state), files with the specs (--files), or a folder that `portolan migrate dump` wrote (--dump)"));
        }
        let target_minor = self.target_version.as_deref().map(minor).transpose()?;
        let request = Request {
            store: self.state.clone(),
            cluster: self.name.clone(),
            specs: self.files.clone(),
            api,
            aws: self.aws,
            region: self.region.clone(),
            role_arn: self.role_arn.clone(),
            target_minor,
        };
        let read = inventory::read(&request, &|text: &str| output::progress(text)).await;
        output::end_progress();
        read
    }
}

impl Input {
    /// The context, where one was named.
    pub fn context(&self) -> Option<&str> {
        self.live.context()
    }

    /// Reads the dump, or what is named.
    ///
    /// # Errors
    /// As [`Live::read`]; the dump is not whole, or of another form.
    pub async fn read(&self) -> Result<Inventory, Failure> {
        let Some(path) = &self.dump else { return self.live.read().await };
        let content = folder::read(path)?;
        let (_, inventory) = dump::read(&content)
            .map_err(|error| Failure::new(FailureKind::Config, format!("{}: {error}", path.display())))?;
        Ok(inventory)
    }
}

/// The kubeconfig that kubectl would take first.
fn kubeconfig() -> Result<PathBuf, Failure> {
    let named = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let named = named.and_then(|value| std::env::split_paths(&value).find(|path| path.is_file()));
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".kube/config"));
    named.or_else(home).ok_or_else(|| {
        Failure::new(FailureKind::User, "there is no kubeconfig").hint("name one with --kubeconfig")
    })
}

/// 34 of `1.34` or `v1.34.2`.
fn minor(version: &str) -> Result<u32, Failure> {
    let mut parts = version.trim_start_matches('v').split('.');
    let minor =
        (parts.next() == Some("1")).then(|| parts.next()).flatten().and_then(|minor| minor.parse().ok());
    minor.ok_or_else(|| {
        Failure::new(
            FailureKind::User,
            format!("`{version}` is no version of Kubernetes; one is written 1.34"),
        )
    })
}
