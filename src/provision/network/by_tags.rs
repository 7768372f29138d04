//! Existing parts of a network that the `eks` block of a Cluster document finds by tags: a ClusterConfig has no word for
//! that, so their ids are put into it once they were read, and all that follows knows ids only.

use super::declared::{Declared, Problem, existing};
use super::ec2::{BY_TAGS, filters, found_fact};
use crate::model::cluster::{EksNetwork, Tags};
use crate::model::cluster_config::{AzSubnetSpec, ClusterConfig, ClusterVpc};
use crate::provision::resource::{Key, Kind, Resource, Snapshot};
use serde_json::json;
use std::collections::BTreeMap;

/// A part that is looked for.
struct Sought<'a> {
    kind: Kind,
    name: &'static str,
    field: &'static str,
    tags: &'a Tags,
}

impl Sought<'_> {
    fn key(&self) -> Key {
        Key::new(self.kind, format!("{BY_TAGS}{}", self.name))
    }

    /// As it is looked for, within a VPC where that is known.
    fn resource(&self, vpc: Option<&str>) -> Resource {
        let named: Vec<(String, Vec<String>)> =
            self.tags.iter().map(|(name, value)| (format!("tag:{name}"), vec![value.clone()])).collect();
        let mut wanted: Vec<(&str, Vec<String>)> =
            named.iter().map(|(name, values)| (name.as_str(), values.clone())).collect();
        if let Some(vpc) = vpc.filter(|_| self.kind != Kind::Vpc) {
            wanted.push(("vpc-id", vec![vpc.to_owned()]));
        }
        existing(self.key(), json!({"Filters": filters(&wanted)}), format!("/vpc ({})", self.field))
    }
}

/// The config with the ids of what was found by tags, and the resources by which it is looked for. While something of it
/// has not been read, a problem says so, and nothing may be made of the config: it would be another network.
#[must_use]
pub fn found_by_tags(
    config: &ClusterConfig,
    network: Option<&EksNetwork>,
    known: &Snapshot,
) -> (ClusterConfig, Declared) {
    let (mut config, mut declared) = (config.clone(), Declared::default());
    let Some(network) = network else { return (config, declared) };
    let vpc = config.vpc.get_or_insert_with(ClusterVpc::default);
    let sought =
        |kind: Kind, name: &'static str, field: &'static str, tags| Sought { kind, name, field, tags };
    let mut search = Search { known, declared: &mut declared };

    if let Some(id) = search.one(&sought(Kind::Vpc, "vpc", "eks.network.vpc", &network.vpc), vpc.id.clone()) {
        vpc.id = Some(id);
    }
    let within = vpc.id.clone();
    // Which VPC it is decides what is found in it.
    if !network.vpc.is_empty() && within.is_none() {
        return (config, declared);
    }
    for (side, name, field, tags) in [
        (true, "public", "eks.network.publicSubnets", &network.public_subnets),
        (false, "private", "eks.network.privateSubnets", &network.private_subnets),
    ] {
        let Some(ids) = search.all(&sought(Kind::Subnet, name, field, tags), within.as_deref()) else {
            continue;
        };
        let subnets = vpc.subnets.get_or_insert_default();
        let into: &mut BTreeMap<String, AzSubnetSpec> =
            if side { &mut subnets.public } else { &mut subnets.private };
        for id in ids {
            into.insert(id.clone(), AzSubnetSpec { id: Some(id), ..AzSubnetSpec::default() });
        }
    }
    let group =
        sought(Kind::SecurityGroup, "security-group", "eks.network.securityGroup", &network.security_group);
    if let Some(id) = search.one_within(&group, within.as_deref(), vpc.security_group.clone()) {
        vpc.security_group = Some(id);
    }
    let shared = sought(
        Kind::SecurityGroup,
        "shared-node",
        "eks.network.sharedNodeSecurityGroup",
        &network.shared_node_security_group,
    );
    if let Some(id) = search.one_within(&shared, within.as_deref(), vpc.shared_node_security_group.clone()) {
        vpc.shared_node_security_group = Some(id);
    }
    (config, declared)
}

struct Search<'a> {
    known: &'a Snapshot,
    declared: &'a mut Declared,
}

impl Search<'_> {
    /// The ids of all that carry the tags; `None` where nothing is looked for, or nothing was read yet.
    fn all(&mut self, sought: &Sought<'_>, within: Option<&str>) -> Option<Vec<String>> {
        if sought.tags.is_empty() {
            return None;
        }
        let resource = sought.resource(within);
        let found = self.known.facts.get(&found_fact(&resource)).and_then(|ids| ids.as_array());
        if found.is_none() {
            let words = format!("what carries the tags of {} has not been read yet", sought.field);
            self.declared.problems.push(Problem::waiting("/vpc", words));
        }
        self.declared.resources.push(resource);
        let ids = found?.iter().filter_map(|id| id.as_str().map(str::to_owned));
        Some(ids.collect())
    }

    fn one(&mut self, sought: &Sought<'_>, given: Option<String>) -> Option<String> {
        self.one_within(sought, None, given)
    }

    /// The id of the only one that carries the tags.
    fn one_within(
        &mut self,
        sought: &Sought<'_>,
        within: Option<&str>,
        given: Option<String>,
    ) -> Option<String> {
        let ids = self.all(sought, within)?;
        let field = sought.field;
        let mut refuse = |words: String| self.declared.problems.push(Problem::refused("/vpc", words));
        match (ids.as_slice(), given) {
            ([id], None) => return Some(id.clone()),
            ([id], Some(given)) if *id != given => refuse(format!(
                "the ClusterConfig names {given}, and the tags of {field} are those of {id}: keep one of them"
            )),
            ([], _) => refuse(format!("nothing in the region carries the tags of {field}")),
            ([_], _) => {}
            (several, _) => refuse(format!(
                "{} carry the tags of {field}: give tags that only one has, or its id in the ClusterConfig",
                several.join(", ")
            )),
        }
        None
    }
}
