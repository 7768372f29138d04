//! The `Application` document: what to deliver, where to, and how it is kept.

use super::document::format::{
    DnsLabel, JsonPointerPattern, KindName, Labels, RepositoryPath, ServiceAccountName,
};
use super::permissions::wildcard;
use super::{GroupKind, Interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Group and version of the documents that Portolan reads from repositories.
pub const API_VERSION: &str = "portolan.dev/v1alpha1";

/// `spec` of an `Application` document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Name of a repository in the daemon's file. Default: the repository that holds this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Branch, tag, semver range (`>=1.2 <2`) or commit. Default: what the daemon's file says for the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Folder in the repository. May be a glob (`apps/*`): one application for each folder that matches.
    #[schemars(with = "RepositoryPath")]
    pub path: String,
    /// Which cluster, or clusters, it goes to.
    #[serde(default)]
    pub destination: Destination,
    /// Namespace for objects that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DnsLabel>")]
    pub namespace: Option<String>,
    /// ServiceAccount (`namespace/name`, or `name` in the application's namespace) that writes and dry runs are made as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ServiceAccountName>")]
    pub service_account: Option<String>,
    /// How the folder becomes objects.
    #[serde(default)]
    pub source: SourceSpec,
    /// When and how a new revision is applied.
    #[serde(default)]
    pub sync: SyncSpec,
    /// What happens to drift.
    #[serde(default)]
    pub drift: DriftSpec,
    /// When a full pass is made, beside the watches.
    #[serde(default)]
    pub reconcile: ReconcileSpec,
    /// How health is judged.
    #[serde(default)]
    pub health: HealthSpec,
    /// Live fields that are left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
    /// Applications of the same destination that have to be Synced and Healthy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What becomes of the objects when this document is removed.
    #[serde(default)]
    pub deletion: Deletion,
    /// Nothing is applied, mended or pruned while true; drift is still reported.
    #[serde(default)]
    pub suspend: bool,
}

/// Where an application goes: one cluster by name, or every cluster that carries the labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// Name of a `Cluster` document. Default: `in-cluster`, or the only cluster there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Labels of `Cluster` documents; the application then stands for one application on each match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Labels>")]
    pub selector: Option<BTreeMap<String, String>>,
}

/// How a folder becomes objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SourceSpec {
    /// Renderer; by default chosen by what the folder holds: `Chart.yaml`, `kustomization.yaml`, else plain files.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RendererKind>,
    /// Helm settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm: Option<HelmSpec>,
    /// Globs of files to read, relative to the path (plain files only). Default: all `*.yaml`, `*.yml`, `*.json`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Globs of files to leave out (plain files only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Whether sub-folders are read (plain files only).
    pub recurse: bool,
}

impl Default for SourceSpec {
    fn default() -> Self {
        Self { kind: None, helm: None, include: Vec::new(), exclude: Vec::new(), recurse: true }
    }
}

/// The ways a folder can be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RendererKind {
    /// YAML and JSON files as they are.
    Plain,
    /// `kustomize build`.
    Kustomize,
    /// `helm template`.
    Helm,
}

/// Settings of `helm template`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmSpec {
    /// Release name. Default: the application's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_name: Option<String>,
    /// Value files, relative to the application's path (`../` reaches other folders of the repository).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// Values, stronger than the value files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
    /// Fields that may differ from one rendering to the next: the first rendering's value is kept.
    /// Written as `Kind[.group]/name:/json/pointer`; name and pointer may hold `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
}

/// When and how a new revision is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SyncSpec {
    /// Apply a new revision without being asked. When false, `portolan sync` does it.
    pub auto: bool,
    /// Delete what the repository no longer declares.
    pub prune: bool,
    /// What to do with an object that exists already and is not ours.
    pub adopt: Adopt,
    /// Kinds (`Job.batch`, `*`) that may be deleted and created again when a change is not allowed in place. Those that
    /// the prune guard protects wait for an approval all the same.
    #[schemars(with = "Vec<KindName>")]
    pub replace: Vec<String>,
    /// Create the application's namespace when the repository does not declare it.
    pub create_namespace: bool,
    /// How dependants of a deleted object go.
    pub propagation: Propagation,
    /// What holds a prune until `portolan approve`.
    pub prune_guard: PruneGuard,
    /// Longest time one wave may take to become healthy, such as `5m`.
    pub timeout: Interval,
}

