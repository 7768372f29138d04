//! The composition root: from the daemon's settings to an engine with its adapters. The only file that names both.

pub mod eks;
pub mod inventory;

use crate::aws::Registries;
use crate::config::{Config, Credentials, StatePlace};
use crate::engine::clusters::{ClusterPreview, Kept, Pace};
use crate::engine::{Adapters, Connect, Engine, Previewed, RepositorySource, Settings, View};
use crate::failure::{Failure, FailureKind};
use crate::git::{
    self, CredentialSource, FetchLimits, Mirror, MirroredRepository, RepositoryAddress, TreeLimits,
};
use crate::host::{FolderStore, HostFolders, ProcessRunner, SystemClock, SystemNames};
use crate::k8s::{self, ClusterStateStore, ConnectOptions, RequestObserver, Source};
use crate::model::ClusterSpec;
use crate::ports::{Clouds, Cluster, Sink, StateStore};
use crate::render::{FolderRenderer, ToolLimits, Tools};
use async_trait::async_trait;
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Namespace of the daemon and of the ApplySets' parents, where none is given.
pub const NAMESPACE: &str = "portolan-system";
/// Where Kubernetes tells a pod its namespace.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// What a composition needs beside the settings.
#[derive(Clone)]
pub struct Surroundings {
    /// Our own program, which fetches in child processes.
    pub program: PathBuf,
    /// Folders in which helm and kustomize are looked for after PATH.
    pub tool_folders: Vec<PathBuf>,
    /// Sees every request to every cluster: for tests and measurements.
    pub observer: Option<Arc<dyn RequestObserver>>,
}

/// An engine, and what has to stay alive beside it.
pub struct Composed {
    engine: Engine,
    /// Watches of local repositories.
    _watches: Vec<git::LocalWatch>,
}

impl Composed {
    /// Runs the engine until told to stop.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        self.engine.run(stop).await;
    }

    /// Renders and plans once, writing nothing.
    ///
    /// # Errors
    /// As [`Engine::preview`].
    pub async fn preview(self, only: Option<&str>) -> Result<Previewed, String> {
        self.engine.preview(only).await
    }

    /// Says what keeping a cluster in the cloud would change, or taking it away; changes nothing.
    ///
    /// # Errors
    /// As [`Engine::cluster_preview`].
    pub async fn cluster_preview(self, name: &str, removed: bool) -> Result<ClusterPreview, String> {
        self.engine.cluster_preview(name, removed).await
    }

    /// A cluster to be kept by hand, where no daemon does.
    ///
    /// # Errors
    /// As [`Engine::cluster`].
    pub async fn cluster(&self, name: &str, removed: bool) -> Result<Arc<Kept>, String> {
        self.engine.cluster(name, removed).await
    }

    /// What a `Cluster` document says.
    ///
    /// # Errors
    /// As [`Engine::cluster_spec`].
    pub async fn cluster_spec(&self, name: &str) -> Result<ClusterSpec, String> {
        self.engine.cluster_spec(name).await
    }

    /// A view of the engine.
    #[must_use]
    pub fn view(&self) -> View {
        self.engine.view()
    }
}

/// The way to clouds, and how fast they are looked at.
#[derive(Clone)]
pub struct CloudSetup {
    /// Gives accounts.
    pub clouds: Arc<dyn Clouds>,
    /// How passes over clusters follow each other.
    pub pace: Pace,
}

impl CloudSetup {
    /// AWS, with credentials of the standard chain, at the addresses that the settings give.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { clouds: eks::clouds(&config.aws), pace: Pace::default() }
    }
}

/// Builds an engine from the settings.
///
/// # Errors
/// When a repository's mirror, a tool or the state cannot be had.
pub async fn compose(
    config: &Config,
    surroundings: &Surroundings,
    sink: Arc<dyn Sink>,
) -> Result<Composed, Failure> {
    compose_with(config, surroundings, CloudSetup::of(config), sink).await
}

