//! How an Auto Scaling group is read, made, changed and taken away.

use super::scaling_read::{self, NAME, scaling, template_version};
use crate::model::cloud::Call;
use crate::provision::network::answer::{only, pointer, text, texts};
use crate::provision::network::ec2::{fixed, tag_differences};
use crate::provision::resource::{Difference, Driver, Kind, Live, Mend, Resource, Scope, Snapshot};
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

/// Member of a declaration: what the file asks and only another template could give, `[[member, declared, found]]`.
pub(super) const BY_TEMPLATE: &str = "ByTemplate";
/// Members that UpdateAutoScalingGroup changes.
const UPDATED: [&str; 4] = ["MinSize", "MaxSize", "CapacityRebalance", "MaxInstanceLifetime"];
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
        scaling_read::reads(scope)
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        scaling_read::absorb(scope, declared, call, answer, into)
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
        match desired.get(BY_TEMPLATE) {
            None => differences.extend(outdated(desired, live)),
            // Nodes of a group that was adopted are not replaced for what somebody else's template says.
            Some(asked) => differences.extend(asked.as_array().into_iter().flatten().map(of_template)),
        }
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

/// A member of the file that only a template of ours could give.
fn of_template(asked: &Value) -> Difference {
    let name = asked[0].as_str().unwrap_or_default().to_owned();
    let words = format!(
        "{name}: the group's launch template was made by somebody else and is left alone: give the changed group a new name, \
         and it is made anew beside this one"
    );
    Difference {
        field: format!("/{BY_TEMPLATE}/{}", pointer(&name)),
        declared: asked[1].clone(),
        actual: asked[2].clone(),
        mend: Mend::Impossible(words),
    }
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
