//! Who makes the load balancer of a Service, and what it is like.
//!
//! Names and tags are those of cloud-provider-aws (`pkg/providers/v1/aws.go`, `aws_loadbalancer.go`, `tags.go`) and of the AWS
//! Load Balancer Controller (`pkg/service/model_build_*.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Distribution;
use super::view::{View, is_going, shown};
use super::wanted::{
    Ground, Group, Kind, Listener, Stack, Wanted, annotation, group_of, has, number, pairs, short_name,
};
use crate::local::aws::account::{items, text};

/// Of the cloud provider (k8s.io/cloud-provider).
const PROVIDER_FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Of the AWS Load Balancer Controller.
const SERVICE_FINALIZER: &str = "service.k8s.aws/resources";
const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer";

/// The load balancer of a Service, with the finalizer of who makes it.
pub(super) fn stack_of<'a>(ground: &Ground<'a>, service: &'a Value) -> Option<Stack<'a>> {
    let spec = &service["spec"];
    let wants = spec["type"] == "LoadBalancer" && !is_going(service);
    if !wants && !has(service, PROVIDER_FINALIZER) && !has(service, SERVICE_FINALIZER) {
        return None;
    }
    let class = spec["loadBalancerClass"].as_str();
    let kind = annotation(service, PREFIX, "-type").unwrap_or_default();
    let left_alone = class.is_some() || matches!(kind, "external" | "nlb-ip");
    // Its webhook gives new Services the class, which cannot be set later: here each that has none is taken for a new one.
    let own = match class {
        Some(class) => class == "service.k8s.aws/nlb",
        None => left_alone || ground.distribution == Distribution::Eks,
    };
    let by_controller = has(service, SERVICE_FINALIZER) || (own && !has(service, PROVIDER_FINALIZER));
    let (wanted, finalizer) = match ground.balancer_cluster.filter(|_| by_controller) {
        Some(cluster) => (by_balancer_controller(ground.view, service, kind, cluster), SERVICE_FINALIZER),
        None if left_alone || has(service, SERVICE_FINALIZER) => return None,
        None => (by_provider(ground, service, kind), PROVIDER_FINALIZER),
    };
    let (members, leaving) = if wants { (vec![service], Vec::new()) } else { (Vec::new(), vec![service]) };
    Some(Stack { wanted, finalizer: finalizer.to_owned(), members, leaving })
}

/// Internal unless the object says otherwise (aws-load-balancer-controller#3203).
fn by_balancer_controller(view: &View, service: &Value, kind: &str, cluster: &str) -> Wanted {
    let told = |name: &str| annotation(service, PREFIX, name);
    let internal = match (told("-scheme"), told("-internal")) {
        (Some(scheme), _) => scheme != "internet-facing",
        (None, Some(internal)) => internal != "false",
        (None, None) => true,
    };
    let uid = text(&service["metadata"], "uid");
    let scheme = if internal { "internal" } else { "internet-facing" };
    let name = told("-name").map_or_else(|| short_name(service, &[cluster, &uid, scheme]), str::to_owned);
    let mut tags = BTreeMap::from([
        ("elbv2.k8s.aws/cluster".to_owned(), cluster.to_owned()),
        ("service.k8s.aws/stack".to_owned(), shown(service)),
    ]);
    tags.extend(pairs(told("-additional-resource-tags")));
    let by_address = kind == "nlb-ip" || told("-nlb-target-type") == Some("ip");
    let (groups, listeners) = ports_of(view, service, by_address, cluster);
    Wanted {
        name,
        kind: Kind::Network,
        internal,
        tags,
        resource_key: Some("service.k8s.aws/resource"),
        groups,
        listeners,
        by_address,
        shared: told("-multi-cluster-target-group") == Some("true"),
        instances: BTreeSet::new(),
        sources: Vec::new(),
    }
}

/// Public unless the object says otherwise.
fn by_provider(ground: &Ground<'_>, service: &Value, kind: &str) -> Wanted {
    let told = |name: &str| annotation(service, PREFIX, name);
    let uid = text(&service["metadata"], "uid").replace('-', "");
    let mut tags = BTreeMap::from([
        (format!("kubernetes.io/cluster/{}", ground.cluster), "owned".to_owned()),
        ("kubernetes.io/service-name".to_owned(), shown(service)),
    ]);
    // The tag of old, where the instances have it.
    if ground.distribution == Distribution::Kops {
        tags.insert("KubernetesCluster".to_owned(), ground.cluster.to_owned());
    }
    tags.extend(pairs(told("-additional-resource-tags")));
    let network = kind == "nlb";
    let (mut groups, mut listeners) = ports_of(ground.view, service, false, ground.cluster);
    if !network {
        groups.clear();
        listeners.iter_mut().for_each(|listener| listener.group = None);
    }
    Wanted {
        name: format!("a{uid}").chars().take(32).collect(),
        kind: if network { Kind::Network } else { Kind::Classic },
        internal: !matches!(told("-internal"), None | Some("false" | "")),
        tags,
        resource_key: None,
        groups,
        listeners,
        by_address: false,
        shared: false,
        instances: if network { BTreeSet::new() } else { ground.view.instances() },
        sources: sources(&service["spec"]),
    }
}

/// Who may connect: everybody, unless the object names ranges.
fn sources(spec: &Value) -> Vec<String> {
    let named: Vec<String> = items(spec, "loadBalancerSourceRanges")
        .filter_map(|range| range.as_str().map(str::to_owned))
        .collect();
    if named.is_empty() { vec!["0.0.0.0/0".to_owned()] } else { named }
}

