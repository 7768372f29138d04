//! Who makes the load balancers of the target. What the rules leave to the AWS Load Balancer Controller nobody else makes, and
//! EKS brings no such controller of itself (aws-load-balancer-controller docs/guide/service/nlb.md and ingress/ingress_class.md).

use super::sight::{is, name};
use crate::model::migration::Gate;
use crate::model::migration_document::MigrationSpec;
use crate::transform::identity;
use serde_json::Value;

/// How the name of an image of the controller begins.
const CONTROLLER: &str = "aws-load-balancer-controller";
/// What an IngressClass of it names.
const ALB: &str = "ingress.k8s.aws/alb";
/// The choice by which a person answers for load balancers that this does not see a maker of.
const CHOICE: &str = "balancers.no-controller";

/// Whether an object is left to the controller; `all` has the classes of Ingresses.
pub(super) fn is_left<'v>(object: &Value, all: impl IntoIterator<Item = &'v Value>) -> bool {
    let annotation = |key: &str| object.pointer("/metadata/annotations")?.get(key)?.as_str();
    if is(object, "", "Service") {
        let kind = annotation("service.beta.kubernetes.io/aws-load-balancer-type");
        let own = object["spec"]["loadBalancerClass"] == "service.k8s.aws/nlb";
        return object["spec"]["type"] == "LoadBalancer"
            && (own || matches!(kind, Some("external" | "nlb-ip")));
    }
    if object["kind"] != "Ingress" {
        return false;
    }
    let class = object.pointer("/spec/ingressClassName").and_then(Value::as_str);
    let Some(class) = class else { return annotation("kubernetes.io/ingress.class") == Some("alb") };
    let mut classes = all.into_iter().filter(|one| one["kind"] == "IngressClass" && name(one) == class);
    classes.any(|class| class.pointer("/spec/controller").and_then(Value::as_str) == Some(ALB))
}

/// Whether the controller is among some objects.
pub(super) fn has_controller<'v>(all: impl IntoIterator<Item = &'v Value>) -> bool {
    all.into_iter().filter(|one| is(one, "apps", "Deployment")).any(|one| {
        let containers = one.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        let mut images = containers.into_iter().flatten().filter_map(|one| one["image"].as_str());
        images.any(|image| image.rsplit('/').next().is_some_and(|name| name.starts_with(CONTROLLER)))
    })
}

/// What keeps a wave from its hand-over: nobody would make the load balancers of what is started there, and its clients would
/// find nothing on either side. `wanted` is what it starts, `target` what is there.
pub(super) fn lacking(spec: &MigrationSpec, wanted: &[&Value], target: &[Value]) -> Option<Gate> {
    if spec.choices.get(CHOICE).is_some_and(|choice| choice == "accept") {
        return None;
    }
    let all = || wanted.iter().copied().chain(target);
    if has_controller(all()) {
        return None;
    }
    let left = wanted.iter().find(|object| is_left(object, all()))?;
    let what = identity(left).map(|id| id.to_string()).unwrap_or_default();
    Some(uncontrolled(&format!("{what} is to have a load balancer on the target")))
}

/// The gate for an object whose load balancer nobody makes; `what` says which.
pub(super) fn uncontrolled(what: &str) -> Gate {
    Gate::Blocked {
        what: format!("{what}, and nothing makes it: the AWS Load Balancer Controller is not there"),
        way_out: format!(
            "deliver its chart to the target by an Application; where another makes them, record `{CHOICE}: accept` in \
             `spec.choices`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_to_the_controller_says_so() {
        let service = |spec: Value, kind: Option<&str>| {
            let mut one = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}, "spec": spec});
            if let Some(kind) = kind {
                one["metadata"]["annotations"]["service.beta.kubernetes.io/aws-load-balancer-type"] =
                    kind.into();
            }
            is_left(&one, [])
        };
        let balanced = || json!({"type": "LoadBalancer"});
        assert!(service(balanced(), Some("external")) && service(balanced(), Some("nlb-ip")));
        assert!(service(json!({"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}), None));
        assert!(
            !service(balanced(), None) && !service(balanced(), Some("nlb")),
            "the cloud controller of EKS"
        );
        assert!(
            !service(json!({"type": "LoadBalancer", "loadBalancerClass": "eks.amazonaws.com/nlb"}), None),
            "Auto Mode"
        );
        assert!(!service(json!({"type": "ClusterIP"}), Some("external")));
        let class = |controller: &str| {
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "web"},
                "spec": {"controller": controller}})
        };
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "a", "namespace": "b"}, "spec": {"ingressClassName": "web"}});
        assert!(is_left(&ingress, [&class(ALB)]));
        assert!(!is_left(&ingress, [&class("k8s.io/ingress-nginx")]) && !is_left(&ingress, []));
        let old = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a", "namespace": "b",
            "annotations": {"kubernetes.io/ingress.class": "alb"}}, "spec": {}});
        assert!(is_left(&old, []));
    }
}
