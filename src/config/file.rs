//! The daemon's file as it is written. [`super::Config`] is what becomes of it.

use super::credential::CredentialsEntry;
use crate::model::document::format::{DnsLabel, RepositoryPath, SocketAddress};
use crate::model::{ByteSize, Interval, Permissions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The daemon's own file: which repositories to follow and how to reach things. Paths in it are relative to it; `~/`
/// is the home folder. Secrets are never written here, only named: by file or by environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigFile {
    /// Version of this format.
    pub api_version: ConfigVersion,
    /// Kind of this file.
    pub kind: ConfigKind,
    /// Repositories to follow. Of two that declare a document of one name, the first here wins.
    #[schemars(length(min = 1))]
    pub repositories: Vec<RepositoryEntry>,
    /// Kubeconfigs that Cluster documents name contexts of. A Cluster that names none uses the first.
    #[serde(default)]
    pub kubeconfigs: Vec<KubeconfigEntry>,
    /// Name of this daemon: two that keep the same cluster need different ones.
    #[serde(default = "default_instance")]
    #[schemars(with = "DnsLabel")]
    pub instance: String,
    /// Plan, watch and report; write nothing to any cluster.
    #[serde(default)]
    pub read_only: bool,
    /// Address for `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_listen")]
    #[schemars(with = "SocketAddress")]
    pub listen: String,
    /// Folder for mirrors of repositories and work files. All of it can be made again.
    #[serde(default = "default_data_dir")]
    pub data_dir: String,
    /// Where the daemon remembers what it did, and takes requests from `portolan sync` and `approve`.
    #[serde(default)]
    pub state: StateEntry,
    /// Where AWS answers, for clusters in it.
    #[serde(default)]
    pub aws: AwsEntry,
    /// Programs that render.
    #[serde(default)]
    pub tools: ToolsEntry,
    /// Limits of the daemon as a whole.
    #[serde(default)]
    pub limits: Limits,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
    /// Write Kubernetes Events about drift, failures and prunes.
    #[serde(default = "default_events")]
    pub events: bool,
}

fn default_instance() -> String {
    "portolan".into()
}

fn default_listen() -> String {
    "127.0.0.1:8080".into()
}

fn default_data_dir() -> String {
    "/var/lib/portolan".into()
}

const fn default_events() -> bool {
    true
}

/// The default of every setting, with no repository: a daemon needs at least one.
impl Default for ConfigFile {
    fn default() -> Self {
        Self {
            api_version: ConfigVersion::V1Alpha1,
            kind: ConfigKind::Config,
            repositories: Vec::new(),
            kubeconfigs: Vec::new(),
            instance: default_instance(),
            read_only: false,
            listen: default_listen(),
            data_dir: default_data_dir(),
            state: StateEntry::default(),
            aws: AwsEntry::default(),
            tools: ToolsEntry::default(),
            limits: Limits::default(),
            log: Log::default(),
            events: default_events(),
        }
    }
}

/// Where AWS answers. Credentials come from the standard chain; partition and addresses follow from a cluster's region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AwsEntry {
    /// Address that takes the place of every service's own: a proxy, or a local AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Addresses that take the place of single services' own, by the services' names: `eks`, `ec2`, `sts`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
}

/// Versions of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigVersion {
    /// The only one there is.
    #[serde(rename = "portolan.dev/v1alpha1")]
    V1Alpha1,
}

/// Kinds of daemon's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigKind {
    /// The only one there is.
    Config,
}

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryEntry {
    /// Name that Application documents use.
    #[schemars(with = "DnsLabel")]
    pub name: String,
    /// `https://…`, `http://…`, `ssh://…`, `user@host:path`, `file://…`, or a folder.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Branch, tag, semver range (`>=1.2 <2`) or commit. Default: the remote's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether documents in this repository count, or only the manifests that applications read from it.
    #[serde(default)]
    pub role: Role,
    /// Folder of the documents. Default: `portolan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RepositoryPath>")]
    pub documents: Option<String>,
    /// Time between two fetches.
    #[serde(default = "default_fetch_interval")]
    pub interval: Interval,
    /// Who the daemon is to the server. Absent for public and local repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsEntry>,
    /// File of certificate authorities in PEM form, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// What the repository's applications may touch.
    #[serde(default)]
    pub may: Permissions,
    /// Limits of fetching and reading.
    #[serde(default)]
    pub limits: RepositoryLimits,
}

