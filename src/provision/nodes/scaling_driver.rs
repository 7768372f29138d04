//! How an Auto Scaling group is read, made, changed and taken away.

use crate::model::cloud::{Call, Service};
use crate::provision::network::answer::{flag, items, number, object, only, some_text, tags, text, texts};
use crate::provision::network::ec2::{filters, fixed, keep, tag_differences, tagged_key};
use crate::provision::owner::{owner, settable};
use crate::provision::resource::{
    CLUSTER_TAG, Difference, Driver, Kind, Live, Mend, Resource, Scope, Snapshot, State,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All metrics of a group of instances, for files that name none.
pub const METRICS: [&str; 8] = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
];

const NAME: &str = "AutoScalingGroupName";
/// Members that UpdateAutoScalingGroup changes.
const UPDATED: [&str; 4] = ["MinSize", "MaxSize", "CapacityRebalance", "MaxInstanceLifetime"];
const DISTRIBUTION: [&str; 5] = [
    "OnDemandBaseCapacity",
    "OnDemandPercentageAboveBaseCapacity",
    "SpotAllocationStrategy",
    "SpotInstancePools",
    "SpotMaxPrice",
];
/// Lists that are added to and removed from: member, what adds, what removes, and the member of these calls.
const LISTS: [(&str, &str, &str, &str); 4] = [
    ("LoadBalancerNames", "AttachLoadBalancers", "DetachLoadBalancers", "LoadBalancerNames"),
    (
        "TargetGroupARNs",
        "AttachLoadBalancerTargetGroups",
        "DetachLoadBalancerTargetGroups",
        "TargetGroupARNs",
    ),
    ("SuspendedProcesses", "SuspendProcesses", "ResumeProcesses", "ScalingProcesses"),
    ("EnabledMetrics", "EnableMetricsCollection", "DisableMetricsCollection", "Metrics"),
];

fn scaling(operation: &str, input: Value) -> Call {
    Call::new(Service::AutoScaling, operation, input)
}

/// [`Kind::AutoScalingGroup`]. Declared: as CreateAutoScalingGroup takes it, with `SubnetIds` instead of
/// `VPCZoneIdentifier`, and beside that `SuspendedProcesses`, `EnabledMetrics`, `KeepDesiredCapacity` (compare the wanted
/// number of nodes as well), `MinHealthyPercentage` (of a replacement of nodes).
#[derive(Clone, Copy, Debug)]
pub struct AutoScalingGroupDriver;

