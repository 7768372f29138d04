//! NAT gateways.

use super::super::answer::{items, only, some_text, text};
use super::super::ec2::{NOBODY_KNOWS, Table, ec2, ec2_tag_differences, fixed, state};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TABLE: Table = Table {
    kind: Kind::NatGateway,
    describe: "DescribeNatGateways",
    filters: "Filter",
    set: "natGatewaySet",
    id: "natGatewayId",
    member: "NatGatewayId",
    id_filter: "nat-gateway-id",
    resource_type: "natgateway",
    in_use: NOBODY_KNOWS,
};

/// [`Kind::NatGateway`]. Declared: `SubnetId`, `AllocationId`, `ConnectivityType`, and `InternetGateway` (`attached` of
/// the gateway: EC2 refuses a NAT gateway in a VPC without one).
#[derive(Clone, Copy, Debug)]
pub struct NatGatewayDriver;

impl Driver for NatGatewayDriver {
    fn kind(&self) -> Kind {
        Kind::NatGateway
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
        TABLE.absorb(scope, declared, call, answer, into, |found| {
            let nat = found.item;
            // A deleted gateway is still told for an hour.
            if text(nat, "state") == "deleted" {
                return None;
            }
            let addresses = items(nat, "natGatewayAddressSet");
            let allocation = addresses.iter().find_map(|address| some_text(address, "allocationId"));
            let actual = json!({"SubnetId": text(nat, "subnetId"), "AllocationId": allocation});
            let outputs = some_text(nat, "createTime").map(|time| ("createdAt".to_owned(), json!(time)));
            let state = state(text(nat, "state"), text(nat, "failureMessage"));
            Some((actual, outputs.into_iter().collect(), state))
        });
        Vec::new()
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        let members = only(desired, &["SubnetId", "AllocationId", "ConnectivityType"]);
        TABLE.create("CreateNatGateway", members, tags, Some(token))
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
        let way_out = "delete the NAT gateway while nodes can do without, and it is made as declared";
        let mut differences = fixed(desired, live, &["SubnetId", "AllocationId"], way_out);
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteNatGateway", json!({"NatGatewayId": live.id}))]
    }
}
