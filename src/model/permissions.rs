//! What the applications of a repository may touch, as the daemon's file limits it.

use super::ResourceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of one repository. Names may hold `*` (any number of characters) and `?` (one); an empty list sets no
/// limit.
///
/// An application is bound twice: by the repository that holds its document, and by the one that holds its
/// manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Permissions {
    /// Names of clusters that may be written to.
    pub destinations: Vec<String>,
    /// Namespaces that may be written to. When there is such a limit, cluster-scoped objects are refused unless
    /// `kinds.allow` names their kind in full, and a Namespace has to have one of these names itself.
    pub namespaces: Vec<String>,
    /// Kinds that may be written.
    pub kinds: KindRules,
    /// Refuse applications that name no ServiceAccount to be applied as.
    pub require_service_account: bool,
}

/// Which kinds are allowed, each as `Kind` (core group) or `Kind.group`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KindRules {
    /// Kinds that are allowed. Empty: all.
    pub allow: Vec<String>,
    /// Kinds that are refused, whatever `allow` says.
    pub deny: Vec<String>,
}

/// What a repository is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The cluster is not among `may.destinations`.
    #[error("the repository may not write to cluster `{0}` (`may.destinations` in the daemon's file)")]
    Destination(String),
    /// The namespace is not among `may.namespaces`.
    #[error("the repository may not write to namespace `{0}` (`may.namespaces` in the daemon's file)")]
    Namespace(String),
    /// The kind is not allowed.
    #[error("the repository may not write objects of kind {0} (`may.kinds` in the daemon's file)")]
    Kind(String),
    /// A cluster-scoped object of a repository that is limited to namespaces.
    #[error(
        "the repository is limited to namespaces and {0} is cluster-scoped: \
         name the kind in `may.kinds.allow` in the daemon's file to allow it"
    )]
    ClusterScoped(String),
    /// No ServiceAccount where one is required.
    #[error(
        "the repository's applications have to name a `serviceAccount` (`may.requireServiceAccount` in the daemon's file)"
    )]
    NoServiceAccount,
}

impl Permissions {
    /// Whether a cluster may be written to.
    ///
    /// # Errors
    /// [`Denied::Destination`].
    pub fn destination(&self, cluster: &str) -> Result<(), Denied> {
        if listed(&self.destinations, cluster) { Ok(()) } else { Err(Denied::Destination(cluster.into())) }
    }

    /// Whether an object may be written, deleted included. Its scope has to be settled: an identity without a
    /// namespace is taken as cluster-scoped.
    ///
    /// # Errors
    /// The first limit that forbids it.
    pub fn object(&self, id: &ResourceId) -> Result<(), Denied> {
        let kind = id.group_kind().to_string();
        if self.kinds.deny.iter().any(|pattern| wildcard(pattern, &kind)) || !listed(&self.kinds.allow, &kind)
        {
            return Err(Denied::Kind(kind));
        }
        let namespace = match &id.namespace {
            Some(namespace) => namespace,
            None if self.namespaces.is_empty() => return Ok(()),
            None if !self.kinds.allow.contains(&kind) => return Err(Denied::ClusterScoped(kind)),
            None if kind == "Namespace" => &id.name,
            None => return Ok(()),
        };
        if listed(&self.namespaces, namespace) { Ok(()) } else { Err(Denied::Namespace(namespace.clone())) }
    }

    /// Whether an application may be applied as this ServiceAccount, given by its namespace: one of another
    /// namespace could hold rights that the limits are meant to withhold.
    ///
    /// # Errors
    /// [`Denied::NoServiceAccount`], [`Denied::Namespace`].
    pub fn service_account(&self, namespace: Option<&str>) -> Result<(), Denied> {
        match namespace {
            None if self.require_service_account => Err(Denied::NoServiceAccount),
            Some(namespace) if !listed(&self.namespaces, namespace) => {
                Err(Denied::Namespace(namespace.into()))
            }
            _ => Ok(()),
        }
    }
}

fn listed(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| wildcard(pattern, name))
}

/// Whether a name fits a pattern in which `*` stands for any number of characters and `?` for one.
///
/// Linear in practice: on a mismatch only the last `*` is extended, so `a*a*a*b` cannot blow up.
#[must_use]
pub fn wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (at, seen) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> Permissions {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Permissions {
            destinations: words(&["dev-*"]),
            namespaces: words(&["shop", "shop-*"]),
            kinds: KindRules {
                allow: words(&["*", "Namespace"]),
                deny: words(&["*.rbac.authorization.k8s.io"]),
            },
            require_service_account: true,
        }
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("shop-*", "shop-", true),
            ("shop-*", "a-shop-b", false),
            ("*-prod", "eu-prod-prod", true),
            ("s?op", "shop", true),
            ("s?op", "sop", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "é", true),
        ] {
            assert_eq!(wildcard(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn each_limit_refuses_what_it_names() {
        let may = limited();
        assert_eq!(may.destination("dev-eu"), Ok(()));
        assert_eq!(may.destination("prod"), Err(Denied::Destination("prod".into())));
        let object = |group: &str, kind: &str, namespace: &str, name: &str| {
            may.object(&ResourceId::new(group, kind, namespace, name))
        };
        assert_eq!(object("apps", "Deployment", "shop-eu", "web"), Ok(()));
        assert_eq!(
            object("apps", "Deployment", "kube-system", "web"),
            Err(Denied::Namespace("kube-system".into()))
        );
        assert_eq!(
            object("rbac.authorization.k8s.io", "RoleBinding", "shop", "all"),
            Err(Denied::Kind("RoleBinding.rbac.authorization.k8s.io".into()))
        );
        assert_eq!(may.service_account(None), Err(Denied::NoServiceAccount));
        assert_eq!(may.service_account(Some("kube-system")), Err(Denied::Namespace("kube-system".into())));
        assert_eq!(may.service_account(Some("shop")), Ok(()));
    }

    #[test]
    fn a_limit_to_namespaces_is_no_way_around_to_the_cluster() {
        let may = limited();
        let object =
            |group: &str, kind: &str, name: &str| may.object(&ResourceId::new(group, kind, "", name));
        let class = "PriorityClass.scheduling.k8s.io";
        assert_eq!(
            object("scheduling.k8s.io", "PriorityClass", "high"),
            Err(Denied::ClusterScoped(class.into()))
        );
        assert_eq!(object("", "Namespace", "shop-eu"), Ok(()));
        assert_eq!(object("", "Namespace", "kube-system"), Err(Denied::Namespace("kube-system".into())));
        assert_eq!(Permissions::default().object(&ResourceId::new("", "Node", "", "a")), Ok(()));
    }
}
