//! Managed node groups: CreateNodegroup, DescribeNodegroup, UpdateNodegroupConfig, UpdateNodegroupVersion.

use super::api::{
    Listing, aside, create_input, differs, eks, fixed, live, only, sorted, state, strings, tag_differences,
    text,
};
use crate::model::cloud::Call;
use crate::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Resource, Scope, Snapshot, TOKEN,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the nodes say of themselves to eksctl's users; put there by eksctl on groups that it made.
const EKSCTL_LABELS: &str = "alpha.eksctl.io/";

static LISTING: Listing = Listing {
    list: "ListNodegroups",
    items: "nodegroups",
    describe: "DescribeNodegroup",
    which: |name| Some(json!({"nodegroupName": name})),
    thing: "/nodegroup",
    read: found,
};

/// Reads, makes and changes managed node groups.
pub struct NodegroupDriver;

impl Driver for NodegroupDriver {
    fn kind(&self) -> Kind {
        Kind::Nodegroup
    }

    fn listing(&self) -> Option<&'static Listing> {
        Some(&LISTING)
    }

    fn create(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        eks("CreateNodegroup", create_input(scope, desired, &[aside::BY_TEMPLATE], tags, token))
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
        let desired = normalised(desired);
        let mut found = tag_differences(tags, live);
        found.extend(of_config(scope, &desired, live));
        found.extend(of_version(scope, &desired, live));
        found.extend(by_template(&desired));
        found.extend(fixed(
            &desired,
            &live.actual,
            &["/subnets", "/instanceTypes", "/amiType", "/diskSize", "/nodeRole", "/capacityType", "/remoteAccess"],
            "EKS fixes it when a node group is created; give the changed group a new name: it is made beside this one, \
             and this one goes, with an approval, when the new nodes are ready",
        ));
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks("DeleteNodegroup", json!({"clusterName": scope.cluster, "nodegroupName": live.id}))]
    }
}

fn found(scope: &Scope, group: &Value) -> Live {
    let name = text(group, "nodegroupName");
    let members = [
        "nodegroupName",
        "scalingConfig",
        "diskSize",
        "subnets",
        "instanceTypes",
        "amiType",
        "remoteAccess",
        "nodeRole",
        "labels",
        "taints",
        "launchTemplate",
        "updateConfig",
        "nodeRepairConfig",
        "capacityType",
        "version",
        "releaseVersion",
        "warmPoolConfig",
    ];
    let actual = normalised(&Value::Object(only(group, &members)));
    let arn = text(group, "nodegroupArn");
    let mut live = live(scope, Key::new(Kind::Nodegroup, name), name, arn, group, actual, state(group));
    for output in ["version", "releaseVersion", "status"] {
        live.outputs.insert(output.into(), group[output].clone());
    }
    let groups = group["resources"]["autoScalingGroups"].as_array().into_iter().flatten();
    let names: Vec<&str> = groups.map(|group| text(group, "name")).collect();
    live.outputs.insert("autoScalingGroups".into(), json!(names));
    live
}

/// Sets in a fixed order; no warm pool is one that is off.
fn normalised(group: &Value) -> Value {
    let mut group = group.clone();
    for set in ["subnets", "taints"] {
        if let Some(value) = group.get_mut(set) {
            *value = sorted(value);
        }
    }
    if let Some(value) = group.pointer_mut("/remoteAccess/sourceSecurityGroups") {
        *value = sorted(value);
    }
    if let Some(taints) = group.get_mut("taints").and_then(Value::as_array_mut) {
        for taint in taints {
            // A taint without a value is answered with or without an empty one.
            if taint["value"] == json!("") {
                taint.as_object_mut().and_then(|members| members.remove("value"));
            }
        }
    }
    group
}