/// [`compose`] with another way to clouds: a local AWS, another pace.
///
/// # Errors
/// As [`compose`].
pub async fn compose_with(
    config: &Config,
    surroundings: &Surroundings,
    cloud: CloudSetup,
    sink: Arc<dyn Sink>,
) -> Result<Composed, Failure> {
    let mut watches = Vec::new();
    let mut repositories = Vec::new();
    for repository in &config.repositories {
        repositories.push(source(config, repository, surroundings, &mut watches)?);
    }
    // A bare name is looked for in the folders; a path has to be there.
    let configured = |tool: &PathBuf| tool.is_absolute().then(|| tool.clone());
    let wanted =
        Tools { helm: configured(&config.tools.helm), kustomize: configured(&config.tools.kustomize) };
    let tools = Tools::find(&wanted, &surroundings.tool_folders)?;
    let limits = ToolLimits {
        time: config.limits.render_timeout.duration(),
        output: usize::try_from(config.limits.render_output.bytes()).unwrap_or(usize::MAX),
        at_once: config.limits.renders_at_once as usize,
        ..ToolLimits::default()
    };
    let work_dir = config.data_dir.join("work");
    std::fs::create_dir_all(&work_dir)?;
    let renderer = FolderRenderer::new(tools, Arc::new(ProcessRunner), work_dir, limits);
    let adapters = Adapters {
        repositories,
        connect: Arc::new(Connector {
            config: config.clone(),
            observer: surroundings.observer.clone(),
            clouds: cloud.clouds.clone(),
        }),
        clouds: cloud.clouds,
        folders: Arc::new(HostFolders),
        images: Arc::new(Registries::default()),
        names: Arc::new(SystemNames),
        renderer: Arc::new(renderer),
        state: state_store(config, surroundings.observer.clone()).await?,
        clock: Arc::new(SystemClock),
        sink,
    };
    let settings = Settings {
        instance: config.instance.clone(),
        namespace: own_namespace(),
        requests_at_once: config.limits.requests_at_once as usize,
        renders_at_once: config.limits.renders_at_once as usize,
        drain: config.limits.drain_timeout.duration(),
        read_only: config.read_only,
        events: config.events,
        salt: random_salt(),
        clusters: cloud.pace,
    };
    Ok(Composed { engine: Engine::new(settings, adapters), _watches: watches })
}

/// The namespace this process runs in, or the one that stands for it.
fn own_namespace() -> String {
    std::fs::read_to_string(POD_NAMESPACE).map_or_else(|_| NAMESPACE.into(), |text| text.trim().to_owned())
}

/// Whether this process runs in a pod.
fn in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(POD_NAMESPACE).exists()
}

/// The daemon's memory, as the settings place it. The command line reaches the daemon through the same.
///
/// # Errors
/// When the folder or the cluster cannot be had.
pub async fn state_store(
    config: &Config,
    observer: Option<Arc<dyn RequestObserver>>,
) -> Result<Arc<dyn StateStore>, Failure> {
    let in_namespace = |namespace: String| async {
        // The command line reaches the daemon's cluster by the caller's own rights.
        let source = if in_cluster() {
            Source::InCluster
        } else {
            match config.kubeconfigs.first() {
                Some(kubeconfig) => Source::KubeconfigFile {
                    path: kubeconfig.file.clone(),
                    context: kubeconfig.context.clone(),
                },
                None => {
                    return Err(Failure::new(
                        FailureKind::Config,
                        "the state is in a namespace, but no kubeconfig is named",
                    )
                    .hint("add one under `kubeconfigs`, or set `state.folder`"));
                }
            }
        };
        let server = k8s::connect(&source, ConnectOptions { observer, ..ConnectOptions::default() }).await?;
        Ok(Arc::new(ClusterStateStore::new(&server, namespace)) as Arc<dyn StateStore>)
    };
    match &config.state {
        StatePlace::Namespace(namespace) => in_namespace(namespace.clone()).await,
        StatePlace::Default if in_cluster() => in_namespace(own_namespace()).await,
        StatePlace::Default => Ok(Arc::new(FolderStore::open(config.data_dir.join("state"))?)),
        StatePlace::Folder(folder) => Ok(Arc::new(FolderStore::open(folder.clone())?)),
    }
}

