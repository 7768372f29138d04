//! Self-managed node groups as a file has them.

use crate::model::cloud::Call;
use crate::model::cluster_config::{ClusterConfig, with_defaults};
use crate::provision::network::CLUSTER_SECURITY_GROUP;
use crate::provision::network::answer::{items, some_text, text, without_nothing};
use crate::provision::nodes::{
    self, IS_CONFIGURATION, TEMPLATE, Template, as_written, launch_template, profile_of,
};
use crate::provision::resource::{Driver as _, Kind, Live, Owner, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A group's launch template: its data, and the parameter that its AMI was taken from where it is ours.
pub(super) fn template_of<'a>(
    snapshot: &'a Snapshot,
    group: &'a Live,
) -> Option<(&'a Value, Option<&'a str>)> {
    if let Some(found) = group.outputs.get(TEMPLATE) {
        return Some((&found["data"], None));
    }
    let actual = &snapshot.live.get(&launch_template(&group.key.name))?.actual;
    let parameter = some_text(actual, "VersionDescription");
    Some((actual.get("LaunchTemplateData")?, parameter))
}

/// Names of the instance profiles that groups' templates have.
pub(super) fn profiles(snapshot: &Snapshot) -> BTreeSet<&str> {
    groups(snapshot).filter_map(|group| profile_of(template_of(snapshot, group)?.0)).collect()
}

pub(super) fn groups(snapshot: &Snapshot) -> impl Iterator<Item = &Live> {
    snapshot.live.values().filter(|live| live.key.kind == Kind::AutoScalingGroup)
}

/// ARN of a profile and of the role in it, by the answer about the profile.
pub(super) fn profile<'a>(answers: &'a [(Call, Value)], name: &str) -> Option<(&'a str, &'a str)> {
    let (_, answer) = answers.iter().find(|(call, _)| {
        call.operation == "GetInstanceProfile" && call.input["InstanceProfileName"] == name
    })?;
    let profile = &answer["InstanceProfile"];
    let role = items(profile, "Roles").first().and_then(|role| some_text(role, "Arn"))?;
    Some((some_text(profile, "Arn")?, role))
}

/// `nodeGroups`.
pub(super) fn written(
    scope: &Scope,
    snapshot: &Snapshot,
    answers: &[(Call, Value)],
    notes: &mut Vec<String>,
) -> Vec<Value> {
    let cluster = snapshot.live.values().find(|live| live.key.kind == Kind::Cluster);
    let of_cluster = cluster.and_then(|live| live.outputs.get(CLUSTER_SECURITY_GROUP)?.as_str());
    let mut all = Vec::new();
    for group in groups(snapshot) {
        let name = &group.key.name;
        let Some((data, parameter)) = template_of(snapshot, group) else {
            notes.push(format!(
                "self-managed group {name} is not in the file: its launch template or launch configuration was not found"
            ));
            continue;
        };
        let mut one = as_written(scope, group, Template { data, parameter, of_cluster });
        match profile_of(data).and_then(|name| profile(answers, name)) {
            Some((profile, role)) => {
                one.insert("iam".to_owned(), json!({"instanceProfileARN": profile, "instanceRoleARN": role}));
            }
            None => notes.push(format!(
                "self-managed group {name}: the role of its nodes could not be read: add `iam`"
            )),
        }
        if group.outputs.contains_key(TEMPLATE) {
            let found = &group.outputs[TEMPLATE];
            let is_configuration = found[IS_CONFIGURATION] == json!(true);
            notes.push(format!(
                "self-managed group {name} keeps its launch {} {} with its user data; what the file says of it is \
                 compared, and changed only by a group of a new name",
                if is_configuration { "configuration" } else { "template" },
                text(found, "name")
            ));
        }
        if group.actual["MixedInstancesPolicy"].is_object() && !one.contains_key("instancesDistribution") {
            notes.push(format!(
                "self-managed group {name}: how it chooses instance types{} is not in the file, which has no word for it; \
                 it stays as it is",
                if by_attributes(&group.actual) { " (by their attributes)" } else { "" }
            ));
        }
        all.push(without_nothing(Value::Object(one)));
    }
    all
}

/// Whether a group takes whatever types have the attributes that it names.
fn by_attributes(actual: &Value) -> bool {
    items(&actual["MixedInstancesPolicy"]["LaunchTemplate"], "Overrides")
        .iter()
        .any(|each| each["InstanceRequirements"].is_object())
}

/// What the file, read back, would change about launch templates of ours: what it has no words for.
pub(super) fn unsaid(scope: &Scope, snapshot: &Snapshot, config: &Value) -> Vec<String> {
    let Ok(config) = serde_json::from_value::<ClusterConfig>(config.clone()) else {
        return vec!["the file cannot be read back; this is a defect of Portolan: report it".to_owned()];
    };
    let declared = nodes::resources(&with_defaults(config), scope, snapshot, &BTreeSet::new());
    let templates =
        declared.resources.iter().filter(|each| each.key.kind == Kind::LaunchTemplate && !each.existing);
    let mut notes = Vec::new();
    for template in templates {
        let Some(live) = snapshot.live.get(&template.key).filter(|live| live.owner == Owner::Ours) else {
            continue;
        };
        let Ok(desired) = snapshot.resolve(&template.desired) else { continue };
        let driver = nodes::LaunchTemplateDriver;
        let differences = driver.differences(scope, template, &desired, &live.tags, live, snapshot);
        notes.extend(differences.iter().filter(|each| !each.field.starts_with("/tags/")).map(|each| {
            format!(
                "group {}: the file has no words for its launch template's {}",
                template.key.name, each.field
            )
        }));
    }
    notes
}