impl Driver for AutoScalingGroupDriver {
    fn kind(&self) -> Kind {
        Kind::AutoScalingGroup
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, _: &[Resource]) -> Vec<Call> {
        let ours = filters(&[(&format!("tag:{CLUSTER_TAG}"), vec![scope.cluster.clone()])]);
        vec![scaling("DescribeAutoScalingGroups", json!({"Filters": ours, "MaxRecords": 100}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        _: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.operation == "DescribeInstanceRefreshes" {
            refreshed(text(&call.input, NAME), answer, into);
            return Vec::new();
        }
        let mut refreshes = Vec::new();
        for group in items(answer, "AutoScalingGroups") {
            let Some(live) = found(scope, group) else { continue };
            if live.outputs.contains_key("outdated") && live.state == State::Ready {
                // Asked only while there is something to replace.
                refreshes.push(scaling("DescribeInstanceRefreshes", json!({NAME: live.id, "MaxRecords": 1})));
            }
            keep(into, live, |_| false);
        }
        refreshes
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let members = [
            NAME,
            "MinSize",
            "MaxSize",
            "DesiredCapacity",
            "LaunchTemplate",
            "MixedInstancesPolicy",
            "CapacityRebalance",
            "MaxInstanceLifetime",
            "LoadBalancerNames",
            "TargetGroupARNs",
        ];
        let mut input = only(desired, &members);
        input.retain(|_, value| *value != json!([]));
        input.insert("VPCZoneIdentifier".to_owned(), json!(texts(desired, "SubnetIds").join(",")));
        input.insert("Tags".to_owned(), tag_input(text(desired, NAME), tags));
        scaling("CreateAutoScalingGroup", Value::Object(input))
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
        let way_out = "an Auto Scaling group keeps its name: give the node group a new name";
        let mut differences = fixed(desired, live, &[NAME], way_out);
        differences.extend(updates(desired, live));
        differences.extend(LISTS.iter().flat_map(|list| list_differences(*list, desired, live)));
        differences.extend(outdated(desired, live));
        differences.extend(tag_differences(
            tags,
            live,
            |missing| scaling("CreateOrUpdateTags", json!({"Tags": tag_input(&live.id, missing)})),
            |key| {
                let tag = json!({"ResourceId": live.id, "ResourceType": "auto-scaling-group", "Key": key});
                scaling("DeleteTags", json!({"Tags": [tag]}))
            },
        ));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![scaling("DeleteAutoScalingGroup", json!({NAME: live.id, "ForceDelete": true}))]
    }
}

/// Tags as the API takes them. All go to the instances but our own marks, which say what the group itself is.
fn tag_input(group: &str, tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| {
            json!({
                "ResourceId": group,
                "ResourceType": "auto-scaling-group",
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": !key.starts_with("portolan.dev/"),
            })
        })
        .collect()
}

fn found(scope: &Scope, group: &Value) -> Option<Live> {
    let all = tags(group);
    let key = tagged_key(scope, Kind::AutoScalingGroup, &all)?;
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
    Some(Live {
        key,
        id: name.to_owned(),
        actual,
        outputs,
        tags: settable(&all),
        owner: owner(scope, &all),
        state,
    })
}

fn specification(specification: &Value) -> Value {
    Value::Object(only(specification, &["LaunchTemplateId", "Version"]))
}

fn policy(mixed: &Value) -> Value {
    let template = &mixed["LaunchTemplate"];
    let distribution = &mixed["InstancesDistribution"];
    let overrides: Vec<Value> = items(template, "Overrides")
        .iter()
        .map(|each| json!({"InstanceType": text(each, "InstanceType")}))
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

/// The template's version that a group's new instances get.
fn template_version(settings: &Value) -> &str {
    let mixed = &settings["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"];
    some_text(&settings["LaunchTemplate"], "Version").unwrap_or_else(|| text(mixed, "Version"))
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

/// What UpdateAutoScalingGroup changes, by one call.
fn updates(desired: &Value, live: &Live) -> Vec<Difference> {
    let mut changed: Vec<(&str, Value)> = Vec::new();
    let mut input = Map::from_iter([(NAME.to_owned(), json!(live.id))]);
    let wanted = texts(desired, "SubnetIds");
    if !wanted.is_empty() && wanted != texts(&live.actual, "SubnetIds") {
        changed.push(("SubnetIds", json!(wanted)));
        input.insert("VPCZoneIdentifier".to_owned(), json!(wanted.join(",")));
    }
    let keeps_size = desired.get("KeepDesiredCapacity") == Some(&json!(true));
    for name in UPDATED.into_iter().chain(keeps_size.then_some("DesiredCapacity")) {
        let declared = desired.get(name);
        if declared.is_some_and(|declared| Some(declared) != live.actual.get(name)) {
            changed.push((name, desired[name].clone()));
            input.insert(name.to_owned(), desired[name].clone());
        }
    }
    for name in ["LaunchTemplate", "MixedInstancesPolicy"] {
        let (declared, actual) = (&desired[name], live.actual.get(name).unwrap_or(&Value::Null));
        if !declared.is_null() && !covers(declared, actual) {
            changed.push((name, declared.clone()));
            input.insert(name.to_owned(), declared.clone());
        }
    }
    let call = scaling("UpdateAutoScalingGroup", Value::Object(input));
    let field = |(name, declared): (&str, Value)| Difference {
        field: format!("/{name}"),
        actual: live.actual.get(name).cloned().unwrap_or(Value::Null),
        declared,
        mend: Mend::InPlace(call.clone()),
    };
    changed.into_iter().map(field).collect()
}

/// Whether all that is declared is so; the service fills in the rest of a distribution. Lists are in order: the best
/// instance type comes first.
fn covers(declared: &Value, actual: &Value) -> bool {
    match (declared, actual) {
        (Value::Object(declared), Value::Object(actual)) => {
            declared.iter().all(|(name, value)| actual.get(name).is_some_and(|found| covers(value, found)))
        }
        (Value::String(declared), Value::String(actual)) => {
            // A price comes back with as many digits as the service likes.
            declared == actual
                || matches!((declared.parse::<f64>(), actual.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
        }
        (declared, actual) => declared == actual,
    }
}

fn list_differences(
    (name, add, remove, member): (&str, &str, &str, &str),
    desired: &Value,
    live: &Live,
) -> Vec<Difference> {
    let (wanted, found) = (texts(desired, name), texts(&live.actual, name));
    let missing: Vec<&String> = wanted.iter().filter(|each| !found.contains(each)).collect();
    let extra: Vec<&String> = found.iter().filter(|each| !wanted.contains(each)).collect();
    let call = |operation: &str, values: &[&String]| {
        let mut input =
            Map::from_iter([(NAME.to_owned(), json!(live.id)), (member.to_owned(), json!(values))]);
        if operation == "EnableMetricsCollection" {
            input.insert("Granularity".to_owned(), json!("1Minute"));
        }
        Mend::InPlace(scaling(operation, Value::Object(input)))
    };
    let field = format!("/{name}");
    let added = missing.iter().map(|value| Difference {
        field: field.clone(),
        declared: json!(value),
        actual: Value::Null,
        mend: call(add, &missing),
    });
    let removed = extra.iter().map(|value| Difference {
        field: field.clone(),
        declared: Value::Null,
        actual: json!(value),
        mend: call(remove, &extra),
    });
    added.chain(removed).collect()
}

/// Instances of another version of the template than the group has now, replaced a part at a time.
fn outdated(desired: &Value, live: &Live) -> Option<Difference> {
    let outdated = live.outputs.get("outdated").and_then(Value::as_object)?;
    // First the group gets the right version: instances are launched from what it has.
    if template_version(desired) != template_version(&live.actual) {
        return None;
    }
    let nodes: u64 = outdated.values().filter_map(Value::as_u64).sum();
    let preferences = json!({"MinHealthyPercentage": desired["MinHealthyPercentage"], "SkipMatching": true});
    let input = json!({NAME: live.id, "Strategy": "Rolling", "Preferences": preferences});
    let words = format!(
        "{nodes} nodes are replaced; Auto Scaling terminates them without draining: run a node termination handler, or \
         move to a managed node group"
    );
    Some(Difference {
        field: "/Instances".to_owned(),
        declared: json!({template_version(desired): nodes}),
        actual: json!(outdated),
        mend: Mend::Rolling(scaling("StartInstanceRefresh", input), words),
    })
}
