//! The `Migration` document: which cluster moves where, how far, and what people have decided about it.

use super::Interval;
use super::cluster::KubeconfigRef;
use super::document::format::{DnsLabel, RoleArn};
use super::migration::Stage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Namespaces that every cluster has of its own: no wave moves them.
pub const OWN_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// `spec` of a `Migration` document. A merged commit that names a later stage advances it, a revert goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationSpec {
    /// The kops cluster. It is read, and written only in the ways that the move cannot do without.
    pub source: MigrationSource,
    /// The EKS cluster.
    pub target: MigrationTarget,
    /// How far the move goes. Waves with a stage of their own go so far as that says.
    #[serde(default)]
    pub stage: Stage,
    /// Namespaces that move together, in the order in which they move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveSpec>,
    /// What people chose where the assessment asked: `RULE`, `RULE@SUBJECT` or `RULE@SUBJECT/POINTER` to the offer's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, String>,
    /// Calls between namespaces that no object shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<EdgeSpec>,
    /// Services that are called from the other cluster while their callers are there: a bridge leads across.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bridges: Vec<BridgeSpec>,
    /// How image references begin, and how they begin in the target. The longest that fits counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// What has another name in the target.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mapping: MappingSpec,
    /// How traffic moves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub traffic: TrafficSpec,
    /// How volumes move.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volumes: VolumesSpec,
    /// What is asked of the world before anything is made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checks: ChecksSpec,
    /// Longest time that a stage may take, before it counts as failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: StageLimits,
    /// Nothing is written on either side while true; what would be done is still shown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
}

/// Where the move begins. Exactly one of `cluster` and `kubeconfig` says how its API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationSource {
    /// Name of a `Cluster` document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DnsLabel>")]
    pub cluster: Option<String>,
    /// A context of a kubeconfig that the daemon's file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<KubeconfigRef>,
    /// What kops knows of the cluster, and where it lives in AWS. Without it only objects are moved: no volumes, no
    /// records, and no guard for `kops delete cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kops: Option<KopsRef>,
}

/// A cluster in a kops state store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KopsRef {
    /// The store as kops names it: `s3://bucket/prefix`, or a folder.
    #[schemars(length(min = 1))]
    pub state_store: String,
    /// `metadata.name` of the kops Cluster, such as `live.example.com`.
    #[schemars(length(min = 1))]
    pub cluster_name: String,
    /// AWS region, such as `eu-central-1`.
    #[schemars(length(min = 1))]
    pub region: String,
    /// Role to assume for the account of the kops cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RoleArn>")]
    pub role_arn: Option<String>,
}

/// Where the move ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationTarget {
    /// Name of a `Cluster` document, mostly one with a `clusterConfig`.
    #[schemars(with = "DnsLabel")]
    pub cluster: String,
}

/// Namespaces that move together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveSpec {
    /// A name, unique in the migration.
    #[schemars(with = "DnsLabel")]
    pub name: String,
    /// Its namespaces. No namespace is in two waves.
    #[schemars(with = "Vec<DnsLabel>", length(min = 1))]
    pub namespaces: Vec<String>,
    /// How far this wave goes. Default: as `spec.stage` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

/// A call between namespaces that no object shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EdgeSpec {
    /// Namespace of the caller.
    #[schemars(length(min = 1))]
    pub from: String,
    /// `namespace` or `namespace/service`.
    #[schemars(length(min = 1))]
    pub to: String,
}

/// A Service that is called across the two clusters for a time. On the calling side a Service of its name, without a
/// selector, leads to the side where its pods are; it comes with the wave that parts the two, and goes with the one that
/// joins them again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BridgeSpec {
    /// The Service that is called, as `namespace/name`.
    #[schemars(length(min = 1))]
    pub service: String,
    /// Where it is reached while its pods are on the source. Default: its internal load balancer, else node ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_source: Option<BridgeEnd>,
    /// Where it is reached while its pods are on the target. Default: its internal load balancer, else node ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_target: Option<BridgeEnd>,
}

/// Where a Service is reached from the other cluster. Without one it is its internal load balancer, where it has one whose
/// name can be looked up; else its own node ports, and where it has none a second Service of type NodePort is made beside it
/// for as long as the bridge stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BridgeEnd {
    /// IP addresses, or names of hosts that are looked up again and again: its internal load balancer, mostly.
    #[schemars(length(min = 1))]
    pub addresses: Vec<String>,
    /// Ports there, by the name of the Service's port, or its number where it has no name. Default: the same numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
}

/// What has another name in the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MappingSpec {
    /// Instance group to node group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_groups: BTreeMap<String, String>,
    /// Node labels: `key` or `key=value` to the same form; to the empty text: the term is taken out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_labels: BTreeMap<String, String>,
    /// Names of storage classes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub storage_classes: BTreeMap<String, String>,
    /// Classes of Ingresses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ingress_classes: BTreeMap<String, String>,
    /// `namespace/name` of a service account to the ARN of its role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// `User NAME` or `Group NAME`, as RBAC names them, to the new name; to the empty text: it is bound no more.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identities: BTreeMap<String, String>,
}

