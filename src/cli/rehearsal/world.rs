//! The world of a move: a source cluster that the kops program made in a local AWS, a git repository, and the daemon.

use super::chronicle::Chronicle;
use super::daemon::{Daemon, Post};
use super::kubectl::Kubectl;
use super::repository::Repository;
use crate::app::eks::clouds_at;
use crate::app::inventory::{self, Request};
use crate::cli::local::aws::Adapter;
use crate::cli::local::show_progress;
use crate::cli::output;
use crate::failure::{Failure, FailureKind};
use crate::local::Places;
use crate::local::aws::{LocalAws, LocalAwsOptions, Patience};
use crate::local::kops::{KopsSource, SourceOptions};
use crate::migrate::dump::Inventory;
use crate::model::cloud::{Call, Service};
use crate::ports::{Cloud, CloudAccess, Clouds};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How the source is called in the daemon's file.
pub const SOURCE: &str = "old";

/// What a world is made with.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// One kops Cluster and its InstanceGroups, YAML; the demo's by default.
    pub specification: Option<String>,
    /// The region that its zones lie in.
    pub region: String,
}

/// Everything that a move needs, on this machine.
pub struct World {
    /// The account.
    pub aws: LocalAws,
    /// The old cluster.
    pub source: KopsSource,
    /// Where people declare what they want.
    pub fleet: Repository,
    /// The daemon that reads it.
    pub daemon: Daemon,
    /// The folder of everything.
    pub folder: PathBuf,
    clouds: Arc<dyn Clouds>,
}

impl World {
    /// Builds what is missing, has kops make the source cluster, starts the daemon on an empty repository.
    ///
    /// # Errors
    /// What cannot be built or started.
    pub async fn set(plot: Plot) -> Result<Self, Failure> {
        let made = Self::make(plot).await;
        output::end_progress();
        made
    }

    async fn make(plot: Plot) -> Result<Self, Failure> {
        let environment = |error: &dyn std::fmt::Display| Failure::new(FailureKind::Environment, error);
        let folder = tempfile::Builder::new().prefix("portolan-move-").tempdir()?.keep();
        let places = Places::from_env()?;
        let patience = Patience {
            nodes: Duration::from_secs(60),
            eviction: Duration::from_secs(60),
            addon: Duration::from_secs(60),
        };
        let options = LocalAwsOptions { patience, ..LocalAwsOptions::new(places.clone(), &plot.region) };
        let aws = LocalAws::start(options, &Adapter, &mut show_progress)
            .await
            .map_err(|error| environment(&error))?;
        let options = SourceOptions { specification: plot.specification, ..SourceOptions::new(places) };
        let source = KopsSource::start(&aws, &Adapter, options, &mut show_progress)
            .await
            .map_err(|error| environment(&error))?;
        let access = aws.access();
        let clouds = clouds_at(&access.endpoint, (&access.access_key_id, &access.secret_access_key));
        let readme = "The fleet: clusters, and what runs on them. What is merged here is done.\n";
        let files = [("README.md", readme), ("portolan/.keep.yaml", "# Documents of Portolan.\n")];
        let fleet = Repository::create(folder.join("fleet"), &files, "Begin the fleet")?;
        let post = Post {
            folder: folder.clone(),
            repository: ("fleet", fleet.folder.clone()),
            kubeconfigs: vec![(SOURCE, source.kubeconfig().to_path_buf())],
            clouds: clouds.clone(),
        };
        let daemon = Daemon::start(post, Arc::new(Chronicle::default())).await?;
        Ok(Self { aws, source, fleet, daemon, folder, clouds })
    }

    /// Ends everything, and removes it.
    ///
    /// # Errors
    /// The source's control plane does not end.
    pub async fn strike(mut self) -> Result<(), Failure> {
        self.daemon.end().await;
        let stopped = self.source.stop().await;
        self.aws.stop().await;
        stopped.map_err(|error| Failure::new(FailureKind::Environment, error))?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }

    /// Makes roles that pods take on by kube2iam: their nodes may assume them, and EKS Pod Identity as well.
    ///
    /// # Errors
    /// The account refuses.
    pub async fn make_roles(&self, names: &[&str]) -> Result<(), String> {
        let cloud = self.cloud().await?;
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"]},
        ]});
        for name in names {
            let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
            let call = Call::new(Service::Iam, "CreateRole", input);
            cloud.call(&call).await.map_err(|failure| failure.to_string())?;
        }
        Ok(())
    }

    /// The account, as the daemon reaches it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn cloud(&self) -> Result<Arc<dyn Cloud>, String> {
        let access = CloudAccess { region: self.aws.access().region.clone(), role_arn: None };
        self.clouds.open(&access).await.map_err(|failure| failure.to_string())
    }

    /// kubectl on the source.
    pub fn old(&self) -> Kubectl {
        Kubectl {
            program: self.source.control_plane().programs().kubectl.clone(),
            kubeconfig: self.source.kubeconfig().to_path_buf(),
        }
    }

    /// kubectl on the target of a name in EKS, as its administrator.
    ///
    /// # Errors
    /// There is no such cluster.
    pub async fn new_cluster(&self, name: &str) -> Result<Kubectl, String> {
        let kubeconfigs = self.aws.world().kubeconfigs().await;
        let kubeconfig =
            kubeconfigs.get(name).cloned().ok_or_else(|| format!("EKS has no cluster {name}"))?;
        Ok(Kubectl { program: self.source.control_plane().programs().kubectl.clone(), kubeconfig })
    }

    /// The context of the source in its kubeconfig.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn context(&self) -> Result<String, String> {
        self.old().run(&["config", "current-context"]).await
    }

    /// Reads all of the source as `portolan migrate dump` does: state store, API server, account.
    ///
    /// # Errors
    /// What cannot be read at all.
    pub async fn inventory(&self) -> Result<Inventory, Failure> {
        let request = Request {
            store: Some(self.source.kops().state_store()),
            cluster: Some(self.source.cluster().to_owned()),
            api: Some((self.source.kubeconfig().to_path_buf(), None)),
            aws: true,
            region: Some(self.aws.access().region.clone()),
            ..Request::default()
        };
        inventory::read_with(&request, self.clouds.as_ref(), &|text: &str| output::progress(text)).await
    }
}
