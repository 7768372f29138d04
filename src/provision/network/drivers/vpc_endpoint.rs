//! VPC endpoints: how nodes of a private cluster reach AWS.

use super::super::answer::{items, object, only, some_text, text, texts};
use super::super::ec2::{NOBODY_KNOWS, Table, ec2, ec2_tag_differences, fixed, state};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Mend, Resource, Scope, Snapshot, State};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const TABLE: Table = Table {
    kind: Kind::VpcEndpoint,
    describe: "DescribeVpcEndpoints",
    filters: "Filters",
    set: "vpcEndpointSet",
    id: "vpcEndpointId",
    member: "VpcEndpointId",
    id_filter: "vpc-endpoint-id",
    resource_type: "vpc-endpoint",
    in_use: NOBODY_KNOWS,
};

/// Lists that ModifyVpcEndpoint adds to and removes from.
const LISTS: [&str; 3] = ["RouteTableIds", "SecurityGroupIds", "SubnetIds"];

/// [`Kind::VpcEndpoint`].
#[derive(Clone, Copy, Debug)]
pub struct VpcEndpointDriver;

impl Driver for VpcEndpointDriver {
    fn kind(&self) -> Kind {
        Kind::VpcEndpoint
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
            let endpoint = found.item;
            if text(endpoint, "state").eq_ignore_ascii_case("deleted") {
                return None;
            }
            let kind = text(endpoint, "vpcEndpointType");
            let interface = kind == "Interface";
            let mut groups: Vec<&str> =
                items(endpoint, "groupSet").iter().map(|group| text(group, "groupId")).collect();
            groups.sort_unstable();
            let actual = object([
                ("VpcEndpointType", json!(kind)),
                ("ServiceName", json!(text(endpoint, "serviceName"))),
                ("VpcId", json!(text(endpoint, "vpcId"))),
                ("RouteTableIds", json!((!interface).then(|| texts(endpoint, "routeTableIdSet")))),
                ("SubnetIds", json!(interface.then(|| texts(endpoint, "subnetIdSet")))),
                ("SecurityGroupIds", json!(interface.then_some(groups))),
                (
                    "PrivateDnsEnabled",
                    json!(interface.then(|| text(endpoint, "privateDnsEnabled") == "true")),
                ),
            ]);
            let created = some_text(endpoint, "creationTimestamp");
            let outputs = created.map(|time| ("createdAt".to_owned(), json!(time)));
            let state = match text(endpoint, "state") {
                word if word.eq_ignore_ascii_case("pendingAcceptance") => {
                    State::Pending("pendingAcceptance".to_owned())
                }
                word => state(word, ""),
            };
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
        let members = [
            "VpcEndpointType",
            "ServiceName",
            "VpcId",
            "RouteTableIds",
            "SubnetIds",
            "SecurityGroupIds",
            "PrivateDnsEnabled",
        ];
        TABLE.create("CreateVpcEndpoint", only(desired, &members), tags, Some(token))
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
        let way_out = "delete the endpoint, and it is made as declared";
        let mut differences = fixed(desired, live, &["VpcEndpointType", "ServiceName", "VpcId"], way_out);
        let mut input = Map::from_iter([("VpcEndpointId".to_owned(), json!(live.id))]);
        let mut changed: Vec<&str> = Vec::new();
        for list in LISTS {
            if desired.get(list).is_none() {
                continue;
            }
            let wanted: BTreeSet<String> = texts(desired, list).into_iter().collect();
            let found: BTreeSet<String> = texts(&live.actual, list).into_iter().collect();
            if wanted == found {
                continue;
            }
            changed.push(list);
            for (verb, ids) in [("Add", wanted.difference(&found)), ("Remove", found.difference(&wanted))] {
                let ids: Vec<&String> = ids.collect();
                if !ids.is_empty() {
                    input.insert(format!("{verb}{list}"), json!(ids));
                }
            }
        }
        if desired
            .get("PrivateDnsEnabled")
            .is_some_and(|wanted| Some(wanted) != live.actual.get("PrivateDnsEnabled"))
        {
            changed.push("PrivateDnsEnabled");
            input.insert("PrivateDnsEnabled".to_owned(), desired["PrivateDnsEnabled"].clone());
        }
        let modify = ec2("ModifyVpcEndpoint", Value::Object(input));
        differences.extend(changed.into_iter().map(|name| Difference {
            field: format!("/{name}"),
            declared: desired[name].clone(),
            actual: live.actual.get(name).cloned().unwrap_or(Value::Null),
            mend: Mend::InPlace(modify.clone()),
        }));
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteVpcEndpoints", json!({"VpcEndpointIds": [live.id]}))]
    }
}
