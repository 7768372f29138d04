//! Who makes the load balancer of a Service or an Ingress, by which name, with which tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::view::{View, is_going, shown, with_finalizer, without_finalizer};
use super::{Controllers, Distribution, Failed, classic, network, program};
use crate::local::aws::account::{items, text};

/// Of the cloud provider (k8s.io/cloud-provider).
const PROVIDER_FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Of the AWS Load Balancer Controller, for Services and for Ingresses.
const SERVICE_FINALIZER: &str = "service.k8s.aws/resources";
const INGRESS_FINALIZER: &str = "ingress.k8s.aws/resources";

/// A load balancer that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) internal: bool,
    pub(super) tags: BTreeMap<String, String>,
    /// Port of the load balancer and of the nodes.
    pub(super) ports: Vec<(u16, u16)>,
}

/// Which load balancer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Classic,
    Network,
    Application,
}

/// One look at Services and Ingresses.
pub(super) async fn pass(controllers: &Controllers, view: &View, complaints: &mut BTreeMap<String, String>) {
    let by_controller = program::has_balancer_controller(view);
    for service in &view.services {
        let Some((wanted, finalizer)) = of_service(controllers, service, by_controller) else { continue };
        let path = path_of(service, "/api/v1", "services");
        if let Err(failed) = keep(controllers, view, service, &path, &wanted, finalizer).await {
            complaints.insert(format!("Service {}", shown(service)), failed.to_string());
        }
    }
    for ingress in view.ingresses.iter().filter(|_| by_controller) {
        let Some(wanted) = of_ingress(controllers, view, ingress) else { continue };
        let path = path_of(ingress, "/apis/networking.k8s.io/v1", "ingresses");
        if let Err(failed) = keep(controllers, view, ingress, &path, &wanted, INGRESS_FINALIZER).await {
            complaints.insert(format!("Ingress {}", shown(ingress)), failed.to_string());
        }
    }
}

fn path_of(object: &Value, root: &str, plural: &str) -> String {
    let metadata = &object["metadata"];
    format!("{root}/namespaces/{}/{plural}/{}", text(metadata, "namespace"), text(metadata, "name"))
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer";

/// The load balancer of a Service, and the finalizer of who makes it.
fn of_service(
    controllers: &Controllers,
    service: &Value,
    by_controller: bool,
) -> Option<(Wanted, &'static str)> {
    let spec = &service["spec"];
    let wants = spec["type"] == "LoadBalancer";
    let has = |finalizer: &str| items(&service["metadata"], "finalizers").any(|one| one == finalizer);
    if !wants && !has(PROVIDER_FINALIZER) && !has(SERVICE_FINALIZER) {
        return None;
    }
    let class = spec["loadBalancerClass"].as_str();
    let kind = annotation(service, &format!("{PREFIX}-type")).unwrap_or_default();
    // Its webhook gives new Services the class, which cannot be set later; here whoever has no other class is its own.
    let own = match class {
        Some(class) => class == "service.k8s.aws/nlb",
        None => matches!(kind, "external" | "nlb-ip") || controllers.distribution == Distribution::Eks,
    };
    let ours = has(SERVICE_FINALIZER) || (by_controller && own && !has(PROVIDER_FINALIZER));
    if !ours && class.is_some() {
        return None;
    }
    let internal = annotation(service, &format!("{PREFIX}-internal")).is_some_and(|value| value != "false");
    let ports = items(spec, "ports")
        .filter_map(|port| Some((number(&port["port"])?, number(&port["nodePort"])?)))
        .collect();
    let stack = shown(service);
    if ours {
        let scheme = annotation(service, &format!("{PREFIX}-scheme"));
        let tags = BTreeMap::from([
            ("elbv2.k8s.aws/cluster".to_owned(), controllers.cluster.clone()),
            ("service.k8s.aws/stack".to_owned(), stack),
            ("service.k8s.aws/resource".to_owned(), "LoadBalancer".to_owned()),
        ]);
        // Internal unless the object says otherwise (aws-load-balancer-controller#3203).
        let internal = scheme.is_none_or(|scheme| scheme != "internet-facing");
        let name = annotation(service, &format!("{PREFIX}-name"))
            .map_or_else(|| short_name(controllers, service), str::to_owned);
        return Some((Wanted { name, kind: Kind::Network, internal, tags, ports }, SERVICE_FINALIZER));
    }
    let uid = text(&service["metadata"], "uid").replace('-', "");
    let mut tags = BTreeMap::from([
        (controllers.tag_key(), "owned".to_owned()),
        ("kubernetes.io/service-name".to_owned(), stack),
    ]);
    if controllers.distribution == Distribution::Kops {
        tags.insert("KubernetesCluster".to_owned(), controllers.cluster.clone());
    }
    let kind = if kind == "nlb" { Kind::Network } else { Kind::Classic };
    let name = format!("a{uid}").chars().take(32).collect();
    Some((Wanted { name, kind, internal, tags, ports }, PROVIDER_FINALIZER))
}

/// The load balancer of an Ingress of the class `alb`.
fn of_ingress(controllers: &Controllers, view: &View, ingress: &Value) -> Option<Wanted> {
    let class = ingress["spec"]["ingressClassName"]
        .as_str()
        .or_else(|| annotation(ingress, "kubernetes.io/ingress.class"));
    if class != Some("alb") {
        return None;
    }
    let scheme = annotation(ingress, "alb.ingress.kubernetes.io/scheme");
    let services =
        items(&ingress["spec"], "rules").flat_map(|rule| items(&rule["http"], "paths")).filter_map(|path| {
            let name = path["backend"]["service"]["name"].as_str()?;
            view.services.iter().find(|service| {
                service["metadata"]["name"] == name
                    && service["metadata"]["namespace"] == ingress["metadata"]["namespace"]
            })
        });
    let ports: Vec<(u16, u16)> = services
        .flat_map(|service| items(&service["spec"], "ports"))
        .filter_map(|port| Some((80, number(&port["nodePort"]).or_else(|| number(&port["port"]))?)))
        .take(1)
        .collect();
    let tags = BTreeMap::from([
        ("elbv2.k8s.aws/cluster".to_owned(), controllers.cluster.clone()),
        ("ingress.k8s.aws/stack".to_owned(), shown(ingress)),
        ("ingress.k8s.aws/resource".to_owned(), "LoadBalancer".to_owned()),
    ]);
    Some(Wanted {
        name: short_name(controllers, ingress),
        kind: Kind::Application,
        internal: scheme != Some("internet-facing"),
        tags,
        ports,
    })
}

/// `k8s-<namespace>-<name>-<hash>`: eight letters of each, and a hash that is the cluster's own.
fn short_name(controllers: &Controllers, object: &Value) -> String {
    let metadata = &object["metadata"];
    let part = |name: &str| -> String {
        text(metadata, name).chars().filter(char::is_ascii_alphanumeric).take(8).collect()
    };
    let mut hash = Sha256::new();
    for word in [controllers.cluster.as_str(), &shown(object), &text(metadata, "uid")] {
        hash.update(word);
    }
    let hash: String = hash.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("k8s-{}-{}-{hash}", part("namespace"), part("name"))
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// Makes a load balancer, keeps its targets, and takes it away with its object.
async fn keep(
    controllers: &Controllers,
    view: &View,
    object: &Value,
    path: &str,
    wanted: &Wanted,
    finalizer: &str,
) -> Result<(), Failed> {
    let ended = is_going(object)
        || (object["kind"] != "Ingress"
            && object["spec"]["type"].is_string()
            && object["spec"]["type"] != "LoadBalancer");
    if ended {
        let Some(patch) = without_finalizer(object, finalizer) else { return Ok(()) };
        match wanted.kind {
            Kind::Classic => classic::remove(controllers, wanted).await?,
            Kind::Network | Kind::Application => network::remove(controllers, wanted).await?,
        }
        controllers.api.merge(path, &patch).await?;
        return Ok(());
    }
    if let Some(patch) = with_finalizer(object, finalizer) {
        controllers.api.merge(path, &patch).await?;
    }
    let instances = view.instances();
    let host = match wanted.kind {
        Kind::Classic => classic::make(controllers, wanted, &instances).await?,
        Kind::Network | Kind::Application => network::make(controllers, wanted, &instances).await?,
    };
    if object["status"]["loadBalancer"]["ingress"][0]["hostname"] != host.as_str() {
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}});
        controllers.api.merge(&format!("{path}/status"), &status).await?;
    }
    Ok(())
}

