//! Clusters made and unmade: the control plane with its files, the cluster security group, the network interfaces.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::account::{Subnet, internal, issue, text, texts};
use super::cluster::{Running, locked};
use super::controllers::{Controllers, Distribution};
use super::error::Error;
use super::identity::Access;
use super::kubernetes::Api;
use super::local_world::{Held, LocalWorld, access_mode};
use super::webhook::Hooks;
use super::world::{ClusterFacts, Issue};
use super::{addons, checks, fargate, nodes};
use crate::local::control_plane::ControlPlane;
use crate::local::error::Error as LocalError;
use crate::local::kubeconfig::random_token;
use crate::local::options::{Options, TokenUser};
use crate::local::programs::programs_in;
use crate::local::progress::Progress;
use crate::local::release::Release;
use crate::local::wire::Server;

/// The Stage by which nodes wait for their network.
const NODE_READY: &str = include_str!("../../../deploy/local/aws/node-ready.yaml");
/// The Stage of KWOK's own that it takes the place of.
const REPLACED_STAGE: &str = "node-initialize.yaml";
/// Most interfaces that the service makes for a control plane.
const INTERFACES: usize = 4;

impl LocalWorld {
    /// Makes everything that a cluster is.
    pub(super) async fn make(&self, view: &Value) -> Result<ClusterFacts, Issue> {
        let name = text(view, "name");
        let id = random_token().map_err(internal)?;
        let config = &view["resourcesVpcConfig"];
        let found = checks::network(&self.account, config).await?;
        let vpc = found.first().map(|subnet| subnet.vpc.clone()).unwrap_or_default();
        let group = self.security_group(&name, &vpc, &id).await?;
        let region = &self.account.home.region;
        let issuer = format!("https://oidc.eks.{region}.amazonaws.com/id/{}", id.to_uppercase());
        let subnets: Vec<String> = one_of_each_zone_first(&found).into_iter().take(INTERFACES).collect();
        let mut groups = texts(config, "securityGroupIds");
        groups.push(group.clone());
        let made = self
            .account
            .provider
            .create_interfaces(
                &self.account.home,
                &subnets,
                &groups,
                &format!("Amazon EKS {name}"),
                &Running::own_tags(&name),
            )
            .await;
        let interfaces: Vec<String> = match made {
            Ok(made) => made.into_iter().map(|interface| interface.id).collect(),
            Err(error) => {
                self.take_back(&[], &group).await;
                return Err(internal(error));
            }
        };
        let folder = self.folder.join(&id);
        let (control_plane, token) = match self.start(view, &id, &issuer, &folder).await {
            Ok(started) => started,
            Err(error) => {
                self.take_back(&interfaces, &group).await;
                return Err(internal(error));
            }
        };
        let instance = control_plane.instance().clone();
        let server =
            Server::trusting(&instance.endpoint, &instance.certificate_authority).map_err(internal)?;
        let authority = std::fs::read(&instance.certificate_authority).map_err(internal)?;
        let creator = view["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] != false;
        let running = Arc::new(Running {
            name: name.clone(),
            id: id.clone(),
            account: self.account.clone(),
            patience: self.patience,
            api: Api::new(server, token),
            control_plane: tokio::sync::Mutex::new(Some(control_plane)),
            folder,
            vpc: vpc.clone(),
            security_group: group.clone(),
            interfaces,
            hosts: Arc::clone(&self.hosts),
            access: Mutex::new(Access::described(access_mode(view), &[])),
            creator: creator.then(|| self.administrator.clone()),
            groups: Mutex::default(),
            profiles: Mutex::default(),
            wake: Notify::new(),
            changing: tokio::sync::Mutex::new(()),
            unready: Mutex::default(),
        });
        let hooks: Arc<dyn Hooks> = Arc::clone(&running) as Arc<dyn Hooks>;
        self.webhooks.register(&id, &hooks);
        let mut keepers = JoinSet::new();
        keepers.spawn(nodes::keep(Arc::clone(&running)));
        keepers.spawn(fargate::keep(Arc::clone(&running)));
        let played =
            Controllers::new(running.api.clone(), running.account.clone(), &running.name, Distribution::Eks);
        keepers.spawn(played.keep());
        locked(&self.clusters).insert(name, Held { running: Arc::clone(&running), keepers });
        if view["bootstrapSelfManagedAddons"] != false {
            addons::bootstrap(&running, view).await?;
        }
        Ok(ClusterFacts {
            endpoint: instance.endpoint,
            certificate_authority: STANDARD.encode(authority),
            security_group: group,
            vpc,
            issuer,
        })
    }

    /// Takes it all away again.
    pub(super) async fn unmake(&self, view: &Value) -> Result<(), Issue> {
        let Some(mut held) = locked(&self.clusters).remove(&text(view, "name")) else { return Ok(()) };
        let cluster = Arc::clone(&held.running);
        held.keepers.shutdown().await;
        fargate::release_all(&cluster).await.map_err(internal)?;
        if let Some(control_plane) = cluster.control_plane.lock().await.take() {
            control_plane.stop().await.map_err(internal)?;
        }
        let account = &cluster.account;
        account.provider.release_interfaces(&account.home, &cluster.interfaces).await.map_err(internal)?;
        account.delete_security_group(&cluster.security_group).await?;
        let _ = std::fs::remove_dir_all(&cluster.folder);
        Ok(())
    }

    async fn start(
        &self,
        view: &Value,
        id: &str,
        issuer: &str,
        folder: &Path,
    ) -> Result<(ControlPlane, String), Error> {
        let quiet = &mut |_: Progress| {};
        let release = Release::find(&text(view, "version"))?;
        let programs = programs_in(&self.places, release, quiet).await?;
        let stage = folder.join("node-ready.yaml");
        std::fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
        std::fs::write(&stage, NODE_READY).map_err(LocalError::io("write", &stage))?;
        let mut stages: Vec<PathBuf> =
            programs.kwok_stages.into_iter().filter(|path| !path.ends_with(REPLACED_STAGE)).collect();
        stages.push(stage);
        let mut arguments = self.webhooks.flags(id, folder)?;
        let network = &view["kubernetesNetworkConfig"];
        let family = if network["ipFamily"] == "ipv6" { "serviceIpv6Cidr" } else { "serviceIpv4Cidr" };
        if let Some(range) = network[family].as_str() {
            arguments.push(format!("--service-cluster-ip-range={range}"));
        }
        arguments.push(format!("--service-account-issuer={issuer}"));
        arguments.push("--api-audiences=https://kubernetes.default.svc".to_owned());
        let token = random_token()?;
        let service = TokenUser {
            token: token.clone(),
            user: "eks:cluster-bootstrap".to_owned(),
            groups: vec!["system:masters".to_owned()],
        };
        let options = Options {
            version: release.version.to_owned(),
            nodes: 0,
            name: Some(format!("eks-{}", &id[..16])),
            extra_tokens: vec![service],
            api_server_args: arguments,
            kwok_stages: Some(stages),
            supervisor: self.supervisor.clone(),
            ..Options::default()
        };
        Ok((ControlPlane::start_in(&self.places, options, quiet).await?, token))
    }

    /// The cluster security group: everything between what is in it.
    async fn security_group(&self, name: &str, vpc: &str, id: &str) -> Result<String, Issue> {
        let digits: String = id.bytes().take(10).map(|byte| char::from(b'0' + byte % 10)).collect();
        let group_name = format!("eks-cluster-sg-{name}-{digits}");
        let mut tags = Running::own_tags(name);
        tags.insert("Name".to_owned(), group_name.clone());
        let description = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, \
                           as well as any managed workloads.";
        let group = self.account.create_security_group(vpc, &group_name, description, &tags).await?;
        let input = json!({
            "GroupId": group, "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
        });
        self.account.ec2("AuthorizeSecurityGroupIngress", input).await.map_err(issue)?;
        Ok(group)
    }

    /// Takes away what was made for a cluster that did not come up.
    async fn take_back(&self, interfaces: &[String], group: &str) {
        // The error at hand matters more.
        let _ = self.account.provider.release_interfaces(&self.account.home, interfaces).await;
        let _ = self.account.delete_security_group(group).await;
    }
}

/// Subnets so that the first ones lie in different zones.
fn one_of_each_zone_first(subnets: &[Subnet]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = subnets.iter().partition(|subnet| seen.insert(subnet.zone.clone()));
    first.into_iter().chain(rest).map(|subnet| subnet.id.clone()).collect()
}
