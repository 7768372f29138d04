//! Changes of managed node groups: UpdateNodegroupConfig, UpdateNodegroupVersion.

use super::error::ApiError;
use super::faults::Outcome;
use super::options::minor_number;
use super::service::{Asked, Service};
use super::state::{Cluster, copy, text, texts};
use super::updates::Target;
use super::{node_rules, nodegroups};
use crate::local::aws::world::Issue;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What UpdateNodegroupConfig can change.
const CONFIG: [&str; 6] =
    ["labels", "taints", "scalingConfig", "updateConfig", "nodeRepairConfig", "warmPoolConfig"];

/// Parameters of an update that concern the warm pool, by member.
const WARM_POOL: [(&str, &str); 5] = [
    ("WarmPoolEnabled", "enabled"),
    ("WarmPoolMinSize", "minSize"),
    ("WarmPoolMaxGroupPreparedCapacity", "maxGroupPreparedCapacity"),
    ("WarmPoolState", "poolState"),
    ("WarmPoolReuseOnScaleIn", "reuseOnScaleIn"),
];

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// A change of a node group's description that becomes visible when its update succeeds.
struct Change {
    kind: &'static str,
    params: Vec<(&'static str, String)>,
    after: Value,
}

/// UpdateNodegroupConfig.
pub fn update_config(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    begin(service, asked, |_, view| {
        let input = &asked.input;
        if CONFIG.iter().all(|member| input[*member].is_null()) {
            return Err(ApiError::parameter("the update names nothing to change"));
        }
        let mut after = view.clone();
        let mut params = Vec::new();
        labels(&mut after, &input["labels"], &mut params)?;
        taints(&mut after, &input["taints"], &mut params)?;
        if !input["scalingConfig"].is_null() {
            after["scalingConfig"] = node_rules::scaling(&view["scalingConfig"], &input["scalingConfig"])?;
            for (param, member) in
                [("MinSize", "minSize"), ("MaxSize", "maxSize"), ("DesiredSize", "desiredSize")]
            {
                params.push((param, after["scalingConfig"][member].to_string()));
            }
        }
        if !input["updateConfig"].is_null() {
            after["updateConfig"] = node_rules::update_config(&input["updateConfig"])?;
            for (param, member) in [
                ("MaxUnavailable", "maxUnavailable"),
                ("MaxUnavailablePercentage", "maxUnavailablePercentage"),
            ] {
                if !after["updateConfig"][member].is_null() {
                    params.push((param, after["updateConfig"][member].to_string()));
                }
            }
        }
        node_rules::repair(&input["nodeRepairConfig"])?;
        for member in ["nodeRepairConfig", "warmPoolConfig"] {
            if let Some(changes) = input[member].as_object() {
                let mut merged = view[member].as_object().cloned().unwrap_or_default();
                merged.extend(changes.clone());
                after[member] = Value::Object(merged);
            }
        }
        if !input["nodeRepairConfig"].is_null() {
            params.push(("NodeRepairConfig", after["nodeRepairConfig"].to_string()));
        }
        for (param, member) in WARM_POOL {
            if !input["warmPoolConfig"][member].is_null() {
                params.push((param, plain(&input["warmPoolConfig"][member])));
            }
        }
        Ok(Change { kind: "ConfigUpdate", params, after })
    })
}

fn labels(
    after: &mut Value,
    asked: &Value,
    params: &mut Vec<(&'static str, String)>,
) -> Result<(), ApiError> {
    if asked.is_null() {
        return Ok(());
    }
    let new = asked["addOrUpdateLabels"].as_object().cloned().unwrap_or_default();
    let gone = texts(asked, "removeLabels");
    if let Some(both) = gone.iter().find(|key| new.contains_key(*key)) {
        return Err(ApiError::parameter(format!("the label {both} is to be added and removed")));
    }
    node_rules::labels(new.iter())?;
    let mut labels = after["labels"].as_object().cloned().unwrap_or_else(Map::new);
    labels.retain(|key, _| !gone.contains(key));
    if !new.is_empty() {
        params.push(("LabelsToAdd", Value::Object(new.clone()).to_string()));
    }
    if !gone.is_empty() {
        params.push(("LabelsToRemove", json!(gone).to_string()));
    }
    labels.extend(new);
    after["labels"] = Value::Object(labels);
    Ok(())
}

fn taints(
    after: &mut Value,
    asked: &Value,
    params: &mut Vec<(&'static str, String)>,
) -> Result<(), ApiError> {
    if asked.is_null() {
        return Ok(());
    }
    let list = |member: &str| asked[member].as_array().cloned().unwrap_or_default();
    let (new, gone) = (list("addOrUpdateTaints"), list("removeTaints"));
    let same = |a: &Value, b: &Value| a["key"] == b["key"] && a["effect"] == b["effect"];
    if let Some(both) = gone.iter().find(|taint| new.iter().any(|other| same(taint, other))) {
        return Err(ApiError::parameter(format!(
            "the taint {} is to be added and removed",
            text(both, "key")
        )));
    }
    let mut taints = after["taints"].as_array().cloned().unwrap_or_default();
    taints.retain(|taint| !new.iter().chain(&gone).any(|other| same(taint, other)));
    taints.extend(new.clone());
    let taints = Value::Array(taints);
    node_rules::taints(&taints)?;
    after["taints"] = taints;
    if !new.is_empty() {
        params.push(("TaintsToAdd", Value::Array(new).to_string()));
    }
    if !gone.is_empty() {
        params.push(("TaintsToRemove", Value::Array(gone).to_string()));
    }
    Ok(())
}

/// UpdateNodegroupVersion.
pub fn update_version(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    begin(service, asked, |cluster, view| {
        let input = &asked.input;
        let mut after = view.clone();
        let mut params = Vec::new();
        let before = text(view, "version");
        let custom = view["amiType"] == "CUSTOM";
        if custom && (!input["version"].is_null() || !input["releaseVersion"].is_null()) {
            return Err(ApiError::parameter(
                "version and releaseVersion cannot be given for a node group with an image of one's own",
            ));
        }
        let version = match input["version"].as_str() {
            Some(version) => version,
            None if custom => cluster.version(),
            None => before,
        };
        require_version(cluster, before, version)?;
        if let Some(release) = input["releaseVersion"].as_str() {
            node_rules::release(release, version, text(view, "amiType"))?;
        }
        after["version"] = version.into();
        params.push(("Version", version.to_owned()));
        match input["releaseVersion"].as_str() {
            Some(release) => {
                after["releaseVersion"] = release.into();
                params.push(("ReleaseVersion", release.to_owned()));
            }
            // The newest one; the world tells which.
            None => {
                after.as_object_mut().map(|after| after.remove("releaseVersion"));
            }
        }
        if !input["launchTemplate"].is_null() {
            after["launchTemplate"] = template(&view["launchTemplate"], &input["launchTemplate"])?;
            for (param, member) in [("LaunchTemplateName", "name"), ("LaunchTemplateVersion", "version")] {
                if let Some(value) = after["launchTemplate"][member].as_str() {
                    params.push((param, value.to_owned()));
                }
            }
        }
        Ok(Change { kind: "VersionUpdate", params, after })
    })
}

/// The control plane's minor, or the node group's own for a new image. One minor below the control plane's only while
/// that could be rolled back to it.
fn require_version(cluster: &Cluster, before: &str, version: &str) -> Result<(), ApiError> {
    let current = cluster.version();
    let towards_rollback = cluster.upgraded.as_ref().is_some_and(|upgrade| upgrade.from == version)
        && minor_number(version) + 1 == minor_number(current);
    if version == current || version == before || towards_rollback {
        return Ok(());
    }
    Err(ApiError::parameter(format!(
        "Unsupported nodegroup version update from {before} to {version}: the version of the cluster is {current}"
    )))
}

fn template(before: &Value, asked: &Value) -> Result<Value, ApiError> {
    if before.is_null() {
        return Err(ApiError::parameter(
            "A launch template can be given only for a node group that was created with one",
        ));
    }
    if asked["id"].is_null() == asked["name"].is_null() {
        return Err(ApiError::parameter("launchTemplate: either the name or the id is needed, not both"));
    }
    for member in ["id", "name"] {
        if !asked[member].is_null() && !before[member].is_null() && asked[member] != before[member] {
            return Err(ApiError::parameter(format!(
                "launchTemplate: the {member} differs from the {} that the node group was created with",
                before[member]
            )));
        }
    }
    let mut after = before.clone();
    copy(asked, &["id", "name", "version"], &mut after);
    Ok(after)
}

fn begin(
    service: &Arc<Service>,
    asked: &Asked,
    change: impl FnOnce(&Cluster, &Value) -> Result<Change, ApiError>,
) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName").to_owned(), asked.text("nodegroupName").to_owned());
    let refused = |error: ApiError| error.cluster(&cluster_name).with("nodegroupName", &name);
    let now = service.seconds();
    let target = Target::Nodegroup(name.clone());
    let (id, after, answer, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster_mut(&cluster_name)?;
        let view =
            cluster.nodegroups.get(&name).ok_or_else(|| nodegroups::not_found(&cluster_name, &name))?;
        if let Some(id) = cluster.running(&target) {
            let message =
                format!("Nodegroup {name} of cluster {cluster_name} has the update {id} in progress");
            return Err(refused(ApiError::in_use(message)));
        }
        if !matches!(text(view, "status"), "ACTIVE" | "DEGRADED") {
            let message = format!(
                "Nodegroup cannot be updated as it is currently not in Active State but {}",
                text(view, "status")
            );
            return Err(refused(ApiError::request(message)));
        }
        cluster.require_active("InvalidRequestException").map_err(refused)?;
        let change = change(cluster, view).map_err(refused)?;
        let answer = cluster.begin(id.clone(), target, change.kind, &change.params, now);
        (id, change, answer, cluster.turn.clone())
    };
    let (outcome, force) = (asked.outcome.clone(), asked.input["force"] == true);
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => applied(&service, &cluster_name, after, force).await,
        };
        let now = service.seconds();
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        let result = result.map(|mut view| {
            // Tags may have changed meanwhile.
            if let Some(current) = cluster.nodegroups.get(&name) {
                view["tags"] = current["tags"].clone();
            }
            cluster.nodegroups.insert(name, view);
        });
        cluster.end(&service.model, &id, &now, &result);
    });
    Ok(json!({"update": answer}))
}

async fn applied(service: &Service, cluster: &str, change: Change, force: bool) -> Result<Value, Issue> {
    let view = service.state().cluster(cluster).map(|cluster| cluster.view.clone()).unwrap_or_default();
    let mut after = change.after;
    if change.kind == "ConfigUpdate" {
        service.world.update_nodegroup_config(&view, &after).await?;
    } else {
        let facts = service.world.update_nodegroup_version(&view, &after, force).await?;
        nodegroups::take_facts(&mut after, &facts);
    }
    Ok(after)
}
