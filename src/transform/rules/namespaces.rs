//! Namespaces.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "namespace.system",
        kinds: &["Namespace"],
        reason: "every cluster has its own",
        source: "kubernetes.io, initial namespaces",
        apply: system,
    },
    Rule {
        id: "namespace.finalizers",
        kinds: &["Namespace"],
        reason: "the API server of the target sets it itself",
        source: "kubernetes pkg/registry/core/namespace/strategy.go",
        apply: finalizers,
    },
    Rule {
        id: "namespace.pod-security",
        kinds: &["Namespace"],
        reason: "it stands for the PodSecurityPolicies that admitted the namespace's pods",
        source: "kubernetes KEP-2579; kubernetes.io, mapping PodSecurityPolicies to Pod Security Standards",
        apply: pod_security,
    },
    Rule {
        id: "namespace.node-selector",
        kinds: &["Namespace"],
        reason: "EKS does not run the admission plugin PodNodeSelector",
        source: "EKS user guide, admission controllers",
        apply: node_selector,
    },
    Rule {
        id: "namespace.roles",
        kinds: &["Namespace"],
        reason: "kube2iam and kiam read it; nothing in EKS does",
        source: "uswitch/kiam, jtblin/kube2iam",
        apply: roles,
    },
];

fn system(work: &mut Work<'_>) {
    if matches!(work.name(), "kube-system" | "kube-public" | "kube-node-lease") {
        work.drop("every cluster has its own");
    }
}

fn finalizers(work: &mut Work<'_>) {
    work.remove("/spec/finalizers");
    if work.get("/spec").and_then(serde_json::Value::as_object).is_some_and(serde_json::Map::is_empty) {
        work.remove("/spec");
    }
}

fn pod_security(work: &mut Work<'_>) {
    let name = work.name().to_owned();
    if work.context.target.minor < 25 {
        return;
    }
    let Some(security) = work.context.survey.security_of(&name) else { return };
    for mode in ["enforce", "warn", "audit"] {
        let pointer = at("/metadata/labels", format!("pod-security.kubernetes.io/{mode}"));
        work.set_default(&pointer, security.level.as_str());
    }
}

fn node_selector(work: &mut Work<'_>) {
    let pointer = "/metadata/annotations/scheduler.alpha.kubernetes.io~1node-selector";
    if work.get(pointer).is_some() {
        work.offer(
            Weight::Blocker,
            pointer,
            "pods of the namespace got a node selector by it, and in EKS they get none",
            &[
                ("templates", "the selector is written into the pod templates of the namespace"),
                ("forget", "pods of the namespace may run anywhere"),
            ],
        );
    }
}

fn roles(work: &mut Work<'_>) {
    for key in ["iam.amazonaws.com/permitted", "iam.amazonaws.com/allowed-roles"] {
        let pointer = at("/metadata/annotations", key);
        if work.get(&pointer).is_some() {
            work.remark(
                Weight::Warning,
                &pointer,
                "it limited the roles of the namespace's pods: in EKS the trust policies of the roles have to",
            );
        }
    }
}
