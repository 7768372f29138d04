//! Conversions between versions of the API that no server does for us, because source and target have none in common.
//!
//! The version is written already; what is left is the form, and what a default of the new version would change in
//! meaning: that is written out.

mod admission;
mod apps;
mod autoscaling;
mod certificates;
mod definitions;
mod ingress;
mod small;

pub use definitions::structural;
pub use ingress::ingress as ingress_form;

use super::work::Work;
use crate::model::Gvk;

/// Brings the form of an object from one version to another.
pub fn convert(work: &mut Work<'_>, from: &Gvk, into: &Gvk) {
    match into.kind.as_str() {
        "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet" if into.group == "apps" => {
            apps::workload(work, from)
        }
        "Ingress" => ingress::ingress(work),
        "IngressClass" => {}
        "CustomResourceDefinition" => definitions::definition(work),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => admission::webhooks(work),
        "HorizontalPodAutoscaler" => autoscaling::autoscaler(work, from),
        "PodDisruptionBudget" => small::budget(work),
        "CronJob" => small::cron_job(work),
        "RuntimeClass" => small::runtime_class(work, from),
        "EndpointSlice" => small::endpoint_slice(work),
        "FlowSchema" | "PriorityLevelConfiguration" => small::flow_control(work),
        "ResourceClaim" | "ResourceClaimTemplate" if into.group == "resource.k8s.io" => small::claim(work),
        _ if into.group == "cert-manager.io" => certificates::certificate(work, from),
        _ => {}
    }
}