/// Everything that UpdateNodegroupConfig changes, in one call.
fn of_config(scope: &Scope, desired: &Value, live: &Live) -> Vec<Difference> {
    let mut changed: Vec<(String, Value, Value)> = Vec::new();
    let mut input =
        json!({"clusterName": scope.cluster, "nodegroupName": live.id, "clientRequestToken": TOKEN});

    let (labels, payload) = of_labels(desired, live);
    if !labels.is_empty() {
        input["labels"] = payload;
        changed.extend(labels);
    }
    if let Some((declared, actual)) = differs(desired, &live.actual, "/taints") {
        input["taints"] = of_taints(&declared, &actual);
        changed.push(("/taints".into(), declared, actual));
    }
    let scaling = of_scaling(desired, live);
    if !scaling.is_empty() {
        input["scalingConfig"] = scaling_input(desired, live);
        changed.extend(scaling);
    }
    for member in ["updateConfig", "nodeRepairConfig", "warmPoolConfig"] {
        // EKS fills in what is not given, so each declared member is compared by itself, and all are sent together.
        // A warm pool that the file no longer has is turned off.
        let mut wanted = desired.clone();
        if member == "warmPoolConfig" && wanted[member].is_null() {
            wanted[member] = json!({"enabled": false});
        }
        let desired = &wanted;
        let members = desired[member].as_object().into_iter().flatten();
        let differing: Vec<_> = members
            .filter_map(|(name, _)| {
                let field = format!("/{member}/{name}");
                differs(desired, &live.actual, &field).map(|(declared, actual)| (field, declared, actual))
            })
            .filter(|(_, declared, actual)| !(*declared == json!(false) && actual.is_null()))
            .collect();
        if !differing.is_empty() {
            input[member] = desired[member].clone();
            changed.extend(differing);
        }
    }
    let mend = Mend::InPlace(eks("UpdateNodegroupConfig", input));
    changed
        .into_iter()
        .map(|(field, declared, actual)| Difference { field, declared, actual, mend: mend.clone() })
        .collect()
}

/// Labels are a whole: what the file does not declare is taken off, eksctl's own apart.
fn of_labels(desired: &Value, live: &Live) -> (Vec<(String, Value, Value)>, Value) {
    let empty = Map::new();
    let wanted = desired["labels"].as_object().unwrap_or(&empty);
    let actual = live.actual["labels"].as_object().unwrap_or(&empty);
    let mut put = Map::new();
    let mut take = Vec::new();
    let mut changed = Vec::new();
    for (name, value) in wanted {
        if actual.get(name) != Some(value) {
            put.insert(name.clone(), value.clone());
            let before = actual.get(name).cloned().unwrap_or(Value::Null);
            changed.push((format!("/labels/{}", super::api::pointer(name)), value.clone(), before));
        }
    }
    for (name, value) in actual {
        if !wanted.contains_key(name) && !name.starts_with(EKSCTL_LABELS) {
            take.push(name.clone());
            changed.push((format!("/labels/{}", super::api::pointer(name)), Value::Null, value.clone()));
        }
    }
    let mut payload = Map::new();
    if !put.is_empty() {
        payload.insert("addOrUpdateLabels".into(), Value::Object(put));
    }
    if !take.is_empty() {
        payload.insert("removeLabels".into(), json!(take));
    }
    (changed, Value::Object(payload))
}

/// Taints are a whole as well. Key and effect say which taint it is.
fn of_taints(declared: &Value, actual: &Value) -> Value {
    let which = |taint: &Value| (text(taint, "key").to_owned(), text(taint, "effect").to_owned());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (declared, actual) = (list(declared), list(actual));
    let put: Vec<&Value> = declared.iter().filter(|taint| !actual.contains(taint)).collect();
    let take: Vec<&Value> =
        actual.iter().filter(|taint| !declared.iter().any(|other| which(other) == which(taint))).collect();
    let mut payload = json!({});
    if !put.is_empty() {
        payload["addOrUpdateTaints"] = json!(put);
    }
    if !take.is_empty() {
        payload["removeTaints"] = json!(take);
    }
    payload
}

fn of_scaling(desired: &Value, live: &Live) -> Vec<(String, Value, Value)> {
    ["/scalingConfig/minSize", "/scalingConfig/maxSize", "/scalingConfig/desiredSize"]
        .iter()
        .filter_map(|field| {
            differs(desired, &live.actual, field)
                .map(|(declared, actual)| ((*field).to_owned(), declared, actual))
        })
        .collect()
}

/// The limits, and the desired size only where the file keeps it or the new limits leave it outside.
fn scaling_input(desired: &Value, live: &Live) -> Value {
    let mut input = desired["scalingConfig"].clone();
    if input["desiredSize"].is_null() {
        input.as_object_mut().and_then(|members| members.remove("desiredSize"));
        let size = |value: &Value, member: &str| value["scalingConfig"][member].as_u64();
        if let Some(current) = size(&live.actual, "desiredSize") {
            let least = size(desired, "minSize").unwrap_or(0);
            let most = size(desired, "maxSize").unwrap_or(u64::MAX).max(least);
            if current != current.clamp(least, most) {
                input["desiredSize"] = json!(current.clamp(least, most));
            }
        }
    }
    input
}

