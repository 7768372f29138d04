//! Rights before and after.

use portolan::migrate::proof::{Answers, mapped, prove_access, questions};
use portolan::transform::Identity;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn every_right_of_the_source_is_asked_for_under_its_new_name() {
    let rbac = |kind: &str, name: &str, namespace: Option<&str>, more: serde_json::Value| {
        let mut object =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let role = json!({"rules": [{"apiGroups": ["", "apps"], "resources": ["pods/log"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]});
    let objects = [
        rbac("ClusterRole", "reader", None, role),
        rbac(
            "RoleBinding",
            "a",
            Some("shop"),
            json!({"roleRef": {"kind": "ClusterRole", "name": "reader"},
            "subjects": [{"kind": "Group", "name": "ops"}, {"kind": "ServiceAccount", "name": "web"},
                {"kind": "Group", "name": "system:masters"}]}),
        ),
    ];
    let asked = questions(&objects);
    assert_eq!(asked.len(), 2 * (2 * 2 + 1), "{asked:?}");
    assert!(asked.iter().any(|q| q.subject == "ServiceAccount shop/web" && q.resource == "pods.apps/log"));
    let identities = BTreeMap::from([("Group ops".to_owned(), Identity::Rename("shop-ops".into()))]);
    let before: Answers = asked.iter().map(|question| (question.clone(), true)).collect();
    let mut after: Answers = asked.iter().map(|q| (mapped(q, &identities).unwrap(), true)).collect();
    assert!(after.keys().any(|question| question.subject == "Group shop-ops"));
    assert!(prove_access(&before, &after, &identities).is_empty());
    // A right that is lost, one that nobody asked about, one that is given in another way.
    *after.values_mut().next().unwrap() = false;
    assert_eq!(prove_access(&before, &after, &identities).len(), 1);
    after.pop_last();
    assert_eq!(prove_access(&before, &after, &identities).len(), 2);
    let gone = BTreeMap::from([("Group ops".to_owned(), Identity::Drop("an access policy".into()))]);
    let told = prove_access(&before, &before, &gone);
    assert!(!told.is_empty() && told.iter().all(|difference| difference.explained_by.is_some()));
}
