//! What is read of Auto Scaling groups: ours by our tags, and where a declared one is not found so, everybody's of the
//! cluster; with the launch templates that are somebody else's.

use super::launch_configuration;
use super::scaling::CLUSTER_OWNED;
use super::template_driver::{PAGE, launch_template_data};
use crate::model::cloud::{Call, Service};
use crate::provision::network::answer::{flag, items, number, object, only, some_text, tags, text, texts};
use crate::provision::network::ec2::{ec2, filters, keep, tagged_key};
use crate::provision::owner::{owner, settable};
use crate::provision::resource::{CLUSTER_TAG, Key, Kind, Live, Owner, Resource, Scope, Snapshot, State};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NAME: &str = "AutoScalingGroupName";
/// The launch configuration of a group that has one.
pub(super) const NAMED: &str = "LaunchConfigurationName";
/// Output of a group whose launch template is somebody else's: `{"id", "name", "data"}`, the version that the group has;
/// or its launch configuration, in a template's words.
pub const TEMPLATE: &str = "template";
const DISTRIBUTION: [&str; 5] = [
    "OnDemandBaseCapacity",
    "OnDemandPercentageAboveBaseCapacity",
    "SpotAllocationStrategy",
    "SpotInstancePools",
    "SpotMaxPrice",
];

pub(super) fn scaling(operation: &str, input: Value) -> Call {
    Call::new(Service::AutoScaling, operation, input)
}

/// Stands for every self-managed group of the cluster, whoever made it: to be read, not to be kept.
#[must_use]
pub fn every_group() -> Resource {
    Resource {
        key: Key::new(Kind::AutoScalingGroup, "*"),
        desired: Value::Null,
        tags: BTreeMap::new(),
        needs: BTreeSet::new(),
        declared_at: String::new(),
        existing: true,
    }
}

/// The groups whose nodes belong to the cluster, whoever made them. Asked where a declared one was not found by our tags.
fn of_the_cluster(scope: &Scope) -> Call {
    let marked = filters(&[("tag-key", vec![format!("{CLUSTER_OWNED}{}", scope.cluster)])]);
    scaling("DescribeAutoScalingGroups", json!({"Filters": marked, "MaxRecords": 100}))
}

/// The groups that carry our tags.
pub(super) fn reads(scope: &Scope) -> Vec<Call> {
    let ours = filters(&[(&format!("tag:{CLUSTER_TAG}"), vec![scope.cluster.clone()])]);
    vec![scaling("DescribeAutoScalingGroups", json!({"Filters": ours, "MaxRecords": 100}))]
}

/// Reads one answer; the calls that it makes necessary.
pub(super) fn absorb(
    scope: &Scope,
    declared: &[Resource],
    call: &Call,
    answer: &Value,
    into: &mut Snapshot,
) -> Vec<Call> {
    match call.operation.as_str() {
        "DescribeInstanceRefreshes" => {
            refreshed(text(&call.input, NAME), answer, into);
            return Vec::new();
        }
        "DescribeLaunchTemplateVersions" => return versions(call, answer, into),
        "DescribeLaunchConfigurations" => {
            launch_configuration::absorb(answer, into);
            return Vec::new();
        }
        _ => {}
    }
    let mut due = Vec::new();
    let wanted: Vec<&Key> =
        declared.iter().map(|each| &each.key).filter(|key| key.kind == Kind::AutoScalingGroup).collect();
    let every = every_group().key;
    let others = of_the_cluster(scope);
    for group in items(answer, "AutoScalingGroups") {
        let Some(live) = found(scope, group) else {
            let stranger = of_somebody(scope, group).filter(|_| *call == others);
            if let Some(live) =
                stranger.filter(|live| wanted.iter().any(|key| **key == live.key || **key == every))
            {
                keep(into, live, |_| false);
            }
            continue;
        };
        if live.outputs.contains_key("outdated") && live.state == State::Ready {
            // Asked only while there is something to replace.
            due.push(scaling("DescribeInstanceRefreshes", json!({NAME: live.id, "MaxRecords": 1})));
        }
        keep(into, live, |_| false);
    }
    if *call != others && wanted.iter().any(|key| !into.live.contains_key(*key)) {
        due.push(others);
        return due;
    }
    if strangers(into).next().is_some() {
        // As with templates of ours: a call for each would be the only other way.
        let versions = json!({"Versions": ["$Default", "$Latest"], "MaxResults": PAGE});
        due.push(ec2("DescribeLaunchTemplateVersions", versions));
    }
    due.extend(launch_configuration::calls(into));
    due
}

