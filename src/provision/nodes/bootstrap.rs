//! How nodes join: the user data of a node group.

use super::labels;
use super::user_data::{MIME, POWERSHELL, TOML, node_config};
use crate::model::cluster_config::{
    AmiFamily, InlineDocument, NodeGroup, NodeGroupBase, NodeGroupTaint, TaintEffect,
};
use crate::provision::network::{CERTIFICATE_AUTHORITY, ENDPOINT, Problem, SERVICE_CIDR, cluster};
use crate::provision::resource::Scope;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Settings that EKS writes into the user data of managed Bottlerocket nodes itself.
const WRITTEN_BY_EKS: [&str; 4] = ["api-server", "cluster-certificate", "cluster-dns-ip", "cluster-name"];
/// Settings that are members of the node group.
const OF_THE_GROUP: [&str; 2] = ["node-labels", "node-taints"];

/// Whether the file names an AMI by its id. `auto`, `auto-ssm` and `static` all mean the newest of the family.
#[must_use]
pub fn own_image(group: &NodeGroupBase) -> Option<&str> {
    group.ami.as_deref().filter(|ami| ami.starts_with("ami-"))
}

/// User data of a managed node group; null when it needs none: EKS adds what makes a node join, unless the AMI is one of
/// the person's own.
///
/// # Errors
/// Settings that cannot be acted on.
pub fn managed(scope: &Scope, group: &NodeGroupBase, at: &str) -> Result<Value, Problem> {
    let family = group.ami_family.unwrap_or_default();
    let joins = own_image(group).is_some();
    if family.is_windows() {
        return windows(group, at);
    }
    if family.is_bottlerocket() {
        let mut settings = bottlerocket_settings(group, at, true)?;
        if joins {
            join_bottlerocket(scope, group, None, &mut settings);
        }
        return Ok(if settings.is_empty() { Value::Null } else { json!({TOML: {"settings": settings}}) });
    }
    let mut configs = Vec::new();
    if joins {
        configs.push(joining(scope, group, Map::new()));
    } else if let Some(most) = group.max_pods_per_node {
        configs.push(node_config(json!({"kubelet": {"config": {"maxPods": most}}})));
    }
    Ok(linux(group, configs))
}

/// User data of a self-managed node group.
///
/// # Errors
/// An operating system, or settings, that cannot be acted on.
pub fn self_managed(scope: &Scope, group: &NodeGroup, at: &str) -> Result<Value, Problem> {
    let base = &group.base;
    match base.ami_family.unwrap_or_default() {
        AmiFamily::AmazonLinux2023 => {
            let mut kubelet = group.kubelet_extra_config.clone().unwrap_or_default();
            if let Some(dns) = &group.cluster_dns {
                kubelet.insert("clusterDNS".to_owned(), json!([dns]));
            }
            Ok(linux(base, vec![joining(scope, base, kubelet)]))
        }
        AmiFamily::Bottlerocket => {
            if group.kubelet_extra_config.is_some() {
                return Err(Problem::refused(
                    format!("{at}/kubeletExtraConfig"),
                    "Bottlerocket takes the kubelet's settings under bottlerocket.settings.kubernetes",
                ));
            }
            let mut settings = bottlerocket_settings(base, at, false)?;
            join_bottlerocket(scope, base, group.cluster_dns.as_deref(), &mut settings);
            Ok(json!({TOML: {"settings": settings}}))
        }
        other => Err(Problem::refused(
            format!("{at}/amiFamily"),
            format!("self-managed nodes with {other:?} are not supported: make it a managed node group"),
        )),
    }
}

fn linux(group: &NodeGroupBase, mut configs: Vec<Value>) -> Value {
    // Where several NodeConfigs are given, nodeadm merges them and the last one counts.
    configs.extend(group.override_bootstrap_command.as_deref().map(Value::from));
    if configs.is_empty() && group.pre_bootstrap_commands.is_empty() {
        return Value::Null;
    }
    json!({MIME: {"NodeConfigs": configs, "Scripts": group.pre_bootstrap_commands}})
}

