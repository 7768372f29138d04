//! How a role is read, made, changed and taken away.

use super::document::{normal, read, with_issuer};
use super::names::{is_generated, path_prefix};
use crate::model::cloud::{Call, Service};
use crate::provision::network::answer::{items, pointer, some_text, tag_list, tags, text};
use crate::provision::network::ec2::{fixed, keep, tag_differences, tagged_key};
use crate::provision::owner::{owner, settable};
use crate::provision::resource::{
    Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A call to IAM.
#[must_use]
pub fn iam(operation: &str, input: Value) -> Call {
    Call::new(Service::Iam, operation, input)
}

/// The path that holds what is ours: the cluster's own, or the whole account where ARNs must have none.
#[must_use]
pub fn listed_path(scope: &Scope, kind: Kind, declared: &[Resource]) -> String {
    let without_path =
        declared.iter().any(|each| each.key.kind == kind && each.desired.get("Path") == Some(&json!("/")));
    if without_path { "/".to_owned() } else { path_prefix(scope) }
}

/// The names whose details are read: those of a list that could be ours, and the declared ones that are not in it (they
/// may stand under another path: made by eksctl, or by hand).
#[must_use]
pub fn names_to_read(
    scope: &Scope,
    kind: Kind,
    member: &str,
    declared: &[Resource],
    listed: &[Value],
) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = declared
        .iter()
        .filter(|each| each.key.kind == kind)
        .filter_map(|each| some_text(&each.desired, member).map(str::to_owned))
        .collect();
    names.extend(
        listed
            .iter()
            .filter(|each| {
                text(each, "Path").starts_with(&path_prefix(scope)) || is_generated(scope, text(each, member))
            })
            .map(|each| text(each, member).to_owned()),
    );
    names
}

/// Whose a thing of IAM is. Tags alone would take the role of a cluster of the same name in another region for ours.
#[must_use]
pub fn owner_in_region(scope: &Scope, path: &str, all: &BTreeMap<String, String>) -> Owner {
    let foreign = path.starts_with("/portolan/") && !path.starts_with(&path_prefix(scope));
    if foreign { Owner::Other } else { owner(scope, all) }
}

/// [`Kind::Role`]. Declared: as CreateRole takes it, the documents as objects (`$issuer` in keys stands for `Issuer`),
/// and beside that `ManagedPolicyArns` and `InlinePolicies` (documents by name).
#[derive(Clone, Copy, Debug)]
pub struct RoleDriver;

