//! Roles, instance profiles and OIDC providers.

use super::listing::{Cluster, Found, is_named};
use super::reads::AwsReads;
use super::shape::{member, tags, text};

const IAM: &str = "iam";

pub(super) fn all(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let key = cluster.tag_key();
    for (kind, ask, of, name) in [
        ("iam-instance-profile", "GetInstanceProfile", "InstanceProfile", "InstanceProfileName"),
        ("iam-role", "GetRole", "Role", "RoleName"),
    ] {
        // Before kops 1.22 both were known by their names.
        for thing in reads.of(IAM, ask).filter_map(|read| member(&read.output, of)) {
            if let Some(id) = text(thing, name)
                && tags(thing).get(key.as_str()) == Some(&"owned")
            {
                found.put(kind, id, false);
            }
        }
    }
    for read in reads.of(IAM, "GetOpenIDConnectProvider") {
        if let Some(arn) = text(&read.input, "OpenIDConnectProviderArn")
            && is_named(&tags(&read.output), cluster)
        {
            found.put("oidc-provider", arn, false);
        }
    }
}
