//! The outside of the EKS API on this machine: real control planes, nodes that KWOK plays, everything else in moto.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use serde_json::Value;
use tokio::task::JoinSet;

use super::account::{Account, internal, issue, problem, text};
use super::cluster::{Patience, Running, locked};
use super::error::Error;
use super::fargate::{self, Profile};
use super::identity::Access;
use super::moto::{Home, Provider};
use super::webhook::Webhooks;
use super::world::{ClusterFacts, Issue, NodegroupFacts, World};
use super::{addons, admission, checks, nodegroups, observe};
use crate::local::places::Places;
use crate::local::progress::Progress;
use crate::model::cloud::Service;
use crate::ports::{Cloud, CloudFailureKind};

/// What a world is made of.
pub struct WorldOptions {
    /// Cache and folders.
    pub places: Places,
    /// moto as a customer of the account sees it.
    pub cloud: Arc<dyn Cloud>,
    /// moto as the provider sees it.
    pub provider: Provider,
    /// Account and region.
    pub home: Home,
    /// How long the service waits for nodes and pods.
    pub patience: Patience,
    /// Who made the clusters: comes in where no access entries count.
    pub administrator: String,
    /// A folder of its own; goes with the world.
    pub folder: PathBuf,
    /// The program that supervises control planes; `None` is the running one.
    pub supervisor: Option<PathBuf>,
}

/// The world behind our EKS server. Control planes end with it.
pub struct LocalWorld {
    pub(super) places: Places,
    pub(super) account: Account,
    pub(super) patience: Patience,
    pub(super) administrator: String,
    pub(super) folder: PathBuf,
    pub(super) supervisor: Option<PathBuf>,
    pub(super) webhooks: Webhooks,
    pub(super) hosts: Arc<RwLock<Vec<String>>>,
    pub(super) clusters: Mutex<BTreeMap<String, Held>>,
}

/// A cluster with the tasks that keep its nodes.
pub(super) struct Held {
    pub(super) running: Arc<Running>,
    pub(super) keepers: JoinSet<()>,
}

impl LocalWorld {
    /// A world without clusters. Starts the server for webhooks.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn new(options: WorldOptions) -> Result<LocalWorld, Error> {
        let region = &options.home.region;
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let mut hosts = vec![format!("sts.{region}.amazonaws.com{suffix}")];
        if suffix.is_empty() {
            hosts.push("sts.amazonaws.com".to_owned());
        }
        Ok(LocalWorld {
            account: Account::new(options.cloud, options.provider, options.home),
            places: options.places,
            patience: options.patience,
            administrator: options.administrator,
            folder: options.folder,
            supervisor: options.supervisor,
            webhooks: Webhooks::start().await?,
            hosts: Arc::new(RwLock::new(hosts)),
            clusters: Mutex::default(),
        })
    }

    /// Takes tokens that are signed for another host too: the AWS CLI signs for the endpoint that it is told.
    pub fn trust_host(&self, host: &str) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.push(host.to_owned());
    }

    /// Paths of the administrators' kubeconfigs, by cluster.
    #[must_use]
    pub async fn kubeconfigs(&self) -> BTreeMap<String, PathBuf> {
        let mut found = BTreeMap::new();
        for (name, cluster) in self.all() {
            if let Some(control_plane) = cluster.control_plane.lock().await.as_ref() {
                found.insert(name, control_plane.kubeconfig().to_path_buf());
            }
        }
        found
    }

    /// Add-ons whose pods were missing and run now, as `(cluster, add-on)`. Each is told once.
    pub async fn recovered_addons(&self) -> Vec<(String, String)> {
        let mut recovered = Vec::new();
        for (name, cluster) in self.all() {
            let waiting = locked(&cluster.unready).clone();
            for (addon, objects) in waiting {
                if addons::health(&cluster, &objects).await.is_ok() {
                    locked(&cluster.unready).remove(&addon);
                    recovered.push((name.clone(), addon));
                }
            }
        }
        recovered
    }

    /// Stops every control plane and waits for that. What is in moto stays.
    pub async fn stop(&self) {
        let held: Vec<Held> = std::mem::take(&mut *locked(&self.clusters)).into_values().collect();
        let mut stopping = JoinSet::new();
        for mut held in held {
            stopping.spawn(async move {
                held.keepers.shutdown().await;
                if let Some(control_plane) = held.running.control_plane.lock().await.take() {
                    let _ = control_plane.stop().await;
                }
            });
        }
        while stopping.join_next().await.is_some() {}
    }

    fn all(&self) -> Vec<(String, Arc<Running>)> {
        locked(&self.clusters).iter().map(|(name, held)| (name.clone(), Arc::clone(&held.running))).collect()
    }

    pub(super) fn find(&self, view: &Value) -> Result<Arc<Running>, Issue> {
        let name = text(view, "name");
        let found = locked(&self.clusters).get(&name).map(|held| Arc::clone(&held.running));
        found.ok_or_else(|| problem("ClusterUnreachable", format!("the cluster {name} does not run"), &[]))
    }
}

