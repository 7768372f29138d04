//! A world that makes of a cluster only what lies in its VPC: the cluster security group. Everything else is still.

use super::aws_scene::{access, clouds};
use async_trait::async_trait;
use portolan::local::aws::eks::StillWorld;
use portolan::local::aws::world::{ClusterFacts, Issue, NodegroupFacts, World};
use portolan::model::cloud::{Call, Service};
use portolan::ports::{CloudFailure, CloudFailureKind, Clouds};
use serde_json::{Value, json};
use std::sync::Mutex;

pub struct LightWorld {
    pub still: StillWorld,
    moto: String,
    group: Mutex<Option<String>>,
}

impl LightWorld {
    pub fn new(moto: &str) -> Self {
        Self { still: StillWorld::default(), moto: moto.into(), group: Mutex::default() }
    }

    async fn ec2(&self, operation: &str, input: Value) -> Value {
        let answer = self.call(&Call::new(Service::Ec2, operation, input)).await;
        answer.unwrap_or_else(|failure| panic!("{failure}"))
    }

    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        clouds(&self.moto, None, None).open(&access()).await.unwrap().call(call).await
    }
}

#[async_trait]
impl World for LightWorld {
    async fn check_cluster(&self, input: &Value) -> Result<(), Issue> {
        self.still.check_cluster(input).await
    }

    async fn create_cluster(&self, cluster: &Value) -> Result<ClusterFacts, Issue> {
        let facts = self.still.create_cluster(cluster).await?;
        let subnets = self
            .ec2("DescribeSubnets", json!({"SubnetIds": cluster["resourcesVpcConfig"]["subnetIds"]}))
            .await;
        let vpc = subnets["subnetSet"][0]["vpcId"].as_str().unwrap().to_owned();
        let name = format!("eks-cluster-sg-{}", cluster["name"].as_str().unwrap());
        let group = self
            .ec2(
                "CreateSecurityGroup",
                json!({"GroupName": name, "Description": "made by EKS", "VpcId": vpc}),
            )
            .await;
        let group = group["groupId"].as_str().unwrap().to_owned();
        *self.group.lock().unwrap() = Some(group.clone());
        Ok(ClusterFacts { security_group: group, vpc, ..facts })
    }

    async fn write_logs(&self, cluster: &Value) -> Result<(), Issue> {
        let name = format!("/aws/eks/{}/cluster", cluster["name"].as_str().unwrap());
        let made =
            self.call(&Call::new(Service::Logs, "CreateLogGroup", json!({"logGroupName": name}))).await;
        match made {
            Err(failure) if failure.kind != CloudFailureKind::AlreadyExists => panic!("{failure}"),
            _ => Ok(()),
        }
    }

    async fn update_version(&self, cluster: &Value, version: &str) -> Result<(), Issue> {
        self.still.update_version(cluster, version).await
    }

    async fn access_changed(&self, cluster: &Value, entries: &[Value]) -> Result<(), Issue> {
        self.still.access_changed(cluster, entries).await
    }

    async fn delete_cluster(&self, cluster: &Value) -> Result<(), Issue> {
        self.still.delete_cluster(cluster).await?;
        let group = self.group.lock().unwrap().take();
        if let Some(group) = group {
            self.ec2("DeleteSecurityGroup", json!({"GroupId": group})).await;
        }
        Ok(())
    }

    async fn check_nodegroup(&self, cluster: &Value, input: &Value) -> Result<(), Issue> {
        self.still.check_nodegroup(cluster, input).await
    }

    async fn create_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<NodegroupFacts, Issue> {
        self.still.create_nodegroup(cluster, nodegroup).await
    }

    async fn update_nodegroup_config(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        self.still.update_nodegroup_config(cluster, nodegroup).await
    }

    async fn update_nodegroup_version(
        &self,
        cluster: &Value,
        nodegroup: &Value,
        force: bool,
    ) -> Result<NodegroupFacts, Issue> {
        self.still.update_nodegroup_version(cluster, nodegroup, force).await
    }

    async fn delete_nodegroup(&self, cluster: &Value, nodegroup: &Value) -> Result<(), Issue> {
        self.still.delete_nodegroup(cluster, nodegroup).await
    }

    async fn create_fargate_profile(&self, cluster: &Value, profile: &Value) -> Result<(), Issue> {
        self.still.create_fargate_profile(cluster, profile).await
    }

    async fn delete_fargate_profile(&self, cluster: &Value, profile: &Value) -> Result<(), Issue> {
        self.still.delete_fargate_profile(cluster, profile).await
    }

    async fn apply_addon(&self, cluster: &Value, addon: &Value, configuration: &Value) -> Result<(), Issue> {
        self.still.apply_addon(cluster, addon, configuration).await
    }

    async fn delete_addon(&self, cluster: &Value, addon: &Value, preserve: bool) -> Result<(), Issue> {
        self.still.delete_addon(cluster, addon, preserve).await
    }
}