/// Subnets for a load balancer, one of each zone, and their VPC: those that the tags name, else all of the cluster's.
pub(super) async fn subnets(
    controllers: &Controllers,
    internal: bool,
) -> Result<(Vec<String>, String), Failed> {
    let filter = json!([{"Name": "tag-key", "Values": [controllers.tag_key()]}]);
    let mut answer = controllers.account.ec2("DescribeSubnets", json!({"Filters": filter})).await?;
    if items(&answer, "subnetSet").next().is_none() {
        // The controller takes subnets by their role alone, too (its docs, subnet discovery).
        let role = if internal { "kubernetes.io/role/internal-elb" } else { "kubernetes.io/role/elb" };
        let filter = json!([{"Name": "tag-key", "Values": [role]}]);
        answer = controllers.account.ec2("DescribeSubnets", json!({"Filters": filter})).await?;
    }
    let role = if internal { "kubernetes.io/role/internal-elb" } else { "kubernetes.io/role/elb" };
    let all: Vec<&Value> = items(&answer, "subnetSet").collect();
    let marked: Vec<&Value> =
        all.iter().copied().filter(|subnet| items(subnet, "tagSet").any(|tag| tag["key"] == role)).collect();
    let chosen = if marked.is_empty() { all } else { marked };
    let mut by_zone: BTreeMap<String, (String, String)> = BTreeMap::new();
    for subnet in chosen {
        let pair = (text(subnet, "subnetId"), text(subnet, "vpcId"));
        by_zone
            .entry(text(subnet, "availabilityZone"))
            .and_modify(|own| *own = own.clone().min(pair.clone()))
            .or_insert(pair);
    }
    let vpc = by_zone.values().next().map(|(_, vpc)| vpc.clone());
    let vpc = vpc.ok_or("could not find any suitable subnets for creating the ELB")?;
    Ok((by_zone.into_values().map(|(subnet, _)| subnet).collect(), vpc))
}
