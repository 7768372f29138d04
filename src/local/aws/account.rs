//! The account that the service works in: calls to moto as a customer's, and what only a provider may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::moto::{Home, Provider};
use super::world::Issue;
use crate::model::cloud::{Call, Service};
use crate::ports::{Cloud, CloudFailure, CloudFailureKind};

/// An account in a region.
#[derive(Clone)]
pub(in crate::local) struct Account {
    cloud: Arc<dyn Cloud>,
    pub(in crate::local) provider: Provider,
    pub(in crate::local) home: Home,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::local) struct Subnet {
    pub(in crate::local) id: String,
    pub(in crate::local) vpc: String,
    pub(in crate::local) zone: String,
}

/// A running instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::local) struct Instance {
    pub(in crate::local) id: String,
    pub(in crate::local) image: String,
    pub(in crate::local) kind: String,
    pub(in crate::local) zone: String,
    pub(in crate::local) subnet: String,
    pub(in crate::local) address: String,
    pub(in crate::local) tags: BTreeMap<String, String>,
}

impl Account {
    pub(in crate::local) fn new(cloud: Arc<dyn Cloud>, provider: Provider, home: Home) -> Account {
        Account { cloud, provider, home }
    }

    pub(in crate::local) fn partition(&self) -> &str {
        self.cloud.partition()
    }

    pub(in crate::local) async fn call(
        &self,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value, CloudFailure> {
        self.cloud.call(&Call::new(service, operation, input)).await
    }

    pub(in crate::local) async fn ec2(&self, operation: &str, input: Value) -> Result<Value, CloudFailure> {
        self.call(Service::Ec2, operation, input).await
    }

    pub(in crate::local) async fn auto_scaling(
        &self,
        operation: &str,
        input: Value,
    ) -> Result<Value, CloudFailure> {
        self.call(Service::AutoScaling, operation, input).await
    }

    /// Subnets by id, in the order asked.
    pub(in crate::local) async fn subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, CloudFailure> {
        let answer = self.ec2("DescribeSubnets", json!({"SubnetIds": ids})).await?;
        let subnet = |item: &Value| Subnet {
            id: text(item, "subnetId"),
            vpc: text(item, "vpcId"),
            zone: text(item, "availabilityZone"),
        };
        let found: Vec<Subnet> = items(&answer, "subnetSet").map(subnet).collect();
        Ok(ids.iter().filter_map(|id| found.iter().find(|subnet| subnet.id == *id).cloned()).collect())
    }

    /// Instances that start or run, by filters as `{name: values}`.
    pub(in crate::local) async fn instances(
        &self,
        filters: &[(&str, &[&str])],
    ) -> Result<Vec<Instance>, CloudFailure> {
        let mut all = vec![json!({"Name": "instance-state-name", "Values": ["pending", "running"]})];
        all.extend(filters.iter().map(|(name, values)| json!({"Name": name, "Values": values})));
        let answer = self.ec2("DescribeInstances", json!({"Filters": all})).await?;
        let reservations = items(&answer, "reservationSet");
        let instances = reservations.flat_map(|reservation| items(reservation, "instancesSet"));
        Ok(instances.map(instance).collect())
    }

    /// What a role of IAM is like, with its trust policy; `None` where there is none of the ARN.
    pub(in crate::local) async fn role(&self, arn: &str) -> Result<Option<Value>, CloudFailure> {
        let name = arn.rsplit('/').next().unwrap_or_default();
        match self.call(Service::Iam, "GetRole", json!({"RoleName": name})).await {
            Ok(answer) if answer["Role"]["Arn"] == arn => Ok(Some(answer["Role"].clone())),
            Ok(_) => Ok(None),
            Err(failure) if failure.kind == CloudFailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Names of the managed policies that a role has.
    pub(in crate::local) async fn policies_of(&self, arn: &str) -> Result<Vec<String>, CloudFailure> {
        let name = arn.rsplit('/').next().unwrap_or_default();
        let answer = self.call(Service::Iam, "ListAttachedRolePolicies", json!({"RoleName": name})).await?;
        Ok(items(&answer, "AttachedPolicies").map(|policy| text(policy, "PolicyName")).collect())
    }

    /// Makes a security group with tags, some of which only the service may set.
    pub(in crate::local) async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Issue> {
        let own: BTreeMap<_, _> = tags.iter().filter(|(key, _)| !key.starts_with("aws:")).collect();
        let input = json!({
            "GroupName": name, "Description": description, "VpcId": vpc,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": tag_list(own)}],
        });
        let answer = self.ec2("CreateSecurityGroup", input).await.map_err(issue)?;
        let id = text(&answer, "groupId");
        self.tag_as_service(std::slice::from_ref(&id), tags).await?;
        Ok(id)
    }

    /// Puts those tags on resources of EC2 that only the service may set.
    pub(in crate::local) async fn tag_as_service(
        &self,
        ids: &[String],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Issue> {
        let reserved = tags.iter().filter(|(key, _)| key.starts_with("aws:"));
        let reserved: BTreeMap<_, _> = reserved.map(|(key, value)| (key.clone(), value.clone())).collect();
        self.provider.tag(&self.home, ids, &reserved).await.map_err(internal)
    }

    /// Deletes a security group. One that is gone, or that somebody's rules still name, is left: as the service does.
    pub(in crate::local) async fn delete_security_group(&self, id: &str) -> Result<(), Issue> {
        match self.ec2("DeleteSecurityGroup", json!({"GroupId": id})).await {
            Ok(_) => Ok(()),
            Err(failure)
                if matches!(failure.kind, CloudFailureKind::NotFound | CloudFailureKind::InUse)
                    || failure.code == "DependencyViolation" =>
            {
                Ok(())
            }
            Err(failure) => Err(issue(failure)),
        }
    }
}

fn instance(item: &Value) -> Instance {
    Instance {
        id: text(item, "instanceId"),
        image: text(item, "imageId"),
        kind: text(item, "instanceType"),
        zone: text(&item["placement"], "availabilityZone"),
        subnet: text(item, "subnetId"),
        address: text(item, "privateIpAddress"),
        tags: items(item, "tagSet").map(|tag| (text(tag, "key"), text(tag, "value"))).collect(),
    }
}

/// The items of a list; an empty one is an empty string in XML.
pub(in crate::local) fn items<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value[list].as_array().into_iter().flatten()
}

/// A member that is a string; empty where it is not there.
pub(in crate::local) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// The strings of a list.
pub(in crate::local) fn texts(value: &Value, member: &str) -> Vec<String> {
    items(value, member).filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Tags as the APIs take them.
pub(in crate::local) fn tag_list<K: AsRef<str>, V: AsRef<str>>(
    tags: impl IntoIterator<Item = (K, V)>,
) -> Vec<Value> {
    tags.into_iter().map(|(key, value)| json!({"Key": key.as_ref(), "Value": value.as_ref()})).collect()
}

/// A problem as the service tells it.
pub(in crate::local) fn problem(code: &str, message: impl Into<String>, ids: &[&str]) -> Issue {
    Issue {
        code: code.to_owned(),
        message: message.into(),
        resource_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// A call to moto that failed, where there is no better word for it.
pub(in crate::local) fn issue(failure: CloudFailure) -> Issue {
    let code = if failure.kind == CloudFailureKind::Denied { "AccessDenied" } else { "InternalFailure" };
    problem(code, failure.to_string(), &[])
}

/// Something of ours that failed.
pub(in crate::local) fn internal(error: impl std::fmt::Display) -> Issue {
    problem("InternalFailure", error.to_string(), &[])
}
