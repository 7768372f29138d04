//! Security groups with their rules.

use super::super::answer::{items, only, text};
use super::super::ec2::{NOBODY_KNOWS, Table, ec2, ec2_tag_differences, filters, fixed};
use super::super::rules::{flatten, identity, is_default_egress, is_of_controller, permissions};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Mend, Resource, Scope, Snapshot, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fact: ids of the security groups that controllers in the cluster made (in-tree load balancers), sorted. Rules that
/// let these in are theirs.
pub const CONTROLLER_GROUPS: &str = "controllerSecurityGroups";

/// Stands in a rule for the group itself, whose id nobody knows before it is made.
pub const SELF: &str = "$self";

const TABLE: Table = Table {
    kind: Kind::SecurityGroup,
    describe: "DescribeSecurityGroups",
    filters: "Filters",
    set: "securityGroupInfo",
    id: "groupId",
    member: "GroupId",
    id_filter: "group-id",
    resource_type: "security-group",
    in_use: NOBODY_KNOWS,
};

/// The two directions: member of what is declared, element of the answer, end of the operations' names.
const DIRECTIONS: [(&str, &str); 2] = [("Ingress", "ipPermissions"), ("Egress", "ipPermissionsEgress")];

/// [`Kind::SecurityGroup`]. Declared: `GroupName`, `Description`, `VpcId`, `Ingress`, `Egress` (lists of
/// [`super::super::rules::rule`]).
#[derive(Clone, Copy, Debug)]
pub struct SecurityGroupDriver;

/// The filter for what a controller in this cluster made.
fn of_controllers(scope: &Scope) -> Value {
    filters(&[("tag-key", vec![format!("kubernetes.io/cluster/{}", scope.cluster)])])
}

impl Driver for SecurityGroupDriver {
    fn kind(&self) -> Kind {
        Kind::SecurityGroup
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let mut calls = TABLE.reads(scope, declared);
        calls.push(ec2(TABLE.describe, json!({"Filters": of_controllers(scope)})));
        calls
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.input.get("Filters") == Some(&of_controllers(scope)) {
            let mut groups: Vec<&str> =
                items(answer, TABLE.set).iter().map(|group| text(group, TABLE.id)).collect();
            groups.sort_unstable();
            into.facts.insert(CONTROLLER_GROUPS.to_owned(), json!(groups));
            return Vec::new();
        }
        let mutual = mutual(answer);
        TABLE.absorb(scope, declared, call, answer, into, |found| {
            let mut actual = json!({
                "GroupName": text(found.item, "groupName"),
                "Description": text(found.item, "groupDescription"),
                "VpcId": text(found.item, "vpcId"),
            });
            for (member, element) in DIRECTIONS {
                actual[member] = Value::Array(flatten(items(found.item, element)));
            }
            let named = mutual.get(&found.id).map(|groups| ("mutual".to_owned(), json!(groups)));
            Some((actual, named.into_iter().collect(), State::Ready))
        });
        Vec::new()
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let members = only(desired, &["GroupName", "Description", "VpcId"]);
        TABLE.create("CreateSecurityGroup", members, tags, None)
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
        let way_out = "a security group keeps its name, description and VPC";
        let desired = &with_own_id(desired, &live.id);
        let mut differences = fixed(desired, live, &["GroupName", "Description", "VpcId"], way_out);
        let controllers = snapshot.facts.get(CONTROLLER_GROUPS).and_then(Value::as_array);
        let controllers = controllers.map_or(&[][..], Vec::as_slice);
        for (direction, _) in DIRECTIONS {
            if desired.get(direction).is_some() {
                differences.extend(rule_differences(direction, desired, live, controllers));
            }
        }
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    /// A group that another one names cannot be deleted. Where two name each other, the rules go first.
    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        let mutual = live.outputs.get("mutual").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let revoke = DIRECTIONS.iter().filter_map(|(direction, _)| {
            let names_one = |rule: &&Value| rule.get("GroupId").is_some_and(|group| mutual.contains(group));
            let rules: Vec<&Value> = items(&live.actual, direction).iter().filter(names_one).collect();
            (!rules.is_empty()).then(|| with_rules(&format!("RevokeSecurityGroup{direction}"), live, rules))
        });
        revoke.chain([ec2("DeleteSecurityGroup", json!({"GroupId": live.id}))]).collect()
    }
}