fn found(scope: &Scope, group: &Value) -> Option<Live> {
    let key = tagged_key(scope, Kind::AutoScalingGroup, &tags(group))?;
    Some(live(scope, key, group))
}

/// A group that somebody else made, by eksctl's name of the node group or its own. Those of managed node groups are EKS's.
fn of_somebody(scope: &Scope, group: &Value) -> Option<Live> {
    let all = tags(group);
    let name = all.get("alpha.eksctl.io/nodegroup-name").map_or_else(|| text(group, NAME), String::as_str);
    let key = Key::new(Kind::AutoScalingGroup, name);
    let live = (!all.contains_key("eks:nodegroup-name")).then(|| live(scope, key, group))?;
    (live.owner != Owner::Ours).then_some(live)
}

fn live(scope: &Scope, key: Key, group: &Value) -> Live {
    let all = tags(group);
    let name = text(group, NAME);
    let mut subnets: Vec<&str> = text(group, "VPCZoneIdentifier")
        .split(',')
        .map(str::trim)
        .filter(|subnet| !subnet.is_empty())
        .collect();
    subnets.sort_unstable();
    let names_in = |list: &str, member: &str| {
        let mut names: Vec<String> =
            items(group, list).iter().map(|each| text(each, member).to_owned()).collect();
        names.sort();
        names
    };
    let mixed = group.get("MixedInstancesPolicy").filter(|mixed| mixed.is_object());
    let actual = object([
        (NAME, json!(name)),
        ("MinSize", json!(number(group, "MinSize"))),
        ("MaxSize", json!(number(group, "MaxSize"))),
        ("DesiredCapacity", json!(number(group, "DesiredCapacity"))),
        ("SubnetIds", json!(subnets)),
        ("LaunchTemplate", group.get("LaunchTemplate").map_or(Value::Null, specification)),
        (NAMED, json!(some_text(group, NAMED))),
        ("MixedInstancesPolicy", mixed.map_or(Value::Null, policy)),
        ("CapacityRebalance", json!(flag(group, "CapacityRebalance"))),
        ("MaxInstanceLifetime", json!(number(group, "MaxInstanceLifetime").filter(|seconds| *seconds > 0))),
        ("LoadBalancerNames", json!(texts(group, "LoadBalancerNames"))),
        ("TargetGroupARNs", json!(texts(group, "TargetGroupARNs"))),
        ("SuspendedProcesses", json!(names_in("SuspendedProcesses", "ProcessName"))),
        ("EnabledMetrics", json!(names_in("EnabledMetrics", "Metric"))),
    ]);
    let mut outputs = BTreeMap::from([
        ("id".to_owned(), json!(name)),
        ("arn".to_owned(), json!(text(group, "AutoScalingGroupARN"))),
        ("createdAt".to_owned(), json!(text(group, "CreatedTime"))),
        ("instances".to_owned(), json!(items(group, "Instances").len())),
    ]);
    let outdated = outdated_versions(group, &actual);
    if !outdated.is_empty() {
        outputs.insert("outdated".to_owned(), json!(outdated));
    }
    let deleting = some_text(group, "Status").is_some_and(|status| status.starts_with("Delete"));
    let state = if deleting { State::Deleting } else { State::Ready };
    Live { key, id: name.to_owned(), actual, outputs, tags: settable(&all), owner: owner(scope, &all), state }
}

/// Groups whose launch template is not ours and was not read yet.
fn strangers(snapshot: &Snapshot) -> impl Iterator<Item = &Live> {
    let ours =
        |id: &str| snapshot.live.values().any(|live| live.key.kind == Kind::LaunchTemplate && live.id == id);
    snapshot.live.values().filter(move |live| {
        let id = text(specification_of(&live.actual), "LaunchTemplateId");
        live.key.kind == Kind::AutoScalingGroup
            && !live.outputs.contains_key(TEMPLATE)
            && !id.is_empty()
            && !ours(id)
    })
}

