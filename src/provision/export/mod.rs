//! From a cluster that exists to the file that describes it: a ClusterConfig as eksctl and Portolan read it, also of
//! clusters that somebody made by hand.

mod accounts;
pub mod hcl;
mod node_groups;
mod self_managed;
pub mod terraform;

use super::network::ISSUER;
use super::network::answer::{items, text, without_nothing};
use super::network::ec2::{ec2, filters};
use super::resource::{Kind, Live, Scope, Snapshot};
use crate::model::cloud::{Call, Service};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Tags that are about a cluster's makers and not about the cluster.
const MAKERS: [&str; 4] = ["alpha.eksctl.io/", "eksctl.cluster.k8s.io/", "portolan.dev/", "aws:"];
/// EKS makes these entries by itself, for nodes and for Fargate.
const OF_EKS: [&str; 5] = ["EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX"];

/// A file, and what it cannot say.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The ClusterConfig.
    pub config: Value,
    /// What is there and not in the file, with the reason.
    pub notes: Vec<String>,
}

/// The calls that tell which subnets the cluster has and which of them reach the internet; their answers go to
/// [`eksctl`]. None without a cluster.
#[must_use]
pub fn calls(snapshot: &Snapshot) -> Vec<Call> {
    let subnets = subnet_ids(snapshot);
    let vpc = cluster(snapshot).and_then(|cluster| cluster.outputs.get("vpcId")?.as_str().map(str::to_owned));
    let Some(vpc) = vpc.filter(|_| !subnets.is_empty()) else { return Vec::new() };
    let in_vpc = filters(&[("vpc-id", vec![vpc])]);
    let mut calls = vec![
        ec2("DescribeSubnets", json!({"SubnetIds": subnets})),
        ec2("DescribeRouteTables", json!({"Filters": in_vpc})),
        Call::new(Service::Iam, "ListOpenIDConnectProviders", json!({})),
    ];
    calls.extend(self_managed::profiles(snapshot).into_iter().map(of_profile));
    calls
}

fn of_profile(name: &str) -> Call {
    Call::new(Service::Iam, "GetInstanceProfile", json!({"InstanceProfileName": name}))
}

/// The ClusterConfig of what was found. `accounts` are the ServiceAccounts in the cluster; `None` where nobody could be
/// asked. `None` without a cluster.
#[must_use]
pub fn eksctl(
    scope: &Scope,
    snapshot: &Snapshot,
    answers: &[(Call, Value)],
    accounts: Option<&[Value]>,
) -> Option<Exported> {
    let cluster = cluster(snapshot)?;
    let mut notes: Vec<String> = snapshot
        .unread
        .iter()
        .map(|(kind, reason)| format!("{kind:?} is not in the file: it could not be read: {reason}"))
        .collect();
    if accounts.is_none() {
        let words = "the API server did not answer: ServiceAccounts with roles are not in the file (iam.serviceAccounts)";
        notes.push(words.into());
    }
    let of_addons = snapshot
        .live
        .values()
        .filter(|live| live.key.kind == Kind::Addon)
        .filter_map(|addon| addon.actual["serviceAccountRoleArn"].as_str().map(str::to_owned))
        .collect();
    let accounts = accounts::read(accounts.unwrap_or_default(), &of_addons, &mut notes);
    let subnets = Subnets::of(answers);
    let mut config = json!({
        "apiVersion": crate::model::cluster_config::API_VERSION,
        "kind": crate::model::cluster_config::KIND,
        "metadata": without_nothing(json!({
            "name": scope.cluster, "region": scope.region, "version": cluster.actual["version"],
            "tags": own_tags(cluster),
        })),
        "vpc": vpc(cluster, &subnets),
        "iam": iam(cluster, snapshot, has_provider(cluster, answers), &accounts),
        "accessConfig": access(cluster, snapshot),
        "addonsConfig": {"disableDefaultAddons": true},
        "addons": list(snapshot, Kind::Addon, addon),
        "managedNodeGroups": list(snapshot, Kind::Nodegroup, |group| node_groups::managed(group, &mut notes)),
        "nodeGroups": self_managed::written(scope, snapshot, answers, &mut notes),
        "fargateProfiles": list(snapshot, Kind::FargateProfile, fargate),
        "identityProviders": list(snapshot, Kind::IdentityProvider, identity_provider),
    });
    settings(cluster, &mut config);
    wordless(cluster, &mut notes);
    let config = without_nothing(config);
    notes.extend(self_managed::unsaid(scope, snapshot, &config));
    Some(Exported { config, notes })
}