#[async_trait]
impl World for LocalWorld {
    async fn check_cluster(&self, input: &Value) -> Result<(), Issue> {
        checks::cluster(&self.account, input).await
    }

    fn check_auto_mode(&self) -> Result<(), Issue> {
        // Without them its pods would be Pending for ever, and nobody told why.
        let words = "nodes of EKS Auto Mode are not simulated by the local AWS: leave autoModeConfig out and declare a \
                     managed node group or a Fargate profile";
        Err(problem("InvalidParameterException", words, &[]))
    }

    async fn create_cluster(&self, view: &Value) -> Result<ClusterFacts, Issue> {
        self.make(view).await
    }

    async fn update_version(&self, view: &Value, version: &str) -> Result<(), Issue> {
        let cluster = self.find(view)?;
        let mut control_plane = cluster.control_plane.lock().await;
        let Some(control_plane) = control_plane.as_mut() else {
            return Err(problem("Unknown", "the control plane has gone", &[]));
        };
        let replaced = control_plane.replace(&self.places, version, &mut |_: Progress| {}).await;
        replaced.map_err(|error| problem("Unknown", error.to_string(), &[]))
    }

    async fn access_changed(&self, view: &Value, entries: &[Value]) -> Result<(), Issue> {
        // Not there yet, or gone: told again when it is made.
        if let Ok(cluster) = self.find(view) {
            *locked(&cluster.access) = Access::described(access_mode(view), entries);
        }
        Ok(())
    }

    async fn write_logs(&self, view: &Value) -> Result<(), Issue> {
        let group = serde_json::json!({"logGroupName": format!("/aws/eks/{}/cluster", text(view, "name"))});
        match self.account.call(Service::Logs, "CreateLogGroup", group).await {
            Err(failure) if failure.kind != CloudFailureKind::AlreadyExists => Err(issue(failure)),
            _ => Ok(()),
        }
    }

    async fn delete_cluster(&self, view: &Value) -> Result<(), Issue> {
        self.unmake(view).await
    }

    async fn check_nodegroup(&self, cluster: &Value, input: &Value) -> Result<(), Issue> {
        checks::nodegroup(&self.account, cluster, input).await
    }

    async fn create_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<NodegroupFacts, Issue> {
        let cluster = self.find(cluster)?;
        let _alone = cluster.changing.lock().await;
        nodegroups::create(&cluster, nodegroup).await
    }

    async fn update_nodegroup_config(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        let cluster = self.find(cluster)?;
        let _alone = cluster.changing.lock().await;
        nodegroups::reconfigure(&cluster, nodegroup).await
    }

    async fn update_nodegroup_version(
        &self,
        cluster: &Value,
        nodegroup: &Value,
        force: bool,
    ) -> Result<NodegroupFacts, Issue> {
        let cluster = self.find(cluster)?;
        let _alone = cluster.changing.lock().await;
        nodegroups::upgrade(&cluster, nodegroup, force).await
    }

    async fn observe_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Option<Value> {
        observe::group(&*self.find(cluster).ok()?, nodegroup).await
    }

    async fn delete_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        let cluster = self.find(cluster)?;
        let _alone = cluster.changing.lock().await;
        nodegroups::delete(&cluster, nodegroup).await
    }

    async fn create_fargate_profile(&self, view: &Value, profile: &Value) -> Result<(), Issue> {
        let cluster = self.find(view)?;
        let subnets = checks::fargate(&self.account, view, profile).await?;
        let role = text(profile, "podExecutionRoleArn");
        let groups = ["system:bootstrappers", "system:nodes", "system:node-proxier"];
        cluster.map_role(&role, "system:node:{{SessionName}}", &groups).await.map_err(internal)?;
        let profile = Profile::described(profile, subnets);
        locked(&cluster.profiles).insert(profile.name.clone(), profile);
        admission::configure(&cluster, &self.webhooks, true).await.map_err(internal)
    }

    async fn delete_fargate_profile(&self, view: &Value, profile: &Value) -> Result<(), Issue> {
        let cluster = self.find(view)?;
        let name = text(profile, "fargateProfileName");
        let left = {
            let mut profiles = locked(&cluster.profiles);
            profiles.remove(&name);
            !profiles.is_empty()
        };
        admission::configure(&cluster, &self.webhooks, left).await.map_err(internal)?;
        fargate::clear(&cluster, &name).await.map_err(internal)
    }

    async fn apply_addon(&self, view: &Value, addon: &Value, configuration: &Value) -> Result<(), Issue> {
        addons::apply(&*self.find(view)?, view, addon, configuration).await
    }

    async fn delete_addon(&self, view: &Value, addon: &Value, preserve: bool) -> Result<(), Issue> {
        addons::delete(&*self.find(view)?, view, addon, preserve).await
    }
}

pub(super) fn access_mode(view: &Value) -> &str {
    view["accessConfig"]["authenticationMode"].as_str().unwrap_or("CONFIG_MAP")
}
