//! What lies around the cluster and names it.

use crate::migrate::calls::outside::{Identity, Reference, references as named};
use crate::migrate::decommission::{list, tags, text};
use crate::migrate::dump::Inventory;
use crate::migrate::verdict::{Level, Verdict};
use crate::model::kops::KopsState;
use std::collections::BTreeSet;

const SOURCE: &str = "issue 5 B: what lies outside the cluster and names the old one";

/// Things that name the cluster. The new side is not known before the new cluster is there.
pub(super) fn references(inventory: &Inventory, kops: &KopsState) -> Vec<Reference> {
    named(&inventory.aws, &identity(inventory, kops), &Identity::default())
}

/// What the outside knows the cluster by.
fn identity(inventory: &Inventory, kops: &KopsState) -> Identity {
    let reads = &inventory.aws;
    let name = kops.cluster.name.as_str();
    let mut identity = Identity::default();
    for group in reads.items("ec2", "DescribeSecurityGroups", &["SecurityGroups"]) {
        let is_nodes = text(group, "GroupName").is_some_and(|own| own == format!("nodes.{name}"));
        if is_nodes && let Some(id) = text(group, "GroupId") {
            identity.security_groups.insert(id.into());
        }
    }
    for role in reads.items("iam", "ListRoles", &["Roles"]) {
        if text(role, "RoleName").is_some_and(|own| own == format!("nodes.{name}"))
            && let Some(arn) = text(role, "Arn")
        {
            identity.roles.insert(arn.into());
        }
    }
    identity.provider = reads
        .of("iam", "GetOpenIDConnectProvider")
        .filter(|read| tags(&read.output).get("KubernetesCluster") == Some(&name))
        .find_map(|read| text(&read.input, "OpenIDConnectProviderArn").map(str::to_owned));
    let ranges = ["networking.podCIDR", "networking.nonMasqueradeCIDR"];
    // Pods of the VPC's own network have addresses of the VPC, which stays.
    if kops.at("networking.amazonVPC").is_null() {
        identity.pod_ranges =
            ranges.iter().filter_map(|path| kops.text(path)).take(1).map(str::to_owned).collect();
    }
    identity.addresses = addresses(inventory, name);
    identity
}

/// Public addresses of the cluster's NAT gateways.
fn addresses(inventory: &Inventory, cluster: &str) -> BTreeSet<String> {
    let owned = |gateway: &&serde_json::Value| {
        let tags = tags(gateway);
        tags.get("KubernetesCluster") == Some(&cluster)
            || tags.contains_key(format!("kubernetes.io/cluster/{cluster}").as_str())
    };
    let gateways = inventory.aws.items("ec2", "DescribeNatGateways", &["NatGateways"]);
    let of = gateways.into_iter().filter(owned).flat_map(|gateway| list(gateway, &["NatGatewayAddresses"]));
    of.filter_map(|address| text(address, "PublicIp")).map(str::to_owned).collect()
}

/// A reference as a verdict.
pub(super) fn verdict(reference: &Reference) -> Verdict {
    let owner = reference.declared_by.as_deref();
    let owner = owner.map(|owner| format!("; {owner} owns it: change it there")).unwrap_or_default();
    Verdict {
        subject: reference.thing.clone(),
        field: String::new(),
        level: Level::Warning,
        rule: "outside.reference".into(),
        source: SOURCE.into(),
        says: format!("it names the cluster's {}: {}{owner}", reference.names, reference.says),
        becomes: None,
        choices: Vec::new(),
    }
}