/// A target group and a listener for each port of a Service.
fn ports_of(view: &View, service: &Value, by_address: bool, cluster: &str) -> (Vec<Group>, Vec<Listener>) {
    let mut groups = Vec::new();
    let mut listeners = Vec::new();
    for port in items(&service["spec"], "ports") {
        let Some(listen) = number(&port["port"]) else { continue };
        let node = number(&port["nodePort"]).unwrap_or_default();
        // Not allocated yet, or never.
        if node == 0 && !by_address {
            continue;
        }
        let protocol = if port["protocol"] == "UDP" { "UDP" } else { "TCP" };
        listeners.push(Listener { port: listen, protocol, node, group: Some(groups.len()) });
        groups.push(group_of(view, service, port, by_address, cluster));
    }
    (groups, listeners)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(annotations: &[(&str, &str)], class: Option<&str>) -> Value {
        let annotations: BTreeMap<String, &str> =
            annotations.iter().map(|(name, value)| (format!("{PREFIX}-{name}"), *value)).collect();
        json!({
            "metadata": {"name": "edge-proxy", "namespace": "shop", "uid": "0a-0b", "annotations": annotations},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": class, "ports": [{"port": 443, "nodePort": 30443}]},
        })
    }

    /// Who makes it, as `kind scheme finalizer`; nothing where nobody does.
    fn made(service: &Value, distribution: Distribution, controller: bool) -> String {
        let node = json!({"metadata": {"labels": {}}, "spec": {"providerID": "aws:///eu-central-1a/i-1"}});
        let view = View { nodes: vec![node], ..View::default() };
        let balancer_cluster = controller.then_some("old");
        let ground = Ground { view: &view, cluster: "old", distribution, balancer_cluster };
        stack_of(&ground, service).map_or_else(String::new, |stack| {
            let scheme = if stack.wanted.internal { "internal" } else { "public" };
            format!("{:?} {scheme} {}", stack.wanted.kind, stack.finalizer)
        })
    }

    #[test]
    fn the_maker_is_known_by_class_type_and_cluster() {
        use Distribution::{Eks, Kops};
        let (provider, controller) = (PROVIDER_FINALIZER, SERVICE_FINALIZER);
        let table = [
            (service(&[], None), Kops, true, format!("Classic public {provider}")),
            (
                service(&[("type", "nlb"), ("internal", "true")], None),
                Kops,
                false,
                format!("Network internal {provider}"),
            ),
            (service(&[("internal", "")], None), Kops, false, format!("Classic public {provider}")),
            (service(&[("type", "external")], None), Kops, true, format!("Network internal {controller}")),
            (service(&[("type", "external")], None), Kops, false, String::new()),
            (service(&[], Some("example.com/other")), Eks, true, String::new()),
            (service(&[], Some("service.k8s.aws/nlb")), Kops, true, format!("Network internal {controller}")),
            // The trap of moving one as it is: public becomes private.
            (service(&[], None), Eks, true, format!("Network internal {controller}")),
            (
                service(&[("scheme", "internet-facing")], None),
                Eks,
                true,
                format!("Network public {controller}"),
            ),
            (service(&[], None), Eks, false, format!("Classic public {provider}")),
        ];
        for (service, distribution, controller, expected) in table {
            assert_eq!(
                made(&service, distribution, controller),
                expected,
                "{service} {distribution:?} {controller}"
            );
        }
    }

    #[test]
    fn who_has_made_it_keeps_it() {
        let mut service = service(&[], None);
        service["metadata"]["finalizers"] = json!([PROVIDER_FINALIZER]);
        assert_eq!(made(&service, Distribution::Eks, true), format!("Classic public {PROVIDER_FINALIZER}"));
        service["spec"]["type"] = "ClusterIP".into();
        assert_eq!(made(&service, Distribution::Eks, true), format!("Classic public {PROVIDER_FINALIZER}"));
        service["metadata"]["finalizers"] = json!([]);
        assert_eq!(made(&service, Distribution::Eks, true), "");
    }

    #[test]
    fn names_and_tags_are_the_makers() {
        let view = View::default();
        let ground = |controller| Ground {
            view: &view,
            cluster: "old",
            distribution: Distribution::Kops,
            balancer_cluster: controller,
        };
        let one = service(&[("additional-resource-tags", "team=shop, stage=live")], None);
        let wanted = stack_of(&ground(None), &one).unwrap().wanted;
        assert_eq!(wanted.name, "a0a0b");
        let tags: Vec<(&str, &str)> =
            wanted.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            tags,
            [
                ("KubernetesCluster", "old"),
                ("kubernetes.io/cluster/old", "owned"),
                ("kubernetes.io/service-name", "shop/edge-proxy"),
                ("stage", "live"),
                ("team", "shop")
            ]
        );
        let one = service(&[("type", "external")], None);
        let wanted = stack_of(&ground(Some("old")), &one).unwrap().wanted;
        assert!(wanted.name.starts_with("k8s-shop-edgeprox-") && wanted.name.len() == 28, "{}", wanted.name);
        assert_eq!(wanted.tags["elbv2.k8s.aws/cluster"], "old");
        assert_eq!(wanted.tags["service.k8s.aws/stack"], "shop/edge-proxy");
        assert_eq!(wanted.groups[0].resource, "shop/edge-proxy:443");
    }
}
