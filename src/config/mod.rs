//! Ring 5: the daemon's own file, read, checked, watched; and what `portolan check` and `portolan schema` say.
//!
//! ```text
//! file.rs (as written) ─► resolve.rs (rules, absolute paths) ─► Config
//! ```
//!
//! Every setting with its default and meaning is in `config/portolan.yaml`; a test holds that file to the types here.

pub mod check;
mod cluster_configs;
mod credential;
mod file;
mod place;
mod repository;
mod resolve;
pub mod schema;
mod sources;
mod watch;

pub use credential::{Credentials, KnownHosts, SecretError, SecretRef};
pub use file::{ConfigFile, DEFAULT_DOCUMENTS, Limits, Log, LogFormat, RepositoryLimits, Role};
pub use watch::{Watch, WatchError, watch};

use crate::model::cloud::Service;
use crate::model::document::Problem;
use crate::model::{Interval, Permissions};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The daemon's settings, checked and with absolute paths. Holds no secret, only where each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// SHA-256 of the file's content, in hex: equal digests, equal settings.
    pub digest: String,
    /// Repositories to follow, in the order of the file; at least one.
    pub repositories: Vec<Repository>,
    /// Kubeconfigs by name.
    pub kubeconfigs: Vec<Kubeconfig>,
    /// Name of this daemon.
    pub instance: String,
    /// Nothing is written to any cluster.
    pub read_only: bool,
    /// Address of the HTTP server.
    pub listen: SocketAddr,
    /// Folder for mirrors and work files.
    pub data_dir: PathBuf,
    /// Where the state is.
    pub state: StatePlace,
    /// Addresses of AWS's services that take the place of their own.
    pub aws: AwsEndpoints,
    /// Programs that render.
    pub tools: Tools,
    /// Limits of the daemon as a whole.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
    /// Whether Kubernetes Events are written.
    pub events: bool,
    /// What a person should look at, though it works.
    pub warnings: Vec<Problem>,
}

/// Addresses of AWS's services that take the place of their own. They go before those of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    /// For every service that has none of its own.
    pub every: Option<String>,
    /// For single services.
    pub of_service: BTreeMap<Service, String>,
}

impl AwsEndpoints {
    /// The address of a service, where one is given.
    #[must_use]
    pub fn of(&self, service: Service) -> Option<&str> {
        self.of_service.get(&service).or(self.every.as_ref()).map(String::as_str)
    }
}

/// A repository to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its name, unique.
    pub name: String,
    /// Where it is; an absolute path when it is a folder. Never holds a password.
    pub url: String,
    /// Branch, tag, semver range or commit; `None` for the remote's default branch.
    pub revision: Option<String>,
    /// Folder of its documents; `None` when its documents do not count.
    pub documents: Option<String>,
    /// Time between two fetches.
    pub interval: Interval,
    /// Who the daemon is to the server.
    pub credentials: Option<Credentials>,
    /// Certificate authorities instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What its applications may touch.
    pub may: Permissions,
    /// Limits of fetching and reading.
    pub limits: RepositoryLimits,
}

/// A kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Its name, unique.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Context for Cluster documents that name none; `None` for the file's current one.
    pub context: Option<String>,
}

/// Where the state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// In the daemon's own namespace when it runs in a cluster, else in the folder `state` of the data folder.
    Default,
    /// In a folder.
    Folder(PathBuf),
    /// In a namespace of the cluster that the daemon runs in.
    Namespace(String),
}

/// Programs that render: absolute paths, or names to be found on PATH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// Helm.
    pub helm: PathBuf,
    /// Kustomize.
    pub kustomize: PathBuf,
}

/// Reads the daemon's file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file. Warnings alone are no error: see [`Config::warnings`].
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    let text = read(path)?;
    resolve::resolve(path, &text)
}

/// Largest daemon's file. One of a hundred repositories has 50 KB.
const LARGEST: u64 = 1 << 20;

fn read(path: &Path) -> Result<Vec<u8>, Vec<Problem>> {
    let problem = |message: String| vec![Problem::of_file(&path.display().to_string(), message)];
    let hint = "name the daemon's file with `--config`; config/portolan.yaml shows every setting";
    let metadata = std::fs::metadata(path).map_err(|error| {
        problem(format!("cannot be read: {error}")).into_iter().map(|p| p.hint(hint)).collect::<Vec<_>>()
    })?;
    if !metadata.is_file() {
        return Err(problem("is not a file".into()));
    }
    if metadata.len() > LARGEST {
        return Err(problem(format!("has {} bytes; a daemon's file has at most {LARGEST}", metadata.len())));
    }
    std::fs::read(path).map_err(|error| problem(format!("cannot be read: {error}")))
}

fn digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
