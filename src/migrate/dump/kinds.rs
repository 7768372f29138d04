//! Which kinds are read, and in which of the versions that the source serves.

use super::inventory::{Api, ApiKind};
use crate::model::{GroupKind, Gvk};
use crate::transform::{Served, VersionToRead, served_by_minor, version_to_read};
use std::collections::{BTreeMap, BTreeSet};

/// What the target serves, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A minor of Kubernetes 1: the table of versions tells.
    Minor(u32),
    /// What its API server says.
    Served(Served),
    /// Nothing is known: every kind in its preferred version.
    Unknown,
}

/// Kinds that are not read: what they hold is told and forgotten, or answered anew each time.
const FLEETING: [(&str, &str); 5] = [
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("", "ComponentStatus"),
    ("metrics.k8s.io", "NodeMetrics"),
    ("metrics.k8s.io", "PodMetrics"),
];

/// The kinds to read, each once: in the version that the target serves as well where there is one, else in the preferred
/// one. Of a kind that lives in two groups (`extensions` and `networking.k8s.io`), the newer one is read.
#[must_use]
pub fn versions_to_read(api: &Api, target: &Target) -> Vec<ApiKind> {
    let readable: Vec<&ApiKind> = api
        .kinds
        .iter()
        .filter(|kind| kind.verbs.contains("list"))
        .filter(|kind| !FLEETING.contains(&(kind.group.as_str(), kind.kind.as_str())))
        .collect();
    let mut by_kind: BTreeMap<GroupKind, Vec<&ApiKind>> = BTreeMap::new();
    for kind in &readable {
        by_kind.entry(kind.gvk().group_kind()).or_default().push(kind);
    }
    // Preferred first, then as the API server sorts versions.
    for versions in by_kind.values_mut() {
        versions.sort_by_key(|kind| (!kind.preferred, order(&kind.version)));
    }
    let offered: Vec<Gvk> = by_kind.values().flatten().map(|kind| kind.gvk()).collect();
    let source: Served = offered.iter().collect();
    let target = match target {
        Target::Served(served) => served.clone(),
        Target::Minor(minor) => {
            offered.iter().filter(|gvk| served_by_minor(gvk, *minor) != Some(false)).collect()
        }
        Target::Unknown => source.clone(),
    };
    let mut chosen = BTreeSet::new();
    for versions in by_kind.values() {
        let Some(preferred) = versions.first() else { continue };
        let read = match version_to_read(&source, &target, &preferred.gvk()) {
            VersionToRead::Shared(read) | VersionToRead::Convert { read, .. } => read,
            VersionToRead::NotServed(_) | VersionToRead::Unreadable => preferred.gvk(),
        };
        chosen.insert(read);
    }
    readable.into_iter().filter(|kind| chosen.contains(&kind.gvk())).cloned().collect()
}

/// `v2` before `v1` before `v1beta2` before `v1alpha1`, others behind (apimachinery `version.CompareKubeAwareVersionStrings`).
fn order(version: &str) -> (u8, std::cmp::Reverse<u64>, std::cmp::Reverse<u64>, String) {
    let parsed = version.strip_prefix('v').and_then(|rest| {
        let split = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at(split);
        let major: u64 = major.parse().ok()?;
        let (class, minor) = match rest {
            "" => (0, 0),
            _ => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
                (Some(minor), _) => (1, minor.parse().ok()?),
                (_, Some(minor)) => (2, minor.parse().ok()?),
                _ => return None,
            },
        };
        Some((class, major, minor))
    });
    let reverse = std::cmp::Reverse;
    match parsed {
        Some((class, major, minor)) => (class, reverse(major), reverse(minor), String::new()),
        None => (3, reverse(0), reverse(0), version.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, version: &str, kind: &str, preferred: bool, verbs: &[&str]) -> ApiKind {
        ApiKind {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: String::new(),
            namespaced: true,
            preferred,
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        }
    }

    fn read(target: &Target) -> Vec<String> {
        let list = ["get", "list"];
        let api = Api {
            version: "v1.21.0".into(),
            kinds: vec![
                kind("", "v1", "Event", true, &list),
                kind("", "v1", "Pod", true, &list),
                kind("authorization.k8s.io", "v1", "SubjectAccessReview", true, &["create"]),
                kind("autoscaling", "v1", "HorizontalPodAutoscaler", true, &list),
                kind("autoscaling", "v2beta2", "HorizontalPodAutoscaler", false, &list),
                kind("batch", "v1", "CronJob", false, &list),
                kind("batch", "v1beta1", "CronJob", true, &list),
                kind("extensions", "v1beta1", "Ingress", true, &list),
                kind("networking.k8s.io", "v1", "Ingress", true, &list),
                kind("networking.k8s.io", "v1beta1", "Ingress", false, &list),
                kind("policy", "v1beta1", "PodSecurityPolicy", true, &list),
                kind("shop.example.com", "v1alpha1", "Order", false, &list),
                kind("shop.example.com", "v1", "Order", true, &list),
            ],
            ..Api::default()
        };
        versions_to_read(&api, target).iter().map(|kind| kind.gvk().to_string()).collect()
    }

    #[test]
    fn each_kind_is_read_once_in_the_version_that_the_target_serves() {
        let expected = [
            "v1 Pod",
            "autoscaling/v1 HorizontalPodAutoscaler",
            "batch/v1 CronJob",
            "networking.k8s.io/v1 Ingress",
            "policy/v1beta1 PodSecurityPolicy",
            "shop.example.com/v1 Order",
        ];
        assert_eq!(read(&Target::Minor(34)), expected);
        let served: Vec<Gvk> = [("batch/v1", "CronJob"), ("shop.example.com/v1alpha1", "Order")]
            .map(|(version, kind)| Gvk::from_api_version(version, kind))
            .to_vec();
        let chosen = read(&Target::Served(served.iter().collect()));
        assert!(chosen.contains(&"batch/v1 CronJob".to_owned()), "{chosen:?}");
        assert!(chosen.contains(&"shop.example.com/v1alpha1 Order".to_owned()), "{chosen:?}");
        assert!(read(&Target::Unknown).contains(&"batch/v1beta1 CronJob".to_owned()));
    }

    #[test]
    fn versions_are_ordered_as_the_api_server_orders_them() {
        let mut versions = ["v1alpha1", "foo", "v1", "v10beta3", "v2", "v1beta2", "v1beta1"];
        versions.sort_by_key(|version| order(version));
        assert_eq!(versions, ["v2", "v1", "v10beta3", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }
}
