//! What an access entry may hold (user guide, "Create access entries").

use super::arn::Principal;
use super::error::ApiError;
use super::options::EksOptions;
use super::state::{text, texts};
use serde_json::{Value, json};

/// Types of entries. All but the first are for nodes.
const TYPES: [&str; 7] =
    ["STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];
/// What a user name of one's own must not begin with.
const RESERVED: [&str; 5] = ["system:", "eks:", "aws:", "amazon:", "iam:"];

/// The type of the entry that a managed node group's role gets.
#[must_use]
pub fn of_nodes(nodegroup: &Value) -> &'static str {
    if text(nodegroup, "amiType").starts_with("WINDOWS_") { "EC2_WINDOWS" } else { "EC2_LINUX" }
}

/// Groups that the service gives.
#[must_use]
pub fn groups(kind: &str) -> Value {
    match kind {
        "STANDARD" => json!([]),
        "EC2_WINDOWS" => json!(["eks:kube-proxy-windows", "system:bootstrappers", "system:nodes"]),
        "FARGATE_LINUX" => json!(["system:bootstrappers", "system:node-proxier", "system:nodes"]),
        _ => json!(["system:nodes"]),
    }
}

/// The user name that the service gives.
#[must_use]
pub fn username(principal: &str, kind: &str) -> String {
    match (kind, Principal::of(principal)) {
        ("STANDARD", Some(role)) if role.is_role() => {
            format!(
                "arn:{}:sts::{}:assumed-role/{}/{{{{SessionName}}}}",
                role.partition,
                role.account,
                role.short_name()
            )
        }
        ("STANDARD", _) => principal.into(),
        ("EC2_LINUX" | "EC2_WINDOWS" | "EC2", _) => "system:node:{{EC2PrivateDNSName}}".into(),
        _ => "system:node:{{SessionName}}".into(),
    }
}

/// Refuses principals that no entry can have.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_principal(options: &EksOptions, principal: &str, kind: &str) -> Result<(), ApiError> {
    if !TYPES.contains(&kind) {
        return Err(ApiError::parameter(format!("type {kind:?} is not one of [{}]", TYPES.join(", "))));
    }
    let of = Principal::of(principal);
    let Some(of) = of.filter(|of| of.service == "iam" && of.partition == options.partition()) else {
        let message =
            format!("The specified principalArn is invalid: {principal:?} is no IAM user, role or account");
        return Err(ApiError::parameter(message));
    };
    if !matches!(of.kind, "role" | "user" | "root") {
        return Err(ApiError::parameter(format!("The specified principalArn is invalid: a {}", of.kind)));
    }
    if of.is_role() && of.name.starts_with("aws-service-role/") {
        return Err(ApiError::parameter(
            "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role",
        ));
    }
    if kind != "STANDARD" && (!of.is_role() || of.account != options.account) {
        let message = format!("An access entry of type {kind} needs a role of account {}", options.account);
        return Err(ApiError::parameter(message));
    }
    Ok(())
}

/// Refuses group and user names that an entry of this type cannot have.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_names(input: &Value, kind: &str) -> Result<(), ApiError> {
    let groups = texts(input, "kubernetesGroups");
    let username = input["username"].as_str();
    if kind != "STANDARD" && (!groups.is_empty() || username.is_some()) {
        let message =
            format!("kubernetesGroups and username cannot be given for an access entry of type {kind}");
        return Err(ApiError::parameter(message));
    }
    if let Some(group) = groups.iter().find(|group| group.starts_with("system:")) {
        return Err(ApiError::parameter(format!(
            "The kubernetes group name {group} is invalid, it cannot start with system:"
        )));
    }
    if groups.iter().any(String::is_empty) {
        return Err(ApiError::parameter("a kubernetes group name is empty"));
    }
    let Some(username) = username else { return Ok(()) };
    if let Some(prefix) = RESERVED.iter().find(|prefix| username.starts_with(**prefix)) {
        return Err(ApiError::parameter(format!("The username must not begin with {prefix}")));
    }
    let session = username.find("{{SessionName");
    if session.is_some_and(|at| !username[..at].contains(':')) {
        return Err(ApiError::parameter("The username has to have a colon before {{SessionName}}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_names, check_principal, username};
    use crate::local::aws::eks::options::EksOptions;
    use serde_json::json;

    #[test]
    fn principals_are_checked() {
        let options = EksOptions::new("123456789012", "eu-central-1");
        let cases = [
            ("arn:aws:iam::123456789012:role/team/a", "STANDARD", true),
            ("arn:aws:iam::999999999999:user/a", "STANDARD", true),
            ("arn:aws:iam::999999999999:role/a", "EC2_LINUX", false),
            ("arn:aws:iam::123456789012:user/a", "EC2_LINUX", false),
            ("arn:aws:sts::123456789012:assumed-role/a/b", "STANDARD", false),
            ("arn:aws:iam::123456789012:group/a", "STANDARD", false),
            ("arn:aws:iam::123456789012:role/aws-service-role/x/y", "STANDARD", false),
            ("arn:aws-cn:iam::123456789012:role/a", "STANDARD", false),
            ("arn:aws:iam::123456789012:role/a", "NONSENSE", false),
        ];
        for (principal, kind, fine) in cases {
            assert_eq!(check_principal(&options, principal, kind).is_ok(), fine, "{principal} {kind}");
        }
    }

    #[test]
    fn names_are_checked() {
        let cases = [
            (json!({"kubernetesGroups": ["admins"]}), "STANDARD", true),
            (json!({"kubernetesGroups": ["system:masters"]}), "STANDARD", false),
            (json!({"kubernetesGroups": ["admins"]}), "EC2_LINUX", false),
            (json!({"username": "eks:a"}), "STANDARD", false),
            (json!({"username": "john{{SessionName}}"}), "STANDARD", false),
            (json!({"username": "jo:hn{{SessionName}}"}), "STANDARD", true),
        ];
        for (input, kind, fine) in cases {
            assert_eq!(check_names(&input, kind).is_ok(), fine, "{input} {kind}");
        }
        assert_eq!(
            username("arn:aws:iam::123456789012:role/team/a", "STANDARD"),
            "arn:aws:sts::123456789012:assumed-role/a/{{SessionName}}"
        );
    }
}
