//! Services of type `LoadBalancer`: who makes the load balancer, and whether the internet reaches it.

use super::super::context::{Balancer, Scheme};
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "balancer.scheme",
        kinds: &["Service"],
        reason: "what was reachable without saying so would be internal in the target, and what was internal says so in \
                 another way",
        source: "lbc#3203, lbc#3340, eks-charts#932",
        apply: scheme,
    },
    Rule {
        id: "balancer.type",
        kinds: &["Service"],
        reason: "the AWS Load Balancer Controller makes Network Load Balancers for Services of this type",
        source: "aws-load-balancer-controller docs/guide/service/nlb.md",
        apply: kind,
    },
    Rule {
        id: "balancer.layer-7",
        kinds: &["Service"],
        reason: "a Network Load Balancer does not read HTTP",
        source: "aws-load-balancer-controller docs/guide/service/annotations.md",
        apply: layer_7,
    },
    Rule {
        id: "balancer.classic",
        kinds: &["Service"],
        reason: "EKS makes Classic Load Balancers where no other controller claims the Service",
        source: "lbc PR#2925",
        apply: classic,
    },
];

/// What the annotations of load balancers begin with.
pub const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";
/// The class of the AWS Load Balancer Controller.
const CLASS: &str = "service.k8s.aws/nlb";

/// The pointer to an annotation of load balancers.
pub fn annotation(key: &str) -> String {
    at("/metadata/annotations", format!("{PREFIX}{key}"))
}

/// Whether the rules of load balancers are about a Service: of the type, and not another controller's.
pub fn is_ours(work: &Work<'_>) -> bool {
    work.text("/spec/type") == Some("LoadBalancer")
        && matches!(work.text("/spec/loadBalancerClass"), None | Some(CLASS))
}

/// Whether the AWS Load Balancer Controller made it in the old cluster already.
pub fn by_controller(work: &Work<'_>) -> bool {
    let kind = work.original.pointer(&annotation("type")).and_then(serde_json::Value::as_str);
    matches!(kind, Some("external" | "nlb-ip")) || work.text("/spec/loadBalancerClass") == Some(CLASS)
}

fn scheme(work: &mut Work<'_>) {
    if !is_ours(work) {
        return;
    }
    let internal = annotation("internal");
    let said = work.text(&internal).map(String::from);
    // The in-tree provider took any text but these for "internal" (cloud-provider-aws, aws.go).
    let was_internal = said.as_deref().map(|text| !matches!(text, "" | "false"));
    let pointer = annotation("scheme");
    let before = match (work.text(&pointer), was_internal) {
        (Some("internal"), _) => "internal",
        (Some(_), _) => "internet-facing",
        (None, Some(true)) => "internal",
        (None, Some(false)) => "internet-facing",
        // Without a word the in-tree provider made public load balancers, the controller makes internal ones.
        (None, None) if by_controller(work) => "internal",
        (None, None) => "internet-facing",
    };
    let scheme = if work.context.scheme == Scheme::Internal { "internal" } else { before };
    if scheme != before {
        work.remark(
            Weight::Warning,
            &pointer,
            "the internet reached the load balancer, and by the migration's choice it will not reach the new one",
        );
    }
    work.set(&pointer, scheme);
    if work.context.balancer == Balancer::Network {
        work.remove(&internal);
    }
}

fn kind(work: &mut Work<'_>) {
    if !is_ours(work) || work.context.balancer != Balancer::Network {
        return;
    }
    let pointer = annotation("type");
    let target = if work.text(&pointer) == Some("nlb-ip") { "ip" } else { "instance" };
    if work.get(&pointer).is_none() && !by_controller(work) {
        work.remark(
            Weight::Warning,
            "",
            "a Classic Load Balancer becomes a Network Load Balancer: sources keep their address, idle connections are \
             closed after 350 s, and security groups have to be there from the beginning",
        );
    }
    work.set_default(&annotation("nlb-target-type"), target);
    work.set(&pointer, "external");
}

fn layer_7(work: &mut Work<'_>) {
    if !is_ours(work) || work.context.balancer != Balancer::Network {
        return;
    }
    let pointer = annotation("backend-protocol");
    if let Some("http" | "https") = work.text(&pointer) {
        work.remove(&pointer);
        work.offer(
            Weight::Choice,
            &pointer,
            "the Classic Load Balancer read HTTP, and set X-Forwarded-For; a Network Load Balancer does not",
            &[
                ("ingress", "an Ingress of the class alb takes the Service's place"),
                ("tcp", "connections are handed through; the application sees the client's address itself"),
                ("classic", "EKS makes a Classic Load Balancer, as before"),
            ],
        );
    }
}

fn classic(work: &mut Work<'_>) {
    if is_ours(work) && work.context.balancer == Balancer::Classic && !by_controller(work) {
        work.remark(
            Weight::Warning,
            "",
            "if the AWS Load Balancer Controller runs in the target, its webhook for Services has to be off, or it claims \
             this Service",
        );
    }
}
