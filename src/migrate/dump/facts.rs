//! The facts of an account and of the source cluster that an assessment asks for, from what was read.

use super::identities;
use super::inventory::Inventory;
use crate::migrate::assess::{EksVersion, Facts, GroupSize, InstanceType, Subnet, Vpc};
use crate::migrate::decommission::{AwsReads, list, member, tags, text};
use crate::model::kops::KopsState;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The tag by which kops says which InstanceGroup an Auto Scaling group is of (since kops 1.12).
const GROUP_TAG: &str = "kops.k8s.io/instancegroup";
const CLUSTER_TAG: &str = "KubernetesCluster";

/// The facts. What was not read is missing.
#[must_use]
pub fn facts(inventory: &Inventory, kops: Option<&KopsState>) -> Facts {
    let reads = &inventory.aws;
    Facts {
        region: inventory.region.clone(),
        zones: zones(reads),
        vpcs: vpcs(reads),
        subnets: subnets(reads),
        groups: kops.map(|kops| groups(reads, &kops.cluster.name)).unwrap_or_default(),
        versions: versions(reads),
        instance_types: instance_types(reads),
        instance_profiles: profiles(reads),
        namespaces: inventory.of_kind("", "Namespace").map(|namespace| namespace.name().to_owned()).collect(),
        kinds: inventory.custom_kinds(),
        prefix_lists: prefix_lists(reads),
        mappings: identities::mappings(inventory),
        pod_roles: identities::pod_roles(inventory),
    }
}

fn zones(reads: &AwsReads) -> BTreeMap<String, String> {
    let zones =
        reads.items("ec2", "DescribeAvailabilityZones", &["AvailabilityZones", "availabilityZoneInfo"]);
    zones
        .into_iter()
        .filter(|zone| text(zone, "ZoneType").is_none_or(|of| of == "availability-zone"))
        .filter_map(|zone| Some((text(zone, "ZoneName")?.to_owned(), text(zone, "ZoneId")?.to_owned())))
        .collect()
}

fn owned(tags: BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn vpcs(reads: &AwsReads) -> BTreeMap<String, Vpc> {
    let vpcs = reads.items("ec2", "DescribeVpcs", &["Vpcs"]).into_iter().filter_map(|vpc| {
        let first = text(vpc, "CidrBlock").map(str::to_owned);
        let mut cidrs: Vec<String> = first.into_iter().collect();
        for block in list(vpc, &["CidrBlockAssociationSet"]) {
            if let Some(cidr) = text(block, "CidrBlock").filter(|cidr| !cidrs.iter().any(|one| one == cidr)) {
                cidrs.push(cidr.to_owned());
            }
        }
        Some((text(vpc, "VpcId")?.to_owned(), Vpc { cidrs, tags: owned(tags(vpc)) }))
    });
    vpcs.collect()
}

fn subnets(reads: &AwsReads) -> BTreeMap<String, Subnet> {
    let public = public_subnets(reads);
    let subnets = reads.items("ec2", "DescribeSubnets", &["Subnets"]).into_iter().filter_map(|subnet| {
        let id = text(subnet, "SubnetId")?;
        let of = |name| text(subnet, name).unwrap_or_default().to_owned();
        let vpc = of("VpcId");
        let told = Subnet {
            zone: of("AvailabilityZone"),
            cidr: of("CidrBlock"),
            free_addresses: number(subnet, "AvailableIpAddressCount"),
            public: public.is_public(id, &vpc),
            tags: owned(tags(subnet)),
            vpc,
        };
        Some((id.to_owned(), told))
    });
    subnets.collect()
}

/// Route tables that lead to an internet gateway.
#[derive(Default)]
struct Public<'a> {
    /// Whether a subnet's own table does.
    by_subnet: BTreeMap<&'a str, bool>,
    /// VPCs whose main table does: that of subnets without one of their own.
    by_vpc: BTreeSet<&'a str>,
}

impl Public<'_> {
    fn is_public(&self, subnet: &str, vpc: &str) -> bool {
        self.by_subnet.get(subnet).copied().unwrap_or_else(|| self.by_vpc.contains(vpc))
    }
}

