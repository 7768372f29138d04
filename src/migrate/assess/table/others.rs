//! Documents beside the Cluster and its groups.

use crate::migrate::assess::context::Context;
use crate::migrate::assess::rule::{Ruling, accepted};
use crate::migrate::assess::translate::control_plane::scoring;
use crate::migrate::verdict::Verdict;
use crate::model::kops::Other;
use serde_json::Value;

/// What becomes of such a document.
pub(in super::super) fn verdict(context: &Context<'_>, other: &Other) -> Verdict {
    let subject = other.subject();
    let (rule, source, ruling) = match (other.kind.as_str(), group(&other.api_version)) {
        ("KubeSchedulerConfiguration", _) => {
            ("kops.other.scheduler", "EKS API, CreateCluster.kubeSchedulerConfig", scheduler(other))
        }
        ("SSHCredential", "kops.k8s.io" | "kops") => (
            "kops.other.ssh-credential",
            "EKS API, RemoteAccessConfig",
            Ruling::irrelevant("nodes are reached by AWS Systems Manager, or with a key pair of EC2"),
        ),
        ("Keyset" | "Host", "kops.k8s.io" | "kops") => {
            ("kops.other.keyset", "kops API", Ruling::irrelevant("EKS has keys and certificates of its own"))
        }
        ("ClusterAddon" | "Addons", _) => (
            "kops.other.addon",
            "kops, clusteraddons",
            Ruling::mapped("what it brings is a workload, and is delivered by an Application")
                .to("Application"),
        ),
        _ => (
            "kops.other.object",
            "kops create -f, additional objects",
            Ruling::mapped("an object of yours beside the Cluster; it is delivered as a workload")
                .to("Application"),
        ),
    };
    context.verdict(&subject, "", rule, source, ruling)
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn scheduler(other: &Other) -> Ruling {
    let profiles = other.value["profiles"].as_array().map_or(&[][..], Vec::as_slice);
    let changed = |profile: &Value| {
        let plugins = profile["plugins"].as_object().is_some_and(|plugins| !plugins.is_empty());
        let configured = profile["pluginConfig"].as_array().is_some_and(|all| {
            all.iter().any(|plugin| plugin["name"] != "NodeResourcesFit" || scoring(other).is_none())
        });
        let named = profile["schedulerName"].as_str().is_some_and(|name| name != "default-scheduler");
        plugins || configured || named
    };
    let asks_others = other.value["extenders"].as_array().is_some_and(|all| !all.is_empty());
    if asks_others || profiles.iter().any(changed) {
        let says = "EKS's scheduler takes the scoring of NodeResourcesFit and nothing else: run a second scheduler for pods that need \
                    these profiles or extenders";
        return Ruling::blocker(says, accepted("the default scheduling will do")).to("kubeSchedulerConfig");
    }
    if scoring(other).is_some() {
        return Ruling::mapped("the scoring of NodeResourcesFit").to("kubeSchedulerConfig.nodeResourcesFit");
    }
    Ruling::irrelevant("it changes nothing that decides where pods go")
}
