//! Security group rules and routes.

use super::{Addition, Identity, Reference, ranges, stacks};
use crate::migrate::decommission::{AwsReads, list, tags, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of security groups that let the old cluster in.
pub(super) fn references(reads: &AwsReads, old: &Identity, new: &Identity) -> Vec<Reference> {
    let mut found = Vec::new();
    for group in reads.items("ec2", "DescribeSecurityGroups", &["SecurityGroups"]) {
        let Some(id) = text(group, "GroupId").filter(|id| !old.security_groups.contains(*id)) else {
            continue;
        };
        let tags = tags(group);
        // Groups of the old cluster's own parts go with it.
        if tags.keys().any(|key| *key == "KubernetesCluster") {
            continue;
        }
        let owner = stacks::owner(&tags);
        for permission in list(group, &["IpPermissions"]) {
            for (names, says, rule) in rules(permission, old, new) {
                let input = json!({"GroupId": id, "IpPermissions": [rule]});
                let addition = (!rule_is_empty(&rule)).then(|| Addition {
                    service: "ec2".into(),
                    operation: "AuthorizeSecurityGroupIngress".into(),
                    input,
                });
                found.push(Reference {
                    thing: format!("security-group {id}"),
                    names,
                    says,
                    addition,
                    declared_by: owner.clone(),
                });
            }
        }
    }
    found
}

fn rule_is_empty(rule: &Value) -> bool {
    rule.is_null()
}

/// What of a permission names the old cluster, with the permission that is to be added.
fn rules(permission: &Value, old: &Identity, new: &Identity) -> Vec<(String, String, Value)> {
    let pairs: BTreeSet<&str> = list(permission, &["UserIdGroupPairs"])
        .into_iter()
        .filter_map(|pair| text(pair, "GroupId"))
        .collect();
    let cidrs: BTreeSet<&str> =
        list(permission, &["IpRanges"]).into_iter().filter_map(|range| text(range, "CidrIp")).collect();
    let mut found = Vec::new();
    let named: Vec<&str> = pairs.iter().copied().filter(|id| old.security_groups.contains(*id)).collect();
    if !named.is_empty() {
        let add: Vec<&String> =
            new.security_groups.iter().filter(|id| !pairs.contains(id.as_str())).collect();
        if !add.is_empty() || new.security_groups.is_empty() {
            let added: Vec<Value> =
                add.iter().map(|id| json!({"GroupId": id, "Description": DESCRIPTION})).collect();
            let rule = same_ports(permission, "UserIdGroupPairs", added);
            let says = format!("let the new nodes in as well: {}", said(&add));
            found.push((format!("security group {}", named.join(", ")), says, rule));
        }
    }
    for cidr in cidrs.iter().copied() {
        let is_pods = old
            .pod_ranges
            .iter()
            .any(|range| ranges::is_within(cidr, range) || ranges::is_within(range, cidr));
        let is_all = cidr == "0.0.0.0/0";
        let is_nat = old.addresses.iter().any(|address| ranges::is_within(cidr, address));
        let (what, add) = match (is_nat, is_pods && !is_all) {
            (true, _) => (
                format!("NAT address {cidr}"),
                new.addresses.iter().map(|ip| format!("{ip}/32")).collect::<BTreeSet<String>>(),
            ),
            (_, true) => (format!("pod range {cidr}"), new.pod_ranges.clone()),
            _ => continue,
        };
        let is_unknown = add.is_empty();
        let add: Vec<&String> =
            add.iter().filter(|range| !cidrs.iter().any(|there| ranges::is_within(range, there))).collect();
        if add.is_empty() && !is_unknown {
            continue;
        }
        let added: Vec<Value> =
            add.iter().map(|range| json!({"CidrIp": range, "Description": DESCRIPTION})).collect();
        let says = format!("let the new cluster's addresses in as well: {}", said(&add));
        found.push((what, says, same_ports(permission, "IpRanges", added)));
    }
    found
}

const DESCRIPTION: &str = "new cluster, added by Portolan";

fn said(add: &[&String]) -> String {
    match add {
        [] => "they are not known yet".into(),
        _ => add.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// A permission for other sources on the same ports. Nothing where there is no source.
fn same_ports(permission: &Value, sources: &str, added: Vec<Value>) -> Value {
    if added.is_empty() {
        return Value::Null;
    }
    let mut rule = json!({"IpProtocol": text(permission, "IpProtocol").unwrap_or("-1"), sources: added});
    for field in ["FromPort", "ToPort"] {
        if let Some(port) = number(permission, field) {
            rule[field] = json!(port);
        }
    }
    rule
}

/// A number, which XML writes as a text.
fn number(value: &Value, name: &str) -> Option<i64> {
    let lower = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
    let found = value.get(name).or_else(|| value.get(&lower))?;
    found.as_i64().or_else(|| found.as_str()?.parse().ok())
}

/// Routes of other networks to the old pods: they end with the old nodes, and new pods have addresses of the VPC.
pub(super) fn routes(reads: &AwsReads, old: &Identity) -> Vec<Reference> {
    let mut found = Vec::new();
    for table in reads.items("ec2", "DescribeRouteTables", &["RouteTables"]) {
        let Some(id) = text(table, "RouteTableId") else { continue };
        let tags = tags(table);
        if tags.contains_key("KubernetesCluster") {
            continue;
        }
        for destination in
            list(table, &["Routes"]).into_iter().filter_map(|route| text(route, "DestinationCidrBlock"))
        {
            let to_pods = destination != "0.0.0.0/0"
                && old.pod_ranges.iter().any(|range| ranges::overlap(destination, range));
            if to_pods {
                found.push(Reference {
                    thing: format!("route-table {id}"),
                    names: format!("pod range {destination}"),
                    says: "it leads to the old pods; the new ones have addresses of the VPC, to which it needs a route".into(),
                    addition: None,
                    declared_by: stacks::owner(&tags),
                });
            }
        }
    }
    found
}
