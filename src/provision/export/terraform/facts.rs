//! What the file says beside what the drivers read: the network, and the roles that the cluster's parts have.

use crate::model::cloud::{Call, Service};
use crate::provision::iam::document;
use crate::provision::network::ISSUER;
use crate::provision::network::answer::{items, some_text, text};
use crate::provision::network::ec2::{ec2, filters};
use crate::provision::nodes::{launch_template_data, profile_of};
use crate::provision::resource::{Kind, Live, Snapshot};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Members of what the drivers read that hold roles.
const ROLES: [&str; 4] = ["roleArn", "nodeRole", "podExecutionRoleArn", "serviceAccountRoleArn"];

/// The answers, sorted out.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) vpc: Value,
    /// `enableDnsSupport` and the like.
    pub(super) vpc_attributes: BTreeMap<String, bool>,
    pub(super) subnets: Vec<Value>,
    pub(super) tables: Vec<Value>,
    pub(super) internet_gateways: Vec<Value>,
    pub(super) nat_gateways: Vec<Value>,
    pub(super) addresses: Vec<Value>,
    pub(super) groups: Vec<Value>,
    pub(super) rules: Vec<Value>,
    pub(super) roles: Vec<Role>,
    pub(super) issuer: Option<(String, Value)>,
    /// Self-managed groups as Auto Scaling answers.
    pub(super) scaling_groups: Vec<Value>,
    /// Launch templates of all groups, each with its newest version: that is what the provider reads.
    pub(super) templates: Vec<(Value, Value)>,
    /// Instance profiles of those templates.
    pub(super) profiles: Vec<Value>,
    /// Access entries of roles that only self-managed nodes have: EKS makes none for those.
    pub(super) entries_of_nodes: Vec<Value>,
    pub(super) notes: Vec<String>,
}

/// A role with its policies.
pub(super) struct Role {
    pub(super) role: Value,
    /// ARNs of managed policies.
    pub(super) attached: Vec<String>,
    /// Documents of inline policies, by name.
    pub(super) inline: BTreeMap<String, Value>,
}

/// Ids of the launch templates that groups of both kinds have.
fn template_ids(snapshot: &Snapshot) -> BTreeSet<&str> {
    let places = [
        "/launchTemplate/id",
        "/LaunchTemplate/LaunchTemplateId",
        "/MixedInstancesPolicy/LaunchTemplate/LaunchTemplateSpecification/LaunchTemplateId",
    ];
    let live = snapshot.live.values();
    live.flat_map(|live| places.iter().filter_map(|place| live.actual.pointer(place)?.as_str())).collect()
}

/// The answers to an operation.
fn of<'a>(answers: &'a [(Call, Value)], operation: &'static str) -> impl Iterator<Item = &'a (Call, Value)> {
    answers.iter().filter(move |(call, _)| call.operation == operation)
}

/// What nodes need beside what the drivers read: groups as a whole, templates, profiles.
fn of_nodes(snapshot: &Snapshot, answers: &[(Call, Value)]) -> Vec<Call> {
    let mut due = Vec::new();
    let groups: Vec<&str> =
        super::super::self_managed::groups(snapshot).map(|group| group.id.as_str()).collect();
    if !groups.is_empty() {
        let named = json!({"AutoScalingGroupNames": groups});
        due.push(Call::new(Service::AutoScaling, "DescribeAutoScalingGroups", named));
    }
    for id in template_ids(snapshot) {
        due.push(ec2("DescribeLaunchTemplates", json!({"LaunchTemplateIds": [id]})));
        let newest = json!({"LaunchTemplateId": id, "Versions": ["$Latest"]});
        due.push(ec2("DescribeLaunchTemplateVersions", newest));
    }
    for (_, answer) in of(answers, "DescribeLaunchTemplateVersions") {
        let data = items(answer, "launchTemplateVersionSet")
            .iter()
            .map(|version| launch_template_data(&version["launchTemplateData"]));
        due.extend(data.filter_map(|data| profile_of(&data).map(super::super::of_profile)));
    }
    let managed = |role: &str| {
        let of_managed =
            |live: &Live| live.actual["nodeRole"] == role || live.actual["podExecutionRoleArn"] == role;
        snapshot.live.values().any(of_managed)
    };
    let name = cluster(snapshot).map(|live| live.id.as_str());
    for (_, answer) in of(answers, "GetInstanceProfile") {
        let roles = items(&answer["InstanceProfile"], "Roles").iter().map(|role| text(role, "Arn"));
        due.extend(roles.filter(|role| !managed(role)).map(|role| {
            let entry = json!({"clusterName": name, "principalArn": role});
            Call::new(Service::Eks, "DescribeAccessEntry", entry)
        }));
    }
    due
}

