//! EKS add-ons: CreateAddon, DescribeAddon, UpdateAddon, DeleteAddon, and which versions there are.

use super::api::{
    aside, create_input, describe, difference, differs, eks, fixed, list, live, only, state, strings,
    tag_differences, text,
};
use super::version::Minor;
use crate::model::cloud::Call;
use crate::model::document::validate::Validator;
use crate::model::yaml::{Limits, read_stream};
use crate::provision::network::Problem;
use crate::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Resource, Scope, Snapshot, TOKEN,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What stands in `addonVersion` for the newest version that fits the cluster; [`crate::provision::upgrade::stage`]
/// puts that version there.
pub const LATEST: &str = "latest";

/// Fact: the versions of an add-on that fit a Kubernetes version, `[{"version", "default"}]`, the newest first.
#[must_use]
pub fn versions_fact(addon: &str, kubernetes: &str) -> String {
    format!("eks/addon-versions/{addon}/{kubernetes}")
}

/// Fact: the JSON Schema of an add-on version's configuration, as text.
#[must_use]
pub fn schema_fact(addon: &str, version: &str) -> String {
    format!("eks/addon-schema/{addon}/{version}")
}

/// Whether a call asks for what is the same for everybody and changes with AWS's releases only. Its answer may be kept
/// for an hour.
#[must_use]
pub fn is_catalogue(call: &Call) -> bool {
    matches!(
        call.operation.as_str(),
        "DescribeAddonVersions"
            | "DescribeAddonConfiguration"
            | "DescribeClusterVersions"
            | "ListAccessPolicies"
    )
}

/// Reads, makes and changes add-ons.
pub struct AddonDriver;

impl Driver for AddonDriver {
    fn kind(&self) -> Kind {
        Kind::Addon
    }

    fn reads(&self, scope: &Scope, known: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let mut calls = Vec::new();
        let cluster = known.live.get(&Key::new(Kind::Cluster, scope.cluster.as_str()));
        // Before there is a cluster the version of the file tells which add-ons there are: a mistake is told before it is
        // made, and not ten minutes later.
        let to_come = declared.iter().find(|each| each.key.kind == Kind::Cluster).map(|each| &each.desired);
        let version = cluster.map(|live| &live.actual).or(to_come).map(|cluster| text(cluster, "version"));
        let current = version.and_then(Minor::parse);
        for addon in declared.iter().filter(|resource| resource.key.kind == Kind::Addon) {
            for version in current.into_iter().flat_map(|current| targets(declared, &addon.desired, current))
            {
                calls.push(eks(
                    "DescribeAddonVersions",
                    json!({"addonName": addon.key.name, "kubernetesVersion": version.to_string()}),
                ));
            }
            if cluster.is_none() {
                calls.extend(schema(addon, known, None));
            }
        }
        // Last, for what is not in the list is judged by the versions.
        calls.extend(list(scope, known, "ListAddons"));
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
            "ListAddons" => {
                let mut asks = describe(scope, answer, "addons", "DescribeAddon", "addonName");
                let there = strings(&answer["addons"]);
                let absent = declared.iter().filter(|resource| resource.key.kind == Kind::Addon);
                for addon in absent.filter(|addon| !there.contains(&addon.key.name)) {
                    asks.extend(schema(addon, into, None));
                    asks.extend(named_version(scope, addon, None, into));
                }
                asks
            }
            "DescribeAddon" => {
                let addon = found(scope, &answer["addon"]);
                let mut asks = associations(scope, &answer["addon"]);
                let wanted = declared.iter().find(|resource| resource.key == addon.key);
                asks.extend(wanted.and_then(|wanted| schema(wanted, into, Some(&addon))));
                asks.extend(wanted.and_then(|wanted| named_version(scope, wanted, Some(&addon), into)));
                into.live.insert(addon.key.clone(), addon);
                asks
            }
            "DescribePodIdentityAssociation" => {
                join(&answer["association"], into);
                Vec::new()
            }
            "DescribeAddonVersions" => {
                let (addon, kubernetes) =
                    (text(&call.input, "addonName"), text(&call.input, "kubernetesVersion"));
                into.facts.insert(versions_fact(addon, kubernetes), versions(answer, addon, kubernetes));
                let wanted = declared.iter().find(|each| each.key == Key::new(Kind::Addon, addon));
                let is_first = !into.live.keys().any(|key| key.kind == Kind::Cluster);
                wanted
                    .filter(|_| is_first)
                    .and_then(|wanted| schema(wanted, into, None))
                    .into_iter()
                    .collect()
            }
            "DescribeAddonConfiguration" => {
                let (addon, version) = (text(answer, "addonName"), text(answer, "addonVersion"));
                into.facts.insert(schema_fact(addon, version), answer["configurationSchema"].clone());
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
        let mut input = create_input(scope, desired, &[], tags, token);
        if input["addonVersion"] == json!(LATEST) {
            // Not staged: EKS's own choice for the cluster's version.
            input.as_object_mut().and_then(|members| members.remove("addonVersion"));
        }
        eks("CreateAddon", input)
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
        let mut input =
            json!({"clusterName": scope.cluster, "addonName": live.id, "clientRequestToken": TOKEN});
        for member in [
            "addonVersion",
            "serviceAccountRoleArn",
            "configurationValues",
            "podIdentityAssociations",
            "resolveConflicts",
        ] {
            if !desired[member].is_null() && desired[member] != json!(LATEST) {
                input[member] = desired[member].clone();
            }
        }
        super::api::merge(&mut input, desired.get(aside::UPDATE).cloned().unwrap_or_else(|| json!({})));
        let mend = Mend::InPlace(eks("UpdateAddon", input));
        if desired["addonVersion"] != json!(LATEST) {
            found.extend(difference(desired, &live.actual, "/addonVersion", &mend));
        }
        for field in ["/serviceAccountRoleArn", "/podIdentityAssociations"] {
            found.extend(difference(desired, &live.actual, field, &mend));
        }
        if let Some((declared, actual)) = differs(desired, &live.actual, "/configurationValues")
            && canonical(&declared) != canonical(&actual)
        {
            found.push(Difference {
                field: "/configurationValues".into(),
                declared,
                actual,
                mend: mend.clone(),
            });
        }
        found.extend(fixed(
            desired,
            &live.actual,
            &["/namespaceConfig/namespace"],
            "EKS fixes an add-on's namespace when it is installed",
        ));
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks("DeleteAddon", json!({"clusterName": scope.cluster, "addonName": live.id}))]
    }
}