/// The groups of an answer that name each other: by each, those that it names and that name it.
fn mutual(answer: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let named: BTreeMap<&str, BTreeSet<String>> = items(answer, TABLE.set)
        .iter()
        .map(|group| {
            let id = text(group, TABLE.id);
            let rules = DIRECTIONS.iter().flat_map(|(_, element)| flatten(items(group, element)));
            let peers = rules.map(|rule| text(&rule, "GroupId").to_owned());
            (id, peers.filter(|peer| !peer.is_empty() && peer != id).collect())
        })
        .collect();
    let back = |id: &str, peer: &str| named.get(peer).is_some_and(|peers| peers.contains(id));
    named
        .iter()
        .map(|(id, peers)| ((*id).to_owned(), peers.iter().filter(|peer| back(id, peer)).cloned().collect()))
        .filter(|(_, peers): &(String, BTreeSet<String>)| !peers.is_empty())
        .collect()
}

fn with_own_id(desired: &Value, id: &str) -> Value {
    let mut desired = desired.clone();
    for (direction, _) in DIRECTIONS {
        let rules = desired.get_mut(direction).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter(|rule| text(rule, "GroupId") == SELF) {
            rule["GroupId"] = json!(id);
        }
    }
    desired
}

fn with_rules<'a>(operation: &str, live: &Live, rules: impl IntoIterator<Item = &'a Value>) -> Call {
    ec2(operation, json!({"GroupId": live.id, "IpPermissions": permissions(rules)}))
}

/// Rules that are missing, described otherwise, or too many: each group of them by one call.
fn rule_differences(direction: &str, desired: &Value, live: &Live, controllers: &[Value]) -> Vec<Difference> {
    let actual: BTreeMap<String, &Value> =
        items(&live.actual, direction).iter().map(|rule| (identity(rule).to_string(), rule)).collect();
    let declared: BTreeMap<String, (usize, &Value)> = items(desired, direction)
        .iter()
        .enumerate()
        .map(|(at, rule)| (identity(rule).to_string(), (at, rule)))
        .collect();
    let missing: Vec<(usize, &Value)> =
        declared.iter().filter(|(same, _)| !actual.contains_key(*same)).map(|(_, rule)| *rule).collect();
    let described: Vec<(usize, &Value, &Value)> = declared
        .iter()
        .filter_map(|(same, (at, rule))| Some((*at, *rule, *actual.get(same)?)))
        .filter(|(_, rule, found)| text(rule, "Description") != text(found, "Description"))
        .collect();
    let extra: Vec<&Value> = actual
        .iter()
        .filter(|(same, rule)| {
            let lawful =
                is_of_controller(rule, controllers) || direction == "Egress" && is_default_egress(rule);
            !declared.contains_key(*same) && !lawful
        })
        .map(|(_, rule)| *rule)
        .collect();

    let authorize = with_rules(
        &format!("AuthorizeSecurityGroup{direction}"),
        live,
        missing.iter().map(|(_, rule)| *rule),
    );
    let describe = with_rules(
        &format!("UpdateSecurityGroupRuleDescriptions{direction}"),
        live,
        described.iter().map(|(_, rule, _)| *rule),
    );
    let revoke = with_rules(&format!("RevokeSecurityGroup{direction}"), live, extra.iter().copied());
    let difference = |field: String, declared: &Value, actual: &Value, call: &Call| Difference {
        field,
        declared: declared.clone(),
        actual: actual.clone(),
        mend: Mend::InPlace(call.clone()),
    };
    let missing = missing
        .iter()
        .map(|(at, rule)| difference(format!("/{direction}/{at}"), rule, &Value::Null, &authorize));
    let described = described.iter().map(|(at, rule, found)| {
        difference(
            format!("/{direction}/{at}/Description"),
            &rule["Description"],
            &found["Description"],
            &describe,
        )
    });
    let extra = extra.iter().map(|rule| difference(format!("/{direction}"), &Value::Null, rule, &revoke));
    missing.chain(described).chain(extra).collect()
}
