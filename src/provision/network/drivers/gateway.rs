//! Ways out of a VPC: the internet gateway, and the egress-only one for IPv6.

use super::super::answer::{items, only, some_text};
use super::super::ec2::{Found, Read, Table, difference, ec2, ec2_tag_differences, fixed};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Mend, Resource, Scope, Snapshot, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const INTERNET: Table = Table {
    kind: Kind::InternetGateway,
    describe: "DescribeInternetGateways",
    filters: "Filters",
    set: "internetGatewaySet",
    id: "internetGatewayId",
    member: "InternetGatewayId",
    id_filter: "internet-gateway-id",
    resource_type: "internet-gateway",
    in_use: |live| !live.actual["VpcId"].is_null(),
};

const EGRESS: Table = Table {
    kind: Kind::EgressGateway,
    describe: "DescribeEgressOnlyInternetGateways",
    filters: "Filters",
    set: "egressOnlyInternetGatewaySet",
    id: "egressOnlyInternetGatewayId",
    member: "EgressOnlyInternetGatewayId",
    id_filter: "egress-only-internet-gateway-id",
    resource_type: "egress-only-internet-gateway",
    in_use: |live| !live.actual["VpcId"].is_null(),
};

/// The VPC that a gateway is attached to.
fn attached(gateway: &Value) -> Value {
    items(gateway, "attachmentSet")
        .iter()
        .find_map(|attachment| some_text(attachment, "vpcId"))
        .map_or(Value::Null, |vpc| json!(vpc))
}

/// Routes and NAT gateways refer to `attached`: they cannot be made before it is.
fn read(found: &Found<'_>) -> Option<Read> {
    let vpc = attached(found.item);
    let outputs = (!vpc.is_null()).then(|| ("attached".to_owned(), json!(found.id)));
    Some((json!({"VpcId": vpc}), outputs.into_iter().collect(), State::Ready))
}

/// [`Kind::InternetGateway`]. Declared: `VpcId`, which it is attached to.
#[derive(Clone, Copy, Debug)]
pub struct InternetGatewayDriver;

impl Driver for InternetGatewayDriver {
    fn kind(&self) -> Kind {
        Kind::InternetGateway
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        INTERNET.reads(scope, declared)
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        INTERNET.absorb(scope, declared, call, answer, into, read);
        Vec::new()
    }

    fn create(&self, _: &Scope, _: &Resource, _: &Value, tags: &BTreeMap<String, String>, _: &str) -> Call {
        INTERNET.create("CreateInternetGateway", serde_json::Map::new(), tags, None)
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
        let attach = difference(desired, live, "VpcId", || {
            if live.actual["VpcId"].is_null() {
                let input = json!({"InternetGatewayId": live.id, "VpcId": desired["VpcId"]});
                Mend::InPlace(ec2("AttachInternetGateway", input))
            } else {
                Mend::Impossible("detach it from the other VPC first".to_owned())
            }
        });
        attach.into_iter().chain(ec2_tag_differences(tags, live)).collect()
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        let gateway = &live.id;
        let detach = some_text(&live.actual, "VpcId")
            .map(|vpc| ec2("DetachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc})));
        let delete = ec2("DeleteInternetGateway", json!({"InternetGatewayId": gateway}));
        detach.into_iter().chain([delete]).collect()
    }
}

/// [`Kind::EgressGateway`]. Declared: `VpcId`.
#[derive(Clone, Copy, Debug)]
pub struct EgressGatewayDriver;

impl Driver for EgressGatewayDriver {
    fn kind(&self) -> Kind {
        Kind::EgressGateway
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        EGRESS.reads(scope, declared)
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        EGRESS.absorb(scope, declared, call, answer, into, read);
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
        EGRESS.create("CreateEgressOnlyInternetGateway", only(desired, &["VpcId"]), tags, Some(token))
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
        let mut differences =
            fixed(desired, live, &["VpcId"], "delete the gateway, and it is made in the right VPC");
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteEgressOnlyInternetGateway", json!({"EgressOnlyInternetGatewayId": live.id}))]
    }
}
