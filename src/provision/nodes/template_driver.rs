//! How a launch template is read, made, changed and taken away. A version never changes: a template is changed by a new
//! version, which then becomes the default one, and the default one is what node groups follow.

use super::user_data;
use crate::model::cloud::{Call, Service};
use crate::provision::network::answer::{items, only, pointer, some_text, text};
use crate::provision::network::ec2::{NOBODY_KNOWS, Table, ec2, ec2_tag_differences, fixed};
use crate::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State, TOKEN,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const TABLE: Table = Table {
    kind: Kind::LaunchTemplate,
    describe: "DescribeLaunchTemplates",
    filters: "Filters",
    set: "launchTemplates",
    id: "launchTemplateId",
    member: "LaunchTemplateId",
    id_filter: "launch-template-id",
    resource_type: "launch-template",
    in_use: NOBODY_KNOWS,
};

/// As many come in one answer as the service gives.
pub(super) const PAGE: u32 = 200;
/// GetParameters takes as many at once.
const PARAMETERS_AT_ONCE: usize = 10;
const DATA: &str = "LaunchTemplateData";
/// Members of a template's data that are whole numbers.
const NUMBERS: [&str; 4] = ["VolumeSize", "Iops", "Throughput", "HttpPutResponseHopLimit"];

/// [`Kind::LaunchTemplate`]. Declared: `LaunchTemplateName`, `LaunchTemplateData` with user data as
/// [`super::user_data`] declares it, `VersionDescription` (the parameter that its AMI was taken from). Existing ones with
/// `Parameter` are AMIs to be looked up in Systems Manager.
#[derive(Clone, Copy, Debug)]
pub struct LaunchTemplateDriver;

impl Driver for LaunchTemplateDriver {
    fn kind(&self) -> Kind {
        Kind::LaunchTemplate
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let mut calls: Vec<Call> = TABLE.reads(scope, declared);
        for call in &mut calls {
            call.input["MaxResults"] = json!(PAGE);
        }
        let parameters: BTreeSet<&str> = lookups(declared).map(|(_, parameter)| parameter).collect();
        let parameters: Vec<&str> = parameters.into_iter().collect();
        calls.extend(
            parameters
                .chunks(PARAMETERS_AT_ONCE)
                .map(|names| Call::new(Service::Ssm, "GetParameters", json!({"Names": names}))),
        );
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
            "GetParameters" => {
                for parameter in items(answer, "Parameters") {
                    images(declared, text(parameter, "Name"), text(parameter, "Value"), into);
                }
            }
            "DescribeLaunchTemplateVersions" => {
                for version in items(answer, "launchTemplateVersionSet") {
                    let id = text(version, "launchTemplateId");
                    let ours = |live: &&mut Live| live.key.kind == Kind::LaunchTemplate && live.id == id;
                    if let Some(live) = into.live.values_mut().find(ours) {
                        add_version(live, version);
                    }
                }
            }
            _ => {
                let mut any = None;
                TABLE.absorb(scope, declared, call, answer, into, |found| {
                    // The newest and default versions of all templates that there are: a call for each template would
                    // be the only other way.
                    any.get_or_insert_with(|| {
                        let versions = json!({"Versions": ["$Default", "$Latest"], "MaxResults": PAGE});
                        ec2("DescribeLaunchTemplateVersions", versions)
                    });
                    let template = found.item;
                    let actual = json!({"LaunchTemplateName": text(template, "launchTemplateName")});
                    let outputs = vec![
                        ("name".to_owned(), json!(text(template, "launchTemplateName"))),
                        ("version".to_owned(), json!(text(template, "defaultVersionNumber"))),
                        ("createdAt".to_owned(), json!(text(template, "createTime"))),
                    ];
                    Some((actual, outputs, State::Ready))
                });
                return any.into_iter().collect();
            }
        }
        Vec::new()
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        let mut members = only(desired, &["LaunchTemplateName", "VersionDescription"]);
        members.insert(DATA.to_owned(), sent(desired));
        TABLE.create("CreateLaunchTemplate", members, tags, Some(token))
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
        let way_out = "a launch template keeps its name: give the node group a new name";
        let mut differences = fixed(desired, live, &["LaunchTemplateName"], way_out);
        // Without its data (the versions could not be read) nothing is said of it.
        if live.actual.get(DATA).is_some() {
            differences.extend(data_differences(desired, live));
        }
        differences.extend(ec2_tag_differences(tags, live));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("DeleteLaunchTemplate", json!({"LaunchTemplateId": live.id}))]
    }
}

/// AMIs to be looked up: the resource, and the parameter that names it.
fn lookups(declared: &[Resource]) -> impl Iterator<Item = (&Key, &str)> {
    let existing = declared.iter().filter(|each| each.existing && each.key.kind == Kind::LaunchTemplate);
    existing.filter_map(|each| Some((&each.key, some_text(&each.desired, "Parameter")?)))
}

fn images(declared: &[Resource], parameter: &str, image: &str, into: &mut Snapshot) {
    for (key, _) in lookups(declared).filter(|(_, wanted)| *wanted == parameter) {
        let live = Live {
            key: key.clone(),
            id: image.to_owned(),
            actual: json!({"Parameter": parameter}),
            outputs: BTreeMap::from([("imageId".to_owned(), json!(image))]),
            tags: BTreeMap::new(),
            owner: Owner::Other,
            state: State::Ready,
        };
        into.live.insert(key.clone(), live);
    }
}

