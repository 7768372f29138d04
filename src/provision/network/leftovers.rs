//! What controllers in the cluster made in AWS: load balancers, volumes, network interfaces and security groups that
//! would outlive the cluster, or keep its VPC from being deleted.

use super::answer::{items, some_text, tags, text};
use super::ec2::{ec2, filters};
use crate::model::cloud::{Call, Service};
use crate::provision::resource::{CLUSTER_TAG, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// DescribeTags of the load balancing APIs takes as many at once.
const TAGS_AT_ONCE: usize = 20;

/// Something that a controller made for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// In words: `load balancer`, `volume`, `security group`, `network interface`, `target group`.
    pub what: String,
    /// Its id, ARN or name, as calls take it.
    pub id: String,
    /// What people know it by: the Service, Ingress or claim that it was made for, else its name.
    pub known_as: String,
    /// The call that would take it away. None for what goes with another of these (the network interface of a load
    /// balancer). Deleting the object in Kubernetes is better: the controller then takes away all that belongs to it.
    pub delete: Option<Call>,
}

/// The calls that find them; the answers go to [`leftovers`].
#[must_use]
pub fn leftover_calls(scope: &Scope) -> Vec<Call> {
    let cluster = scope.cluster.as_str();
    let mut calls = Vec::new();
    for operation in ["DescribeVolumes", "DescribeSecurityGroups", "DescribeNetworkInterfaces"] {
        for filter in tag_filters(cluster) {
            calls.push(ec2(operation, json!({"Filters": [filter]})));
        }
    }
    for operation in ["DescribeLoadBalancers", "DescribeTargetGroups"] {
        calls.push(Call::new(Service::ElbV2, operation, json!({})));
    }
    calls.push(Call::new(Service::Elb, "DescribeLoadBalancers", json!({})));
    calls
}

/// The tags that controllers write: the cloud provider and CSI drivers (`kubernetes.io/cluster/NAME`,
/// `KubernetesCluster`), the AWS Load Balancer Controller (`elbv2.k8s.aws/cluster`), the VPC CNI
/// (`cluster.k8s.amazonaws.com/name`). `ebs.csi.aws.com/cluster` is no name but `true` on volumes of every cluster.
fn tag_filters(cluster: &str) -> Vec<Value> {
    let named = |tag: &str| filters(&[(&format!("tag:{tag}"), vec![cluster.to_owned()])]);
    let any = filters(&[("tag-key", vec![format!("kubernetes.io/cluster/{cluster}")])]);
    [named("KubernetesCluster"), named("elbv2.k8s.aws/cluster"), named("cluster.k8s.amazonaws.com/name"), any]
        .into_iter()
        .map(|one| one[0].clone())
        .collect()
}

/// Whether tags say that a controller of this cluster made the thing. What EKS made goes with the cluster, what we made
/// is a resource, and what is `shared` belongs to somebody else.
fn of_controller(scope: &Scope, tags: &BTreeMap<String, String>) -> bool {
    let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
    let cluster = scope.cluster.as_str();
    let excluded = tags.contains_key(CLUSTER_TAG) || tags.contains_key("aws:eks:cluster-name");
    let named = ["KubernetesCluster", "elbv2.k8s.aws/cluster", "cluster.k8s.amazonaws.com/name"];
    !excluded
        && (is(&format!("kubernetes.io/cluster/{cluster}"), "owned")
            || named.iter().any(|tag| is(tag, cluster)))
}

/// The object in Kubernetes that a thing was made for, as its tags tell.
fn made_for(tags: &BTreeMap<String, String>) -> Option<String> {
    let tag = |name: &str| tags.get(name).map(String::as_str);
    if let (Some(namespace), Some(claim)) =
        (tag("kubernetes.io/created-for/pvc/namespace"), tag("kubernetes.io/created-for/pvc/name"))
    {
        return Some(format!("PersistentVolumeClaim {namespace}/{claim}"));
    }
    tag("service.k8s.aws/stack")
        .or_else(|| tag("kubernetes.io/service-name"))
        .map(|service| format!("Service {service}"))
        .or_else(|| tag("ingress.k8s.aws/stack").map(|ingress| format!("Ingress {ingress}")))
}