/// Names of the roles that the cluster's parts have. Those of services and of other accounts are not the cluster's.
fn roles(snapshot: &Snapshot, answers: &[(Call, Value)]) -> BTreeSet<String> {
    let mut arns = BTreeSet::new();
    for (_, answer) in of(answers, "GetInstanceProfile") {
        arns.extend(items(&answer["InstanceProfile"], "Roles").iter().map(|role| text(role, "Arn")));
    }
    for live in snapshot.live.values() {
        arns.extend(ROLES.iter().filter_map(|member| live.actual[*member].as_str()));
        arns.extend(live.actual["computeConfig"]["nodeRoleArn"].as_str());
        let associations = live.actual["podIdentityAssociations"].as_array().into_iter().flatten();
        arns.extend(associations.filter_map(|association| association["roleArn"].as_str()));
    }
    let account = cluster_arn(snapshot).and_then(|arn| arn.split(':').nth(4).map(str::to_owned));
    arns.into_iter()
        .filter(|arn| arn.split(':').nth(4) == account.as_deref() && !arn.contains(":role/aws-service-role/"))
        .filter_map(|arn| arn.rsplit('/').next().map(str::to_owned))
        .collect()
}

fn cluster(snapshot: &Snapshot) -> Option<&Live> {
    snapshot.live.values().find(|live| live.key.kind == Kind::Cluster)
}

fn cluster_arn(snapshot: &Snapshot) -> Option<String> {
    cluster(snapshot)?.outputs.get("arn")?.as_str().map(str::to_owned)
}

fn iam(operation: &str, input: Value) -> Call {
    Call::new(Service::Iam, operation, input)
}

/// The issuer of the cluster's tokens without its scheme, as IAM names the provider.
fn issuer(live: &Live) -> Option<&str> {
    live.outputs.get(ISSUER)?.as_str()?.strip_prefix("https://")
}