/// The versions of templates that are somebody else's; a version that is neither the newest nor the default one is asked
/// for by its number.
fn versions(call: &Call, answer: &Value, into: &mut Snapshot) -> Vec<Call> {
    let found = items(answer, "launchTemplateVersionSet");
    let of = |live: &Live| -> Option<Value> {
        let specification = specification_of(&live.actual);
        let (id, version) = (text(specification, "LaunchTemplateId"), text(specification, "Version"));
        let all = found.iter().filter(|each| text(each, "launchTemplateId") == id);
        let number = |each: &&Value| number(each, "versionNumber");
        let one = match version {
            "$Latest" => all.max_by_key(number),
            "$Default" | "" => all.filter(|each| flag(each, "defaultVersion")).max_by_key(number),
            version => all.filter(|each| text(each, "versionNumber") == version).max_by_key(number),
        }?;
        let data = launch_template_data(&one["launchTemplateData"]);
        Some(json!({"id": id, "name": text(one, "launchTemplateName"), "data": data}))
    };
    let read: Vec<(Key, Value)> =
        strangers(into).filter_map(|live| Some((live.key.clone(), of(live)?))).collect();
    for (key, template) in read {
        if let Some(live) = into.live.get_mut(&key) {
            live.outputs.insert(TEMPLATE.to_owned(), template);
        }
    }
    if call.input.get("LaunchTemplateId").is_some() {
        return Vec::new();
    }
    let unread = strangers(into).map(|live| {
        let specification = specification_of(&live.actual);
        let (id, version) = (text(specification, "LaunchTemplateId"), text(specification, "Version"));
        json!({"LaunchTemplateId": id, "Versions": [version]})
    });
    let numbered =
        unread.filter(|input| !text(input, "LaunchTemplateId").is_empty() && input["Versions"][0] != "");
    numbered.map(|input| ec2("DescribeLaunchTemplateVersions", input)).collect()
}

fn specification(specification: &Value) -> Value {
    Value::Object(only(specification, &["LaunchTemplateId", "Version"]))
}

fn policy(mixed: &Value) -> Value {
    let template = &mixed["LaunchTemplate"];
    let distribution = &mixed["InstancesDistribution"];
    let overrides: Vec<Value> = items(template, "Overrides")
        .iter()
        .map(|each| {
            object([
                ("InstanceType", json!(some_text(each, "InstanceType"))),
                ("InstanceRequirements", each.get("InstanceRequirements").cloned().unwrap_or_default()),
            ])
        })
        .collect();
    let mut found = Map::new();
    for name in DISTRIBUTION {
        if let Some(value) = some_text(distribution, name) {
            let value = if name.starts_with("OnDemand") || name == "SpotInstancePools" {
                json!(value.parse::<i64>().ok())
            } else {
                json!(value)
            };
            found.insert(name.to_owned(), value);
        }
    }
    json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification(&template["LaunchTemplateSpecification"]),
            "Overrides": overrides,
        },
        "InstancesDistribution": found,
    })
}

/// Which template, and which version of it, a group's new instances get.
pub(super) fn specification_of(settings: &Value) -> &Value {
    let mixed = &settings["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"];
    if mixed.is_object() { mixed } else { &settings["LaunchTemplate"] }
}

pub(super) fn template_version(settings: &Value) -> &str {
    text(specification_of(settings), "Version")
}

/// How many instances were launched from which other version.
fn outdated_versions(group: &Value, actual: &Value) -> BTreeMap<String, usize> {
    let current = template_version(actual);
    let mut outdated = BTreeMap::new();
    for instance in items(group, "Instances") {
        let version = instance.get("LaunchTemplate").map_or("", |template| text(template, "Version"));
        if !current.is_empty()
            && !version.is_empty()
            && version != current
            && !text(instance, "LifecycleState").starts_with("Terminat")
        {
            *outdated.entry(version.to_owned()).or_default() += 1;
        }
    }
    outdated
}

/// A replacement of nodes that is under way is told as the state.
fn refreshed(group: &str, answer: &Value, into: &mut Snapshot) {
    let Some(refresh) = items(answer, "InstanceRefreshes").first() else { return };
    let status = text(refresh, "Status");
    if matches!(status, "Pending" | "InProgress" | "Cancelling" | "RollbackInProgress" | "Baking") {
        let named = |live: &&mut Live| live.key.kind == Kind::AutoScalingGroup && live.id == group;
        if let Some(live) = into.live.values_mut().find(named) {
            let done = some_text(refresh, "PercentageComplete").unwrap_or("0");
            live.state = State::Pending(format!("replacing nodes, {done} % done"));
        }
    }
}
