//! A VPC with its DNS attributes and IPv6 block.

use super::super::answer::{flag, items, only, some_text, text};
use super::super::cidr::Ipv6Block;
use super::super::ec2::{NOBODY_KNOWS, Read, Table, difference, ec2, ec2_tag_differences, fixed, state};
use crate::model::cloud::Call;
use crate::provision::resource::{
    Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As many /64 blocks of a VPC's IPv6 block are given as outputs `ipv6Cidr-0`…: public and private subnets of 8 zones.
const IPV6_BLOCKS: u8 = 16;

const TABLE: Table = Table {
    kind: Kind::Vpc,
    describe: "DescribeVpcs",
    filters: "Filters",
    set: "vpcSet",
    id: "vpcId",
    member: "VpcId",
    id_filter: "vpc-id",
    resource_type: "vpc",
    in_use: NOBODY_KNOWS,
};

/// Attributes that only DescribeVpcAttribute tells, one each call: element, and member of what is declared.
const ATTRIBUTES: [(&str, &str); 2] =
    [("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")];

/// [`Kind::Vpc`].
#[derive(Clone, Copy, Debug)]
pub struct VpcDriver;

impl Driver for VpcDriver {
    fn kind(&self) -> Kind {
        Kind::Vpc
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
        match call.operation.as_str() {
            "DescribeVpcAttribute" => {
                for live in into.live.values_mut().filter(|live| live.key.kind == Kind::Vpc) {
                    if live.id == text(answer, "vpcId") {
                        for (element, member) in ATTRIBUTES {
                            if let Some(value) = answer.get(element) {
                                live.actual[member] = json!(flag(value, "value"));
                            }
                        }
                    }
                }
                Vec::new()
            }
            _ => {
                let mut attributes = Vec::new();
                TABLE.absorb(scope, declared, call, answer, into, |found| {
                    attributes.extend(ATTRIBUTES.iter().map(|(element, _)| {
                        ec2("DescribeVpcAttribute", json!({"VpcId": found.id, "Attribute": element}))
                    }));
                    Some(read(found.item))
                });
                attributes
            }
        }
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let members = ["CidrBlock", "AmazonProvidedIpv6CidrBlock", "Ipv6CidrBlock", "Ipv6Pool"];
        TABLE.create("CreateVpc", only(desired, &members), tags, None)
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
        let mut differences = fixed(
            desired,
            live,
            &["CidrBlock"],
            "a VPC keeps its addresses: make a new cluster beside this one",
        );
        for (_, member) in ATTRIBUTES {
            differences.extend(difference(desired, live, member, || {
                let input = json!({"VpcId": live.id, member: {"Value": desired[member]}});
                Mend::InPlace(ec2("ModifyVpcAttribute", input))
            }));
        }
        for member in ["AmazonProvidedIpv6CidrBlock", "Ipv6CidrBlock"] {
            differences.extend(difference(desired, live, member, || {
                match live.actual.get("Ipv6CidrBlock") {
                    None => {
                        let mut input =
                            only(desired, &["AmazonProvidedIpv6CidrBlock", "Ipv6CidrBlock", "Ipv6Pool"]);
                        input.insert("VpcId".to_owned(), json!(live.id));
                        Mend::InPlace(ec2("AssociateVpcCidrBlock", Value::Object(input)))
                    }
                    Some(_) => Mend::Impossible(
                        "subnets use the VPC's IPv6 block: make a new cluster beside this one".to_owned(),
                    ),
                }
            }));
        }
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteVpc", json!({"VpcId": live.id}))]
    }
}

fn read(vpc: &Value) -> Read {
    let mut actual = json!({"CidrBlock": text(vpc, "cidrBlock"), "AmazonProvidedIpv6CidrBlock": false});
    let mut outputs = vec![("cidr".to_owned(), json!(text(vpc, "cidrBlock")))];
    let mut state_now = state(text(vpc, "state"), "");
    for block in items(vpc, "ipv6CidrBlockAssociationSet") {
        let word = block.get("ipv6CidrBlockState").map_or("", |state| text(state, "state"));
        if matches!(word, "disassociated" | "disassociating" | "failed") {
            continue;
        }
        if state_now == State::Ready {
            state_now = state(word, "");
        }
        let Some(cidr) = some_text(block, "ipv6CidrBlock") else { continue };
        actual["Ipv6CidrBlock"] = json!(cidr);
        // What comes from a pool of the person's own is not Amazon's.
        let amazon = some_text(block, "ipv6Pool").is_none_or(|pool| pool == "Amazon");
        actual["AmazonProvidedIpv6CidrBlock"] = json!(amazon);
        outputs.push(("ipv6Cidr".to_owned(), json!(cidr)));
        if let Some(whole) = Ipv6Block::parse(cidr) {
            outputs.extend((0..IPV6_BLOCKS).filter_map(|nth| {
                Some((format!("ipv6Cidr-{nth}"), json!(whole.block_64(u16::from(nth))?.to_string())))
            }));
        }
        break;
    }
    (actual, outputs, state_now)
}

/// Of several VPCs with our tag for the same resource, the one that our subnets are in stays: DescribeVpcs does not tell
/// which one that is, so it is said here when the subnets are read.
pub(super) fn prefer(into: &mut Snapshot, used: &str) {
    let Some(other) = into
        .live
        .values()
        .find(|live| live.key.kind == Kind::Vpc && live.id == used && live.key.is_duplicate())
        .map(|live| live.key.clone())
    else {
        return;
    };
    let key = other.original();
    if let (Some(mut right), Some(mut wrong)) = (into.live.remove(&other), into.live.remove(&key)) {
        right.key = key.clone();
        wrong.key = key.duplicate(&wrong.id);
        if wrong.owner == Owner::Ours {
            into.live.insert(wrong.key.clone(), wrong);
        }
        into.live.insert(key, right);
    }
}
