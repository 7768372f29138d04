//! Load balancers made, kept and taken away with the objects that ask for them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::view::{View, shown, with_finalizer, without_finalizer};
use super::wanted::{Ground, Kind, Stack, Wanted};
use super::{Controllers, Failed, bindings, classic, network, of_ingress, of_service, program};
use crate::local::aws::account::{items, text};

/// One look at Services and Ingresses.
pub(super) async fn pass(controllers: &Controllers, view: &View, complaints: &mut BTreeMap<String, String>) {
    let cluster =
        program::balancer_controller(view).map(|own| own.unwrap_or_else(|| controllers.cluster.clone()));
    let balancer_cluster = cluster.as_deref();
    let ground = Ground {
        view,
        cluster: &controllers.cluster,
        distribution: controllers.distribution,
        balancer_cluster,
    };
    let services = view.services.iter().filter_map(|service| of_service::stack_of(&ground, service));
    let ingresses = balancer_cluster.map(|cluster| of_ingress::stacks(view, cluster)).unwrap_or_default();
    for stack in services.chain(ingresses) {
        if let Err(failed) = keep(controllers, &stack).await {
            for object in stack.members.iter().chain(&stack.leaving) {
                complaints.insert(format!("{} {}", kind_of(object), shown(object)), failed.to_string());
            }
        }
    }
    if cluster.is_some() {
        bindings::pass(controllers, view, complaints).await;
    }
}

/// Objects of a list do not say their kind.
fn kind_of(object: &Value) -> &'static str {
    if object["spec"]["clusterIP"].is_string() || object["spec"]["ports"].is_array() {
        "Service"
    } else {
        "Ingress"
    }
}

fn path_of(object: &Value) -> String {
    let metadata = &object["metadata"];
    let (root, plural) = match kind_of(object) {
        "Service" => ("/api/v1", "services"),
        _ => ("/apis/networking.k8s.io/v1", "ingresses"),
    };
    format!("{root}/namespaces/{}/{plural}/{}", text(metadata, "namespace"), text(metadata, "name"))
}

/// Makes a load balancer, keeps its targets, and takes it away with the last of its objects.
async fn keep(controllers: &Controllers, stack: &Stack<'_>) -> Result<(), Failed> {
    let Stack { wanted, finalizer, members, leaving } = stack;
    let key = format!("{:?} {}", wanted.kind, wanted.name);
    if members.is_empty() {
        match wanted.kind {
            Kind::Classic => classic::remove(controllers, wanted).await?,
            Kind::Network | Kind::Application => network::remove(controllers, wanted).await?,
        }
        controllers.forget(&key);
    } else {
        make(controllers, &key, wanted, members, finalizer).await?;
    }
    for object in leaving {
        if let Some(patch) = without_finalizer(object, finalizer) {
            controllers.api.merge(&path_of(object), &patch).await?;
        }
        if object["status"]["loadBalancer"]["ingress"].is_array() {
            let status = json!({"status": {"loadBalancer": null}});
            controllers.api.merge(&format!("{}/status", path_of(object)), &status).await?;
        }
    }
    Ok(())
}

async fn make(
    controllers: &Controllers,
    key: &str,
    wanted: &Wanted,
    members: &[&Value],
    finalizer: &str,
) -> Result<(), Failed> {
    let host_of = |object: &Value| object["status"]["loadBalancer"]["ingress"][0]["hostname"].clone();
    let told: Vec<Value> = members.iter().map(|object| host_of(object)).collect();
    let digest = format!("{wanted:?} {told:?}");
    if controllers.is_settled(key, &digest) {
        return Ok(());
    }
    for object in members {
        if let Some(patch) = with_finalizer(object, finalizer) {
            controllers.api.merge(&path_of(object), &patch).await?;
        }
    }
    let host = match wanted.kind {
        Kind::Classic => classic::make(controllers, wanted).await?,
        Kind::Network | Kind::Application => network::make(controllers, wanted).await?,
    };
    let mut all_told = true;
    for object in members.iter().filter(|object| host_of(object) != host.as_str()) {
        all_told = false;
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}});
        controllers.api.merge(&format!("{}/status", path_of(object)), &status).await?;
    }
    if all_told {
        controllers.settle(key, digest);
    }
    Ok(())
}

/// Subnets for a load balancer, one of each zone, and their VPC: those that the tags name, else all of the cluster's
/// (aws-load-balancer-controller docs/deploy/subnet_discovery.md; cloud-provider-aws `findELBSubnets`).
pub(super) async fn subnets(
    controllers: &Controllers,
    internal: bool,
) -> Result<(Vec<String>, String), Failed> {
    let role = if internal { "kubernetes.io/role/internal-elb" } else { "kubernetes.io/role/elb" };
    let mut found = Vec::new();
    // The controller takes subnets by their role alone, too.
    for key in [controllers.tag_key().as_str(), role] {
        let filter = json!([{"Name": "tag-key", "Values": [key]}]);
        let answer = controllers.account.ec2("DescribeSubnets", json!({"Filters": filter})).await?;
        found = items(&answer, "subnetSet").cloned().collect::<Vec<Value>>();
        if !found.is_empty() {
            break;
        }
    }
    let marked: Vec<&Value> =
        found.iter().filter(|subnet| items(subnet, "tagSet").any(|tag| tag["key"] == role)).collect();
    let chosen = if marked.is_empty() { found.iter().collect() } else { marked };
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