/// The default version is what is so; the newest one is remembered, for it may be the declared one already.
fn add_version(live: &mut Live, version: &Value) {
    let number = text(version, "versionNumber");
    let content = json!({
        "VersionDescription": some_text(version, "versionDescription"),
        DATA: launch_template_data(&version["launchTemplateData"]),
    });
    if live.outputs.get("version") == Some(&json!(number)) {
        live.actual["VersionDescription"] = content["VersionDescription"].clone();
        live.actual[DATA] = content[DATA].clone();
    }
    let before = live.outputs.get("latest").and_then(|latest| text(latest, "number").parse::<u64>().ok());
    if before.is_none_or(|before| number.parse::<u64>().is_ok_and(|number| number >= before)) {
        let mut latest = content;
        latest["number"] = json!(number);
        live.outputs.insert("latest".to_owned(), latest);
    }
}

/// Data as it is sent: with user data as text.
fn sent(desired: &Value) -> Value {
    let mut data = desired[DATA].clone();
    if let Some(text) = data.get("UserData").and_then(user_data::encoded) {
        data["UserData"] = json!(text);
    }
    data
}

/// Data of a version as EC2 answers it, in the words in which it is sent. Tags of the template itself are none of its
/// instances', wherever a server puts them.
#[must_use]
pub fn launch_template_data(data: &Value) -> Value {
    let mut data = read(data);
    if let Some(specifications) = data.get_mut("TagSpecifications").and_then(Value::as_array_mut) {
        specifications.retain(|each| each["ResourceType"] != json!("launch-template"));
    }
    data
}

/// Data as an answer gives it, in the words in which it is sent: `blockDeviceMappingSet` is `BlockDeviceMappings`.
fn read(data: &Value) -> Value {
    match data {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, value)| **value != json!(""))
                .map(|(name, value)| {
                    let name = member(name);
                    let value = match value {
                        Value::String(text) => plain(&name, text),
                        other => read(other),
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(read).collect(),
        other => other.clone(),
    }
}

fn member(element: &str) -> String {
    let stem = element.strip_suffix("Set").map_or_else(|| element.to_owned(), |stem| format!("{stem}s"));
    let mut chars = stem.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

fn plain(name: &str, text: &str) -> Value {
    match text {
        "true" => json!(true),
        "false" => json!(false),
        text if NUMBERS.contains(&name) => {
            text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        text => json!(text),
    }
}

/// Whether data is as declared: all that is declared is so, and no further top member is there. Within members the
/// service adds its defaults (`HttpEndpoint`, `State`).
fn agrees(declared: &Value, actual: &Value) -> bool {
    let (Some(declared), Some(actual)) = (declared.as_object(), actual.as_object()) else { return false };
    declared.len() == actual.len()
        && declared.iter().all(|(name, value)| actual.get(name).is_some_and(|found| covers(value, found)))
}

fn covers(declared: &Value, actual: &Value) -> bool {
    match (declared, actual) {
        (Value::Object(declared), Value::Object(actual)) => {
            declared.iter().all(|(name, value)| actual.get(name).is_some_and(|found| covers(value, found)))
        }
        (Value::Array(declared), Value::Array(actual)) => {
            declared.len() == actual.len()
                && declared.iter().all(|value| actual.iter().any(|found| covers(value, found)))
        }
        (declared, actual) => declared == actual,
    }
}

/// A member's value as it is shown to people. User data is shown by its digest: nobody reads base64, and what somebody
/// wrote into it by hand may be a secret.
fn shown(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if name == "UserData" => {
            let hash: String =
                Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            json!(format!("sha256:{hash}"))
        }
        other => other.clone(),
    }
}

fn data_differences(desired: &Value, live: &Live) -> Vec<Difference> {
    let declared = sent(desired);
    let actual = &live.actual[DATA];
    let described = desired.get("VersionDescription").unwrap_or(&Value::Null);
    let same_description = *described == live.actual["VersionDescription"];
    if agrees(&declared, actual) && same_description {
        return Vec::new();
    }
    // Made before the process died, or by the last pass: the version is there, and has to become the default one.
    let newest = live
        .outputs
        .get("latest")
        .filter(|latest| agrees(&declared, &latest[DATA]) && latest["VersionDescription"] == *described);
    let call = match newest {
        Some(latest) => ec2(
            "ModifyLaunchTemplate",
            json!({"ClientToken": TOKEN, "LaunchTemplateId": live.id, "DefaultVersion": latest["number"]}),
        ),
        None => {
            let mut input = Map::from_iter([
                ("ClientToken".to_owned(), json!(TOKEN)),
                ("LaunchTemplateId".to_owned(), json!(live.id)),
                (DATA.to_owned(), declared.clone()),
            ]);
            if !described.is_null() {
                input.insert("VersionDescription".to_owned(), described.clone());
            }
            ec2("CreateLaunchTemplateVersion", Value::Object(input))
        }
    };
    let difference = |field: String, declared: &Value, actual: &Value| Difference {
        field,
        declared: declared.clone(),
        actual: actual.clone(),
        mend: Mend::InPlace(call.clone()),
    };
    let nothing = Map::new();
    let (wanted, found) = (declared.as_object().unwrap_or(&nothing), actual.as_object().unwrap_or(&nothing));
    let names: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let mut differences: Vec<Difference> = names
        .into_iter()
        .filter(|name| match (wanted.get(*name), found.get(*name)) {
            (Some(wanted), Some(found)) => !covers(wanted, found),
            _ => true,
        })
        .map(|name| {
            let value = |members: &Map<String, Value>| shown(name, members.get(name).unwrap_or(&Value::Null));
            difference(format!("/{DATA}/{}", pointer(name)), &value(wanted), &value(found))
        })
        .collect();
    if !same_description {
        differences.push(difference(
            "/VersionDescription".to_owned(),
            described,
            &live.actual["VersionDescription"],
        ));
    }
    differences
}
