//! Roles with their policies, and the identity provider of the cluster's tokens.

use super::File;
use super::facts::{Facts, Role};
use crate::provision::iam::document;
use crate::provision::network::answer::{items, number, some_text, tags, text};
use serde_json::{Value, json};

/// What CreateRole takes where nothing is said, in seconds.
const SESSION: i64 = 3_600;

pub(super) fn write(facts: &Facts, file: &mut File) {
    if let Some((arn, provider)) = &facts.issuer {
        // IAM keeps the address without its scheme.
        let url = format!("https://{}", text(provider, "Url").trim_start_matches("https://"));
        let strings = |list: &str| Value::from(items(provider, list).to_vec());
        file.add("aws_iam_openid_connect_provider", "cluster", arn, &[(arn, "arn")], |block| {
            block
                .plain("url", &json!(url))
                .plain("client_id_list", &strings("ClientIDList"))
                .plain("thumbprint_list", &strings("ThumbprintList"))
                .plain("tags", &json!(tags(provider)))
        });
    }
    for role in &facts.roles {
        self::role(role, file);
    }
}

fn role(found: &Role, file: &mut File) {
    let Role { role, attached, inline } = found;
    let (name, arn) = (text(role, "RoleName"), text(role, "Arn"));
    if name.is_empty() {
        return;
    }
    let session = number(role, "MaxSessionDuration").filter(|seconds| *seconds != SESSION);
    let boundary = some_text(&role["PermissionsBoundary"], "PermissionsBoundaryArn");
    let address = file.add("aws_iam_role", name, name, &[(arn, "arn")], |block| {
        block
            .plain("name", &json!(name))
            .plain("path", &json!(some_text(role, "Path").unwrap_or("/")))
            .plain("description", &json!(some_text(role, "Description")))
            .plain("max_session_duration", &json!(session))
            .plain("permissions_boundary", &json!(boundary))
            .json("assume_role_policy", document::read(role, "AssumeRolePolicyDocument"))
            .plain("tags", &json!(tags(role)))
    });
    // The name itself would be a literal, and nothing would tell Terraform what comes first.
    file.known.insert(reference(name), format!("{address}.name"));
    for policy in attached {
        let short = policy.rsplit('/').next().unwrap_or(policy);
        let import = format!("{name}/{policy}");
        file.add("aws_iam_role_policy_attachment", &format!("{name}_{short}"), &import, &[], |block| {
            block.with("role", &json!(reference(name))).plain("policy_arn", &json!(policy))
        });
    }
    for (policy_name, policy) in inline {
        let import = format!("{name}:{policy_name}");
        file.add("aws_iam_role_policy", &format!("{name}_{policy_name}"), &import, &[], |block| {
            block
                .plain("name", &json!(policy_name))
                .with("role", &json!(reference(name)))
                .json("policy", policy.clone())
        });
    }
}

/// What stands for a role's name; no name of anything else is like it.
pub(super) fn reference(role: &str) -> String {
    format!("\u{0}role {role}")
}
