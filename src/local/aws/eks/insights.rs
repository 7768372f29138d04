//! Insights: what a test sets, and the readiness for a rollback while one is possible (user guide, "Roll back a cluster to
//! a previous Kubernetes version"): no node and no add-on may be too new for the version before.

use super::catalogue::Product;
use super::error::ApiError;
use super::options::minor_number;
use super::paging::page;
use super::service::{Asked, Service};
use super::state::{Cluster, copy, text, texts};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a summary has of an insight.
const SUMMARY: [&str; 8] = [
    "id",
    "name",
    "category",
    "kubernetesVersion",
    "lastRefreshTime",
    "lastTransitionTime",
    "description",
    "insightStatus",
];

/// The insights of a cluster now.
#[must_use]
pub fn of(service: &Service, cluster: &Cluster) -> Vec<Value> {
    let mut insights = cluster.insights.clone();
    let Some(upgrade) = &cluster.upgraded else { return insights };
    if service.now().duration_since(upgrade.at).unsigned_abs() > service.options.rollback_window {
        return insights;
    }
    let before = upgrade.from.as_str();
    let nodes =
        cluster.nodegroups.values().filter(|view| minor_number(text(view, "version")) > minor_number(before));
    let nodes =
        nodes.map(|view| (text(view, "nodegroupName"), text(view, "nodegroupArn"))).collect::<Vec<_>>();
    let addons = cluster.addons.values().filter(|view| {
        let offered = Product::of(text(view, "addonName"))
            .map(|product| product.versions_for(&service.options, before))
            .unwrap_or_default();
        !offered.iter().any(|version| version == text(view, "addonVersion"))
    });
    let addons = addons.map(|view| (text(view, "addonName"), text(view, "addonArn"))).collect::<Vec<_>>();
    let now = service.seconds();
    insights.push(readiness("Kubelet version skew", before, &nodes, &now));
    insights.push(readiness("EKS add-on version compatibility", before, &addons, &now));
    insights
}

/// An insight about resources that are too new for a version.
fn readiness(name: &str, version: &str, too_new: &[(&str, &str)], now: &Value) -> Value {
    let status = if too_new.is_empty() { "PASSING" } else { "ERROR" };
    let names: Vec<&str> = too_new.iter().map(|(name, _)| *name).collect();
    let reason = if too_new.is_empty() {
        format!("nothing is too new for {version}")
    } else {
        format!("too new for {version}: {}", names.join(", "))
    };
    let resources = too_new.iter().map(|(_, arn)| json!({"arn": arn, "insightStatus": {"status": "ERROR"}}));
    json!({
        "id": format!("rollback-{}", name.to_lowercase().replace(' ', "-")),
        "name": name,
        "category": "ROLLBACK_READINESS",
        "kubernetesVersion": version,
        "lastRefreshTime": now,
        "lastTransitionTime": now,
        "description": format!("What has to be older before the control plane goes back to {version}"),
        "insightStatus": {"status": status, "reason": reason},
        "recommendation": format!("Bring it to a version that goes with {version} first"),
        "resources": resources.collect::<Vec<_>>(),
    })
}

/// ListInsights.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let filter = &asked.input["filter"];
    let matches = |member: &str, value: &str| {
        let wanted = texts(filter, member);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    let insights = of(service, cluster);
    let items = insights
        .iter()
        .filter(|insight| {
            matches("categories", text(insight, "category"))
                && matches("kubernetesVersions", text(insight, "kubernetesVersion"))
                && matches("statuses", text(&insight["insightStatus"], "status"))
        })
        .map(|insight| {
            let mut summary = json!({});
            copy(insight, &SUMMARY, &mut summary);
            (text(insight, "id").to_owned(), summary)
        });
    page("insights", items.collect::<Vec<_>>(), &asked.input).map(Value::Object)
}

/// DescribeInsight.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let id = asked.text("id");
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    let insight = of(service, cluster).into_iter().find(|insight| insight["id"] == id).ok_or_else(|| {
        ApiError::not_found(format!("No insight found for ID: {id}")).cluster(cluster.name())
    })?;
    Ok(json!({"insight": insight}))
}

/// StartInsightsRefresh.
pub fn start_refresh(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("clusterName").to_owned();
    let now = service.seconds();
    let turn = {
        let mut state = service.state();
        let cluster = state.cluster_mut(&name)?;
        cluster.require_usable()?;
        if cluster.refresh.as_ref().is_some_and(|refresh| refresh["status"] == "IN_PROGRESS") {
            return Err(ApiError::request("an insights refresh is in progress").cluster(&name));
        }
        cluster.refresh = Some(json!({"status": "IN_PROGRESS", "startedAt": now}));
        cluster.turn.clone()
    };
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let now = service.seconds();
        if let Ok(cluster) = service.state().cluster_mut(&name) {
            for insight in &mut cluster.insights {
                insight["lastRefreshTime"] = now.clone();
            }
            if let Some(refresh) = &mut cluster.refresh {
                refresh["status"] = "COMPLETED".into();
                refresh["endedAt"] = now;
            }
        }
    });
    Ok(json!({"message": "Insights refresh started", "status": "IN_PROGRESS"}))
}

/// DescribeInsightsRefresh.
pub fn describe_refresh(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    let none = || ApiError::not_found("No insights refresh was started").cluster(cluster.name());
    cluster.refresh.clone().ok_or_else(none)
}