/// The NodeConfig that makes a node join. nodeadm computes the address of the cluster's DNS from `cidr`.
fn joining(scope: &Scope, group: &NodeGroupBase, mut kubelet: InlineDocument) -> Value {
    if let Some(most) = group.max_pods_per_node {
        kubelet.insert("maxPods".to_owned(), json!(most));
    }
    let mut flags = Vec::new();
    let labels: Vec<String> =
        labels(scope, group).iter().map(|(key, value)| format!("{key}={value}")).collect();
    flags.push(format!("--node-labels={}", labels.join(",")));
    if !group.taints.is_empty() {
        let taints: Vec<String> =
            group.taints.iter().map(|taint| format!("{}={}", taint.key, value_and_effect(taint))).collect();
        flags.push(format!("--register-with-taints={}", taints.join(",")));
    }
    let cluster = cluster(scope);
    node_config(json!({
        "cluster": {
            "name": scope.cluster,
            "apiServerEndpoint": cluster.output(ENDPOINT),
            "certificateAuthority": cluster.output(CERTIFICATE_AUTHORITY),
            "cidr": cluster.output(SERVICE_CIDR),
        },
        "kubelet": {"config": kubelet, "flags": flags},
    }))
}

fn value_and_effect(taint: &NodeGroupTaint) -> String {
    let effect = match taint.effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    };
    format!("{}:{effect}", taint.value)
}

/// The settings that the file gives, and those that follow from the group's members.
fn bottlerocket_settings(
    group: &NodeGroupBase,
    at: &str,
    managed: bool,
) -> Result<Map<String, Value>, Problem> {
    let declared = group.bottlerocket.as_ref();
    let mut settings = declared.and_then(|declared| declared.settings.clone()).unwrap_or_default();
    let at = format!("{at}/bottlerocket/settings");
    let mut kubernetes = match settings.remove("kubernetes") {
        None => Map::new(),
        Some(Value::Object(kubernetes)) => kubernetes,
        Some(_) => return Err(Problem::refused(format!("{at}/kubernetes"), "it has to be an object")),
    };
    let foreign = OF_THE_GROUP.iter().chain(WRITTEN_BY_EKS.iter().filter(|_| managed));
    if let Some(name) = foreign.copied().find(|name| kubernetes.contains_key(*name)) {
        let words = if OF_THE_GROUP.contains(&name) {
            "labels and taints are members of the node group"
        } else {
            "EKS sets it"
        };
        return Err(Problem::refused(format!("{at}/kubernetes/{name}"), words));
    }
    if let Some(most) = group.max_pods_per_node {
        kubernetes.insert("max-pods".to_owned(), json!(most));
    }
    if !kubernetes.is_empty() {
        settings.insert("kubernetes".to_owned(), Value::Object(kubernetes));
    }
    if let Some(enabled) = declared.and_then(|declared| declared.enable_admin_container) {
        let mut whole = Value::Object(settings);
        whole["host-containers"]["admin"]["enabled"] = json!(enabled);
        settings = whole.as_object().cloned().unwrap_or_default();
    }
    Ok(settings)
}

fn join_bottlerocket(
    scope: &Scope,
    group: &NodeGroupBase,
    dns: Option<&str>,
    settings: &mut Map<String, Value>,
) {
    let cluster = cluster(scope);
    let mut taints: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for taint in &group.taints {
        taints.entry(&taint.key).or_default().push(value_and_effect(taint));
    }
    let mut kubernetes = settings.get("kubernetes").and_then(Value::as_object).cloned().unwrap_or_default();
    kubernetes.insert("api-server".to_owned(), cluster.output(ENDPOINT));
    kubernetes.insert("cluster-certificate".to_owned(), cluster.output(CERTIFICATE_AUTHORITY));
    kubernetes.insert("cluster-name".to_owned(), json!(scope.cluster));
    kubernetes.insert("node-labels".to_owned(), json!(labels(scope, group)));
    if !taints.is_empty() {
        kubernetes.insert("node-taints".to_owned(), json!(taints));
    }
    if let Some(dns) = dns {
        kubernetes.insert("cluster-dns-ip".to_owned(), json!(dns));
    }
    settings.insert("kubernetes".to_owned(), Value::Object(kubernetes));
}

fn windows(group: &NodeGroupBase, at: &str) -> Result<Value, Problem> {
    let unsupported = [
        ("maxPodsPerNode", group.max_pods_per_node.is_some()),
        ("overrideBootstrapCommand", group.override_bootstrap_command.is_some()),
        ("ami", own_image(group).is_some()),
    ];
    if let Some((name, _)) = unsupported.iter().find(|(_, is_set)| *is_set) {
        let message =
            "it is not supported on Windows nodes: leave it out, or use a launch template of your own";
        return Err(Problem::refused(format!("{at}/{name}"), message));
    }
    if group.pre_bootstrap_commands.is_empty() {
        return Ok(Value::Null);
    }
    Ok(json!({POWERSHELL: group.pre_bootstrap_commands}))
}
