//! RBAC: rules about groups that are gone, and subjects that EKS knows under other names or not at all.

use super::super::context::Identity;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use serde_json::Value;

const ROLES: &[&str] = &["ClusterRole.rbac.authorization.k8s.io", "Role.rbac.authorization.k8s.io"];
const BINDINGS: &[&str] =
    &["ClusterRoleBinding.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io"];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "role.aggregated",
        kinds: ROLES,
        reason: "a controller computes the rules from the roles that are aggregated",
        source: "kubernetes.io, aggregated ClusterRoles",
        apply: aggregated,
    },
    Rule {
        id: "role.moved-groups",
        kinds: ROLES,
        reason: "the resource lives in another group in the target",
        source: "kubernetes.io deprecation guide",
        apply: moved_groups,
    },
    Rule {
        id: "role.pod-security-policies",
        kinds: ROLES,
        reason: "PodSecurityPolicies were removed with 1.25",
        source: "kubernetes.io deprecation guide",
        apply: pod_security_policies,
    },
    Rule {
        id: "binding.subjects",
        kinds: BINDINGS,
        reason: "people and machines have other names in EKS",
        source: "EKS CreateAccessEntry: groups must not begin with system:; terraform-aws-eks#2915",
        apply: subjects,
    },
];

fn aggregated(work: &mut Work<'_>) {
    if work.get("/aggregationRule").is_some_and(Value::is_object) && work.len("/rules") > 0 {
        work.remove("/rules");
    }
}

/// Resources of `extensions` and where they went.
const MOVED: [(&str, &str); 7] = [
    ("deployments", "apps"),
    ("daemonsets", "apps"),
    ("replicasets", "apps"),
    ("ingresses", "networking.k8s.io"),
    ("networkpolicies", "networking.k8s.io"),
    ("podsecuritypolicies", "policy"),
    ("*", "apps"),
];

fn moved_groups(work: &mut Work<'_>) {
    for rule in work.items("/rules") {
        let list = |key: &str| -> Vec<String> {
            let items = work.get(&at(&rule, key)).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.as_str().map(String::from)).collect()
        };
        let groups = list("apiGroups");
        if !groups.iter().any(|group| group == "extensions") || groups.iter().any(|group| group == "*") {
            continue;
        }
        let mut wanted = groups.clone();
        for resource in list("resources") {
            let base = resource.split('/').next().unwrap_or_default();
            for (_, group) in MOVED.iter().filter(|(moved, _)| *moved == base) {
                wanted.push((*group).to_owned());
            }
            if base == "*" {
                wanted.push("networking.k8s.io".into());
            }
        }
        wanted.dedup();
        let mut seen = Vec::new();
        wanted.retain(|group| {
            !seen.contains(group) && {
                seen.push(group.clone());
                true
            }
        });
        if wanted != groups {
            work.set(&at(&rule, "apiGroups"), wanted);
            let says = "the rule names the group extensions, which nothing serves any more; it was widened to the new homes";
            work.remark(Weight::Warning, &rule, says);
        }
    }
}

fn pod_security_policies(work: &mut Work<'_>) {
    if work.context.target.minor < 25 {
        return;
    }
    for rule in work.items("/rules") {
        let resources = at(&rule, "resources");
        for item in work.items(&resources) {
            let named = work.text(&item) == Some("podsecuritypolicies");
            let groups = work.get(&at(&rule, "apiGroups")).and_then(Value::as_array).into_iter().flatten();
            let ours = groups.into_iter().any(|group| group == "policy" || group == "extensions");
            if named && ours {
                if work.len(&resources) == 1 {
                    work.remove(&rule);
                } else {
                    work.remove(&item);
                }
                break;
            }
        }
    }
}

/// Groups of Kubernetes that mean the same in every cluster.
fn is_universal(group: &str) -> bool {
    matches!(group, "system:authenticated" | "system:unauthenticated")
        || group == "system:serviceaccounts"
        || group.starts_with("system:serviceaccounts:")
}

fn subjects(work: &mut Work<'_>) {
    let had = work.len("/subjects");
    for item in work.items("/subjects") {
        let kind = work.text(&at(&item, "kind")).unwrap_or_default().to_owned();
        let name = work.text(&at(&item, "name")).unwrap_or_default().to_owned();
        if !matches!(kind.as_str(), "User" | "Group") {
            continue;
        }
        match work.context.identities.get(&format!("{kind} {name}")).cloned() {
            Some(Identity::Rename(new)) => work.set(&at(&item, "name"), new),
            Some(Identity::Drop(why)) => drop(work.remove_for(&item, &why)),
            None => unmapped(work, &item, &kind, &name),
        }
    }
    if had > 0 && work.len("/subjects") == 0 {
        work.drop(
            "nobody is bound by it any more: EKS gives all of its subjects their rights in another way",
        );
    }
}

fn unmapped(work: &mut Work<'_>, item: &str, kind: &str, name: &str) {
    match (kind, name) {
        ("Group", "system:masters") => {
            work.remove_for(item, "EKS refuses the group in access entries; the policy AmazonEKSClusterAdminPolicy stands for it");
        }
        ("Group", "system:nodes" | "system:bootstrappers" | "system:bootstrappers:nodes") => {
            work.remove_for(item, "nodes have their rights by access entries of their own");
        }
        ("User", name) if name.starts_with("system:serviceaccount:") => {}
        ("User", name) if name.starts_with("system:") => {
            let says = format!("{name} is a part of the old control plane");
            work.remove_for(item, &says);
        }
        ("Group", name) if is_universal(name) => {}
        ("Group", name) if name.starts_with("system:") => work.offer(
            Weight::Choice,
            item,
            format!("EKS refuses groups that begin with system: in access entries, and {name} is one"),
            &[
                ("rename", "the group gets a name without the prefix, here and in the access entry"),
                ("policy", "an access policy of EKS gives the rights, and the subject is taken out"),
            ],
        ),
        _ => work.remark(
            Weight::Warning,
            item,
            format!(
                "nothing says who {kind} {name} is in EKS: it needs an access entry or the same OIDC provider"
            ),
        ),
    }
}
