//! What outside the cluster names the old one, and what has to be added for the new one.
//!
//! Nothing is taken away: the old cluster works until the end. What CloudFormation or Terraform owns is named and left
//! to them.

mod groups;
mod policies;
mod ranges;
mod stacks;

use crate::migrate::decommission::AwsReads;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the outside knows a cluster by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Ids of the security groups of its nodes.
    pub security_groups: BTreeSet<String>,
    /// ARNs of the roles of its nodes.
    pub roles: BTreeSet<String>,
    /// ARN of its OIDC provider.
    pub provider: Option<String>,
    /// Ranges that its pods' addresses are from, as CIDR.
    pub pod_ranges: BTreeSet<String>,
    /// Public addresses that it is seen with from outside: those of its NAT gateways.
    pub addresses: BTreeSet<String>,
}

/// An additive change. Its service may be one that the cloud port does not know yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addition {
    /// The service as botocore names it: `ec2`, `iam`, `s3`, `kms`.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Its input.
    pub input: Value,
}

/// A thing outside that names the old cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Which thing: `security-group sg-1`, `iam-role reports`, `bucket data`.
    pub thing: String,
    /// What of the old cluster it names.
    pub names: String,
    /// What has to be added, in words.
    pub says: String,
    /// The change; none where somebody else owns the thing, the new cluster's side is not known yet, or nothing is to be added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addition: Option<Addition>,
    /// Who owns the thing, where it is a stack or Terraform: the change belongs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<String>,
}

/// Everything outside that names the old cluster, in the order of the things. What already names the new one beside it
/// is left out.
#[must_use]
pub fn references(reads: &AwsReads, old: &Identity, new: &Identity) -> Vec<Reference> {
    let mut found = groups::references(reads, old, new);
    found.extend(groups::routes(reads, old));
    found.extend(policies::references(reads, old, new));
    for reference in &mut found {
        if reference.declared_by.is_some() {
            reference.addition = None;
        }
    }
    found.sort_by(|one, other| {
        (&one.thing, &one.names, &one.says).cmp(&(&other.thing, &other.names, &other.says))
    });
    found.dedup();
    found
}