fn source(
    config: &Config,
    repository: &crate::config::Repository,
    surroundings: &Surroundings,
    watches: &mut Vec<git::LocalWatch>,
) -> Result<RepositorySource, Failure> {
    let address = RepositoryAddress::parse(&repository.url)?;
    let noticed = match address.local_path().map(Path::to_owned) {
        Some(path) => {
            let changes = watch::Sender::new(0u64);
            let noticed = changes.subscribe();
            // Without the watch a commit is seen at the next tick; the fetch itself says what is wrong with the folder.
            if let Ok(watch) = git::watch_local(&path, move || changes.send_modify(|count| *count += 1)) {
                watches.push(watch);
            }
            Some(noticed)
        }
        None => None,
    };
    let mirror = Mirror::open(&config.data_dir.join("mirrors"), address)?;
    let limits = &repository.limits;
    let fetch_limits = FetchLimits {
        total: limits.fetch_timeout.duration(),
        bytes: limits.fetch_size.bytes(),
        memory: limits.fetch_memory.bytes(),
        ..FetchLimits::default()
    };
    let tree_limits = TreeLimits {
        entries: limits.files as usize,
        depth: limits.depth as usize,
        file_bytes: limits.file_size.bytes(),
        total_bytes: limits.total_size.bytes(),
    };
    let mirrored = MirroredRepository::new(
        mirror,
        surroundings.program.clone(),
        credentials(repository.credentials.clone()),
        repository.ca_file.clone(),
        fetch_limits,
        tree_limits,
    );
    Ok(RepositorySource {
        name: repository.name.clone(),
        repository: Arc::new(mirrored),
        revision: repository.revision.clone(),
        documents: repository.documents.clone(),
        interval: repository.interval.duration(),
        permissions: repository.may.clone(),
        noticed,
    })
}

/// Reads a repository's credentials where the daemon's file says they are, anew for each fetch.
fn credentials(reference: Option<Credentials>) -> Arc<CredentialSource> {
    Arc::new(move || {
        let words = |error: crate::config::SecretError| format!("the credentials: {error}");
        Ok(match &reference {
            None => (git::Credentials::None, String::new()),
            Some(Credentials::Basic { username, password }) => (
                git::Credentials::basic(username, password.read().map_err(words)?.expose_secret()),
                String::new(),
            ),
            Some(Credentials::Token(token)) => {
                (git::Credentials::bearer(token.read().map_err(words)?.expose_secret()), String::new())
            }
            Some(Credentials::Ssh { private_key, passphrase, known_hosts }) => {
                let key = private_key.read().map_err(words)?;
                let passphrase = passphrase.as_ref().map(|p| p.read()).transpose().map_err(words)?;
                let passphrase = passphrase.as_ref().map(ExposeSecret::expose_secret);
                let hosts = known_hosts.read().map_err(words)?;
                (git::Credentials::ssh_key(key.expose_secret(), passphrase), hosts)
            }
        })
    })
}

/// Opens the destinations that `Cluster` documents describe.
struct Connector {
    config: Config,
    observer: Option<Arc<dyn RequestObserver>>,
    clouds: Arc<dyn Clouds>,
}

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, name: &str, spec: &ClusterSpec) -> Result<Arc<dyn Cluster>, String> {
        let mut token = None;
        let source = if spec.in_cluster {
            Source::InCluster
        } else if let Some(eks) = &spec.eks {
            let (source, eks_token) = eks::source(self.clouds.as_ref(), eks)
                .await
                .map_err(|words| format!("Cluster {name}: {words}"))?;
            token = Some(eks_token);
            source
        } else if let Some(reference) = &spec.kubeconfig {
            let known = &self.config.kubeconfigs;
            let kubeconfig = match &reference.name {
                Some(wanted) => known.iter().find(|kubeconfig| kubeconfig.name == *wanted),
                None => known.first(),
            };
            let kubeconfig = kubeconfig.ok_or_else(|| {
                format!(
                    "Cluster {name}: the daemon's file names no kubeconfig {}",
                    reference.name.as_deref().unwrap_or("")
                )
            })?;
            let context = reference.context.clone().or_else(|| kubeconfig.context.clone());
            Source::KubeconfigFile { path: kubeconfig.file.clone(), context }
        } else {
            return Err(format!(
                "Cluster {name}: nothing says how it is reached; name `kubeconfig` or `eks`"
            ));
        };
        let options = ConnectOptions { observer: self.observer.clone(), token };
        let server =
            k8s::connect(&source, options).await.map_err(|error| format!("Cluster {name}: {error}"))?;
        Ok(Arc::new(server))
    }
}

/// Randomness for the salt: the standard library's hasher seeds, which the system's generator feeds.
fn random_salt() -> [u8; 32] {
    use std::hash::{BuildHasher, Hasher};
    let mut salt = [0; 32];
    for chunk in salt.chunks_mut(8) {
        let word = std::collections::hash_map::RandomState::new().build_hasher().finish();
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    salt
}