/// What is asked: at first all that the cluster names, then what the answers name.
pub(super) fn calls(snapshot: &Snapshot, answers: &[(Call, Value)]) -> Vec<Call> {
    let Some(live) = cluster(snapshot) else { return Vec::new() };
    let mut due = Vec::new();
    if let Some(vpc) = live.outputs.get("vpcId").and_then(Value::as_str) {
        let in_vpc = |filter: &str| filters(&[(filter, vec![vpc.to_owned()])]);
        due.push(ec2("DescribeVpcs", json!({"VpcIds": [vpc]})));
        for attribute in ["enableDnsSupport", "enableDnsHostnames"] {
            due.push(ec2("DescribeVpcAttribute", json!({"VpcId": vpc, "Attribute": attribute})));
        }
        due.push(ec2("DescribeSubnets", json!({"Filters": in_vpc("vpc-id")})));
        due.push(ec2("DescribeRouteTables", json!({"Filters": in_vpc("vpc-id")})));
        due.push(ec2("DescribeInternetGateways", json!({"Filters": in_vpc("attachment.vpc-id")})));
        due.push(ec2("DescribeNatGateways", json!({"Filter": in_vpc("vpc-id")})));
    }
    let groups = live.actual["resourcesVpcConfig"]["securityGroupIds"].as_array().into_iter().flatten();
    let groups: Vec<String> = groups.filter_map(|id| id.as_str().map(str::to_owned)).collect();
    if !groups.is_empty() {
        due.push(ec2("DescribeSecurityGroups", json!({"GroupIds": groups})));
        due.push(ec2("DescribeSecurityGroupRules", json!({"Filters": filters(&[("group-id", groups)])})));
    }
    due.extend(of_nodes(snapshot, answers));
    for role in roles(snapshot, answers) {
        for operation in ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"] {
            due.push(iam(operation, json!({"RoleName": role})));
        }
    }
    if let Some(issuer) = issuer(live) {
        due.push(iam("ListOpenIDConnectProviders", json!({})));
        for (_, answer) in answers.iter().filter(|(call, _)| call.operation == "ListOpenIDConnectProviders") {
            let found = items(answer, "OpenIDConnectProviderList").iter().map(|each| text(each, "Arn"));
            for arn in found.filter(|arn| arn.ends_with(&format!("/{issuer}"))) {
                due.push(iam("GetOpenIDConnectProvider", json!({"OpenIDConnectProviderArn": arn})));
            }
        }
    }
    for (call, answer) in answers {
        match call.operation.as_str() {
            "ListRolePolicies" => {
                for name in items(answer, "PolicyNames").iter().filter_map(Value::as_str) {
                    let role = &call.input["RoleName"];
                    due.push(iam("GetRolePolicy", json!({"RoleName": role, "PolicyName": name})));
                }
            }
            "DescribeNatGateways" => {
                let ids: BTreeSet<&str> = items(answer, "natGatewaySet")
                    .iter()
                    .flat_map(|gateway| items(gateway, "natGatewayAddressSet"))
                    .filter_map(|address| some_text(address, "allocationId"))
                    .collect();
                if !ids.is_empty() {
                    due.push(ec2("DescribeAddresses", json!({"AllocationIds": ids})));
                }
            }
            _ => {}
        }
    }
    due.retain(|call| !answers.iter().any(|(made, _)| made == call));
    due
}

fn templates(answers: &[(Call, Value)]) -> Vec<(Value, Value)> {
    let all = of(answers, "DescribeLaunchTemplates").flat_map(|(_, answer)| items(answer, "launchTemplates"));
    let version = |id: &str| {
        let mut versions = of(answers, "DescribeLaunchTemplateVersions")
            .flat_map(|(_, answer)| items(answer, "launchTemplateVersionSet"));
        versions.find(|version| text(version, "launchTemplateId") == id)
    };
    all.filter_map(|template| Some((template.clone(), version(text(template, "launchTemplateId"))?.clone())))
        .collect()
}

fn profiles(answers: &[(Call, Value)]) -> Vec<Value> {
    let answered = of(answers, "GetInstanceProfile").map(|(_, answer)| &answer["InstanceProfile"]);
    answered.filter(|profile| profile.is_object()).cloned().collect()
}