impl Driver for RoleDriver {
    fn kind(&self) -> Kind {
        Kind::Role
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        vec![iam("ListRoles", json!({"PathPrefix": listed_path(scope, Kind::Role, declared)}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        let of_role = |name: &str| json!({"RoleName": name});
        let named = text(&call.input, "RoleName");
        match call.operation.as_str() {
            "ListRoles" => names_to_read(scope, Kind::Role, "RoleName", declared, items(answer, "Roles"))
                .iter()
                .map(|name| iam("GetRole", of_role(name)))
                .collect(),
            "GetRole" => {
                let Some(live) = found(scope, declared, &answer["Role"]) else { return Vec::new() };
                keep(into, live, |_| false);
                ["ListAttachedRolePolicies", "ListRolePolicies"].map(|list| iam(list, of_role(named))).into()
            }
            "ListAttachedRolePolicies" => {
                let policies = items(answer, "AttachedPolicies").iter();
                let arns: BTreeSet<&str> = policies.map(|policy| text(policy, "PolicyArn")).collect();
                if let Some(live) = by_name(into, named) {
                    live.actual["ManagedPolicyArns"] = json!(arns);
                }
                Vec::new()
            }
            "ListRolePolicies" => {
                if let Some(live) = by_name(into, named) {
                    live.actual["InlinePolicies"] = json!({});
                }
                let names = items(answer, "PolicyNames").iter();
                names
                    .map(|name| iam("GetRolePolicy", json!({"RoleName": named, "PolicyName": name})))
                    .collect()
            }
            "GetRolePolicy" => {
                if let Some(live) = by_name(into, named) {
                    let policy = text(&call.input, "PolicyName").to_owned();
                    live.actual["InlinePolicies"][policy] = read(answer, "PolicyDocument");
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let mut input = Map::from_iter([
            ("AssumeRolePolicyDocument".to_owned(), json!(trust(desired).to_string())),
            ("Tags".to_owned(), tag_list(tags)),
        ]);
        for member in ["RoleName", "Path", "PermissionsBoundary"] {
            if let Some(value) = desired.get(member) {
                input.insert(member.to_owned(), value.clone());
            }
        }
        iam("CreateRole", Value::Object(input))
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        let way_out = "a role keeps its name: remove what declares it, let it be deleted, then declare it by the new name";
        let mut differences = fixed(desired, live, &["RoleName"], way_out);
        let wanted = trust(desired);
        if normal(&wanted) != normal(&live.actual["AssumeRolePolicyDocument"]) {
            let input = json!({"RoleName": live.id, "PolicyDocument": wanted.to_string()});
            differences.push(Difference {
                field: "/AssumeRolePolicyDocument".to_owned(),
                declared: wanted,
                actual: live.actual["AssumeRolePolicyDocument"].clone(),
                mend: Mend::InPlace(iam("UpdateAssumeRolePolicy", input)),
            });
        }
        differences.extend(boundary(desired, live));
        differences.extend(managed(desired, live));
        differences.extend(inline(desired, live));
        differences.extend(tag_differences(
            tags,
            live,
            |missing| iam("TagRole", json!({"RoleName": live.id, "Tags": tag_list(missing)})),
            |key| iam("UntagRole", json!({"RoleName": live.id, "TagKeys": [key]})),
        ));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        let role = &live.id;
        let detach = items(&live.actual, "ManagedPolicyArns")
            .iter()
            .map(|arn| iam("DetachRolePolicy", json!({"RoleName": role, "PolicyArn": arn})));
        let inline = live.actual.get("InlinePolicies").and_then(Value::as_object);
        let drop = inline
            .into_iter()
            .flatten()
            .map(|(name, _)| iam("DeleteRolePolicy", json!({"RoleName": role, "PolicyName": name})));
        detach.chain(drop).chain([iam("DeleteRole", json!({"RoleName": role}))]).collect()
    }
}

fn by_name<'a>(into: &'a mut Snapshot, name: &str) -> Option<&'a mut Live> {
    into.live.values_mut().find(|live| live.key.kind == Kind::Role && live.id == name)
}

fn found(scope: &Scope, declared: &[Resource], role: &Value) -> Option<Live> {
    let (name, all) = (text(role, "RoleName"), tags(role));
    let owner = owner_in_region(scope, text(role, "Path"), &all);
    let tagged = tagged_key(scope, Kind::Role, &all).filter(|_| owner == Owner::Ours);
    let by_name = || {
        let named = declared
            .iter()
            .find(|each| each.key.kind == Kind::Role && some_text(&each.desired, "RoleName") == Some(name));
        named.map(|each| each.key.clone())
    };
    let key = tagged.or_else(by_name)?;
    let boundary = role.get("PermissionsBoundary");
    let boundary = boundary.and_then(|boundary| some_text(boundary, "PermissionsBoundaryArn"));
    let outputs = BTreeMap::from([
        ("arn".to_owned(), json!(text(role, "Arn"))),
        ("name".to_owned(), json!(name)),
        ("id".to_owned(), json!(text(role, "RoleId"))),
        ("createdAt".to_owned(), json!(text(role, "CreateDate"))),
    ]);
    Some(Live {
        key,
        id: name.to_owned(),
        actual: json!({
            "RoleName": name,
            "Path": text(role, "Path"),
            "AssumeRolePolicyDocument": read(role, "AssumeRolePolicyDocument"),
            "PermissionsBoundary": boundary,
        }),
        outputs,
        tags: settable(&all),
        owner,
        state: State::Ready,
    })
}

/// The trust policy as it is sent.
fn trust(desired: &Value) -> Value {
    with_issuer(&desired["AssumeRolePolicyDocument"], text(desired, "Issuer"))
}

fn boundary(desired: &Value, live: &Live) -> Option<Difference> {
    let (declared, actual) =
        (some_text(desired, "PermissionsBoundary"), some_text(&live.actual, "PermissionsBoundary"));
    let call = match declared {
        _ if declared == actual => return None,
        Some(arn) => {
            iam("PutRolePermissionsBoundary", json!({"RoleName": live.id, "PermissionsBoundary": arn}))
        }
        None => iam("DeleteRolePermissionsBoundary", json!({"RoleName": live.id})),
    };
    Some(Difference {
        field: "/PermissionsBoundary".to_owned(),
        declared: json!(declared),
        actual: json!(actual),
        mend: Mend::InPlace(call),
    })
}

/// Managed policies that are missing or too many, a call for each: IAM takes one at a time.
fn managed(desired: &Value, live: &Live) -> Vec<Difference> {
    let Some(Value::Array(attached)) = live.actual.get("ManagedPolicyArns") else { return Vec::new() };
    let declared = items(desired, "ManagedPolicyArns");
    let call = |operation: &str, arn: &Value| {
        Mend::InPlace(iam(operation, json!({"RoleName": live.id, "PolicyArn": arn})))
    };
    let missing =
        declared.iter().enumerate().filter(|(_, arn)| !attached.contains(arn)).map(|(at, arn)| Difference {
            field: format!("/ManagedPolicyArns/{at}"),
            declared: arn.clone(),
            actual: Value::Null,
            mend: call("AttachRolePolicy", arn),
        });
    let extra = attached.iter().filter(|arn| !declared.contains(arn)).map(|arn| Difference {
        field: "/ManagedPolicyArns".to_owned(),
        declared: Value::Null,
        actual: arn.clone(),
        mend: call("DetachRolePolicy", arn),
    });
    missing.chain(extra).collect()
}

/// Inline policies that are missing, changed or too many.
fn inline(desired: &Value, live: &Live) -> Vec<Difference> {
    let Some(Value::Object(attached)) = live.actual.get("InlinePolicies") else { return Vec::new() };
    let nothing = Map::new();
    let declared = desired.get("InlinePolicies").and_then(Value::as_object).unwrap_or(&nothing);
    let names: BTreeSet<&String> = declared.keys().chain(attached.keys()).collect();
    let differs = names.into_iter().filter(|name| {
        let meaning = |policies: &Map<String, Value>| policies.get(*name).map(normal);
        meaning(declared) != meaning(attached)
    });
    differs
        .map(|name| {
            let wanted = declared.get(name);
            let call = match wanted {
                Some(document) => {
                    let input =
                        json!({"RoleName": live.id, "PolicyName": name, "PolicyDocument": document.to_string()});
                    iam("PutRolePolicy", input)
                }
                None => iam("DeleteRolePolicy", json!({"RoleName": live.id, "PolicyName": name})),
            };
            Difference {
                field: format!("/InlinePolicies/{}", pointer(name)),
                declared: json!(wanted),
                actual: json!(attached.get(name)),
                mend: Mend::InPlace(call),
            }
        })
        .collect()
}
