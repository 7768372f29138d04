//! Subnets with the attributes that decide what addresses instances get.

use super::super::answer::{flag, items, number, only, some_text, text};
use super::super::ec2::{NOBODY_KNOWS, Table, difference, ec2, ec2_tag_differences, filters, fixed, state};
use super::super::layout::{LAID_OUT_AT, zones_wanted};
use super::vpc;
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fact: the region's zones, `[{"name": "eu-central-1a", "id": "euc1-az2"}]`, sorted by name. Read as long as neither the
/// file nor the subnets that are there say which zones a new VPC has subnets in.
pub const ZONES: &str = "zones";

const TABLE: Table = Table {
    kind: Kind::Subnet,
    describe: "DescribeSubnets",
    filters: "Filters",
    set: "subnetSet",
    id: "subnetId",
    member: "SubnetId",
    id_filter: "subnet-id",
    resource_type: "subnet",
    in_use: NOBODY_KNOWS,
};

/// Attributes that ModifySubnetAttribute changes, one each call, as `{"Value": …}`.
const SWITCHES: [&str; 2] = ["MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"];
const HOSTNAMES: &str = "PrivateDnsHostnameTypeOnLaunch";

/// [`Kind::Subnet`].
#[derive(Clone, Copy, Debug)]
pub struct SubnetDriver;

impl Driver for SubnetDriver {
    fn kind(&self) -> Kind {
        Kind::Subnet
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        TABLE.reads(scope, declared)
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.operation == "DescribeAvailabilityZones" {
            into.facts.insert(ZONES.to_owned(), zones(answer));
            return Vec::new();
        }
        let mut used: Vec<String> = Vec::new();
        TABLE.absorb(scope, declared, call, answer, into, |found| {
            let subnet = found.item;
            if found.owner == Owner::Ours {
                used.push(text(subnet, "vpcId").to_owned());
            }
            let mut actual = json!({
                "VpcId": text(subnet, "vpcId"),
                "AvailabilityZone": text(subnet, "availabilityZone"),
                "CidrBlock": text(subnet, "cidrBlock"),
                "MapPublicIpOnLaunch": flag(subnet, "mapPublicIpOnLaunch"),
                "AssignIpv6AddressOnCreation": flag(subnet, "assignIpv6AddressOnCreation"),
            });
            let blocks = items(subnet, "ipv6CidrBlockAssociationSet").iter();
            let associated = blocks.filter(|block| {
                let word = block.get("ipv6CidrBlockState").map_or("", |state| text(state, "state"));
                !matches!(word, "disassociated" | "disassociating" | "failed" | "failing")
            });
            if let Some(block) = associated.filter_map(|block| some_text(block, "ipv6CidrBlock")).min() {
                actual["Ipv6CidrBlock"] = json!(block);
            }
            // Absent where the service does not say: then it is what instances get without it.
            let options = subnet.get("privateDnsNameOptionsOnLaunch");
            actual[HOSTNAMES] =
                json!(options.and_then(|options| some_text(options, "hostnameType")).unwrap_or("ip-name"));
            let outputs = vec![
                ("zone".to_owned(), json!(text(subnet, "availabilityZone"))),
                ("cidr".to_owned(), json!(text(subnet, "cidrBlock"))),
                ("vpc".to_owned(), json!(text(subnet, "vpcId"))),
                ("freeAddresses".to_owned(), json!(number(subnet, "availableIpAddressCount"))),
            ];
            Some((actual, outputs, state(text(subnet, "state"), "")))
        });
        used.iter().for_each(|vpc| vpc::prefer(into, vpc));
        if needs_zones(scope, declared, into) { vec![describe_zones(scope)] } else { Vec::new() }
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let members = only(desired, &["VpcId", "AvailabilityZone", "CidrBlock", "Ipv6CidrBlock"]);
        TABLE.create("CreateSubnet", members, tags, None)
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        let way_out = "a subnet keeps its place and addresses: add one by another name, move the nodes, remove this one";
        let mut differences = fixed(desired, live, &["VpcId", "AvailabilityZone", "CidrBlock"], way_out);
        differences.extend(difference(desired, live, "Ipv6CidrBlock", || {
            if live.actual.get("Ipv6CidrBlock").is_some() {
                return Mend::Impossible(way_out.to_owned());
            }
            let input = json!({"SubnetId": live.id, "Ipv6CidrBlock": desired["Ipv6CidrBlock"]});
            Mend::InPlace(ec2("AssociateSubnetCidrBlock", input))
        }));
        for name in SWITCHES {
            differences.extend(difference(desired, live, name, || {
                let input = json!({"SubnetId": live.id, name: {"Value": desired[name]}});
                Mend::InPlace(ec2("ModifySubnetAttribute", input))
            }));
        }
        differences.extend(difference(desired, live, HOSTNAMES, || {
            let input = json!({"SubnetId": live.id, HOSTNAMES: desired[HOSTNAMES]});
            Mend::InPlace(ec2("ModifySubnetAttribute", input))
        }));
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteSubnet", json!({"SubnetId": live.id}))]
    }
}

/// Whether zones have to be chosen: a VPC is to be made, the file names none, and what is there does not tell enough.
fn needs_zones(scope: &Scope, declared: &[Resource], found: &Snapshot) -> bool {
    let makes_vpc = declared.iter().any(|each| each.key.kind == Kind::Vpc && !each.existing);
    // Subnets that were laid out in the region's zones stand at `/vpc`: what they follow from has to be known again.
    let declares_subnets =
        declared.iter().any(|each| each.key.kind == Kind::Subnet && each.declared_at != LAID_OUT_AT);
    let subnets =
        found.live.values().filter(|live| live.key.kind == Kind::Subnet && live.owner == Owner::Ours);
    let zones: BTreeSet<String> =
        subnets.filter_map(|live| Some(live.outputs.get("zone")?.to_string())).collect();
    makes_vpc && !declares_subnets && zones.len() < zones_wanted(&scope.region)
}

fn describe_zones(scope: &Scope) -> Call {
    let wanted = [
        ("region-name", vec![scope.region.clone()]),
        ("state", vec!["available".to_owned()]),
        ("zone-type", vec!["availability-zone".to_owned()]),
    ];
    ec2("DescribeAvailabilityZones", json!({"Filters": filters(&wanted)}))
}

fn zones(answer: &Value) -> Value {
    let mut zones: Vec<(&str, &str)> = items(answer, "availabilityZoneInfo")
        .iter()
        .map(|zone| (text(zone, "zoneName"), text(zone, "zoneId")))
        .collect();
    zones.sort_unstable();
    zones.into_iter().map(|(name, id)| json!({"name": name, "id": id})).collect()
}
