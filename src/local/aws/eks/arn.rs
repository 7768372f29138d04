//! Names of the service's resources, and of IAM's.

use super::error::ApiError;
use super::options::EksOptions;

/// `arn:aws:eks:eu-central-1:123456789012:cluster/prod`.
#[must_use]
pub fn of_eks(options: &EksOptions, resource: &str) -> String {
    format!("arn:{}:eks:{}:{}:{resource}", options.partition(), options.region, options.account)
}

/// A principal of IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal<'a> {
    /// Partition.
    pub partition: &'a str,
    /// `iam` or `sts`.
    pub service: &'a str,
    /// Account id.
    pub account: &'a str,
    /// `role`, `user`, `root`, `assumed-role`…
    pub kind: &'a str,
    /// With its path, for users and roles.
    pub name: &'a str,
}

impl<'a> Principal<'a> {
    /// Of an ARN; none where it is no principal's.
    #[must_use]
    pub fn of(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service @ ("iam" | "sts"), "", account, resource] = parts[..] else {
            return None;
        };
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let named = !name.is_empty() || kind == "root";
        (digits && named && partition.starts_with("aws")).then_some(Self {
            partition,
            service,
            account,
            kind,
            name,
        })
    }

    /// The name without its path.
    #[must_use]
    pub fn short_name(&self) -> &'a str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }

    /// Whether it is a role of IAM.
    #[must_use]
    pub fn is_role(&self) -> bool {
        self.service == "iam" && self.kind == "role"
    }
}

/// The principal that an access entry names for a caller: the role of an assumed role, else the caller.
#[must_use]
pub fn lasting(caller: &str) -> String {
    match Principal::of(caller) {
        Some(Principal { partition, service: "sts", account, kind: "assumed-role", name }) => {
            let role = name.split('/').next().unwrap_or(name);
            format!("arn:{partition}:iam::{account}:role/{role}")
        }
        _ => caller.into(),
    }
}

/// Refuses what is no ARN of a role of this account. Whether it exists and trusts the service is the world's to say.
///
/// # Errors
/// `InvalidParameterException`.
pub fn require_role(options: &EksOptions, arn: &str, member: &str) -> Result<(), ApiError> {
    match Principal::of(arn) {
        Some(principal) if principal.is_role() && principal.partition == options.partition() => {
            if principal.account == options.account {
                return Ok(());
            }
            Err(ApiError::parameter(format!(
                "{member}: cross-account pass role is not allowed, {arn} is of account {}",
                principal.account
            )))
        }
        _ => Err(ApiError::parameter(format!("{member}: {arn:?} is not the ARN of an IAM role"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Principal, lasting};

    #[test]
    fn principals() {
        let role = Principal::of("arn:aws:iam::123456789012:role/team/admin").unwrap();
        assert!(role.is_role());
        assert_eq!((role.name, role.short_name()), ("team/admin", "admin"));
        assert!(Principal::of("arn:aws:iam::123456789012:root").is_some());
        for wrong in ["admin", "arn:aws:iam::12:role/a", "arn:aws:iam::123456789012:role/", "arn:aws:s3:::a"]
        {
            assert_eq!(Principal::of(wrong), None, "{wrong}");
        }
        assert_eq!(
            lasting("arn:aws:sts::123456789012:assumed-role/ci/session"),
            "arn:aws:iam::123456789012:role/ci"
        );
        assert_eq!(lasting("arn:aws:iam::123456789012:user/a"), "arn:aws:iam::123456789012:user/a");
    }
}