/// The Kubernetes versions whose add-on versions have to be known: the cluster's own, unless the file names a version
/// and nothing moves; when the cluster moves, the one it moves to.
fn targets(declared: &[Resource], addon: &Value, current: Minor) -> Vec<Minor> {
    let wanted = declared
        .iter()
        .find(|resource| resource.key.kind == Kind::Cluster)
        .and_then(|cluster| Minor::parse(cluster.desired["version"].as_str()?))
        .unwrap_or(current);
    let named = addon["addonVersion"].as_str().is_some_and(|version| version != LATEST);
    let mut targets = Vec::new();
    if !named || wanted != current {
        targets.push(current);
    }
    if wanted > current {
        targets.push(current.next());
    } else if wanted < current {
        targets.push(current.previous());
    }
    targets
}

fn found(scope: &Scope, addon: &Value) -> Live {
    let name = text(addon, "addonName");
    let mut actual = Value::Object(only(
        addon,
        &["addonName", "addonVersion", "serviceAccountRoleArn", "configurationValues", "namespaceConfig"],
    ));
    actual["podIdentityAssociations"] = json!([]);
    let (key, arn) = (Key::new(Kind::Addon, name), text(addon, "addonArn"));
    let mut live = live(scope, key, name, arn, addon, actual, state(addon));
    live.outputs.insert("version".into(), addon["addonVersion"].clone());
    live.outputs.insert("status".into(), addon["status"].clone());
    live
}

/// An add-on names its pod identity associations by ARN only, the last part of which is the id.
fn associations(scope: &Scope, addon: &Value) -> Vec<Call> {
    strings(&addon["podIdentityAssociations"])
        .iter()
        .filter_map(|arn| arn.rsplit('/').next())
        .map(|id| {
            eks("DescribePodIdentityAssociation", json!({"clusterName": scope.cluster, "associationId": id}))
        })
        .collect()
}

/// Puts an association where its add-on is.
fn join(association: &Value, into: &mut Snapshot) {
    let owner = text(association, "ownerArn");
    let addon = into
        .live
        .values_mut()
        .find(|live| live.key.kind == Kind::Addon && live.outputs["arn"].as_str() == Some(owner));
    let Some(addon) = addon else { return };
    if let Some(all) = addon.actual["podIdentityAssociations"].as_array_mut() {
        all.push(json!({"serviceAccount": association["serviceAccount"], "roleArn": association["roleArn"]}));
        all.sort_by_key(Value::to_string);
        all.dedup();
    }
}

/// Asks which versions there are when the file names one that is not there.
fn named_version(scope: &Scope, wanted: &Resource, addon: Option<&Live>, known: &Snapshot) -> Option<Call> {
    let named = wanted.desired["addonVersion"].as_str().filter(|version| *version != LATEST)?;
    let cluster = known.live.get(&Key::new(Kind::Cluster, scope.cluster.as_str()))?;
    let kubernetes = Minor::parse(text(&cluster.actual, "version"))?.to_string();
    let is_there = addon.is_some_and(|addon| text(&addon.actual, "addonVersion") == named);
    let is_known = known.facts.contains_key(&versions_fact(&wanted.key.name, &kubernetes));
    (!is_there && !is_known).then(|| {
        eks("DescribeAddonVersions", json!({"addonName": wanted.key.name, "kubernetesVersion": kubernetes}))
    })
}

