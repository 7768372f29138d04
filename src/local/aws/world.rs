//! What happens outside of the EKS API when it is called: control planes, nodes, and what the service makes in EC2.

use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;

/// An issue as the service reports it: `code` is one of the model's ClusterIssueCode, NodegroupIssueCode, AddonIssueCode
/// or ErrorCode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Issue code.
    pub code: String,
    /// In words.
    pub message: String,
    /// Ids concerned.
    pub resource_ids: Vec<String>,
}

/// What a new cluster is like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFacts {
    /// URL of the API server.
    pub endpoint: String,
    /// PEM of its CA, in base64.
    pub certificate_authority: String,
    /// The cluster security group that the service made.
    pub security_group: String,
    /// VPC of its subnets.
    pub vpc: String,
    /// OIDC issuer URL.
    pub issuer: String,
}

/// What a new node group is like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodegroupFacts {
    /// Names of its Auto Scaling groups.
    pub auto_scaling_groups: Vec<String>,
    /// The security group for remote access, where there is one.
    pub remote_access_security_group: Option<String>,
    /// AMI release version, such as `1.36.3-20261120`; the id of the image (`ami-…`) where the launch template names one.
    pub release_version: String,
    /// Members of the description that only the outside knows, or null: `launchTemplate` resolved to `{id, name, version}`,
    /// `instanceTypes` where the template has none and none were asked for.
    pub described: Value,
}

/// The outside of the EKS API. Every value is the described JSON of the service (`cluster`, `nodegroup`…), as
/// DescribeX would give it at that moment. Calls are made one after the other for one cluster, except checks and
/// observations, which may come at any time. Each may take long; the server shows CREATING, UPDATING or DELETING
/// meanwhile, and FAILED or DEGRADED with the issue when it fails. Deletions are also asked for what failed to be made.
#[async_trait]
pub trait World: Send + Sync {
    /// Checks what the service checks at once when a cluster is asked for: role, subnets in two zones of one VPC,
    /// security groups, key. An error becomes InvalidParameterException (or the code it names).
    async fn check_cluster(&self, input: &Value) -> Result<(), Issue>;

    /// Whether there can be nodes of EKS Auto Mode; asked before a cluster is made, or changed, to have them.
    fn check_auto_mode(&self) -> Result<(), Issue> {
        Ok(())
    }

    /// Starts the control plane; makes the cluster security group and the network interfaces. `cluster` also has
    /// `bootstrapSelfManagedAddons`, and `accessConfig.bootstrapClusterCreatorAdminPermissions`, which are not described.
    async fn create_cluster(&self, cluster: &Value) -> Result<ClusterFacts, Issue>;

    /// Replaces the control plane's programs by those of `version` (`1.36`), over the same etcd.
    async fn update_version(&self, cluster: &Value, version: &str) -> Result<(), Issue>;

    /// The control plane writes logs from now on: the service makes a log group for them where there is none, and never
    /// takes it away.
    async fn write_logs(&self, _cluster: &Value) -> Result<(), Issue> {
        Ok(())
    }

    /// Access entries, associated policies or the authentication mode changed: `entries` is a list of
    /// `{accessEntry, associatedAccessPolicies}` as described.
    async fn access_changed(&self, cluster: &Value, entries: &[Value]) -> Result<(), Issue>;

    /// Stops the control plane; takes away its security group and network interfaces.
    async fn delete_cluster(&self, cluster: &Value) -> Result<(), Issue>;

    /// Checks what the service checks at once when a node group is asked for: role, subnets, launch template, instance
    /// types.
    async fn check_nodegroup(&self, cluster: &Value, input: &Value) -> Result<(), Issue>;

    /// Makes the Auto Scaling group, the launch template's copy and the instances; the nodes join.
    async fn create_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<NodegroupFacts, Issue>;

    /// Size, labels or taints changed: nodes are added, removed or changed; none is replaced.
    async fn update_nodegroup_config(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue>;

    /// Replaces the nodes, at most `maxUnavailable` at a time, by ones of `nodegroup`'s version, release and launch
    /// template; pods are evicted (and PodEvictionFailure unless `force`).
    async fn update_nodegroup_version(
        &self,
        cluster: &Value,
        nodegroup: &Value,
        force: bool,
    ) -> Result<NodegroupFacts, Issue>;

    /// Members of the description that have become others outside since, such as `scalingConfig` after somebody scaled the
    /// Auto Scaling group: asked when a node group is described. None where nothing has.
    async fn observe_nodegroup(&self, _cluster: &Value, _nodegroup: &Value) -> Option<Value> {
        None
    }

    /// Takes the nodes, the instances, the Auto Scaling group and the launch template's copy away.
    async fn delete_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue>;

    /// From now on pods that match get a node of their own.
    async fn create_fargate_profile(&self, cluster: &Value, profile: &Value) -> Result<(), Issue>;

    /// Its pods' nodes go.
    async fn delete_fargate_profile(&self, cluster: &Value, profile: &Value) -> Result<(), Issue>;

    /// Installs or updates an add-on's objects in the cluster; `configuration` is what was asked for, parsed (null when
    /// nothing was). `addon` also has `resolveConflicts`, which is not described. InsufficientNumberOfReplicas leaves the
    /// add-on DEGRADED, every other issue CREATE_FAILED or UPDATE_FAILED.
    async fn apply_addon(&self, cluster: &Value, addon: &Value, configuration: &Value) -> Result<(), Issue>;

    /// Removes an add-on's objects, unless they are to be preserved.
    async fn delete_addon(&self, cluster: &Value, addon: &Value, preserve: bool) -> Result<(), Issue>;
}

/// Tags that the service puts on what it makes.
pub type Tags = BTreeMap<String, String>;
