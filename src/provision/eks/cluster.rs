//! The EKS cluster itself: CreateCluster, DescribeCluster, UpdateClusterConfig, UpdateClusterVersion, DeleteCluster.

use super::api::{aside, eks, fixed, live, only, sorted, state, strings, tag_differences, text};
use super::cluster_changes::{LOG_RETENTION, log_group};
use super::version::Minor;
use crate::model::cloud::{Call, Service};
use crate::provision::network::{
    CERTIFICATE_AUTHORITY, CLUSTER_SECURITY_GROUP, ENDPOINT, ISSUER, SERVICE_CIDR,
};
use crate::provision::resource::{Difference, Driver, Key, Kind, Live, Resource, Scope, Snapshot, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fact: the insights that EKS has on an upgrade or a rollback to the next version. Read only when one is due.
pub const INSIGHTS: &str = "eks/insights";
/// Fact: updates of the cluster, as DescribeUpdate has them. Read only when a rollback is asked for.
pub const UPDATES: &str = "eks/updates";

/// Fact: the Kubernetes versions that EKS offers, as DescribeClusterVersions has them. Read only when an upgrade is due.
pub const VERSIONS: &str = "eks/cluster-versions";

/// Reads, makes and changes the cluster.
pub struct ClusterDriver;

impl Driver for ClusterDriver {
    fn kind(&self) -> Kind {
        Kind::Cluster
    }

    fn reads(&self, scope: &Scope, _known: &Snapshot, _declared: &[Resource]) -> Vec<Call> {
        vec![eks("DescribeCluster", json!({"name": scope.cluster}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        match call.operation.as_str() {
            "DescribeCluster" => {
                let cluster = found(scope, &answer["cluster"]);
                let asks = questions(scope, declared, &cluster);
                into.live.insert(cluster.key.clone(), cluster);
                asks
            }
            "DescribeLogGroups" => {
                let mut groups = answer["logGroups"].as_array().into_iter().flatten();
                let name = log_group(&scope.cluster);
                let own = groups.find(|group| group["logGroupName"] == json!(name));
                let cluster = into.live.values_mut().find(|live| live.key.kind == Kind::Cluster);
                if let (Some(group), Some(cluster)) = (own, cluster) {
                    cluster.actual[LOG_RETENTION] = group["retentionInDays"].clone();
                }
                Vec::new()
            }
            "ListInsights" => {
                into.facts.insert(INSIGHTS.into(), answer["insights"].clone());
                Vec::new()
            }
            "DescribeClusterVersions" => {
                into.facts.insert(VERSIONS.into(), answer["clusterVersions"].clone());
                Vec::new()
            }
            "ListUpdates" => {
                into.facts.insert(UPDATES.into(), json!([]));
                strings(&answer["updateIds"])
                    .into_iter()
                    .map(|id| eks("DescribeUpdate", json!({"name": scope.cluster, "updateId": id})))
                    .collect()
            }
            "DescribeUpdate" => {
                let updates = into.facts.entry(UPDATES.into()).or_insert_with(|| json!([]));
                if let Some(updates) = updates.as_array_mut() {
                    updates.push(answer["update"].clone());
                    updates.sort_by_key(|update| text(update, "createdAt").to_owned());
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn create(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        let mut input = desired.clone();
        if let Value::Object(members) = &mut input {
            members.remove(aside::UPDATE);
            members.remove(LOG_RETENTION);
            let only_then = members.remove(aside::CREATE);
            members.insert("tags".into(), json!(tags));
            members.insert("clientRequestToken".into(), json!(token));
            if let Some(only_then) = only_then {
                super::api::merge(&mut input, only_then);
            }
        }
        eks("CreateCluster", input)
    }

    fn differences(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let desired = normalised(desired);
        let mut found = tag_differences(tags, live);
        found.extend(super::cluster_changes::differences(&desired, live));
        found.extend(fixed(
            &desired,
            &live.actual,
            &["/roleArn", "/kubernetesNetworkConfig/serviceIpv4Cidr", "/kubernetesNetworkConfig/ipFamily"],
            "EKS fixes it when the cluster is created; set it back, or make a new cluster beside this one and move to it",
        ));
        found
    }

    fn delete(&self, _scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks("DeleteCluster", json!({"name": live.id}))]
    }
}

/// What DescribeCluster answered.
fn found(scope: &Scope, cluster: &Value) -> Live {
    let name = text(cluster, "name");
    let members = [
        "name",
        "version",
        "roleArn",
        "resourcesVpcConfig",
        "kubernetesNetworkConfig",
        "logging",
        "encryptionConfig",
        "accessConfig",
        "upgradePolicy",
        "zonalShiftConfig",
        "remoteNetworkConfig",
        "computeConfig",
        "storageConfig",
        "deletionProtection",
        "controlPlaneScalingConfig",
        "kubeApiServerConfig",
        "kubeSchedulerConfig",
        "kubeControllerManagerConfig",
    ];
    let actual = normalised(&Value::Object(only(cluster, &members)));
    let (key, arn) = (Key::new(Kind::Cluster, name), text(cluster, "arn"));
    let mut live = live(scope, key, name, arn, cluster, actual, state(cluster));
    let network = &cluster["kubernetesNetworkConfig"];
    let services = if network["serviceIpv6Cidr"].is_string() { "serviceIpv6Cidr" } else { "serviceIpv4Cidr" };
    for (output, value) in [
        (ENDPOINT, &cluster["endpoint"]),
        (CERTIFICATE_AUTHORITY, &cluster["certificateAuthority"]["data"]),
        (ISSUER, &cluster["identity"]["oidc"]["issuer"]),
        (CLUSTER_SECURITY_GROUP, &cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]),
        (SERVICE_CIDR, &network[services]),
        ("vpcId", &cluster["resourcesVpcConfig"]["vpcId"]),
        ("version", &cluster["version"]),
        ("platformVersion", &cluster["platformVersion"]),
        ("status", &cluster["status"]),
    ] {
        if !value.is_null() {
            live.outputs.insert(output.into(), value.clone());
        }
    }
    live
}

/// What EKS itself does not tell of a cluster: how long its logs are kept, where the file says it, and what has to be
/// known before the version may be changed.
fn questions(scope: &Scope, declared: &[Resource], cluster: &Live) -> Vec<Call> {
    let Some(declared) = declared.iter().find(|resource| resource.key == cluster.key) else {
        return Vec::new();
    };
    let mut calls = of_version(scope, declared, cluster);
    if declared.desired.get(LOG_RETENTION).is_some() && cluster.state == State::Ready {
        let group = json!({"logGroupNamePrefix": log_group(&scope.cluster)});
        calls.push(Call::new(Service::Logs, "DescribeLogGroups", group));
    }
    calls
}

fn of_version(scope: &Scope, declared: &Resource, cluster: &Live) -> Vec<Call> {
    let wanted = declared.desired["version"].as_str().and_then(Minor::parse);
    let (Some(wanted), Some(current)) = (wanted, Minor::parse(text(&cluster.actual, "version"))) else {
        return Vec::new();
    };
    if cluster.state != State::Ready || wanted == current {
        return Vec::new();
    }
    let (category, next) = if wanted > current {
        ("UPGRADE_READINESS", current.next())
    } else {
        ("ROLLBACK_READINESS", current.previous())
    };
    let mut calls = vec![eks(
        "ListInsights",
        json!({"clusterName": scope.cluster, "filter": {"categories": [category], "kubernetesVersions": [next.to_string()]}}),
    )];
    calls.push(if wanted < current {
        eks("ListUpdates", json!({"name": scope.cluster}))
    } else {
        eks("DescribeClusterVersions", json!({}))
    });
    calls
}

/// Sets in a fixed order, logging as the set of its enabled types.
fn normalised(cluster: &Value) -> Value {
    let mut cluster = cluster.clone();
    for set in ["subnetIds", "securityGroupIds", "publicAccessCidrs"] {
        if let Some(value) = cluster.pointer_mut(&format!("/resourcesVpcConfig/{set}")) {
            *value = sorted(value);
        }
    }
    if let Some(value) = cluster.pointer_mut("/computeConfig/nodePools") {
        *value = sorted(value);
    }
    if let Some(value) = cluster.pointer_mut("/encryptionConfig/0/resources") {
        *value = sorted(value);
    }
    if let Some(logging) = cluster.get("logging").filter(|logging| !logging.is_null()) {
        let on: BTreeSet<String> = logging["clusterLogging"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|setup| setup["enabled"] == json!(true))
            .flat_map(|setup| strings(&setup["types"]))
            .collect();
        cluster["logging"] = json!(on);
    }
    cluster
}
