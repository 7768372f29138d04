//! Route tables with their routes and the subnets that use them.

use super::super::answer::{flag, items, only, some_text, text};
use super::super::ec2::{Table, ec2, ec2_tag_differences, filters, fixed};
use crate::model::cloud::Call;
use crate::provision::resource::{
    Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fact: which route table each subnet of the VPC uses, `{"subnet-1": {"table": "rtb-1", "association": "rtbassoc-1"}}`;
/// the main table, which all others use, under the empty name.
pub const ROUTE_TABLES_OF_SUBNETS: &str = "routeTablesOfSubnets";

const TABLE: Table = Table {
    kind: Kind::RouteTable,
    describe: "DescribeRouteTables",
    filters: "Filters",
    set: "routeTableSet",
    id: "routeTableId",
    member: "RouteTableId",
    id_filter: "route-table-id",
    resource_type: "route-table",
    in_use: |live| !items(&live.actual, "SubnetIds").is_empty(),
};

/// Where a route leads: element of an answer, member of a call.
const TARGETS: [(&str, &str); 7] = [
    ("natGatewayId", "NatGatewayId"),
    ("egressOnlyInternetGatewayId", "EgressOnlyInternetGatewayId"),
    ("transitGatewayId", "TransitGatewayId"),
    ("vpcPeeringConnectionId", "VpcPeeringConnectionId"),
    ("networkInterfaceId", "NetworkInterfaceId"),
    ("gatewayId", "GatewayId"),
    ("carrierGatewayId", "CarrierGatewayId"),
];

/// Where a route leads to: element of an answer, member of a call.
const DESTINATIONS: [(&str, &str); 3] = [
    ("destinationCidrBlock", "DestinationCidrBlock"),
    ("destinationIpv6CidrBlock", "DestinationIpv6CidrBlock"),
    ("destinationPrefixListId", "DestinationPrefixListId"),
];

/// [`Kind::RouteTable`]. Declared: `VpcId`, `Routes` (as CreateRoute takes them, without `RouteTableId`), `SubnetIds`.
#[derive(Clone, Copy, Debug)]
pub struct RouteTableDriver;

impl Driver for RouteTableDriver {
    fn kind(&self) -> Kind {
        Kind::RouteTable
    }

    /// All tables of the VPC rather than those with our tag: a subnet that somebody moved to a table of their own can
    /// only be moved back by the association that it has there.
    fn reads(&self, scope: &Scope, known: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let vpc = known.live.values().find(|live| live.key.kind == Kind::Vpc && !live.key.is_duplicate());
        let wanted =
            declared.iter().any(|each| matches!(each.key.kind, Kind::RouteTable | Kind::VpcEndpoint));
        match vpc {
            Some(vpc) if vpc.owner == Owner::Ours || wanted => {
                let of_vpc = filters(&[("vpc-id", vec![vpc.id.clone()])]);
                vec![ec2(TABLE.describe, json!({"Filters": of_vpc}))]
            }
            _ => TABLE.reads(scope, declared),
        }
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        let mut of_subnets = Map::new();
        for table in items(answer, TABLE.set) {
            for association in items(table, "associationSet") {
                if some_text(association, "subnetId").is_some() || flag(association, "main") {
                    of_subnets.insert(
                        text(association, "subnetId").to_owned(),
                        json!({
                            "table": text(table, "routeTableId"),
                            "association": text(association, "routeTableAssociationId"),
                        }),
                    );
                }
            }
        }
        into.facts.insert(ROUTE_TABLES_OF_SUBNETS.to_owned(), Value::Object(of_subnets));
        TABLE.absorb(scope, declared, call, answer, into, |found| {
            let table = found.item;
            let mut routes: Vec<Value> = items(table, "routeSet").iter().filter_map(route).collect();
            routes.sort_by_key(destination);
            let subnets: BTreeMap<&str, &str> = items(table, "associationSet")
                .iter()
                .filter_map(|each| {
                    Some((some_text(each, "subnetId")?, text(each, "routeTableAssociationId")))
                })
                .collect();
            let actual = json!({
                "VpcId": text(table, "vpcId"),
                "Routes": routes,
                "SubnetIds": subnets.keys().collect::<Vec<_>>(),
            });
            Some((actual, vec![("associations".to_owned(), json!(subnets))], State::Ready))
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
        TABLE.create("CreateRouteTable", only(desired, &["VpcId"]), tags, Some(token))
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut differences =
            fixed(desired, live, &["VpcId"], "delete the route table, and it is made in the right VPC");
        differences.extend(route_differences(desired, live));
        differences.extend(subnet_differences(desired, live, snapshot));
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        let associations = live.outputs.get("associations").and_then(Value::as_object);
        let disassociate = associations
            .into_iter()
            .flatten()
            .map(|(_, association)| ec2("DisassociateRouteTable", json!({"AssociationId": association})));
        disassociate.chain([ec2("DeleteRouteTable", json!({"RouteTableId": live.id}))]).collect()
    }
}

/// A route as CreateRoute takes it. None for those that nobody writes: the VPC's own, those a gateway propagates, and
/// those of gateway endpoints, which belong to the endpoint.
fn route(route: &Value) -> Option<Value> {
    if text(route, "origin") == "EnableVgwRoutePropagation"
        || text(route, "gatewayId") == "local"
        || text(route, "gatewayId").starts_with("vpce-")
    {
        return None;
    }
    let named = |names: &[(&str, &str)]| {
        names
            .iter()
            .find_map(|(element, member)| Some(((*member).to_owned(), json!(some_text(route, element)?))))
    };
    let target = named(&TARGETS);
    Some(Value::Object(named(&DESTINATIONS).into_iter().chain(target).collect()))
}

fn destination(route: &Value) -> String {
    let named = DESTINATIONS.iter().find_map(|(_, member)| some_text(route, member));
    named.unwrap_or_default().to_owned()
}

fn route_differences(desired: &Value, live: &Live) -> Vec<Difference> {
    let with_table = |operation: &str, route: &Value| {
        let mut input = route.clone();
        input["RouteTableId"] = json!(live.id);
        Mend::InPlace(ec2(operation, input))
    };
    let actual: BTreeMap<String, &Value> =
        items(&live.actual, "Routes").iter().map(|route| (destination(route), route)).collect();
    let declared = items(desired, "Routes");
    let mut differences = Vec::new();
    for (at, route) in declared.iter().enumerate() {
        let found = actual.get(&destination(route)).copied();
        if found != Some(route) {
            let operation = if found.is_some() { "ReplaceRoute" } else { "CreateRoute" };
            differences.push(Difference {
                field: format!("/Routes/{at}"),
                declared: route.clone(),
                actual: found.cloned().unwrap_or(Value::Null),
                mend: with_table(operation, route),
            });
        }
    }
    let wanted: BTreeSet<String> = declared.iter().map(destination).collect();
    for (_, route) in actual.iter().filter(|(to, _)| !wanted.contains(*to)) {
        let named = only(route, &DESTINATIONS.map(|(_, member)| member));
        differences.push(Difference {
            field: "/Routes".to_owned(),
            declared: Value::Null,
            actual: (*route).clone(),
            mend: with_table("DeleteRoute", &Value::Object(named)),
        });
    }
    differences
}

/// Subnets that are declared and use another table. Others that use ours are lawful: somebody made them in our VPC.
fn subnet_differences(desired: &Value, live: &Live, snapshot: &Snapshot) -> Vec<Difference> {
    let ours = items(&live.actual, "SubnetIds");
    let elsewhere = snapshot.facts.get(ROUTE_TABLES_OF_SUBNETS);
    items(desired, "SubnetIds")
        .iter()
        .enumerate()
        .filter(|(_, subnet)| !ours.contains(subnet))
        .map(|(at, subnet)| {
            let other = elsewhere.zip(subnet.as_str()).and_then(|(tables, subnet)| tables.get(subnet));
            let call = match other.and_then(|other| some_text(other, "association")) {
                Some(association) => ec2(
                    "ReplaceRouteTableAssociation",
                    json!({"AssociationId": association, "RouteTableId": live.id}),
                ),
                None => ec2("AssociateRouteTable", json!({"SubnetId": subnet, "RouteTableId": live.id})),
            };
            Difference {
                field: format!("/SubnetIds/{at}"),
                declared: json!({"subnet": subnet, "table": live.id}),
                actual: json!({"subnet": subnet, "table": other.map(|other| &other["table"])}),
                mend: Mend::InPlace(call),
            }
        })
        .collect()
}