/// How traffic moves: weighted records in Route 53, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TrafficSpec {
    /// Id of the hosted zone of records that name none, such as `Z0123456789ABCDEFGHIJ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Records that lead to the workloads of waves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordSpec>,
    /// Shares of the target, rising; the last is 100.
    #[schemars(length(min = 1))]
    pub steps: Vec<TrafficStep>,
    /// What records are lowered to before anything moves: so long the way back takes.
    pub ttl: Interval,
}

impl Default for TrafficSpec {
    fn default() -> Self {
        let hold = Interval::from_secs(600);
        let steps = [1, 10, 50, 100].map(|weight| TrafficStep { weight, hold });
        Self { zone: None, records: Vec::new(), steps: steps.to_vec(), ttl: Interval::from_secs(60) }
    }
}

/// A record in Route 53 that moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordSpec {
    /// The record's name, such as `shop.example.com`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its type.
    #[serde(rename = "type", default)]
    pub kind: RecordType,
    /// Id of its hosted zone. Default: `spec.traffic.zone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The wave that it moves with.
    #[schemars(with = "DnsLabel")]
    pub wave: String,
    /// What it leads to: `Service NAMESPACE/NAME` or `Ingress NAMESPACE/NAME`, whose load balancer is in its status.
    #[schemars(length(min = 1))]
    pub target: String,
    /// Largest share of the target for now, in percent. Default: as far as the stage goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub up_to: Option<u32>,
}

/// Types of records that lead to load balancers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum RecordType {
    /// An alias, or IPv4 addresses.
    #[default]
    A,
    /// An alias, or IPv6 addresses.
    #[serde(rename = "AAAA")]
    Aaaa,
    /// Another name.
    #[serde(rename = "CNAME")]
    Cname,
}

impl RecordType {
    /// The type as Route 53 writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }
}

/// A share of the traffic and how long it is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficStep {
    /// Share of the target, in percent.
    #[schemars(range(max = 100))]
    pub weight: u32,
    /// How long it is kept before the next.
    #[serde(default = "ten_minutes")]
    pub hold: Interval,
}

const fn ten_minutes() -> Interval {
    Interval::from_secs(600)
}

/// How volumes move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VolumesSpec {
    /// By what means.
    pub method: VolumeMethod,
    /// Whether each volume is snapshotted after it was detached and before the target attaches it.
    pub snapshot: bool,
    /// Claims that are left behind, as `namespace/name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

impl Default for VolumesSpec {
    fn default() -> Self {
        Self { method: VolumeMethod::default(), snapshot: true, exclude: Vec::new() }
    }
}

/// By what means volumes move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VolumeMethod {
    /// The same EBS volume is detached from the one side and attached to the other.
    #[default]
    HandOver,
    /// New, empty volumes are provisioned, and something else brings the data.
    Provision,
}

/// What `Preflight` asks of the world outside the two clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChecksSpec {
    /// Whether registries are asked, without credentials, for every image that goes over; ECR through the account.
    pub images: bool,
    /// Whether AWS's quotas are asked for what the ClusterConfig needs.
    pub quotas: bool,
}

impl Default for ChecksSpec {
    fn default() -> Self {
        Self { images: true, quotas: true }
    }
}

/// Longest time that each stage may take. Default: as [`StageLimits::of`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StageLimits {
    /// Of `Inventory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Interval>,
    /// Of `Preflight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Interval>,
    /// Of `Provision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provision: Option<Interval>,
    /// Of `Configure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configure: Option<Interval>,
    /// Of `Sync`, until everything is on the target once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Interval>,
    /// Of `Verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<Interval>,
    /// Of `HandOver`: for so long nothing may run at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<Interval>,
    /// Of `Shift`, beside the time that steps are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<Interval>,
    /// Of `Soak`: how long both sides are watched at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak: Option<Interval>,
    /// Of `Decommission`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decommission: Option<Interval>,
}

impl StageLimits {
    /// The limit of a stage: what the document says, else an hour for making a cluster, half an hour for whatever
    /// waits for workloads, a quarter for the rest.
    #[must_use]
    pub fn of(&self, stage: Stage) -> Interval {
        let (said, otherwise) = match stage {
            Stage::Inventory => (self.inventory, 900),
            Stage::Preflight => (self.preflight, 900),
            Stage::Provision => (self.provision, 3600),
            Stage::Configure => (self.configure, 1800),
            Stage::Sync => (self.sync, 1800),
            Stage::Verify => (self.verify, 900),
            Stage::HandOver => (self.hand_over, 1800),
            Stage::Shift => (self.shift, 1800),
            Stage::Soak => (self.soak, 0),
            Stage::Decommission => (self.decommission, 1800),
        };
        said.unwrap_or(Interval::from_secs(otherwise))
    }
}

impl MigrationSpec {
    /// How far a wave goes. What concerns the whole move (`Decommission`) is none of a wave's.
    #[must_use]
    pub fn stage_of(&self, wave: &WaveSpec) -> Stage {
        wave.stage.unwrap_or(self.stage).min(Stage::Soak)
    }

    /// The stage that any part of the move goes to at most.
    #[must_use]
    pub fn furthest(&self) -> Stage {
        self.waves.iter().map(|wave| self.stage_of(wave)).chain([self.stage]).max().unwrap_or_default()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
