//! Access entries with their access policies: who may log in.

use super::api::{
    create_input, describe, differs, eks, fixed, list, live, only, sorted, strings, tag_differences, text,
};
use crate::model::cloud::{Call, Service};
use crate::model::document::nearest;
use crate::provision::network::Problem;
use crate::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State, TOKEN,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The member that holds the policies; CreateAccessEntry knows none, so each is associated by a call of its own.
const POLICIES: &str = "accessPolicies";

/// Fact: the ARNs of all access policies that EKS has.
const KNOWN_POLICIES: &str = "eks/access-policies";

/// Policies that are declared, with the entries that name them.
fn declared_policies(declared: &[Resource]) -> impl Iterator<Item = (&Resource, &str)> {
    let entries = declared.iter().filter(|resource| resource.key.kind == Kind::AccessEntry);
    entries.flat_map(|entry| {
        let policies = entry.desired[POLICIES].as_array().into_iter().flatten();
        policies.filter_map(move |policy| Some((entry, policy["policyArn"].as_str()?)))
    })
}

/// Access policies that EKS does not have, where those that it has were read.
#[must_use]
pub fn problems(declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
    let Some(all) = known.facts.get(KNOWN_POLICIES) else { return Vec::new() };
    let all = strings(all);
    declared_policies(declared)
        .filter(|(_, policy)| !all.iter().any(|known| known == policy))
        .map(|(entry, policy)| {
            let near = nearest(policy, all.iter().map(String::as_str));
            let hint = near.map_or_else(
                || "`aws eks list-access-policies` lists those that there are".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            let at = format!("{}/accessPolicies", entry.declared_at);
            Problem::refused(at, format!("EKS has no access policy {policy}; {hint}"))
        })
        .collect()
}

/// Reads, makes and changes access entries.
pub struct AccessEntryDriver;

impl Driver for AccessEntryDriver {
    fn kind(&self) -> Kind {
        Kind::AccessEntry
    }

    fn reads(&self, scope: &Scope, known: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let names_policies = declared_policies(declared).next().is_some();
        let mut calls: Vec<Call> =
            names_policies.then(|| eks("ListAccessPolicies", json!({}))).into_iter().collect();
        // Where logins are decided by the ConfigMap alone, EKS refuses to list entries.
        let mode = known
            .live
            .get(&Key::new(Kind::Cluster, scope.cluster.as_str()))
            .map(|cluster| text(&cluster.actual["accessConfig"], "authenticationMode").to_owned());
        if mode.as_deref() != Some("CONFIG_MAP") {
            calls.extend(list(scope, known, "ListAccessEntries"));
        }
        calls
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        match call.operation.as_str() {
            "ListAccessPolicies" => {
                let all = answer["accessPolicies"].as_array().into_iter().flatten();
                let arns: Vec<&str> = all.map(|policy| text(policy, "arn")).collect();
                into.facts.insert(KNOWN_POLICIES.to_owned(), json!(arns));
                Vec::new()
            }
            "ListAccessEntries" => {
                describe(scope, answer, "accessEntries", "DescribeAccessEntry", "principalArn")
            }
            "DescribeAccessEntry" => {
                let entry = found(scope, &answer["accessEntry"]);
                let is_declared = declared.iter().any(|resource| resource.key == entry.key);
                if !is_declared && entry.owner != Owner::Ours && is_services_own(&entry, into) {
                    return Vec::new();
                }
                let mut asks = Vec::new();
                if is_declared {
                    asks.push(eks(
                        "ListAssociatedAccessPolicies",
                        json!({"clusterName": scope.cluster, "principalArn": entry.id}),
                    ));
                } else if entry.owner != Owner::Ours {
                    // Perhaps it is the entry that EKS gave whoever created the cluster, which may be us.
                    asks.push(Call::new(Service::Sts, "GetCallerIdentity", json!({})));
                }
                into.live.insert(entry.key.clone(), entry);
                asks
            }
            "ListAssociatedAccessPolicies" => {
                let key = Key::new(Kind::AccessEntry, text(&call.input, "principalArn"));
                if let Some(entry) = into.live.get_mut(&key) {
                    entry.actual[POLICIES] = policies(&answer["associatedAccessPolicies"]);
                }
                Vec::new()
            }
            "GetCallerIdentity" => {
                let inner = &answer["GetCallerIdentityResult"];
                let caller = if inner.is_object() { text(inner, "Arn") } else { text(answer, "Arn") };
                into.live.retain(|key, live| {
                    key.kind != Kind::AccessEntry
                        || live.owner == Owner::Ours
                        || declared.iter().any(|resource| resource.key == *key)
                        || !is_principal_of(&live.id, caller)
                });
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn create(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        eks("CreateAccessEntry", create_input(scope, desired, &[POLICIES], tags, token))
    }

    fn differences(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = tag_differences(tags, live);
        let desired = normalised(desired);
        let mut input =
            json!({"clusterName": scope.cluster, "principalArn": live.id, "clientRequestToken": TOKEN});
        let fields = ["kubernetesGroups", "username"];
        for member in fields {
            if !desired[member].is_null() {
                input[member] = desired[member].clone();
            }
        }
        let mend = Mend::InPlace(eks("UpdateAccessEntry", input));
        for member in fields {
            found.extend(super::api::difference(&desired, &live.actual, &format!("/{member}"), &mend));
        }
        found.extend(fixed(
            &desired,
            &live.actual,
            &["/type"],
            "EKS fixes an access entry's type when it is created",
        ));
        found.extend(of_policies(scope, &desired, live));
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks("DeleteAccessEntry", json!({"clusterName": scope.cluster, "principalArn": live.id}))]
    }
}

fn found(scope: &Scope, entry: &Value) -> Live {
    let principal = text(entry, "principalArn");
    let actual =
        normalised(&Value::Object(only(entry, &["principalArn", "kubernetesGroups", "username", "type"])));
    let key = Key::new(Kind::AccessEntry, principal);
    live(scope, key, principal, text(entry, "accessEntryArn"), entry, actual, State::Ready)
}

fn normalised(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(groups) = entry.get_mut("kubernetesGroups") {
        *groups = sorted(groups);
    }
    if let Some(associated) = entry.get_mut(POLICIES) {
        *associated = policies(associated);
    }
    entry
}

/// Policies as `{policyArn, accessScope}`, sorted.
fn policies(associated: &Value) -> Value {
    let each = associated.as_array().into_iter().flatten().map(|policy| {
        let scope = &policy["accessScope"];
        let mut shown = json!({"type": scope["type"]});
        let mut namespaces = strings(&scope["namespaces"]);
        namespaces.sort();
        if !namespaces.is_empty() {
            shown["namespaces"] = json!(namespaces);
        }
        json!({"policyArn": policy["policyArn"], "accessScope": shown})
    });
    sorted(&each.collect())
}

/// Policies are a whole: what the file does not declare is taken off the entry.
fn of_policies(scope: &Scope, desired: &Value, live: &Live) -> Vec<Difference> {
    let by_arn = |value: &Value| -> BTreeMap<String, Value> {
        let each = value[POLICIES].as_array().into_iter().flatten();
        each.map(|policy| (text(policy, "policyArn").to_owned(), policy["accessScope"].clone())).collect()
    };
    let (wanted, actual) = (by_arn(desired), by_arn(&live.actual));
    let field = |arn: &str| format!("/{POLICIES}/{}", super::api::pointer(arn));
    let call = |operation: &str, mut input: Value| {
        input["clusterName"] = json!(scope.cluster);
        input["principalArn"] = json!(live.id);
        Mend::InPlace(eks(operation, input))
    };
    let mut found = Vec::new();
    for (arn, access) in &wanted {
        if differs(&json!({"is": access}), &json!({"is": actual.get(arn)}), "/is").is_some() {
            found.push(Difference {
                field: field(arn),
                declared: access.clone(),
                actual: actual.get(arn).cloned().unwrap_or(Value::Null),
                mend: call("AssociateAccessPolicy", json!({"policyArn": arn, "accessScope": access})),
            });
        }
    }
    for (arn, access) in actual.iter().filter(|(arn, _)| !wanted.contains_key(*arn)) {
        found.push(Difference {
            field: field(arn),
            declared: Value::Null,
            actual: access.clone(),
            mend: call("DisassociateAccessPolicy", json!({"policyArn": arn})),
        });
    }
    found
}

/// Entries that EKS makes itself: those of nodes and Fargate pods that it manages, and of its own roles.
fn is_services_own(entry: &Live, known: &Snapshot) -> bool {
    let kind = text(&entry.actual, "type");
    let role = entry.id.rsplit('/').next().unwrap_or_default();
    let of_service = role.starts_with("AWSServiceRoleFor") || entry.id.contains(":role/aws-service-role/");
    // EKS gives the cluster's creator an entry at the very moment that it makes the cluster.
    let cluster = known.live.values().find(|live| live.key.kind == Kind::Cluster);
    let born_with_it = cluster.is_some_and(|cluster| {
        let created = cluster.outputs.get("createdAt");
        created.is_some() && created == entry.outputs.get("createdAt")
    });
    of_service || !matches!(kind, "" | "STANDARD") || born_with_it
}

/// Whether a caller's ARN is of this principal: `arn:aws:sts::1:assumed-role/NAME/SESSION` is of
/// `arn:aws:iam::1:role/PATH/NAME`.
fn is_principal_of(principal: &str, caller: &str) -> bool {
    if principal == caller {
        return true;
    }
    let (Some((_, role)), Some((account, rest))) =
        (principal.split_once(":role/"), caller.split_once(":assumed-role/"))
    else {
        return false;
    };
    let same_account = principal.split(':').nth(4) == account.split(':').nth(4);
    same_account && role.rsplit('/').next() == rest.split('/').next()
}