fn public_subnets(reads: &AwsReads) -> Public<'_> {
    let mut public = Public::default();
    for table in reads.items("ec2", "DescribeRouteTables", &["RouteTables"]) {
        let leads_out = list(table, &["Routes"])
            .into_iter()
            .any(|route| text(route, "GatewayId").is_some_and(|gateway| gateway.starts_with("igw-")));
        for association in list(table, &["Associations"]) {
            let is_main = match member(association, "Main") {
                Some(Value::Bool(main)) => *main,
                Some(main) => main == "true",
                None => false,
            };
            if let Some(subnet) = text(association, "SubnetId") {
                public.by_subnet.insert(subnet, leads_out);
            } else if is_main
                && leads_out
                && let Some(vpc) = text(table, "VpcId")
            {
                public.by_vpc.insert(vpc);
            }
        }
    }
    public
}

/// Live Auto Scaling groups of a cluster with the InstanceGroup that each is of, by the tag or, before kops 1.12, by the
/// name `nodes.cluster`.
pub(super) fn scaling_groups<'a>(reads: &'a AwsReads, cluster: &str) -> Vec<(String, &'a Value)> {
    let groups = reads.items("autoscaling", "DescribeAutoScalingGroups", &["AutoScalingGroups"]);
    let of_cluster = groups.into_iter().filter_map(|group| {
        let name = text(group, "AutoScalingGroupName")?;
        let tags = tags(group);
        if tags.get(CLUSTER_TAG) != Some(&cluster) {
            return None;
        }
        let by_name = || {
            let base = name.strip_suffix(cluster)?.strip_suffix('.')?;
            let base = [".masters", ".control-plane", ".apiservers"]
                .iter()
                .find_map(|role| base.strip_suffix(role))
                .unwrap_or(base);
            Some(base)
        };
        let of = tags.get(GROUP_TAG).copied().or_else(by_name)?;
        Some((of.to_owned(), group))
    });
    of_cluster.collect()
}

fn groups(reads: &AwsReads, cluster: &str) -> BTreeMap<String, GroupSize> {
    let sized = scaling_groups(reads, cluster).into_iter().filter_map(|(name, group)| {
        let of = |field| number(group, field);
        Some((name, GroupSize { min: of("MinSize")?, max: of("MaxSize")?, desired: of("DesiredCapacity")? }))
    });
    sized.collect()
}

/// Versions that EKS still serves.
fn versions(reads: &AwsReads) -> Vec<EksVersion> {
    let mut versions: Vec<EksVersion> = reads
        .items("eks", "DescribeClusterVersions", &["clusterVersions"])
        .into_iter()
        .filter_map(|version| {
            let status = text(version, "versionStatus").unwrap_or("STANDARD_SUPPORT");
            (status != "UNSUPPORTED").then_some(())?;
            let extended = status == "EXTENDED_SUPPORT";
            Some(EksVersion { version: text(version, "clusterVersion")?.to_owned(), extended })
        })
        .collect();
    versions.sort_by_key(|version| super::inventory::minor(&version.version));
    versions
}

