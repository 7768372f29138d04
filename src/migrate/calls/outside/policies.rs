//! Trust policies, bucket policies, key policies.

use super::{Addition, Identity, Reference, stacks};
use crate::migrate::decommission::{AwsReads, tags, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Policies that name the old cluster's roles, its OIDC provider, or its addresses.
pub(super) fn references(reads: &AwsReads, old: &Identity, new: &Identity) -> Vec<Reference> {
    let mut found = Vec::new();
    for role in reads.of("iam", "GetRole").filter_map(|read| read.output.get("Role")) {
        let (Some(name), Some(document)) = (text(role, "RoleName"), role.get("AssumeRolePolicyDocument"))
        else {
            continue;
        };
        // The old nodes' own roles go with them.
        if text(role, "Arn").is_some_and(|arn| old.roles.contains(arn)) {
            continue;
        }
        let call = |policy: String| Addition {
            service: "iam".into(),
            operation: "UpdateAssumeRolePolicy".into(),
            input: json!({"RoleName": name, "PolicyDocument": policy}),
        };
        found.extend(policy(
            &format!("iam-role {name}"),
            document,
            stacks::owner(&tags(role)),
            old,
            new,
            call,
        ));
    }
    for read in reads.of("s3", "GetBucketPolicy") {
        let (Some(bucket), Some(document)) = (text(&read.input, "Bucket"), read.output.get("Policy")) else {
            continue;
        };
        let owner = tags_of(reads, "s3", "GetBucketTagging", "Bucket", bucket);
        let call = |policy: String| Addition {
            service: "s3".into(),
            operation: "PutBucketPolicy".into(),
            input: json!({"Bucket": bucket, "Policy": policy}),
        };
        found.extend(policy(&format!("bucket {bucket}"), document, owner, old, new, call));
    }
    for read in reads.of("kms", "GetKeyPolicy") {
        let (Some(key), Some(document)) = (text(&read.input, "KeyId"), read.output.get("Policy")) else {
            continue;
        };
        let owner = tags_of(reads, "kms", "ListResourceTags", "KeyId", key);
        let call = |policy: String| Addition {
            service: "kms".into(),
            operation: "PutKeyPolicy".into(),
            input: json!({"KeyId": key, "PolicyName": "default", "Policy": policy}),
        };
        found.extend(policy(&format!("key {key}"), document, owner, old, new, call));
    }
    found
}

fn tags_of(reads: &AwsReads, service: &str, operation: &str, field: &str, id: &str) -> Option<String> {
    reads.of(service, operation).filter(|read| text(&read.input, field) == Some(id)).find_map(|read| {
        // KMS names the members of a tag in its own way.
        let own: BTreeMap<&str, &str> = read.output["Tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| Some((tag["TagKey"].as_str()?, tag["TagValue"].as_str()?)))
            .collect();
        stacks::owner(&tags(&read.output)).or_else(|| stacks::owner(&own))
    })
}

/// What of one policy names the old cluster. One addition for the whole of it: a policy is written as a whole.
fn policy(
    thing: &str,
    document: &Value,
    owner: Option<String>,
    old: &Identity,
    new: &Identity,
    call: impl Fn(String) -> Addition,
) -> Option<Reference> {
    let mut document = parsed(document)?;
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    let mut names = Vec::new();
    let mut added = Vec::new();
    let mut is_unknown = false;
    for statement in &statements {
        let swaps = swaps(statement, old, new);
        for swap in swaps {
            names.push(swap.old.clone());
            match swap.added {
                None => is_unknown = true,
                Some(addition) if !statements.contains(&addition) && !added.contains(&addition) => {
                    added.push(addition)
                }
                Some(_) => {}
            }
        }
    }
    if names.is_empty() || (added.is_empty() && !is_unknown) {
        return None;
    }
    names.sort();
    names.dedup();
    let says = if is_unknown {
        "the same is to be said of the new cluster, whose side is not known yet".to_owned()
    } else {
        format!("the same is said of the new cluster, in {} more statements", added.len())
    };
    let addition = (!is_unknown).then(|| {
        let all: Vec<Value> = statements.into_iter().chain(added).collect();
        document["Statement"] = Value::Array(all);
        call(document.to_string())
    });
    Some(Reference { thing: thing.into(), names: names.join(", "), says, addition, declared_by: owner })
}

/// A statement that names the old cluster, as it would be of the new one.
struct Swap {
    old: String,
    /// None where the new cluster's counterpart is not known yet.
    added: Option<Value>,
}

fn swaps(statement: &Value, old: &Identity, new: &Identity) -> Vec<Swap> {
    let mut swaps = Vec::new();
    let copied = |change: &dyn Fn(&mut Value)| {
        let mut copy = statement.clone();
        // A Sid is unique in its policy.
        if let Some(fields) = copy.as_object_mut() {
            fields.remove("Sid");
        }
        change(&mut copy);
        copy
    };
    if let Some(provider) =
        old.provider.as_deref().filter(|provider| principal_has(statement, "Federated", provider))
    {
        let added = new.provider.as_deref().map(|other| {
            copied(&|copy| {
                copy["Principal"]["Federated"] = json!(other);
                rename_keys(&mut copy["Condition"], issuer(provider), issuer(other));
            })
        });
        swaps.push(Swap { old: format!("OIDC provider {provider}"), added });
    }
    for role in old.roles.iter().filter(|role| principal_has(statement, "AWS", role)) {
        let added = (!new.roles.is_empty()).then(|| {
            copied(&|copy| copy["Principal"]["AWS"] = new.roles.iter().map(String::as_str).collect())
        });
        swaps.push(Swap { old: format!("role {role}"), added });
    }
    let sources = source_addresses(statement);
    for address in
        old.addresses.iter().filter(|address| sources.iter().any(|source| is_address(source, address)))
    {
        let added = (!new.addresses.is_empty()).then(|| {
            copied(&|copy| {
                let others: Vec<String> = new.addresses.iter().map(|ip| format!("{ip}/32")).collect();
                for operator in ["IpAddress", "NotIpAddress"] {
                    if let Some(condition) =
                        copy.pointer_mut(&format!("/Condition/{operator}")).and_then(Value::as_object_mut)
                    {
                        for (key, value) in condition.iter_mut() {
                            if key.eq_ignore_ascii_case("aws:SourceIp") {
                                *value = json!(others);
                            }
                        }
                    }
                }
            })
        });
        // A statement that denies all but some addresses is widened by hand: a second one would deny the first's.
        let denies = statement["Effect"] == "Deny";
        swaps.push(Swap { old: format!("NAT address {address}"), added: added.filter(|_| !denies) });
    }
    swaps
}

fn is_address(source: &str, address: &str) -> bool {
    source == address || source.strip_suffix("/32") == Some(address)
}

fn principal_has(statement: &Value, kind: &str, wanted: &str) -> bool {
    match &statement["Principal"][kind] {
        Value::String(one) => one == wanted,
        Value::Array(all) => all.iter().any(|one| one == wanted),
        _ => false,
    }
}

fn source_addresses(statement: &Value) -> Vec<&str> {
    let conditions = statement["Condition"].as_object();
    conditions
        .into_iter()
        .flatten()
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceIp"))
        .flat_map(|(_, value)| match value {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect::<Vec<_>>(),
        })
        .collect()
}

/// The issuer of a provider's ARN: what follows `oidc-provider/`.
fn issuer(provider: &str) -> &str {
    provider.split_once("oidc-provider/").map_or(provider, |(_, issuer)| issuer)
}

/// Keys of conditions on tokens begin with the issuer: `<issuer>:sub`.
fn rename_keys(conditions: &mut Value, old: &str, new: &str) {
    for (_, keys) in conditions.as_object_mut().into_iter().flatten() {
        let Some(fields) = keys.as_object_mut() else { continue };
        let renamed: Vec<(String, Value)> = std::mem::take(fields)
            .into_iter()
            .map(|(key, value)| match key.strip_prefix(old) {
                Some(rest) => (format!("{new}{rest}"), value),
                None => (key, value),
            })
            .collect();
        fields.extend(renamed);
    }
}

/// A policy as an object, as JSON, or as JSON in a URL's encoding, as IAM gives it.
fn parsed(document: &Value) -> Option<Value> {
    match document {
        Value::Object(_) => Some(document.clone()),
        Value::String(text) if text.trim_start().starts_with('{') => serde_json::from_str(text).ok(),
        Value::String(text) => serde_json::from_str(&decoded(text)?).ok(),
        _ => None,
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
