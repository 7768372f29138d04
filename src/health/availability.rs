//! HorizontalPodAutoscaler and PodDisruptionBudget.

use super::Subject;
use super::conditions::Conditions;
use super::fields::explain;
use crate::model::{Assessment, Health};
use serde_json::Value;

/// Where `autoscaling/v1`, which has no conditions, keeps those of `autoscaling/v2`: a JSON list.
const V1_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// What an autoscaler cannot mend by itself (Argo CD `health_hpa.go`): type and reason of the condition.
const BROKEN: [(&str, &str); 8] = [
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedComputeMetricsReplicas"),
    ("ScalingActive", "FailedGetExternalMetric"),
    ("ScalingActive", "FailedGetObjectMetric"),
    ("ScalingActive", "FailedGetPodsMetric"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "InvalidSelector"),
];

/// Argo CD's rule, since kstatus has none: Degraded when it has no target or no metrics, healthy when it can scale.
pub(super) fn autoscaler(subject: &Subject<'_>) -> Assessment {
    // The annotation's own list has to outlive the conditions read from it.
    let annotated: Value = subject
        .object
        .annotation(V1_CONDITIONS)
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let from_annotation = Conditions::from_list(annotated.as_array().map_or(&[], Vec::as_slice));
    let conditions =
        if subject.conditions.iter().next().is_some() { &subject.conditions } else { &from_annotation };
    if let Some(broken) = conditions.iter().find(|c| BROKEN.contains(&(c.kind, c.reason))) {
        return Assessment::new(Health::Degraded, broken.explain());
    }
    if conditions.is_true("AbleToScale") || conditions.is_true("ScalingLimited") {
        return Assessment::healthy();
    }
    Assessment::new(Health::Progressing, "not yet able to scale")
}

/// kstatus: healthy when the controller has seen it. Argo CD: Degraded when it cannot be computed at all
/// (`SyncFailed`); too few pods is a fact about the pods, not a fault of the budget (argo-cd#20171).
pub(super) fn disruption_budget(subject: &Subject<'_>) -> Assessment {
    let refusals =
        || subject.conditions.iter().filter(|c| c.kind == "DisruptionAllowed" && c.status == "False");
    if let Some(failed) = refusals().find(|condition| condition.reason != "InsufficientPods") {
        return Assessment::new(
            Health::Degraded,
            explain("disruption budget not computed", &failed.explain()),
        );
    }
    if refusals().next().is_some() {
        return Assessment::new(Health::Healthy, "no disruption allowed: too few pods");
    }
    let seen = subject.body.pointer("/status/observedGeneration").is_some()
        || subject.conditions.get("DisruptionAllowed").is_some();
    if seen { Assessment::healthy() } else { Assessment::new(Health::Progressing, "not yet observed") }
}
