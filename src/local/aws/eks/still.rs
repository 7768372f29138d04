//! A world in which nothing happens: everything that is asked of it is so at once, and remembered. A test may have it
//! refuse.

use crate::local::aws::world::{ClusterFacts, Issue, NodegroupFacts, World};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A world in which nothing happens.
#[derive(Debug, Default)]
pub struct StillWorld {
    calls: Mutex<Vec<(String, Value)>>,
    refusals: Mutex<BTreeMap<String, Issue>>,
    outside: Mutex<BTreeMap<String, Value>>,
}

impl StillWorld {
    /// What was asked of it, with what it was asked for (`create_nodegroup` with the node group), in order.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this call (`check_cluster`, `create_nodegroup`…) fails with this issue; none takes that back.
    pub fn refuse(&self, call: &str, issue: Option<Issue>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match issue {
            Some(issue) => refusals.insert(call.into(), issue),
            None => refusals.remove(call),
        };
    }

    /// A node group has changed outside: these members of its description are others when it is described next.
    pub fn observe(&self, nodegroup: &str, members: Value) {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner).insert(nodegroup.into(), members);
    }

    fn note(&self, call: &str, value: &Value) -> Result<(), Issue> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((call.into(), value.clone()));
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.get(call).cloned().map_or(Ok(()), Err)
    }
}

fn release(nodegroup: &Value) -> NodegroupFacts {
    let version = nodegroup["version"].as_str().unwrap_or_default();
    let name = nodegroup["nodegroupName"].as_str().unwrap_or_default();
    let asked = nodegroup["releaseVersion"].as_str().map(String::from);
    let image = nodegroup["amiType"] == "CUSTOM";
    let newest = if image { "ami-0123456789abcdef0".into() } else { format!("{version}.0-20261120") };
    let mut described = serde_json::Map::new();
    if nodegroup["launchTemplate"].is_object() {
        let mut template = nodegroup["launchTemplate"].clone();
        for (member, value) in [("id", "lt-0123456789abcdef0"), ("name", "template"), ("version", "1")] {
            if template[member].is_null() {
                template[member] = value.into();
            }
        }
        described.insert("launchTemplate".into(), template);
        if nodegroup["instanceTypes"].is_null() {
            described.insert("instanceTypes".into(), json!(["t3.medium"]));
        }
    }
    NodegroupFacts {
        auto_scaling_groups: vec![format!("eks-{name}")],
        remote_access_security_group: nodegroup["remoteAccess"]
            .is_object()
            .then(|| "sg-0f0f0f0f0f0f0f0f0".into()),
        release_version: asked.unwrap_or(newest),
        described: Value::Object(described),
    }
}

#[async_trait]
impl World for StillWorld {
    async fn check_cluster(&self, input: &Value) -> Result<(), Issue> {
        self.note("check_cluster", input)
    }

    async fn create_cluster(&self, cluster: &Value) -> Result<ClusterFacts, Issue> {
        self.note("create_cluster", cluster)?;
        let name = cluster["name"].as_str().unwrap_or_default();
        Ok(ClusterFacts {
            // The discard port: nothing answers.
            endpoint: "https://127.0.0.1:9".into(),
            certificate_authority: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
                .into(),
            security_group: "sg-0123456789abcdef0".into(),
            vpc: "vpc-0123456789abcdef0".into(),
            issuer: format!("https://oidc.eks.local/id/{}", name.to_uppercase()),
        })
    }

    async fn update_version(&self, _cluster: &Value, version: &str) -> Result<(), Issue> {
        self.note("update_version", &version.into())
    }

    async fn access_changed(&self, _cluster: &Value, entries: &[Value]) -> Result<(), Issue> {
        self.note("access_changed", &entries.into())
    }

    async fn delete_cluster(&self, cluster: &Value) -> Result<(), Issue> {
        self.note("delete_cluster", cluster)
    }

    async fn check_nodegroup(&self, _cluster: &Value, input: &Value) -> Result<(), Issue> {
        self.note("check_nodegroup", input)
    }

    async fn create_nodegroup(&self, _cluster: &Value, nodegroup: &Value) -> Result<NodegroupFacts, Issue> {
        self.note("create_nodegroup", nodegroup)?;
        Ok(release(nodegroup))
    }

    async fn update_nodegroup_config(&self, _cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        self.note("update_nodegroup_config", nodegroup)
    }

    async fn update_nodegroup_version(
        &self,
        _cluster: &Value,
        nodegroup: &Value,
        _force: bool,
    ) -> Result<NodegroupFacts, Issue> {
        self.note("update_nodegroup_version", nodegroup)?;
        Ok(release(nodegroup))
    }

    async fn observe_nodegroup(&self, _cluster: &Value, nodegroup: &Value) -> Option<Value> {
        let name = nodegroup["nodegroupName"].as_str().unwrap_or_default();
        self.outside.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    async fn delete_nodegroup(&self, _cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        self.note("delete_nodegroup", nodegroup)
    }

    async fn create_fargate_profile(&self, _cluster: &Value, profile: &Value) -> Result<(), Issue> {
        self.note("create_fargate_profile", profile)
    }

    async fn delete_fargate_profile(&self, _cluster: &Value, profile: &Value) -> Result<(), Issue> {
        self.note("delete_fargate_profile", profile)
    }

    async fn apply_addon(&self, _cluster: &Value, addon: &Value, configuration: &Value) -> Result<(), Issue> {
        let mut noted = addon.clone();
        noted["configuration"] = configuration.clone();
        self.note("apply_addon", &noted)
    }

    async fn delete_addon(&self, _cluster: &Value, addon: &Value, preserve: bool) -> Result<(), Issue> {
        let mut noted = addon.clone();
        noted["preserve"] = preserve.into();
        self.note("delete_addon", &noted)
    }
}