fn instance_types(reads: &AwsReads) -> BTreeMap<String, InstanceType> {
    let mut zones: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let offered = reads.items(
        "ec2",
        "DescribeInstanceTypeOfferings",
        &["InstanceTypeOfferings", "instanceTypeOfferingSet"],
    );
    for offer in offered {
        if let (Some(name), Some(zone)) = (text(offer, "InstanceType"), text(offer, "Location")) {
            zones.entry(name).or_default().insert(zone.to_owned());
        }
    }
    let types = reads.items("ec2", "DescribeInstanceTypes", &["InstanceTypes", "instanceTypeSet"]);
    let told = types.into_iter().filter_map(|one| {
        let name = text(one, "InstanceType")?;
        let below = |outer: &str, inner: &str| member(one, outer).and_then(|outer| number(outer, inner));
        let network = member(one, "NetworkInfo").unwrap_or(&Value::Null);
        let cards = list(network, &["NetworkCards"]);
        let first_card = cards.first().and_then(|card| number(card, "MaximumNetworkInterfaces"));
        let architectures = member(one, "ProcessorInfo")
            .map(|processor| list(processor, &["SupportedArchitectures"]))
            .unwrap_or_default();
        let architecture = architectures.into_iter().filter_map(Value::as_str).find(|one| *one != "i386");
        let gpus = member(one, "GpuInfo").map(|gpu| list(gpu, &["Gpus"])).unwrap_or_default();
        let nvidia = gpus.into_iter().filter(|gpu| text(gpu, "Manufacturer") == Some("NVIDIA"));
        let told = InstanceType {
            vcpus: below("VCpuInfo", "DefaultVCpus").unwrap_or_default(),
            memory_mib: u64::from(below("MemoryInfo", "SizeInMiB").unwrap_or_default()),
            interfaces: first_card
                .or_else(|| number(network, "MaximumNetworkInterfaces"))
                .unwrap_or_default(),
            addresses_per_interface: number(network, "Ipv4AddressesPerInterface").unwrap_or_default(),
            // Bare metal has no hypervisor and Nitro cards all the same.
            nitro: text(one, "Hypervisor").map_or_else(|| name.contains(".metal"), |of| of == "nitro"),
            architecture: architecture.unwrap_or_default().to_owned(),
            gpus: nvidia.filter_map(|gpu| number(gpu, "Count")).sum(),
            current: flag(one, "CurrentGeneration"),
            zones: zones.get(name).cloned().unwrap_or_default(),
        };
        Some((name.to_owned(), told))
    });
    told.collect()
}

/// The role of a profile, by the profile's name and by its ARN.
fn profiles(reads: &AwsReads) -> BTreeMap<String, String> {
    let mut roles = BTreeMap::new();
    for read in reads.of("iam", "GetInstanceProfile") {
        let Some(profile) = member(&read.output, "InstanceProfile") else { continue };
        let Some(role) = list(profile, &["Roles"]).first().and_then(|role| text(role, "Arn")) else {
            continue;
        };
        for name in ["Arn", "InstanceProfileName"].into_iter().filter_map(|name| text(profile, name)) {
            roles.insert(name.to_owned(), role.to_owned());
        }
    }
    roles
}

fn prefix_lists(reads: &AwsReads) -> BTreeMap<String, Vec<String>> {
    let of = reads.of("ec2", "GetManagedPrefixListEntries").filter_map(|read| {
        let entries = list(&read.output, &["Entries", "entrySet"]);
        let cidrs = entries.into_iter().filter_map(|entry| text(entry, "Cidr")).map(str::to_owned).collect();
        Some((text(&read.input, "PrefixListId")?.to_owned(), cidrs))
    });
    of.collect()
}

