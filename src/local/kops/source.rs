//! A whole source cluster: what kops made in the local AWS, and a control plane whose nodes and add-ons are of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::addons;
use super::error::Error;
use super::example::CLUSTER;
use super::manifest::Manifest;
use super::nodes::Nodes;
use super::program::{Kops, KopsOptions, bucket_of, folder_in};
use super::release::{KopsRelease, control_plane_for};
use crate::local::aws::account::Account;
use crate::local::aws::controllers::{Controllers, Distribution, waiting};
use crate::local::aws::kubernetes::Api;
use crate::local::aws::{Connect, Error as AwsError, LocalAws};
use crate::local::control_plane::ControlPlane;
use crate::local::error::Error as LocalError;
use crate::local::kubeconfig::administrator;
use crate::local::options::Options;
use crate::local::places::Places;
use crate::local::progress::{Meter, Phase, Report};
use crate::local::wire::Server;
use crate::model::kops::KopsState;

/// How long nodes may take to be Ready.
const NODES_LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

/// What may be chosen about a source cluster.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Cache and folders.
    pub places: Places,
    /// Which kops; the one for the specification's Kubernetes by default.
    pub release: Option<&'static KopsRelease>,
    /// One Cluster and its InstanceGroups, YAML; the demo's by default.
    pub specification: Option<String>,
    /// Name of the control plane; one is invented by default.
    pub name: Option<String>,
    /// The program that supervises the control plane; `None` is the running one.
    pub supervisor: Option<PathBuf>,
}

impl SourceOptions {
    /// The demo's cluster.
    #[must_use]
    pub fn new(places: Places) -> SourceOptions {
        SourceOptions { places, release: None, specification: None, name: None, supervisor: None }
    }
}

/// A source cluster. It ends with this value, but for what lies in the local AWS; [`KopsSource::stop`] waits for that.
pub struct KopsSource {
    cluster: String,
    kops: Kops,
    state: KopsState,
    control_plane: ControlPlane,
    api: Api,
    /// Ends with the value.
    keeper: JoinSet<()>,
    _folder: TempDir,
}

impl KopsSource {
    /// Has kops make the cluster, and brings up what there is of it on this machine: all nodes Ready, all add-ons applied.
    ///
    /// # Errors
    /// Those of [`Kops::create`] and of [`ControlPlane::start`]; [`Error::Apply`]; [`Error::TimedOut`].
    pub async fn start(
        aws: &LocalAws,
        connect: &dyn Connect,
        options: SourceOptions,
        report: Report<'_>,
    ) -> Result<KopsSource, Error> {
        let SourceOptions { places, release, specification, name, supervisor } = options;
        let specification = specification.unwrap_or_else(|| demo_cluster(release));
        let manifest = Manifest::read(&specification)?;
        let release = match (release, manifest.kubernetes()) {
            (Some(release), _) => release,
            (None, Some(version)) => KopsRelease::for_kubernetes(version)?,
            (None, None) => KopsRelease::find("1.28.5")?,
        };
        let folder = tempfile::tempdir().map_err(LocalError::io("create", std::env::temp_dir()))?;
        let wanted = KopsOptions {
            places: places.clone(),
            release,
            folder: folder_in(folder.path()),
            bucket: bucket_of(manifest.name()),
        };
        let kops = Kops::open(aws, wanted, report).await?;
        let mut meter = Meter::new(Phase::Start, None);
        meter.show("kops create", report);
        let cluster = kops.create(&specification).await?;
        let state = kops.state(&cluster).await?;
        let version = state.text("kubernetesVersion").unwrap_or(release.kubernetes);
        let version = format!("v{}", version.trim_start_matches('v'));

        let service = administrator("portolan-local-kops")?;
        let options = Options {
            version: control_plane_for(&version)?.version.to_owned(),
            nodes: 0,
            name,
            extra_tokens: vec![service.clone()],
            api_server_args: flags(&state),
            supervisor,
            ..Options::default()
        };
        let control_plane = ControlPlane::start_in(&places, options, report).await?;
        let instance = control_plane.instance();
        let server = Server::trusting(&instance.endpoint, &instance.certificate_authority);
        let server = server.map_err(|detail| AwsError::Answer {
            what: "the source cluster",
            address: instance.endpoint.clone(),
            detail,
        })?;
        let cloud = connect.connect(aws.access()).await?;
        let account = Account::new(Arc::clone(&cloud), aws.provider(), aws.home().clone());
        let api = Api::new(server, service.token);
        let played = Controllers::new(api.clone(), account.clone(), &cluster, Distribution::Kops);
        let nodes = Nodes::new(account, api.clone(), &state, &version);
        meter.show("nodes", report);
        all_ready(&nodes).await?;
        if let Some(channel) = &state.channel {
            addons::apply(&control_plane, channel, report).await?;
        }
        let mut keeper = JoinSet::new();
        keeper.spawn(nodes.keep());
        keeper.spawn(played.keep());
        Ok(KopsSource { cluster, kops, state, control_plane, api, keeper, _folder: folder })
    }