/// Folder of the documents where a repository names none.
pub const DEFAULT_DOCUMENTS: &str = "portolan";

const fn default_fetch_interval() -> Interval {
    Interval::from_secs(30)
}

/// What a repository is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Its documents count: whoever may merge there decides what is delivered, within `may`.
    #[default]
    Control,
    /// Only a source of manifests, for applications that name it.
    Source,
}

/// Limits of fetching and reading one repository. What exceeds a limit is refused by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RepositoryLimits {
    /// Longest time a fetch may take.
    pub fetch_timeout: Interval,
    /// Most data that a fetch may receive.
    pub fetch_size: ByteSize,
    /// Most memory that a fetch may use.
    pub fetch_memory: ByteSize,
    /// Most files and folders below an application's path.
    #[schemars(range(min = 1))]
    pub files: u32,
    /// Most folders inside each other.
    #[schemars(range(min = 1))]
    pub depth: u32,
    /// Largest file.
    pub file_size: ByteSize,
    /// Most data below an application's path.
    pub total_size: ByteSize,
}

impl Default for RepositoryLimits {
    fn default() -> Self {
        Self {
            fetch_timeout: Interval::from_secs(600),
            fetch_size: ByteSize::from_mebibytes(2048),
            fetch_memory: ByteSize::from_mebibytes(1024),
            files: 100_000,
            depth: 64,
            file_size: ByteSize::from_mebibytes(10),
            total_size: ByteSize::from_mebibytes(512),
        }
    }
}

/// One kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeconfigEntry {
    /// Name that Cluster documents use.
    #[schemars(with = "DnsLabel")]
    pub name: String,
    /// The file.
    #[schemars(length(min = 1))]
    pub file: String,
    /// Context for Cluster documents that name none. Default: the file's current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// Where the state is: at most one of the two. Default: the daemon's own namespace when it runs in a cluster, else the
/// folder `state` in `dataDir`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StateEntry {
    /// A folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// A namespace of the cluster that the daemon runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DnsLabel>")]
    pub namespace: Option<String>,
}

/// Programs that render: a name to be found on PATH, or a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToolsEntry {
    /// Helm 3.
    #[schemars(length(min = 1))]
    pub helm: String,
    /// Kustomize 5.
    #[schemars(length(min = 1))]
    pub kustomize: String,
}

impl Default for ToolsEntry {
    fn default() -> Self {
        Self { helm: "helm".into(), kustomize: "kustomize".into() }
    }
}

/// Limits of the daemon as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Most requests to one API server at the same time, watches apart.
    #[schemars(range(min = 1, max = 256))]
    pub requests_at_once: u32,
    /// Most renderings at the same time.
    #[schemars(range(min = 1, max = 64))]
    pub renders_at_once: u32,
    /// Longest time that one rendering may take.
    pub render_timeout: Interval,
    /// Most output that one rendering may give.
    pub render_output: ByteSize,
    /// Longest time to finish what has begun after SIGTERM.
    pub drain_timeout: Interval,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_at_once: 16,
            renders_at_once: 2,
            render_timeout: Interval::from_secs(60),
            render_output: ByteSize::from_mebibytes(64),
            drain_timeout: Interval::from_secs(20),
        }
    }
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// Level (`error`, `warn`, `info`, `debug`, `trace`), also for single modules: `info,portolan::git=debug`.
    #[schemars(length(min = 1))]
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".into() }
    }
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
