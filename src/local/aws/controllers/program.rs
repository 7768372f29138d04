//! Which controllers a cluster has: its Deployments, by their images, with the flags that count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Distribution;
use super::view::View;
use crate::local::aws::account::{items, text};

/// Who makes, attaches and deletes volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EbsDriver {
    /// `--k8s-tag-cluster-id`.
    pub(super) cluster_id: Option<String>,
    /// `--extra-tags`.
    pub(super) extra_tags: BTreeMap<String, String>,
    /// It is the cloud provider of a cluster that has no driver: volumes have its tags only.
    pub(super) in_tree: bool,
}

/// An external-dns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExternalDns {
    pub(super) owner: String,
    pub(super) prefix: String,
    pub(super) policy: String,
    pub(super) sources: Vec<String>,
    pub(super) domains: Vec<String>,
    pub(super) prefer_cname: bool,
    /// `public`, `private`, or both.
    pub(super) zone_type: String,
}

/// Who keeps volumes: the driver while its controller has a replica, or, where there is none at all, the provider within
/// a kops cluster's own controller-manager.
pub(super) fn volume_keeper(view: &View, cluster: &str, distribution: Distribution) -> Option<EbsDriver> {
    let image = ["aws-ebs-csi-driver"];
    if let Some(words) = running(view, &image).into_iter().find(|words| !words.is_node_part) {
        let tags = words.flag("extra-tags").unwrap_or_default();
        let pairs = tags.split(',').filter_map(|pair| pair.split_once('='));
        return Some(EbsDriver {
            cluster_id: words.flag("k8s-tag-cluster-id"),
            extra_tags: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            in_tree: false,
        });
    }
    let paused = view.deployments.iter().any(|one| !containers(one, &image).is_empty());
    (!paused && distribution == Distribution::Kops).then(|| EbsDriver {
        cluster_id: Some(cluster.to_owned()),
        extra_tags: BTreeMap::new(),
        in_tree: true,
    })
}

/// The AWS Load Balancer Controller, where it runs: the name by which it knows the cluster, if its flags tell.
pub(super) fn balancer_controller(view: &View) -> Option<Option<String>> {
    let found = running(view, &["aws-load-balancer-controller", "aws-alb-ingress-controller"]);
    found.into_iter().next().map(|words| words.flag("cluster-name"))
}

/// Every external-dns that runs.
pub(super) fn external_dns(view: &View) -> Vec<ExternalDns> {
    running(view, &["external-dns"])
        .into_iter()
        .map(|words| ExternalDns {
            owner: words.flag("txt-owner-id").unwrap_or_else(|| "default".into()),
            prefix: words.flag("txt-prefix").unwrap_or_default(),
            policy: words.flag("policy").unwrap_or_else(|| "sync".into()),
            sources: words.flags("source"),
            domains: words.flags("domain-filter"),
            zone_type: words.flag("aws-zone-type").unwrap_or_default(),
            prefer_cname: words.words.iter().any(|word| word == "--aws-prefer-cname"),
        })
        .collect()
}

/// The words of a container's command line.
struct Words {
    words: Vec<String>,
    is_node_part: bool,
}

impl Words {
    fn flags(&self, name: &str) -> Vec<String> {
        let found = self.words.iter().enumerate().filter_map(|(at, word)| {
            let rest = word.strip_prefix("--")?.strip_prefix(name)?;
            if rest.is_empty() {
                self.words.get(at + 1).cloned()
            } else {
                rest.strip_prefix('=').map(str::to_owned)
            }
        });
        found.collect()
    }

    fn flag(&self, name: &str) -> Option<String> {
        self.flags(name).pop()
    }
}

/// Containers of an image, of Deployments that want a replica.
fn running(view: &View, images: &[&str]) -> Vec<Words> {
    let wanted = view.deployments.iter().filter(|one| one["spec"]["replicas"].as_u64().unwrap_or(1) > 0);
    wanted.flat_map(|deployment| containers(deployment, images)).collect()
}

fn containers(deployment: &Value, images: &[&str]) -> Vec<Words> {
    let pod = &deployment["spec"]["template"]["spec"];
    let containers = items(pod, "containers").filter(|container| {
        let image = text(container, "image");
        let name = image.rsplit('/').next().unwrap_or_default().split([':', '@']).next().unwrap_or_default();
        images.contains(&name)
    });
    containers
        .map(|container| {
            let lists = ["command", "args"].iter().flat_map(|list| items(container, list));
            let words: Vec<String> = lists.filter_map(|word| word.as_str().map(str::to_owned)).collect();
            let is_node_part = words.first().is_some_and(|word| word == "node");
            Words { words, is_node_part }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(image: &str, args: &[&str], replicas: u64) -> View {
        let deployment = json!({"spec": {"replicas": replicas, "template": {"spec": {"containers":
            [{"image": image, "args": args}]}}}});
        View { deployments: vec![deployment], ..View::default() }
    }

    #[test]
    fn a_controller_is_there_while_it_has_a_replica() {
        let args = ["controller", "--k8s-tag-cluster-id=old.example.com", "--extra-tags=a=b,c=d"];
        let keeper = |image: &str, replicas: u64, distribution| {
            volume_keeper(
                &view(&format!("registry.example.com/{image}"), &args, replicas),
                "old",
                distribution,
            )
        };
        let driver = keeper("aws-ebs-csi-driver:v1.20.0", 1, Distribution::Kops).unwrap();
        assert_eq!(driver.cluster_id.as_deref(), Some("old.example.com"));
        assert_eq!(driver.extra_tags["c"], "d");
        assert_eq!(keeper("aws-ebs-csi-driver:v1.20.0", 0, Distribution::Kops), None);
        assert_eq!(keeper("nginx:1", 1, Distribution::Eks), None);
        // The provider of old, where nobody has ever installed a driver.
        let provider = keeper("nginx:1", 1, Distribution::Kops).unwrap();
        assert_eq!((provider.in_tree, provider.cluster_id.as_deref()), (true, Some("old")));
    }

    #[test]
    fn flags_of_external_dns_are_read_in_both_forms() {
        let found = external_dns(&view(
            "external-dns:v1",
            &["--txt-owner-id", "new", "--source=service", "--source=ingress"],
            1,
        ));
        assert_eq!(found[0].owner, "new");
        assert_eq!(found[0].sources, ["service", "ingress"]);
        assert_eq!(found[0].policy, "sync");
    }
}