    /// The cluster's name for kops.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The kops that made it.
    #[must_use]
    pub fn kops(&self) -> &Kops {
        &self.kops
    }

    /// What kops had written down when it was made.
    #[must_use]
    pub fn state(&self) -> &KopsState {
        &self.state
    }

    /// Its control plane.
    #[must_use]
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.control_plane.kubeconfig()
    }

    /// Waits until its controllers have done what its objects ask for: claims of pods are bound and their volumes attached,
    /// load balancers are there.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the first object that waits, after `limit`.
    pub async fn in_order(&self, limit: Duration) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let state = match waiting(&self.api).await {
                Ok(None) => return Ok(()),
                Ok(Some(object)) => format!("{object} waits"),
                Err(refusal) => refusal.to_string(),
            };
            if since.elapsed() > limit {
                let what = "the source cluster's controllers did not do their work".to_owned();
                return Err(Error::TimedOut { what, limit, state });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stops it and waits until no process of it is left. What kops made in the local AWS stays there.
    ///
    /// # Errors
    /// As [`ControlPlane::stop`].
    pub async fn stop(mut self) -> Result<(), Error> {
        self.keeper.shutdown().await;
        Ok(self.control_plane.stop().await?)
    }
}

/// The demo's cluster, at the Kubernetes that a kops has by default.
fn demo_cluster(release: Option<&'static KopsRelease>) -> String {
    match release {
        Some(release) => CLUSTER
            .replace("kubernetesVersion: 1.24.17", &format!("kubernetesVersion: {}", release.kubernetes)),
        None => CLUSTER.to_owned(),
    }
}

/// Flags of the API server by which clients and workloads can tell clusters apart.
fn flags(state: &KopsState) -> Vec<String> {
    let flag = |name: &str, path: &str| Some(format!("--{name}={}", state.text(path)?));
    let flags = [
        flag("service-cluster-ip-range", "networking.serviceClusterIPRange"),
        flag("service-account-issuer", "kubeAPIServer.serviceAccountIssuer"),
    ];
    flags.into_iter().flatten().collect()
}

/// Waits until every instance that ought to be a node is one, and Ready.
async fn all_ready(nodes: &Nodes) -> Result<(), Error> {
    let since = Instant::now();
    loop {
        let state = match nodes.pass().await {
            Ok(wanted) => match nodes.ready().await {
                Ok(ready) if ready == wanted && wanted > 0 => return Ok(()),
                Ok(ready) => format!("{ready} of {wanted} are Ready"),
                Err(refusal) => refusal.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if since.elapsed() > NODES_LIMIT {
            let what = "the source cluster's nodes did not become Ready".to_owned();
            return Err(Error::TimedOut { what, limit: NODES_LIMIT, state });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
