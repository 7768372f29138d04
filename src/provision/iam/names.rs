//! Names of roles and instance profiles: IAM has one namespace for all regions of an account, 64 characters long.

use crate::model::cluster_config::{AuthenticationMode, ClusterConfig};
use crate::provision::resource::{Key, Kind, Scope};
use sha2::{Digest as _, Sha256};

/// Longest name of a role in IAM.
const LONGEST: usize = 64;

/// A name of at most `longest` characters that differs where the long one does: the text itself if it fits, else its
/// beginning and a hash of the whole.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let clean: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if clean == text && clean.len() <= longest {
        return clean;
    }
    let hash: String =
        Sha256::digest(text.as_bytes()).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = clean.chars().take(longest - hash.len() - 1).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

/// The name of a role that the file does not name. It holds the region: two clusters of one name in two regions share
/// the account's roles.
#[must_use]
pub fn role_name(scope: &Scope, key: &Key) -> String {
    shortened(&format!("{}-{}-{}", scope.cluster, scope.region, key.name), LONGEST)
}

/// The path by which the cluster's roles are found. With `aws-auth` as the only way to log in there is none: the
/// authenticator compares ARNs without their paths (EKS User Guide, `aws-auth`: "the role ARN can't include a path").
#[must_use]
pub fn path(config: &ClusterConfig, scope: &Scope) -> String {
    let mode = config.access_config.as_ref().and_then(|access| access.authentication_mode);
    if mode == Some(AuthenticationMode::ConfigMap) { "/".to_owned() } else { path_prefix(scope) }
}

/// `/portolan/REGION/CLUSTER/`.
#[must_use]
pub fn path_prefix(scope: &Scope) -> String {
    format!("/portolan/{}/{}/", scope.region, scope.cluster)
}

/// The name that is not declared of a role that could be ours.
#[must_use]
pub fn is_generated(scope: &Scope, name: &str) -> bool {
    name.starts_with(&format!("{}-{}-", scope.cluster, scope.region))
}

/// The ARN of a policy that AWS manages, such as `AmazonEKSClusterPolicy`.
#[must_use]
pub fn managed_policy(scope: &Scope, name: &str) -> String {
    format!("arn:{}:iam::aws:policy/{name}", scope.partition)
}

/// A service as a principal. EC2 is the one whose name follows the partition.
#[must_use]
pub fn service_principal(scope: &Scope, service: &str) -> String {
    let china = scope.partition == "aws-cn" && service == "ec2";
    format!("{service}.amazonaws.com{}", if china { ".cn" } else { "" })
}

/// The key of a role.
#[must_use]
pub fn role(name: impl Into<String>) -> Key {
    Key::new(Kind::Role, name)
}

/// `OidcProvider/oidc`.
#[must_use]
pub fn oidc_provider() -> Key {
    Key::new(Kind::OidcProvider, "oidc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart() {
        let long = "x".repeat(80);
        let (a, b) = (shortened(&format!("{long}a"), 64), shortened(&format!("{long}b"), 64));
        assert_eq!((a.len(), b.len()), (64, 64));
        assert_ne!(a, b);
        assert_eq!(shortened("short", 64), "short");
        assert_ne!(shortened("a/b", 64), shortened("a:b", 64));
    }
}
