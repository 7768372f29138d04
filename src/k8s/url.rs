//! Paths and queries of the Kubernetes API.

use crate::model::Gvk;
use crate::ports::ServedKind;
use std::fmt::Write as _;

/// The collection's path: `/api/v1/pods`, `/apis/apps/v1/namespaces/shop/deployments`.
///
/// The namespace is left out for cluster-scoped kinds, whatever the caller names.
pub(super) fn collection(kind: &ServedKind, namespace: Option<&str>) -> String {
    let mut path = group_version(&kind.gvk);
    if let (true, Some(namespace)) = (kind.namespaced, namespace) {
        path.push_str("/namespaces/");
        escape(&mut path, namespace);
    }
    path.push('/');
    escape(&mut path, &kind.plural);
    path
}

/// The path of one object.
pub(super) fn object(kind: &ServedKind, namespace: Option<&str>, name: &str) -> String {
    let mut path = collection(kind, namespace);
    path.push('/');
    escape(&mut path, name);
    path
}

fn group_version(gvk: &Gvk) -> String {
    let mut path = String::with_capacity(96);
    path.push_str(if gvk.group.is_empty() { "/api" } else { "/apis" });
    for part in [&gvk.group, &gvk.version] {
        if !part.is_empty() {
            path.push('/');
            escape(&mut path, part);
        }
    }
    path
}

/// A query in the making. Empty values are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            if !self.0.is_empty() {
                self.0.push('&');
            }
            self.0.push_str(name);
            self.0.push('=');
            escape(&mut self.0, value);
        }
        self
    }

    pub(super) fn dry_run(self, dry_run: bool) -> Self {
        self.with("dryRun", if dry_run { "All" } else { "" })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes all but what RFC 3986 leaves unreserved, and `:` and `,`, which names and selectors hold.
fn escape(into: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                into.push(char::from(byte))
            }
            _ => {
                let _ = write!(into, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::kinds::served;

    #[test]
    fn paths_follow_group_and_scope() {
        let deployment = served("apps", "v1", "Deployment", "deployments", true);
        assert_eq!(object(&deployment, Some("shop"), "web"), "/apis/apps/v1/namespaces/shop/deployments/web");
        assert_eq!(collection(&deployment, None), "/apis/apps/v1/deployments");
        let role = served("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false);
        assert_eq!(
            object(&role, Some("ignored"), "system:x/y?"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x%2Fy%3F"
        );
        assert_eq!(
            object(&served("", "v1", "Pod", "pods", true), Some("a"), "b"),
            "/api/v1/namespaces/a/pods/b"
        );
    }

    #[test]
    fn a_selector_survives_the_query() {
        let query =
            Query::default().with("labelSelector", "a in (b, c),d!=e").with("continue", "").dry_run(true);
        assert_eq!(query.as_str(), "labelSelector=a%20in%20%28b,%20c%29,d%21%3De&dryRun=All");
    }
}
