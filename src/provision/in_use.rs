//! What is ours, no longer declared, and used all the same: by its id in what is declared, or by something that is there.
//!
//! A file may come to name as existing what Portolan made from an earlier one: an exported file does, or one whose VPC was
//! written out. Taking the NAT gateway or the node role away then would be the end of the cluster that the file declares.

use super::network;
use super::plan::PlanInput;
use super::resource::{Key, Kind, Live, Owner};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What refers to what.
pub struct Uses {
    /// Every text in what is declared.
    declared: BTreeSet<String>,
    /// What is there and declared, by every text in it.
    live: BTreeMap<String, Key>,
    /// Physical ids of what is declared: it may be found under a second name, by our tags.
    ids: BTreeSet<String>,
    /// The network is ours, and the file names it by its id.
    keeps_network: bool,
}

impl Uses {
    /// Of a plan's input.
    #[must_use]
    pub fn of(input: &PlanInput<'_>) -> Self {
        let mut declared = BTreeSet::new();
        let mut live = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for resource in input.resources {
            texts(&resource.desired, &mut |text| {
                declared.insert(text.to_owned());
            });
            if let Some(found) = input.snapshot.live.get(&resource.key) {
                ids.insert(found.id.clone());
                if holds(resource.key.kind) {
                    texts(&found.actual, &mut |text| {
                        live.entry(text.to_owned()).or_insert_with(|| resource.key.clone());
                    });
                }
            }
        }
        let vpc = network::vpc();
        let by_id = input.resources.iter().any(|resource| resource.key == vpc && resource.existing);
        let ours = input.snapshot.live.get(&vpc).is_some_and(|live| live.owner == Owner::Ours);
        Self { declared, live, ids, keeps_network: by_id && ours }
    }

    /// Why something of ours that is not declared stays all the same.
    #[must_use]
    pub fn keeps(&self, live: &Live) -> Option<String> {
        if self.keeps_network && is_of_network(live.key.kind) {
            return Some("it belongs to the network that the file names by its id: it stays".into());
        }
        let named = names(live).iter().any(|name| self.declared.contains(*name));
        let again = has_lasting_id(live.key.kind) && self.ids.contains(&live.id);
        (named || again).then(|| "what is declared names it by its id: it stays".into())
    }

    /// What still uses something of ours that is not declared: it goes first, or lets go of it.
    #[must_use]
    pub fn user(&self, live: &Live) -> Option<&Key> {
        names(live).iter().find_map(|name| self.live.get(*name))
    }
}

/// Whether things of this kind work with what they name, as long as they name it.
const fn holds(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Cluster
            | Kind::Addon
            | Kind::LaunchTemplate
            | Kind::Nodegroup
            | Kind::AutoScalingGroup
            | Kind::FargateProfile
            | Kind::PodIdentityAssociation
    )
}

/// Names by which others refer to a thing, where they are unlike any other text.
fn names(live: &Live) -> Vec<&str> {
    let arn = live.outputs.get("arn").and_then(Value::as_str);
    let by_arn = matches!(live.key.kind, Kind::Role | Kind::InstanceProfile);
    let id = has_lasting_id(live.key.kind).then_some(live.id.as_str());
    arn.filter(|_| by_arn).into_iter().chain(id).filter(|name| !name.is_empty()).collect()
}

/// Whether EC2 gave it an id that nothing else has.
const fn has_lasting_id(kind: Kind) -> bool {
    matches!(kind, Kind::Vpc | Kind::Subnet | Kind::SecurityGroup | Kind::LaunchTemplate)
}

/// Whether it is part of a VPC's own layout.
const fn is_of_network(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::InternetGateway
            | Kind::EgressGateway
            | Kind::Subnet
            | Kind::Address
            | Kind::NatGateway
            | Kind::RouteTable
            | Kind::VpcEndpoint
    )
}

fn texts(value: &Value, tell: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => tell(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, tell)),
        Value::Object(members) => members.values().for_each(|member| texts(member, tell)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
