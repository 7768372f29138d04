//! Ring 1: a live object in, its health out.
//!
//! The rules are those of kstatus (`kubernetes-sigs/cli-utils`, `pkg/kstatus/status`) in Argo CD's words: what kstatus
//! calls Current is Healthy, InProgress and Terminating are Progressing, Failed is Degraded. Where kstatus has no
//! word (something stopped on purpose) or no rule for the kind (HPA, APIService), Argo CD's built-in rule
//! (`gitops-engine/pkg/health`) is taken. Every choice between the two is written at the function that makes it.
//!
//! Nothing here reads a clock: the one rule that needs the time takes it as an argument, and [`reassess_at`] says when
//! its answer changes although the object does not.

mod availability;
mod batch;
mod conditions;
mod extension;
mod fields;
mod generic;
mod network;
mod pod;
mod reason;
mod storage;
mod workload;

pub use batch::awaits_completion;
pub use pod::reassess_at;
pub use reason::why;

use crate::model::{Assessment, Health, Object, ResourceId};
use conditions::Conditions;

/// What a kind's rule reads: the object, and its conditions in an order that does not depend on the server's.
struct Subject<'a> {
    object: &'a Object,
    body: &'a serde_json::Value,
    conditions: Conditions<'a>,
    /// Seconds since 1970-01-01T00:00:00Z.
    now: i64,
}

/// A rule for one kind, asked after the generic signs (deletion, generation, Reconciling and Stalled) said nothing.
type Rule = fn(&Subject<'_>) -> Assessment;

/// The rule of a built-in kind; `None` leaves the object to the generic conditions.
fn rule(group: &str, kind: &str) -> Option<Rule> {
    Some(match (group, kind) {
        ("apps" | "extensions", "Deployment") => workload::deployment,
        ("apps" | "extensions", "ReplicaSet") => workload::replica_set,
        ("apps" | "extensions", "DaemonSet") => workload::daemon_set,
        ("apps", "StatefulSet") => workload::stateful_set,
        ("", "ReplicationController") => workload::replication_controller,
        ("", "Pod") => pod::pod,
        ("batch", "Job") => batch::job,
        ("batch", "CronJob") => batch::cron_job,
        ("argoproj.io", "Workflow") => batch::workflow,
        ("", "Service") => network::service,
        ("networking.k8s.io" | "extensions", "Ingress") => network::ingress,
        ("", "PersistentVolumeClaim") => storage::claim,
        ("", "PersistentVolume") => storage::volume,
        ("autoscaling", "HorizontalPodAutoscaler") => availability::autoscaler,
        ("policy", "PodDisruptionBudget") => availability::disruption_budget,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => extension::definition,
        ("apiregistration.k8s.io", "APIService") => extension::api_service,
        ("", "ConfigMap" | "Secret") => |_| Assessment::healthy(),
        _ => return None,
    })
}

/// Judges one live object. `now` is in seconds since 1970-01-01T00:00:00Z; only an unschedulable Pod needs it.
///
/// The whole object is needed, with `metadata.generation` and `status`. An object that does not exist is not judged
/// here: whoever looked for it says [`Health::Missing`].
///
/// The order is kstatus's (`status.go`, `Compute`): deletion, then [suspension](generic::suspended), then the observed
/// generation, then the conditions Stalled and Reconciling, then the kind's rule, then the Ready condition. An object
/// without any of these is healthy as soon as it exists.
#[must_use]
pub fn assess(object: &Object, now: i64) -> Assessment {
    let body = object.body();
    let subject = Subject { object, body, conditions: Conditions::of(body), now };
    let gvk = object.gvk();
    let rule = rule(&gvk.group, &gvk.kind);
    let assessment = generic::terminating(&subject)
        .or_else(|| generic::suspended(&subject, &gvk))
        .or_else(|| generic::unobserved(&subject))
        .or_else(|| generic::standard_conditions(&subject))
        .unwrap_or_else(|| rule.map_or_else(|| generic::custom(&subject), |rule| rule(&subject)));
    // Names, phases and reasons are the controllers' text as much as messages are.
    Assessment { message: fields::one_line(&assessment.message), ..assessment }
}

/// The health of many objects taken together: that of the worst, with its name and reason.
///
/// Where several are equally bad, the first by identity speaks and the others are counted, so that the answer does not
/// depend on the order of the input. Nothing at all is healthy. Which kinds an application leaves out is the caller's
/// choice: it does not pass them.
#[must_use]
pub fn worst<'a>(objects: impl IntoIterator<Item = (&'a ResourceId, &'a Assessment)>) -> Assessment {
    let mut health = Health::Healthy;
    let mut speaker: Option<(&ResourceId, &Assessment)> = None;
    let mut equal = 0usize;
    for (id, assessment) in objects {
        if assessment.health > health {
            (health, speaker, equal) = (assessment.health, Some((id, assessment)), 1);
        } else if assessment.health == health && health != Health::Healthy {
            equal += 1;
            if speaker.is_none_or(|(first, _)| id < first) {
                speaker = Some((id, assessment));
            }
        }
    }
    let Some((id, assessment)) = speaker else {
        return Assessment::healthy();
    };
    let mut message = id.to_string();
    if !assessment.message.is_empty() {
        message = format!("{message}: {}", assessment.message);
    }
    if equal > 1 {
        message = format!("{message} (and {} more {health})", equal - 1);
    }
    Assessment::new(health, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_object_speaks_and_the_order_does_not_matter() {
        let healthy = (ResourceId::new("", "ConfigMap", "shop", "a"), Assessment::healthy());
        let web =
            (ResourceId::new("apps", "Deployment", "shop", "web"), Assessment::new(Health::Degraded, "no"));
        let api = (
            ResourceId::new("apps", "Deployment", "shop", "api"),
            Assessment::new(Health::Degraded, "quota"),
        );
        let job = (
            ResourceId::new("batch", "Job", "shop", "x"),
            Assessment::new(Health::Progressing, "not started"),
        );
        let all = [&healthy, &web, &api, &job];
        let expected =
            Assessment::new(Health::Degraded, "Deployment.apps shop/api: quota (and 1 more Degraded)");
        assert_eq!(worst(all.iter().map(|(id, a)| (id, a))), expected);
        assert_eq!(worst(all.iter().rev().map(|(id, a)| (id, a))), expected);
        assert_eq!(worst([]), Assessment::healthy());
        assert_eq!(worst([(&healthy.0, &healthy.1)]), Assessment::healthy());
    }
}
