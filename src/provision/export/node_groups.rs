//! Managed node groups as a file has them.

use super::own_tags;
use crate::provision::resource::Live;
use serde_json::{Value, json};

/// Operating systems by the beginnings of `amiType`.
const FAMILIES: [(&str, &str); 10] = [
    ("AL2023_", "AmazonLinux2023"),
    ("BOTTLEROCKET_ARM_64_FIPS", "BottlerocketFips"),
    ("BOTTLEROCKET_x86_64_FIPS", "BottlerocketFips"),
    ("BOTTLEROCKET_", "Bottlerocket"),
    ("WINDOWS_CORE_2019_", "WindowsServer2019CoreContainer"),
    ("WINDOWS_FULL_2019_", "WindowsServer2019FullContainer"),
    ("WINDOWS_CORE_2022_", "WindowsServer2022CoreContainer"),
    ("WINDOWS_FULL_2022_", "WindowsServer2022FullContainer"),
    ("WINDOWS_CORE_2025_", "WindowsServer2025CoreContainer"),
    ("WINDOWS_FULL_2025_", "WindowsServer2025FullContainer"),
];

/// One managed node group.
pub(super) fn managed(live: &Live, notes: &mut Vec<String>) -> Value {
    let actual = &live.actual;
    let name = actual["nodegroupName"].as_str().unwrap_or_default();
    let sizes = &actual["scalingConfig"];
    let kinds: Vec<&str> =
        actual["instanceTypes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut group = json!({
        "name": name,
        "minSize": sizes["minSize"],
        "maxSize": sizes["maxSize"],
        "desiredCapacity": sizes["desiredSize"],
        "iam": {"instanceRoleARN": actual["nodeRole"]},
        "subnets": actual["subnets"],
        "labels": labels(&actual["labels"]),
        "taints": taints(&actual["taints"]),
        "tags": own_tags(live),
        "updateConfig": update(&actual["updateConfig"]),
        "nodeRepairConfig": repair(&actual["nodeRepairConfig"]),
    });
    let template = actual["launchTemplate"]["id"].as_str();
    let spot = actual["capacityType"] == "SPOT";
    if spot {
        group["spot"] = json!(true);
    }
    match kinds.as_slice() {
        // The template says it.
        [] => {}
        // One type beside a template is refused by eksctl, a list of one is not.
        [one] if !spot && template.is_none() => group["instanceType"] = json!(one),
        _ => group["instanceTypes"] = json!(kinds),
    }
    match template {
        Some(id) => {
            group["launchTemplate"] = json!({"id": id, "version": actual["launchTemplate"]["version"]});
        }
        None => group["volumeSize"] = actual["diskSize"].clone(),
    }
    match ami_family(actual["amiType"].as_str().unwrap_or_default()) {
        Some(family) => group["amiFamily"] = json!(family),
        None if actual["amiType"] == "CUSTOM" => {}
        None => notes
            .push(format!("node group {name}: the file has no word for its AMI type {}", actual["amiType"])),
    }
    if actual["updateConfig"]["updateStrategy"] == "MINIMAL" {
        notes.push(format!(
            "node group {name}: the file has no word for its update strategy MINIMAL; it stays as it is"
        ));
    }
    if actual["remoteAccess"].is_object() {
        let key = &actual["remoteAccess"]["ec2SshKey"];
        let groups = &actual["remoteAccess"]["sourceSecurityGroups"];
        group["ssh"] = json!({"allow": true, "publicKeyName": key, "sourceSecurityGroupIds": groups});
    }
    group
}

fn ami_family(kind: &str) -> Option<&'static str> {
    FAMILIES.iter().find(|(beginning, _)| kind.starts_with(beginning)).map(|(_, family)| *family)
}

/// Labels without those that eksctl and Portolan put on by themselves.
fn labels(labels: &Value) -> Value {
    let labels = labels.as_object().into_iter().flatten();
    Value::Object(
        labels
            .filter(|(name, _)| !name.starts_with("alpha.eksctl.io/"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn taints(taints: &Value) -> Vec<Value> {
    let effect = |taint: &Value| match taint["effect"].as_str() {
        Some("NO_EXECUTE") => "NoExecute",
        Some("PREFER_NO_SCHEDULE") => "PreferNoSchedule",
        _ => "NoSchedule",
    };
    let taints = taints.as_array().into_iter().flatten();
    taints
        .map(|taint| json!({"key": taint["key"], "value": taint["value"], "effect": effect(taint)}))
        .collect()
}

/// The members are called alike. What EKS takes where nothing is said is left out.
fn repair(config: &Value) -> Value {
    if config["enabled"] == json!(true) { config.clone() } else { Value::Null }
}

fn update(config: &Value) -> Value {
    // What EKS takes where nothing is said.
    if config["maxUnavailable"] == json!(1) {
        return Value::Null;
    }
    json!({"maxUnavailable": config["maxUnavailable"], "maxUnavailablePercentage": config["maxUnavailablePercentage"]})
}