/// Asks for the schema of the configuration when it is about to be set: of the declared version, else of the one that
/// is there, else of the default.
fn schema(wanted: &Resource, known: &Snapshot, addon: Option<&Live>) -> Option<Call> {
    let values = wanted.desired.get("configurationValues").filter(|values| values.is_string())?;
    if addon.is_some_and(|addon| canonical(values) == canonical(&addon.actual["configurationValues"])) {
        return None;
    }
    let declared = wanted.desired["addonVersion"].as_str().filter(|version| *version != LATEST);
    let there = addon.map(|addon| text(&addon.actual, "addonVersion"));
    let version = declared.or(there).or_else(|| {
        let of_addon = versions_fact(&wanted.key.name, "");
        let all = known.facts.iter().find(|(fact, _)| fact.starts_with(&of_addon))?.1.as_array()?;
        let chosen = all.iter().find(|version| version["default"] == json!(true)).or_else(|| all.first())?;
        chosen["version"].as_str()
    })?;
    Some(eks("DescribeAddonConfiguration", json!({"addonName": wanted.key.name, "addonVersion": version})))
}

/// The versions in an answer that fit a Kubernetes version, the newest first.
fn versions(answer: &Value, addon: &str, kubernetes: &str) -> Value {
    let infos = answer["addons"].as_array().into_iter().flatten();
    let mut versions: Vec<(String, bool)> = infos
        .filter(|info| text(info, "addonName") == addon)
        .flat_map(|info| info["addonVersions"].as_array().into_iter().flatten())
        .filter_map(|version| {
            let fits = version["compatibilities"]
                .as_array()?
                .iter()
                .find(|compatibility| text(compatibility, "clusterVersion") == kubernetes)?;
            Some((text(version, "addonVersion").to_owned(), fits["defaultVersion"] == json!(true)))
        })
        .collect();
    versions.sort_by(|a, b| super::version::compare_addon_versions(&b.0, &a.0));
    versions.iter().map(|(version, default)| json!({"version": version, "default": default})).collect()
}

/// Configuration values in one spelling: compact JSON of what the text says, in JSON or YAML. The text itself where it
/// is neither.
#[must_use]
pub fn canonical(values: &Value) -> Value {
    let Some(text) = values.as_str() else { return values.clone() };
    let parsed = serde_json::from_str::<Value>(text).ok().or_else(|| {
        let mut documents = read_stream(text.as_bytes(), &Limits::default()).into_iter();
        let first = documents.next()?.ok()?;
        documents.next().is_none().then(|| first.into_value())
    });
    match parsed {
        Some(Value::Object(members)) => json!(Value::Object(members).to_string()),
        _ => json!(text),
    }
}

/// Add-ons that EKS does not have, and settings of add-ons that do not fit the schema of their version, where that was
/// read. A schema in words that are not known here is EKS's own to check.
#[must_use]
pub fn problems(declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
    let mut problems = unknown(declared, known);
    problems.extend(misfits(declared, known));
    problems
}

/// Add-ons of which EKS has no version, of those that are not there.
fn unknown(declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
    let absent =
        declared.iter().filter(|each| each.key.kind == Kind::Addon && !known.live.contains_key(&each.key));
    absent
        .filter_map(|addon| {
            let of_addon = versions_fact(&addon.key.name, "");
            let mut facts = known.facts.iter().filter(|(fact, _)| fact.starts_with(&of_addon)).peekable();
            facts.peek()?;
            facts.all(|(_, versions)| versions.as_array().is_none_or(Vec::is_empty)).then(|| {
                let words = format!(
                    "EKS has no add-on {} for the cluster's version: `aws eks describe-addon-versions` lists those that there are",
                    addon.key.name
                );
                Problem::refused(addon.declared_at.as_str(), words)
            })
        })
        .collect()
}

fn misfits(declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
    declared
        .iter()
        .filter(|resource| resource.key.kind == Kind::Addon)
        .flat_map(|resource| {
            let values = resource.desired["configurationValues"].as_str();
            let values: Option<Value> = values.and_then(|text| serde_json::from_str(text).ok());
            let facts =
                known.facts.iter().find(|(fact, _)| fact.starts_with(&schema_fact(&resource.key.name, "")));
            let schema = facts.and_then(|(_, text)| serde_json::from_str(text.as_str()?).ok());
            let validator = schema.and_then(|schema| Validator::new(schema).ok());
            let violations = values.zip(validator).map(|(values, validator)| validator.check(&values));
            violations.unwrap_or_default().into_iter().map(|violation| {
                let hint = violation.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                Problem::refused(
                    format!("{}/configurationValues", resource.declared_at),
                    format!("{}: {}{hint}", violation.pointer, violation.message),
                )
            })
        })
        .collect()
}
