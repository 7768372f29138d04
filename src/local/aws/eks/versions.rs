//! Kubernetes versions: DescribeClusterVersions, UpdateClusterVersion and the way back.

use super::error::ApiError;
use super::faults::Outcome;
use super::insights;
use super::options::{KubernetesVersion, minor_number};
use super::paging::page;
use super::service::{Asked, Service};
use super::state::{Cluster, Upgrade, text, texts};
use super::updates::Target;
use serde_json::{Value, json};
use std::sync::Arc;

/// Minutes that `rollbackConfig.timeoutMinutes` may hold.
const ROLLBACK_MINUTES: std::ops::RangeInclusive<i64> = 120..=10_080;

/// DescribeClusterVersions.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let input = &asked.input;
    if input["clusterType"].as_str().is_some_and(|kind| kind != "eks") {
        return Err(ApiError::parameter("clusterType: there are clusters of type eks only"));
    }
    let wanted = texts(input, "clusterVersions");
    if wanted.iter().any(|minor| service.options.version(minor).is_none()) {
        return Err(ApiError::parameter("unsupported Kubernetes version"));
    }
    let chosen = service.options.versions.iter().filter(|version| {
        let status = status(version);
        (wanted.is_empty() || wanted.contains(&version.minor))
            && (input["defaultOnly"] != true || version.default)
            && input["versionStatus"].as_str().is_none_or(|wanted| wanted == status.0)
            && input["status"].as_str().is_none_or(|wanted| wanted == status.1)
    });
    // Newest first, as the service lists them.
    let items = chosen.map(|version| (format!("{:05}", 99_999 - version.number()), described(version)));
    page("clusterVersions", items.collect::<Vec<_>>(), input).map(Value::Object)
}

fn status(version: &KubernetesVersion) -> (&'static str, &'static str) {
    if version.extended {
        ("EXTENDED_SUPPORT", "extended-support")
    } else {
        ("STANDARD_SUPPORT", "standard-support")
    }
}

fn described(version: &KubernetesVersion) -> Value {
    let (version_status, status) = status(version);
    // About three minors a year; standard support of 14 months, extended support of 12 more. 1.36: 2026-05-20.
    let months = 120 * 24 * 3600;
    let released = 1_779_235_200 + (i64::from(version.number()) - 36) * months;
    let standard = released + 425 * 24 * 3600;
    json!({
        "clusterVersion": version.minor,
        "clusterType": "eks",
        "defaultPlatformVersion": version.platform,
        "defaultVersion": version.default,
        "releaseDate": released,
        "endOfStandardSupportDate": standard,
        "endOfExtendedSupportDate": standard + 365 * 24 * 3600,
        "status": status,
        "versionStatus": version_status,
        "kubernetesPatchVersion": version.patch,
    })
}

/// UpdateClusterVersion: one minor up, or back within the window.
pub fn update(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("name").to_owned();
    let to = asked.text("version").to_owned();
    let refused = |error: ApiError| error.cluster(&name);
    let target = service.options.version(&to).cloned();
    let target = target.ok_or_else(|| refused(ApiError::parameter("unsupported Kubernetes version")))?;
    let now = service.seconds();
    let (id, answer, turn, from, back) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster_mut(&name)?;
        let from = cluster.version().to_owned();
        let back = target.number() < minor_number(&from);
        let kind = if back { "VersionRollback" } else { "VersionUpdate" };
        cluster.require_idle(kind)?;
        if back {
            require_rollback(service, cluster, &target, asked).map_err(refused)?;
        } else {
            require_upgrade(service, cluster, &target, asked).map_err(refused)?;
        }
        let params = [("Version", to.clone()), ("PlatformVersion", target.platform.clone())];
        let answer = cluster.begin(id.clone(), Target::Cluster, kind, &params, now);
        (id, answer, cluster.turn.clone(), from, back)
    };
    let outcome = asked.outcome.clone();
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let view = service.state().cluster(&name).map(|cluster| cluster.view.clone());
        let Ok(view) = view else { return };
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => service.world.update_version(&view, &to).await,
        };
        let (now, at) = (service.seconds(), service.now());
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&name) else { return };
        if result.is_ok() {
            cluster.view["version"] = to.into();
            cluster.view["platformVersion"] = target.platform.into();
            cluster.upgraded = (!back).then_some(Upgrade { from, at });
        }
        cluster.end(&service.model, &id, &now, &result);
    });
    Ok(json!({"update": answer}))
}