impl Facts {
    pub(super) fn of(live: &Live, snapshot: &Snapshot, answers: &[(Call, Value)]) -> Self {
        let entries = of(answers, "DescribeAccessEntry").map(|(_, answer)| answer["accessEntry"].clone());
        let entries = entries.filter(Value::is_object).collect();
        let of = |operation: &'static str, list: &str| -> Vec<Value> {
            of(answers, operation).flat_map(|(_, answer)| items(answer, list).to_vec()).collect()
        };
        let mut facts = Self {
            vpc: of("DescribeVpcs", "vpcSet").into_iter().next().unwrap_or_default(),
            tables: of("DescribeRouteTables", "routeTableSet"),
            internet_gateways: of("DescribeInternetGateways", "internetGatewaySet"),
            addresses: of("DescribeAddresses", "addressesSet"),
            groups: of("DescribeSecurityGroups", "securityGroupInfo"),
            rules: of("DescribeSecurityGroupRules", "securityGroupRuleSet"),
            scaling_groups: of("DescribeAutoScalingGroups", "AutoScalingGroups"),
            templates: templates(answers),
            profiles: profiles(answers),
            entries_of_nodes: entries,
            ..Self::default()
        };
        for (call, answer) in answers.iter().filter(|(call, _)| call.operation == "DescribeVpcAttribute") {
            let name = call.input["Attribute"].as_str().unwrap_or_default();
            facts.vpc_attributes.insert(name.to_owned(), text(&answer[name], "value") == "true");
        }
        facts.network(
            snapshot,
            of("DescribeSubnets", "subnetSet"),
            of("DescribeNatGateways", "natGatewaySet"),
        );
        facts.iam(live, answers);
        facts
    }

    /// The subnets that the cluster uses, the NAT gateways that these lead to, and the subnets of those.
    fn network(&mut self, snapshot: &Snapshot, subnets: Vec<Value>, gateways: Vec<Value>) {
        let used = super::super::subnet_ids(snapshot);
        let leads_to = |gateway: &Value| {
            let id = text(gateway, "natGatewayId");
            let through = |table: &&Value| {
                items(table, "routeSet").iter().any(|route| text(route, "natGatewayId") == id)
                    && items(table, "associationSet").iter().any(|a| used.contains(text(a, "subnetId")))
            };
            !matches!(text(gateway, "state"), "deleted" | "deleting" | "failed")
                && self.tables.iter().any(|t| through(&t))
        };
        self.nat_gateways = gateways.into_iter().filter(leads_to).collect();
        let of_gateways: BTreeSet<&str> =
            self.nat_gateways.iter().map(|each| text(each, "subnetId")).collect();
        self.subnets = subnets
            .into_iter()
            .filter(|subnet| {
                let id = text(subnet, "subnetId");
                used.contains(id) || of_gateways.contains(id)
            })
            .collect();
        let kept: BTreeSet<&str> = self.subnets.iter().map(|subnet| text(subnet, "subnetId")).collect();
        let serves =
            |table: &Value| items(table, "associationSet").iter().any(|a| kept.contains(text(a, "subnetId")));
        let tabled: BTreeSet<String> = self
            .tables
            .iter()
            .flat_map(|table| items(table, "associationSet"))
            .map(|association| text(association, "subnetId").to_owned())
            .collect();
        let on_main: Vec<&str> = kept.iter().filter(|id| !tabled.contains(**id)).copied().collect();
        if !on_main.is_empty() {
            self.notes.push(format!(
                "the VPC's main route table, which {} have, is not in the file: write it as an aws_default_route_table",
                on_main.join(", ")
            ));
        }
        let tables = std::mem::take(&mut self.tables);
        self.tables = tables.into_iter().filter(serves).collect();
        let allocations: BTreeSet<&str> = self
            .nat_gateways
            .iter()
            .flat_map(|gateway| items(gateway, "natGatewayAddressSet"))
            .map(|address| text(address, "allocationId"))
            .collect();
        let addresses = std::mem::take(&mut self.addresses);
        self.addresses =
            addresses.into_iter().filter(|each| allocations.contains(text(each, "allocationId"))).collect();
    }

    fn iam(&mut self, live: &Live, answers: &[(Call, Value)]) {
        let role_of = |call: &Call| call.input["RoleName"].as_str().unwrap_or_default().to_owned();
        for (call, answer) in answers.iter().filter(|(call, _)| call.operation == "GetRole") {
            let name = role_of(call);
            let about =
                |operation: &'static str| answers.iter().filter(move |(call, _)| call.operation == operation);
            let attached = about("ListAttachedRolePolicies")
                .filter(|(call, _)| role_of(call) == name)
                .flat_map(|(_, answer)| items(answer, "AttachedPolicies"))
                .map(|policy| text(policy, "PolicyArn").to_owned())
                .collect();
            let inline = about("GetRolePolicy")
                .filter(|(call, _)| role_of(call) == name)
                .map(|(_, answer)| {
                    (text(answer, "PolicyName").to_owned(), document::read(answer, "PolicyDocument"))
                })
                .collect();
            self.roles.push(Role { role: answer["Role"].clone(), attached, inline });
        }
        self.roles.sort_by_key(|role| text(&role.role, "RoleName").to_owned());
        let found = answers.iter().find(|(call, _)| call.operation == "GetOpenIDConnectProvider");
        if let (Some((call, answer)), Some(_)) = (found, issuer(live)) {
            let arn = call.input["OpenIDConnectProviderArn"].as_str().unwrap_or_default();
            self.issuer = Some((arn.to_owned(), answer.clone()));
        }
    }
}