impl Default for SyncSpec {
    fn default() -> Self {
        Self {
            auto: true,
            prune: true,
            adopt: Adopt::default(),
            replace: Vec::new(),
            create_namespace: false,
            propagation: Propagation::default(),
            prune_guard: PruneGuard::default(),
            timeout: Interval::from_secs(300),
        }
    }
}

/// What to do with an object that exists already and is not in our inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adopt {
    /// Refuse, naming the owner.
    Never,
    /// Take it over unless another tool (Helm release, Argo CD, Flux, another ApplySet, a controller) owns it.
    #[default]
    IfUnowned,
    /// Take it over from whoever has it, another ApplySet excepted.
    Always,
}

/// How the dependants of a deleted object are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Propagation {
    /// The object goes at once, its dependants afterwards.
    #[default]
    Background,
    /// The object stays until its dependants are gone.
    Foreground,
}

/// Limits above which a prune waits for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PruneGuard {
    /// Most objects that one plan may delete unasked.
    pub max_objects: u32,
    /// Largest share of the application's objects, in percent, that one plan may delete unasked
    /// (a plan of up to three deletions is judged by `maxObjects` alone unless it takes everything).
    #[schemars(range(max = 100))]
    pub max_percent: u32,
    /// Kinds that are never deleted unasked, to be created again neither.
    #[schemars(with = "Vec<KindName>")]
    pub protected_kinds: Vec<String>,
}

impl Default for PruneGuard {
    fn default() -> Self {
        let protected = [
            "Namespace",
            "CustomResourceDefinition.apiextensions.k8s.io",
            "PersistentVolume",
            "PersistentVolumeClaim",
        ];
        Self { max_objects: 10, max_percent: 50, protected_kinds: protected.map(String::from).to_vec() }
    }
}

/// What happens to drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DriftSpec {
    /// The policy for every object of the application.
    pub policy: DriftPolicy,
}

/// What happens to a live field that left its declared value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// Mend it at once.
    #[default]
    Correct,
    /// Report it and leave it until the next sync.
    Report,
    /// Report it; nothing at all is written, new commits included.
    Freeze,
}

/// When a full pass is made, beside the watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReconcileSpec {
    /// Time between full passes, such as `1h`; spread by the application's name.
    pub every: Interval,
    /// Cron expression of five or six fields; takes the place of `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// IANA time zone of the cron expression.
    pub time_zone: String,
}

impl Default for ReconcileSpec {
    fn default() -> Self {
        Self { every: Interval::from_secs(3600), cron: None, time_zone: "UTC".into() }
    }
}

/// How health is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthSpec {
    /// Kinds (`Kind.group`) whose health does not count.
    #[schemars(with = "Vec<KindName>")]
    pub ignore: Vec<String>,
}

/// Live fields that are left as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoreRule {
    /// Kind, `*` for every kind.
    pub kind: String,
    /// API group; absent for every group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Name, may hold `*`; absent for every name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace, may hold `*`; absent for every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// JSON pointers (`/spec/replicas`). `*` stands for every key or item, `name=web` for the list item of that name.
    #[schemars(with = "Vec<JsonPointerPattern>", length(min = 1))]
    pub paths: Vec<String>,
}

/// What becomes of the objects when their Application document is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Deletion {
    /// They stay as they are, without our labels and field ownership.
    Orphan,
    /// They are pruned, under the prune guard.
    #[default]
    Delete,
}

impl RendererKind {
    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
        }
    }
}

/// Whether a list of kinds (`Job.batch`, `ConfigMap`, `*.apps`, `*`) names this kind.
#[must_use]
pub fn names_kind(list: &[String], kind: &GroupKind) -> bool {
    let kind = kind.to_string();
    list.iter().any(|entry| wildcard(entry, &kind))
}