/// Reads answers: what was found, and calls whose answers are needed as well (tags of load balancers, which their
/// describe does not tell). Give all answers so far again together with the new ones until no call is left.
#[must_use]
pub fn leftovers(scope: &Scope, answers: &[(Call, Value)]) -> (Vec<Leftover>, Vec<Call>) {
    let mut found = BTreeMap::new();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut untagged: BTreeMap<(Service, &str), BTreeSet<String>> = BTreeMap::new();
    for (call, answer) in answers {
        match (call.service, call.operation.as_str()) {
            (Service::Ec2, _) => {
                for leftover in in_ec2(scope, answer) {
                    found.insert(leftover.id.clone(), leftover);
                }
            }
            (Service::ElbV2 | Service::Elb, "DescribeTags") => {
                for list in ["ResourceArns", "LoadBalancerNames"] {
                    asked.extend(
                        items(&call.input, list).iter().filter_map(|id| Some(id.as_str()?.to_owned())),
                    );
                }
                for leftover in tagged_balancers(scope, call.service, answer) {
                    found.insert(leftover.id.clone(), leftover);
                }
            }
            (Service::ElbV2, _) => {
                for (list, arn) in [("LoadBalancers", "LoadBalancerArn"), ("TargetGroups", "TargetGroupArn")]
                {
                    let ids = items(answer, list).iter().filter_map(|each| some_text(each, arn));
                    untagged
                        .entry((Service::ElbV2, "ResourceArns"))
                        .or_default()
                        .extend(ids.map(str::to_owned));
                }
            }
            (Service::Elb, _) => {
                let balancers = items(answer, "LoadBalancerDescriptions").iter();
                let names = balancers.filter_map(|each| some_text(each, "LoadBalancerName"));
                untagged
                    .entry((Service::Elb, "LoadBalancerNames"))
                    .or_default()
                    .extend(names.map(str::to_owned));
            }
            _ => {}
        }
    }
    let mut calls = Vec::new();
    for ((service, list), ids) in untagged {
        let ids: Vec<String> = ids.into_iter().filter(|id| !asked.contains(id)).collect();
        calls.extend(ids.chunks(TAGS_AT_ONCE).map(|ids| {
            let input = Value::Object(serde_json::Map::from_iter([(list.to_owned(), json!(ids))]));
            Call::new(service, "DescribeTags", input)
        }));
    }
    (found.into_values().collect(), calls)
}

fn in_ec2(scope: &Scope, answer: &Value) -> Vec<Leftover> {
    let kinds = [
        ("volumeSet", "volumeId", "volume", "DeleteVolume", "VolumeId"),
        ("securityGroupInfo", "groupId", "security group", "DeleteSecurityGroup", "GroupId"),
        (
            "networkInterfaceSet",
            "networkInterfaceId",
            "network interface",
            "DeleteNetworkInterface",
            "NetworkInterfaceId",
        ),
    ];
    let mut found = Vec::new();
    for (set, id, what, operation, member) in kinds {
        for item in items(answer, set) {
            let tags = tags(item);
            if !of_controller(scope, &tags) {
                continue;
            }
            let id = text(item, id).to_owned();
            let name = ["groupName", "description"].iter().find_map(|name| some_text(item, name));
            let named = made_for(&tags).or_else(|| tags.get("Name").cloned());
            let mut input = serde_json::Map::new();
            input.insert(member.to_owned(), json!(id));
            // An interface that is attached goes with what it is attached to.
            let goes_along = what == "network interface" && text(item, "status") == "in-use";
            found.push(Leftover {
                what: what.to_owned(),
                known_as: named.or_else(|| name.map(str::to_owned)).unwrap_or_else(|| id.clone()),
                delete: (!goes_along).then(|| ec2(operation, Value::Object(input))),
                id,
            });
        }
    }
    found
}

fn tagged_balancers(scope: &Scope, service: Service, answer: &Value) -> Vec<Leftover> {
    let mut found = Vec::new();
    for described in items(answer, "TagDescriptions") {
        let tags = tags(described);
        if !of_controller(scope, &tags) {
            continue;
        }
        let (id, what, call) = match some_text(described, "ResourceArn") {
            Some(arn) if arn.contains(":targetgroup/") => {
                (arn, "target group", Call::new(service, "DeleteTargetGroup", json!({"TargetGroupArn": arn})))
            }
            Some(arn) => (
                arn,
                "load balancer",
                Call::new(service, "DeleteLoadBalancer", json!({"LoadBalancerArn": arn})),
            ),
            None => {
                let name = text(described, "LoadBalancerName");
                (
                    name,
                    "load balancer",
                    Call::new(service, "DeleteLoadBalancer", json!({"LoadBalancerName": name})),
                )
            }
        };
        found.push(Leftover {
            what: what.to_owned(),
            id: id.to_owned(),
            known_as: made_for(&tags).unwrap_or_else(|| id.rsplit('/').nth(1).unwrap_or(id).to_owned()),
            delete: Some(call),
        });
    }
    found
}