fn require_upgrade(
    service: &Service,
    cluster: &Cluster,
    target: &KubernetesVersion,
    asked: &Asked,
) -> Result<(), ApiError> {
    let from = cluster.version();
    if target.number() != minor_number(from) + 1 {
        let message = format!("Unsupported Kubernetes minor version update from {from} to {}", target.minor);
        return Err(ApiError::parameter(message));
    }
    if !asked.input["rollbackConfig"].is_null() {
        return Err(ApiError::parameter("rollbackConfig is for a rollback; this is an upgrade"));
    }
    let behind: Vec<&str> = cluster
        .nodegroups
        .iter()
        .filter(|(_, nodegroup)| text(nodegroup, "version") != from)
        .map(|(name, _)| name.as_str())
        .collect();
    if !behind.is_empty() {
        return Err(ApiError::request(format!(
            "Nodegroups {} must be updated to match cluster version {from} before updating cluster version",
            behind.join(", ")
        )));
    }
    require_ready(service, cluster, "UPGRADE_READINESS", asked)
}

/// Within the window after an upgrade in place, to the minor before it, and nothing newer than the control plane will be.
fn require_rollback(
    service: &Service,
    cluster: &Cluster,
    target: &KubernetesVersion,
    asked: &Asked,
) -> Result<(), ApiError> {
    let refuse = |what: &str| {
        let message =
            format!("Cluster cannot be rolled back from {} to {}: {what}", cluster.version(), target.minor);
        Err(ApiError::request(message))
    };
    if let Some(minutes) = asked.input["rollbackConfig"]["timeoutMinutes"].as_i64()
        && !ROLLBACK_MINUTES.contains(&minutes)
    {
        return Err(ApiError::parameter(format!(
            "rollbackConfig.timeoutMinutes: {minutes} is not between 120 and 10080"
        )));
    }
    let Some(upgrade) = &cluster.upgraded else {
        return refuse("it was not upgraded to its version, or was rolled back already");
    };
    if upgrade.from != target.minor {
        return refuse(&format!("its version before was {}", upgrade.from));
    }
    let passed = service.now().duration_since(upgrade.at);
    if passed.unsigned_abs() > service.options.rollback_window {
        return refuse("the window after the upgrade is over");
    }
    if target.extended && cluster.view["upgradePolicy"]["supportType"] != "EXTENDED" {
        return refuse("that version is in extended support, and the upgrade policy is STANDARD");
    }
    require_ready(service, cluster, "ROLLBACK_READINESS", asked)
}

/// Only insights with ERROR hold back, and none when the call is forced.
fn require_ready(
    service: &Service,
    cluster: &Cluster,
    category: &str,
    asked: &Asked,
) -> Result<(), ApiError> {
    let blocking = insights::of(service, cluster)
        .into_iter()
        .find(|insight| insight["category"] == category && insight["insightStatus"]["status"] == "ERROR");
    match blocking {
        Some(insight) if asked.input["force"] != true => {
            let (name, reason) = (text(&insight, "name"), text(&insight["insightStatus"], "reason"));
            let message = format!(
                "Amazon EKS detected readiness issues: {name} ({reason}). Call ListInsights with category {category}, or set force."
            );
            Err(ApiError::new("InvalidStateException", message))
        }
        _ => Ok(()),
    }
}