/// A number, which XML writes as a text.
fn number(value: &Value, name: &str) -> Option<u32> {
    match member(value, name)? {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn flag(value: &Value, name: &str) -> bool {
    member(value, name).is_some_and(|flag| *flag == Value::Bool(true) || flag == "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_is_read_from_the_answers_of_the_query_apis() {
        let mut inventory = Inventory { region: Some("eu-central-1".into()), ..Inventory::default() };
        let mut push = |service, operation, output| inventory.aws.push(service, operation, json!({}), output);
        push(
            "ec2",
            "DescribeAvailabilityZones",
            json!({"availabilityZoneInfo": [{"zoneName": "eu-central-1a", "zoneId": "euc1-az2"}]}),
        );
        push(
            "ec2",
            "DescribeVpcs",
            json!({"vpcSet": [{"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/16", "cidrBlockAssociationSet": [
            {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}], "tagSet": ""}]}),
        );
        push(
            "ec2",
            "DescribeSubnets",
            json!({"subnetSet": [
            {"subnetId": "subnet-1", "vpcId": "vpc-1", "availabilityZone": "eu-central-1a", "cidrBlock": "10.0.0.0/24",
             "availableIpAddressCount": "250", "tagSet": [{"key": "a", "value": "b"}]},
            {"subnetId": "subnet-2", "vpcId": "vpc-1", "availabilityZone": "eu-central-1a", "cidrBlock": "10.0.1.0/24"}]}),
        );
        push(
            "ec2",
            "DescribeRouteTables",
            json!({"routeTableSet": [
            {"vpcId": "vpc-1", "associationSet": [{"main": "true"}], "routeSet": [{"gatewayId": "local"}]},
            {"vpcId": "vpc-1", "associationSet": [{"main": "false", "subnetId": "subnet-1"}],
             "routeSet": [{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}]}]}),
        );
        push(
            "eks",
            "DescribeClusterVersions",
            json!({"clusterVersions": [
            {"clusterVersion": "1.34", "versionStatus": "STANDARD_SUPPORT"}, {"clusterVersion": "1.9", "versionStatus": "UNSUPPORTED"},
            {"clusterVersion": "1.31", "versionStatus": "EXTENDED_SUPPORT"}]}),
        );
        push(
            "ec2",
            "DescribeInstanceTypes",
            json!({"instanceTypeSet": [{"instanceType": "g4dn.xlarge", "currentGeneration": "true",
            "hypervisor": "nitro", "vCpuInfo": {"defaultVCpus": "4"}, "memoryInfo": {"sizeInMiB": "16384"},
            "networkInfo": {"maximumNetworkInterfaces": "3", "ipv4AddressesPerInterface": "10"},
            "processorInfo": {"supportedArchitectures": ["x86_64"]}, "gpuInfo": {"gpus": [{"manufacturer": "NVIDIA", "count": "1"}]}}]}),
        );
        push(
            "iam",
            "GetInstanceProfile",
            json!({"InstanceProfile": {"Arn": "arn:p", "InstanceProfileName": "p", "Roles": [{"Arn": "arn:r"}]}}),
        );
        let facts = facts(&inventory, None);
        assert_eq!(facts.zones["eu-central-1a"], "euc1-az2");
        assert_eq!(facts.vpcs["vpc-1"].cidrs, ["10.0.0.0/16", "10.1.0.0/16"]);
        assert!(facts.subnets["subnet-1"].public && !facts.subnets["subnet-2"].public);
        assert_eq!(facts.subnets["subnet-1"].free_addresses, Some(250));
        let versions: Vec<_> =
            facts.versions.iter().map(|one| (one.version.as_str(), one.extended)).collect();
        assert_eq!(versions, [("1.31", true), ("1.34", false)]);
        let gpu = &facts.instance_types["g4dn.xlarge"];
        assert_eq!(
            (gpu.vcpus, gpu.memory_mib, gpu.interfaces, gpu.addresses_per_interface, gpu.gpus),
            (4, 16384, 3, 10, 1)
        );
        assert!(gpu.nitro && gpu.current && gpu.architecture == "x86_64");
        assert_eq!(facts.instance_profiles["arn:p"], "arn:r");
    }

    #[test]
    fn groups_are_known_by_their_tag_or_by_their_name() {
        let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
        let group = |name: &str, tags: Vec<Value>| json!({"AutoScalingGroupName": name, "MinSize": "1", "MaxSize": "5", "DesiredCapacity": "3", "Tags": tags});
        let own = || tag(CLUSTER_TAG, "a.example.com");
        let mut reads = AwsReads::default();
        let answer = json!({"AutoScalingGroups": [
            group("x", vec![own(), tag(GROUP_TAG, "nodes")]),
            group("spot.a.example.com", vec![own()]),
            group("master-1a.masters.a.example.com", vec![own()]),
            group("nodes.b.example.com", vec![tag(CLUSTER_TAG, "b.example.com")]),
        ]});
        reads.push("autoscaling", "DescribeAutoScalingGroups", json!({}), answer);
        let names: Vec<String> = groups(&reads, "a.example.com").into_keys().collect();
        assert_eq!(names, ["master-1a", "nodes", "spot"]);
    }
}