fn cluster(snapshot: &Snapshot) -> Option<&Live> {
    snapshot.live.values().find(|live| live.key.kind == Kind::Cluster)
}

/// The subnets of the control plane, of node groups and of Fargate.
fn subnet_ids(snapshot: &Snapshot) -> BTreeSet<String> {
    let places = ["/resourcesVpcConfig/subnetIds", "/subnets", "/SubnetIds"];
    let lists =
        snapshot.live.values().flat_map(|live| places.iter().filter_map(|place| live.actual.pointer(place)));
    let ids = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    ids.filter(|id| id.starts_with("subnet-")).map(str::to_owned).collect()
}

fn list(snapshot: &Snapshot, kind: Kind, mut as_written: impl FnMut(&Live) -> Value) -> Vec<Value> {
    snapshot
        .live
        .values()
        .filter(|live| live.key.kind == kind)
        .map(|live| without_nothing(as_written(live)))
        .collect()
}

/// Tags that somebody gave it for itself.
fn own_tags(live: &Live) -> BTreeMap<String, String> {
    let is_own = |name: &str| !MAKERS.iter().any(|maker| name.starts_with(maker));
    live.tags
        .iter()
        .filter(|(name, _)| is_own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Which subnets there are.
#[derive(Default)]
struct Subnets {
    /// Id with zone, by whether they reach the internet directly.
    public: BTreeMap<String, String>,
    private: BTreeMap<String, String>,
}

impl Subnets {
    fn of(answers: &[(Call, Value)]) -> Self {
        let of = |operation: &str, set: &str| -> Vec<&Value> {
            answers
                .iter()
                .filter(|(call, _)| call.service == Service::Ec2 && call.operation == operation)
                .flat_map(|(_, answer)| items(answer, set))
                .collect()
        };
        let tables = of("DescribeRouteTables", "routeTableSet");
        let leads_out = |table: &&&Value| {
            items(table, "routeSet").iter().any(|route| text(route, "gatewayId").starts_with("igw-"))
        };
        let associated = |table: &Value, what: &str, id: &str| {
            items(table, "associationSet").iter().any(|association| text(association, what) == id)
        };
        let mut subnets = Self::default();
        for subnet in of("DescribeSubnets", "subnetSet") {
            let id = text(subnet, "subnetId");
            // A subnet without a table of its own has the VPC's main one.
            let own = tables.iter().find(|table| associated(table, "subnetId", id));
            let table = own.or_else(|| tables.iter().find(|table| associated(table, "main", "true")));
            let side = if table.filter(|table| leads_out(table)).is_some() {
                &mut subnets.public
            } else {
                &mut subnets.private
            };
            side.insert(id.to_owned(), text(subnet, "availabilityZone").to_owned());
        }
        subnets
    }

    /// As `vpc.subnets` has them: by zone where each zone has one, else by id.
    fn written(side: &BTreeMap<String, String>) -> Value {
        let zones: BTreeSet<&String> = side.values().collect();
        let by_zone = zones.len() == side.len();
        let entry = |(id, zone): (&String, &String)| {
            let name = if by_zone { zone.clone() } else { id.clone() };
            (name, json!({"id": id, "az": zone}))
        };
        Value::Object(side.iter().map(entry).collect())
    }
}

fn vpc(cluster: &Live, subnets: &Subnets) -> Value {
    let network = &cluster.actual["resourcesVpcConfig"];
    let mut vpc = json!({
        "id": cluster.outputs.get("vpcId"),
        "subnets": {"public": Subnets::written(&subnets.public), "private": Subnets::written(&subnets.private)},
        "clusterEndpoints": {
            "publicAccess": network["endpointPublicAccess"], "privateAccess": network["endpointPrivateAccess"],
        },
        "controlPlaneSubnetIDs": network["subnetIds"],
        "controlPlaneSecurityGroupIDs": network["securityGroupIds"],
    });
    let everywhere = json!(["0.0.0.0/0"]);
    if network["publicAccessCidrs"] != everywhere {
        vpc["publicAccessCIDRs"] = network["publicAccessCidrs"].clone();
    }
    // What EKS takes where nothing is said.
    if network["controlPlaneEgressMode"] != "AWS_MANAGED" {
        vpc["controlPlaneEgressMode"] = network["controlPlaneEgressMode"].clone();
    }
    vpc
}

/// Whether IAM trusts the cluster's tokens.
fn has_provider(cluster: &Live, answers: &[(Call, Value)]) -> bool {
    let issuer =
        cluster.outputs.get(ISSUER).and_then(Value::as_str).and_then(|url| url.strip_prefix("https://"));
    let listed = answers
        .iter()
        .filter(|(call, _)| call.operation == "ListOpenIDConnectProviders")
        .flat_map(|(_, answer)| items(answer, "OpenIDConnectProviderList"));
    issuer.is_some_and(|issuer| {
        let end = format!("/{issuer}");
        listed.into_iter().any(|provider| text(provider, "Arn").ends_with(&end))
    })
}

fn iam(cluster: &Live, snapshot: &Snapshot, with_oidc: bool, accounts: &accounts::Accounts) -> Value {
    let associations = list(snapshot, Kind::PodIdentityAssociation, |live| {
        let name = |member: &str| live.actual[member].as_str().unwrap_or_default().to_owned();
        let made = accounts.made.contains(&(name("namespace"), name("serviceAccount")));
        json!({
            "createServiceAccount": made.then_some(true),
            "namespace": live.actual["namespace"],
            "serviceAccountName": live.actual["serviceAccount"],
            "roleARN": live.actual["roleArn"],
            "targetRoleARN": live.actual["targetRoleArn"],
            "disableSessionTags": live.actual["disableSessionTags"].as_bool().filter(|off| *off),
            "policy": live.actual["policy"],
            "tags": own_tags(live),
        })
    });
    json!({
        "serviceRoleARN": cluster.actual["roleArn"],
        "withOIDC": with_oidc,
        "serviceAccounts": if with_oidc { accounts.declared.clone() } else { Vec::new() },
        "podIdentityAssociations": associations,
    })
}

fn access(cluster: &Live, snapshot: &Snapshot) -> Value {
    let entries = snapshot.live.values().filter(|live| live.key.kind == Kind::AccessEntry);
    let entries: Vec<Value> = entries
        .filter(|live| !OF_EKS.contains(&live.actual["type"].as_str().unwrap_or_default()))
        // eksctl has no word for an entry's own tags; those of the cluster stand in `metadata.tags`.
        .map(|live| {
            let policies = live.actual["accessPolicies"].as_array().into_iter().flatten().map(|policy| {
                json!({
                    "policyARN": policy["policyArn"],
                    "accessScope": {"type": policy["accessScope"]["type"], "namespaces": policy["accessScope"]["namespaces"]},
                })
            });
            without_nothing(json!({
                "principalARN": live.actual["principalArn"],
                "kubernetesGroups": live.actual["kubernetesGroups"],
                "kubernetesUsername": own_username(live),
                "accessPolicies": policies.collect::<Vec<_>>(),
            }))
        })
        .collect();
    json!({"authenticationMode": cluster.actual["accessConfig"]["authenticationMode"], "accessEntries": entries})
}

/// The name that a login has in the cluster, where somebody chose it: EKS gives a user its ARN, and a role that of its session.
/// (EKS API, `CreateAccessEntry` `username`)
fn own_username(live: &Live) -> Option<&str> {
    let name = live.actual["username"].as_str()?;
    let of_session = name.contains(":assumed-role/") && name.ends_with("/{{SessionName}}");
    (name != live.id && !of_session).then_some(name)
}

fn addon(live: &Live) -> Value {
    let associations = live.actual["podIdentityAssociations"].as_array().into_iter().flatten();
    let associations: Vec<Value> = associations
        .map(|each| json!({"serviceAccountName": each["serviceAccount"], "roleARN": each["roleArn"]}))
        .collect();
    json!({
        "name": live.actual["addonName"],
        "version": live.actual["addonVersion"],
        "podIdentityAssociations": associations,
        "serviceAccountRoleARN": live.actual["serviceAccountRoleArn"],
        "configurationValues": live.actual["configurationValues"],
        "namespaceConfig": live.actual["namespaceConfig"],
        "tags": own_tags(live),
    })
}

fn fargate(live: &Live) -> Value {
    json!({
        "name": live.actual["fargateProfileName"],
        "podExecutionRoleARN": live.actual["podExecutionRoleArn"],
        "selectors": live.actual["selectors"],
        "subnets": live.actual["subnets"],
        "tags": own_tags(live),
    })
}

fn identity_provider(live: &Live) -> Value {
    let actual = live.actual.get("oidc").unwrap_or(&live.actual);
    json!({
        "type": "oidc",
        "name": actual["identityProviderConfigName"],
        "issuerURL": actual["issuerUrl"],
        "clientID": actual["clientId"],
        "usernameClaim": actual["usernameClaim"],
        "usernamePrefix": actual["usernamePrefix"],
        "groupsClaim": actual["groupsClaim"],
        "groupsPrefix": actual["groupsPrefix"],
        "requiredClaims": actual["requiredClaims"],
    })
}

/// What a file says of a control plane's settings, where they are not EKS's own defaults.
fn settings(cluster: &Live, config: &mut Value) {
    let actual = &cluster.actual;
    if actual["logging"].as_array().is_some_and(|logs| !logs.is_empty()) {
        config["cloudWatch"] = json!({"clusterLogging": {"enableTypes": actual["logging"]}});
    }
    if let Some(key) = actual.pointer("/encryptionConfig/0/provider/keyArn") {
        config["secretsEncryption"] = json!({"keyARN": key});
    }
    let network = &actual["kubernetesNetworkConfig"];
    config["kubernetesNetworkConfig"] = json!({
        "serviceIPv4CIDR": network["serviceIpv4Cidr"],
        "ipFamily": match network["ipFamily"].as_str() {
            Some("ipv6") => "IPv6",
            _ => "IPv4",
        },
    });
    if network["ipFamily"] == "ipv6"
        && let Some(members) = config["kubernetesNetworkConfig"].as_object_mut()
    {
        members.remove("serviceIPv4CIDR");
    }
    config["upgradePolicy"] = json!({"supportType": actual["upgradePolicy"]["supportType"]});
    if actual["zonalShiftConfig"]["enabled"] == json!(true) {
        config["zonalShiftConfig"] = json!({"enabled": true});
    }
    let compute = &actual["computeConfig"];
    if compute["enabled"] == json!(true) {
        config["autoModeConfig"] = json!({
            "enabled": true, "nodePools": compute["nodePools"], "nodeRoleARN": compute["nodeRoleArn"],
        });
    }
    let tier = &actual["controlPlaneScalingConfig"]["tier"];
    if !tier.is_null() && *tier != "standard" {
        config["controlPlaneScalingConfig"] = json!({"tier": tier});
    }
    let server = &actual["kubeApiServerConfig"];
    config["kubeAPIServerConfig"] =
        json!({"eventTTL": server["eventTtl"], "serviceNodePortRange": server["serviceNodePortRange"]});
    for member in ["kubeSchedulerConfig", "kubeControllerManagerConfig"] {
        config[member] = actual[member].clone();
    }
}

/// What is so and has no word in the file.
fn wordless(cluster: &Live, notes: &mut Vec<String>) {
    let actual = &cluster.actual;
    if actual["deletionProtection"] == json!(true) {
        notes.push(
            "the cluster is protected from deletion: set `eks.deletionProtection` in its Cluster document"
                .into(),
        );
    }
    for (member, what) in
        [("remoteNetworkConfig", "networks of hybrid nodes"), ("outpostConfig", "an Outpost")]
    {
        if actual[member].as_object().is_some_and(|members| !members.is_empty()) {
            notes.push(format!(
                "the cluster has {what}, which Portolan does not declare: they are left as they are"
            ));
        }
    }
}
