//! EKS's access policies: what each allows, as the authorisation webhook answers it.
//!
//! They are no RBAC objects and cannot be seen in the cluster. The rules follow the service's documentation ("Review
//! access policy permissions"): view, edit and admin as Kubernetes's own roles of that name (without their aggregation),
//! cluster-admin, and reading everything.

use super::identity::Grant;

/// What is asked: a request to the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) verb: String,
    pub(super) group: String,
    /// With the subresource: `pods/log`.
    pub(super) resource: String,
    pub(super) namespace: String,
    /// Of what is no resource, such as `/metrics`.
    pub(super) path: Option<String>,
}

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// Resources by API group, as far as the policies name them.
type Table = &'static [(&'static str, &'static [&'static str])];

/// What a viewer reads: no Secrets, no roles.
const VIEWED: Table = &[
    (
        "",
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    (
        "apps",
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "ingresses/status", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
];

/// What an editor writes.
const EDITED: Table = &[
    (
        "",
        &[
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "pods/eviction",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
    ),
    (
        "apps",
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
];

/// What an editor reads beside a viewer's share.
const EDITOR_READS: Table =
    &[("", &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"])];

/// What an administrator of a namespace has beside an editor's share.
const ADMINISTERED: Table = &[("rbac.authorization.k8s.io", &["rolebindings", "roles"])];

/// Whether one of the grants allows what is asked.
pub(super) fn allows(grants: &[Grant], question: &Question) -> bool {
    grants.iter().any(|grant| in_scope(grant, question) && policy_allows(&grant.policy, question))
}

fn in_scope(grant: &Grant, question: &Question) -> bool {
    let Some(namespaces) = &grant.namespaces else { return true };
    !question.namespace.is_empty() && namespaces.iter().any(|pattern| matches(pattern, &question.namespace))
}

/// `*` stands for anything, at the end of a name only (the service takes it nowhere else).
fn matches(pattern: &str, namespace: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => namespace.starts_with(begin),
        None => pattern == namespace,
    }
}

fn policy_allows(policy: &str, question: &Question) -> bool {
    if policy == "AmazonEKSClusterAdminPolicy" {
        return true;
    }
    if question.path.is_some() {
        return false;
    }
    let verb = question.verb.as_str();
    let (reads, writes) = (READ.contains(&verb), WRITE.contains(&verb));
    let of = |table: Table| {
        table.iter().any(|(group, resources)| {
            *group == question.group && resources.contains(&question.resource.as_str())
        })
    };
    let views = reads && of(VIEWED);
    let edits = views
        || (reads && of(EDITOR_READS))
        || (writes && of(EDITED))
        || (verb == "create" && question.group.is_empty() && question.resource == "serviceaccounts/token")
        || (verb == "impersonate" && question.group.is_empty() && question.resource == "serviceaccounts");
    match policy {
        "AmazonEKSAdminPolicy" => {
            edits
                || ((reads || writes) && of(ADMINISTERED))
                || (verb == "create"
                    && question.group == "authorization.k8s.io"
                    && question.resource == "localsubjectaccessreviews")
        }
        "AmazonEKSAdminViewPolicy" => reads,
        "AmazonEKSEditPolicy" => edits,
        "AmazonEKSViewPolicy" => views,
        "AmazonEKSSecretReaderPolicy" => reads && question.group.is_empty() && question.resource == "secrets",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(verb: &str, group: &str, resource: &str, namespace: &str) -> Question {
        Question {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            path: None,
        }
    }

    fn may(policy: &str, namespaces: Option<&[&str]>, question: &Question) -> bool {
        let namespaces = namespaces.map(|list| list.iter().map(|name| (*name).to_owned()).collect());
        allows(&[Grant { policy: policy.into(), namespaces }], question)
    }

    #[test]
    fn each_policy_allows_its_share_and_no_more() {
        //                 verb, group, resource,        view, edit, admin, admin view, cluster admin
        let table = [
            ("get", "", "pods", [true, true, true, true, true]),
            ("get", "", "secrets", [false, true, true, true, true]),
            ("create", "apps", "deployments", [false, true, true, false, true]),
            ("create", "", "pods/exec", [false, true, true, false, true]),
            ("create", "rbac.authorization.k8s.io", "rolebindings", [false, false, true, false, true]),
            ("list", "", "nodes", [false, false, false, true, true]),
            ("delete", "", "namespaces", [false, false, false, false, true]),
            ("get", "example.org", "widgets", [false, false, false, true, true]),
        ];
        let policies = ["View", "Edit", "Admin", "AdminView", "ClusterAdmin"];
        for (verb, group, resource, expected) in table {
            for (policy, allowed) in policies.iter().zip(expected) {
                let name = format!("AmazonEKS{policy}Policy");
                let question = asks(verb, group, resource, "dev");
                assert_eq!(may(&name, None, &question), allowed, "{name}: {verb} {group}/{resource}");
            }
        }
    }

    #[test]
    fn a_scope_of_namespaces_holds() {
        let policy = "AmazonEKSClusterAdminPolicy";
        assert!(may(policy, Some(&["dev*"]), &asks("create", "", "pods", "dev-1")));
        assert!(!may(policy, Some(&["dev*"]), &asks("create", "", "pods", "prod")));
        assert!(!may(policy, Some(&["dev*"]), &asks("list", "", "nodes", "")));
        assert!(!may(policy, Some(&["dev"]), &asks("create", "", "pods", "dev-1")));
        let metrics = Question { verb: "get".into(), path: Some("/metrics".into()), ..Question::default() };
        assert!(may(policy, None, &metrics));
        assert!(!may("AmazonEKSAdminViewPolicy", None, &metrics));
    }
}
