//! `NetworkPolicies`, quotas and budgets.

use super::super::address::overlap;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "network-policy.enforced",
        kinds: &["NetworkPolicy.networking.k8s.io"],
        reason: "the VPC CNI enforces policies only when it is told to",
        source: "vpc-cni#2928, vpc-cni#3068, containers-roadmap#1478",
        apply: enforced,
    },
    Rule {
        id: "network-policy.old-ranges",
        kinds: &["NetworkPolicy.networking.k8s.io"],
        reason: "the range is that of pods or Services of the old cluster",
        source: "EKS KubernetesNetworkConfigRequest.serviceIpv4Cidr",
        apply: old_ranges,
    },
    Rule {
        id: "network-policy.namespace-label",
        kinds: &["NetworkPolicy.networking.k8s.io"],
        reason: "kube-system has only the label that the API server sets",
        source: "kubernetes KEP-2161",
        apply: namespace_label,
    },
    Rule {
        id: "quota.double-running",
        kinds: &["ResourceQuota"],
        reason: "agents of EKS and both halves of a rollout count as well",
        source: "reference of the stages",
        apply: quota,
    },
];

fn enforced(work: &mut Work<'_>) {
    if !work.context.network_policies {
        work.remark(
            Weight::Warning,
            "",
            "nothing in the target enforces it: enable network policies of the VPC CNI",
        );
    }
}

/// Pointers to every peer of a policy.
fn peers(work: &Work<'_>) -> Vec<String> {
    let sides = [("/spec/ingress", "from"), ("/spec/egress", "to")];
    let rules = sides
        .into_iter()
        .flat_map(|(side, peers)| work.items(side).into_iter().map(move |rule| at(&rule, peers)));
    rules.flat_map(|list| work.items(&list)).collect()
}

fn old_ranges(work: &mut Work<'_>) {
    let ranges = [&work.context.source.service_range, &work.context.source.pod_range];
    let ranges: Vec<String> = ranges.into_iter().flatten().cloned().collect();
    for peer in peers(work) {
        let block = format!("{peer}/ipBlock/cidr");
        let mut places = vec![block.clone()];
        places.extend(work.items(&format!("{peer}/ipBlock/except")));
        for place in places {
            let Some(cidr) = work.text(&place).map(String::from) else { continue };
            let whole = cidr == "0.0.0.0/0" || cidr == "::/0";
            if !whole && ranges.iter().any(|range| overlap(range, &cidr)) {
                work.remark(
                    Weight::Warning,
                    &place,
                    format!(
                        "{cidr} is of the old cluster's pods or Services: select pods, or name the new range"
                    ),
                );
            }
        }
    }
}

fn namespace_label(work: &mut Work<'_>) {
    for peer in peers(work) {
        let pointer = format!("{peer}/namespaceSelector/matchLabels/name");
        if work.text(&pointer) == Some("kube-system") {
            work.remark(
                Weight::Warning,
                &pointer,
                "kube-system of the target has no label `name`: select kubernetes.io/metadata.name instead",
            );
        }
    }
}

fn quota(work: &mut Work<'_>) {
    let tight = ["pods", "services.loadbalancers", "persistentvolumeclaims", "requests.storage"];
    let has = tight.iter().any(|key| work.get(&at("/spec/hard", key)).is_some());
    if has {
        work.remark(
            Weight::Warning,
            "/spec/hard",
            "it is applied last in its namespace; what the target adds (agents, new claims, load balancers) counts as well",
        );
    }
}
