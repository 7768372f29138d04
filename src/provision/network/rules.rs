//! Rules of security groups: one source or destination each, so that they can be compared one by one.

use super::answer::{items, number, object, some_text, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Members that say where traffic comes from or goes to.
const PEERS: [&str; 4] = ["CidrIp", "CidrIpv6", "GroupId", "PrefixListId"];

/// A rule: protocol (`-1` for all), ports (none for all protocols), peer, and a description.
#[must_use]
pub fn rule(protocol: &str, ports: Option<(i64, i64)>, peer: (&str, Value), description: &str) -> Value {
    object([
        ("IpProtocol", json!(protocol)),
        ("FromPort", json!(ports.map(|(from, _)| from))),
        ("ToPort", json!(ports.map(|(_, to)| to))),
        (peer.0, peer.1),
        ("Description", json!((!description.is_empty()).then_some(description))),
    ])
}

/// The rules of an `ipPermissions` list, one for each peer, sorted.
#[must_use]
pub fn flatten(permissions: &[Value]) -> Vec<Value> {
    let mut rules = Vec::new();
    for permission in permissions {
        let protocol = text(permission, "ipProtocol");
        // With all protocols there are no ports; EC2 leaves them out, others say -1 or 0 to 65535.
        let ports = (protocol != "-1")
            .then(|| Some((number(permission, "fromPort")?, number(permission, "toPort")?)))
            .flatten();
        for (list, element, member) in [
            ("ipRanges", "cidrIp", "CidrIp"),
            ("ipv6Ranges", "cidrIpv6", "CidrIpv6"),
            ("groups", "groupId", "GroupId"),
            ("prefixListIds", "prefixListId", "PrefixListId"),
        ] {
            for peer in items(permission, list) {
                rules.push(rule(
                    protocol,
                    ports,
                    (member, json!(text(peer, element))),
                    text(peer, "description"),
                ));
            }
        }
    }
    rules.sort_by_key(Value::to_string);
    rules
}

/// A rule without its description: two rules that agree in this are the same to EC2.
#[must_use]
pub fn identity(rule: &Value) -> Value {
    let members = rule.as_object().into_iter().flatten().filter(|(name, _)| *name != "Description");
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// `IpPermissions` of a call: rules of the same protocol and ports together.
#[must_use]
pub fn permissions<'a>(rules: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut grouped: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for rule in rules {
        let head: Map<String, Value> = ["IpProtocol", "FromPort", "ToPort"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), rule.get(*name)?.clone())))
            .collect();
        let permission = grouped.entry(Value::Object(head.clone()).to_string()).or_insert(head);
        for peer in PEERS {
            let Some(value) = rule.get(peer) else { continue };
            let list = match peer {
                "CidrIp" => "IpRanges",
                "CidrIpv6" => "Ipv6Ranges",
                "GroupId" => "UserIdGroupPairs",
                _ => "PrefixListIds",
            };
            let entry = object([
                (peer, value.clone()),
                ("Description", rule.get("Description").cloned().unwrap_or(Value::Null)),
            ]);
            if let Some(entries) =
                permission.entry(list.to_owned()).or_insert_with(|| json!([])).as_array_mut()
            {
                entries.push(entry);
            }
        }
    }
    grouped.into_values().map(Value::Object).collect()
}

/// Whether a rule is of a controller in the cluster: the AWS Load Balancer Controller describes its own
/// (`elbv2.k8s.aws/targetGroupBinding=…`), the cloud controller those of network load balancers
/// (`kubernetes.io/rule/nlb/…`), and rules from a security group that a controller made have no description.
#[must_use]
pub fn is_of_controller(rule: &Value, controller_groups: &[Value]) -> bool {
    let description = text(rule, "Description");
    description.starts_with("elbv2.k8s.aws")
        || description.starts_with("kubernetes.io/rule/nlb/")
        || some_text(rule, "GroupId").is_some_and(|peer| controller_groups.contains(&json!(peer)))
}

/// The rule that EC2 itself gives every new group: all traffic out, IPv6 where the VPC has it.
#[must_use]
pub fn is_default_egress(rule: &Value) -> bool {
    text(rule, "IpProtocol") == "-1" && matches!(some_text(rule, "CidrIpv6"), Some("::/0"))
}