/// Version, release and launch template: one UpdateNodegroupVersion, which replaces every node.
fn of_version(scope: &Scope, desired: &Value, live: &Live) -> Vec<Difference> {
    let mut found = Vec::new();
    let template = "/launchTemplate/id";
    let another = differs(desired, &live.actual, template);
    if let Some((declared, actual)) = another.clone() {
        let way_out = "a node group keeps the launch template that it was created with; give the group a new name: it is \
                       made beside this one, and this one goes, with an approval, when the new nodes are ready";
        found.push(Difference {
            field: template.into(),
            declared,
            actual,
            mend: Mend::Impossible(way_out.into()),
        });
    }
    let fields = ["/version", "/releaseVersion", "/launchTemplate/version"];
    let differing: Vec<(&str, Value, Value)> = fields
        .iter()
        .filter(|field| another.is_none() || !field.starts_with("/launchTemplate"))
        .filter_map(|field| {
            differs(desired, &live.actual, field).map(|(declared, actual)| (*field, declared, actual))
        })
        .collect();
    if differing.is_empty() {
        return found;
    }
    let mut input =
        json!({"clusterName": scope.cluster, "nodegroupName": live.id, "clientRequestToken": TOKEN});
    // A custom AMI has no Kubernetes version that EKS knows: it comes with the template.
    for member in ["version", "releaseVersion"] {
        if !desired[member].is_null() && live.actual["amiType"] != json!("CUSTOM") {
            input[member] = desired[member].clone();
        }
    }
    if another.is_none() && live.actual["launchTemplate"].is_object() && desired["launchTemplate"].is_object()
    {
        input["launchTemplate"] = json!({
            "id": live.actual["launchTemplate"]["id"],
            "version": desired["launchTemplate"]["version"],
        });
        if input["launchTemplate"]["version"].is_null() {
            input["launchTemplate"]["version"] = live.actual["launchTemplate"]["version"].clone();
        }
    }
    if desired[aside::UPDATE]["force"] == json!(true) {
        input["force"] = json!(true);
    }
    let mend = Mend::Rolling(eks("UpdateNodegroupVersion", input), cost(live));
    found.extend(differing.into_iter().map(|(field, declared, actual)| Difference {
        field: field.into(),
        declared,
        actual,
        mend: mend.clone(),
    }));
    found
}

/// What the file asks of a group without a launch template, and only one could give.
fn by_template(desired: &Value) -> Option<Difference> {
    let asked = strings(&desired[aside::BY_TEMPLATE]);
    let way_out = format!(
        "the group was made without a launch template, EKS never gives it one later, and {} needs one: take that out of the \
         file, or give the group a new name: it is made beside this one, and this one goes, with an approval, when the new \
         nodes are ready",
        asked.join(", ")
    );
    (!asked.is_empty()).then(|| Difference {
        field: "/launchTemplate".into(),
        declared: json!(asked),
        actual: Value::Null,
        mend: Mend::Impossible(way_out),
    })
}

/// Minutes that EKS takes for a batch of nodes: a new node joins, the old one is drained (15 min at most) and ends.
const MINUTES_A_BATCH: u64 = 5;

/// What replacing all nodes costs.
fn cost(live: &Live) -> String {
    let nodes = live.actual["scalingConfig"]["desiredSize"].as_u64().unwrap_or(0);
    let update = &live.actual["updateConfig"];
    let at_once = update["maxUnavailable"].as_u64().unwrap_or_else(|| {
        update["maxUnavailablePercentage"].as_u64().map_or(1, |percent| (nodes * percent / 100).max(1))
    });
    let minutes = nodes.div_ceil(at_once.max(1)) * MINUTES_A_BATCH;
    match nodes {
        0 => "no node to replace".into(),
        1 => format!("at least 1 node is replaced, about {minutes} min"),
        _ => format!(
            "at least {nodes} nodes are replaced, {} at a time, about {minutes} min",
            at_once.min(nodes)
        ),
    }
}
