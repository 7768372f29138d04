//! Add-ons: their objects in the cluster, applied as the service's own field manager.

mod objects;
mod parts;
mod preserve;
mod storage;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::account::{internal, problem, text};
use super::cluster::{Running, locked};
use super::kubernetes::{Force, Refusal, path_of};
use super::nodes;
use super::world::Issue;

/// Field manager of the service.
const MANAGER: &str = "eks";
/// Between two looks at pods that are awaited.
const PAUSE: Duration = Duration::from_millis(250);
/// How long pods are waited for when there is no node that could take them.
const WITHOUT_NODES: Duration = Duration::from_secs(2);

/// What an add-on is made for.
pub(super) struct Setting<'a> {
    /// Of the add-on.
    pub(super) version: String,
    pub(super) namespace: String,
    /// Role of its service account, by IAM roles for service accounts.
    pub(super) role: Option<String>,
    /// What was asked for.
    pub(super) configuration: &'a Value,
    /// Address of the DNS service.
    pub(super) dns: String,
    pub(super) cluster: String,
    pub(super) region: String,
}

impl<'a> Setting<'a> {
    fn of(cluster: &Running, view: &Value, addon: &Value, configuration: &'a Value) -> Setting<'a> {
        let namespace = addon["namespaceConfig"]["namespace"].as_str().unwrap_or("kube-system");
        Setting {
            version: text(addon, "addonVersion"),
            namespace: namespace.to_owned(),
            role: addon["serviceAccountRoleArn"].as_str().map(str::to_owned),
            configuration,
            dns: dns_address(&view["kubernetesNetworkConfig"]),
            cluster: cluster.name.clone(),
            region: cluster.account.home.region.clone(),
        }
    }
}

/// The tenth address of the range of Services, as the service has it.
fn dns_address(network: &Value) -> String {
    if let Some(range) = network["serviceIpv6Cidr"].as_str().filter(|_| network["ipFamily"] == "ipv6") {
        return format!("{}a", range.split('/').next().unwrap_or_default());
    }
    let range = network["serviceIpv4Cidr"].as_str().unwrap_or("10.96.0.0/16");
    let base = range.split('/').next().unwrap_or_default();
    match base.parse::<std::net::Ipv4Addr>() {
        Ok(address) => std::net::Ipv4Addr::from(u32::from(address) + 10).to_string(),
        Err(_) => "10.96.0.10".to_owned(),
    }
}

/// Installs or updates an add-on and waits for its pods.
pub(super) async fn apply(
    cluster: &Running,
    view: &Value,
    addon: &Value,
    configuration: &Value,
) -> Result<(), Issue> {
    let name = text(addon, "addonName");
    let setting = Setting::of(cluster, view, addon, configuration);
    let objects = objects::of(&name, &setting);
    let policy = addon["resolveConflicts"].as_str().unwrap_or("NONE");
    check_conflicts(cluster, &objects, policy).await?;
    for object in &objects {
        put(cluster, object, policy).await?;
    }
    // What another version or configuration had, and this one has not.
    for object in objects::optional(&name, &setting) {
        if !objects.iter().any(|wanted| path_of(wanted) == path_of(&object)) {
            cluster.api.delete(&path_of(&object)).await.map_err(refused)?;
        }
    }
    if name == "vpc-cni" {
        cluster.wake.notify_one();
    }
    let since = Instant::now();
    loop {
        let healthy = health(cluster, &objects).await;
        if healthy.is_ok() {
            locked(&cluster.unready).remove(&name);
            return Ok(());
        }
        let all = cluster.api.list("/api/v1/nodes").await.map_err(internal)?;
        let limit = if all.iter().any(nodes::is_ready) { cluster.patience.addon } else { WITHOUT_NODES };
        if since.elapsed() > limit {
            locked(&cluster.unready).insert(name, objects);
            return healthy;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the pods of an add-on's workloads run.
pub(super) async fn health(cluster: &Running, objects: &[Value]) -> Result<(), Issue> {
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default();
        if !matches!(kind, "Deployment" | "DaemonSet") {
            continue;
        }
        let live = cluster.api.get(&path_of(object)).await.map_err(internal)?;
        let live = live.ok_or_else(|| {
            problem(
                "K8sResourceNotFound",
                format!("{kind} {} is gone", text(&object["metadata"], "name")),
                &[],
            )
        })?;
        if !runs(kind, &live) {
            return Err(problem(
                "InsufficientNumberOfReplicas",
                "The add-on is unhealthy because it doesn't have the desired number of replicas.",
                &[object["metadata"]["name"].as_str().unwrap_or_default()],
            ));
        }
    }
    Ok(())
}

fn runs(kind: &str, live: &Value) -> bool {
    let status = &live["status"];
    let number = |member: &str| status[member].as_u64().unwrap_or(0);
    if number("observedGeneration") < live["metadata"]["generation"].as_u64().unwrap_or(0) {
        return false;
    }
    if kind == "DaemonSet" {
        let wanted = number("desiredNumberScheduled");
        return number("updatedNumberScheduled") >= wanted && number("numberAvailable") >= wanted;
    }
    let wanted = live["spec"]["replicas"].as_u64().unwrap_or(1);
    number("updatedReplicas") >= wanted && number("availableReplicas") >= wanted
}

/// With the policy NONE nothing is changed at all when anything is in conflict.
async fn check_conflicts(cluster: &Running, objects: &[Value], policy: &str) -> Result<(), Issue> {
    if policy != "NONE" {
        return Ok(());
    }
    let mut conflicts = Vec::new();
    for object in objects {
        match cluster.api.dry_run(object, MANAGER).await {
            Err(refusal) if refusal.status == 409 => conflicts.extend(told(object, &refusal)),
            // Of a namespace or a kind that comes with it: the real apply tells.
            _ => {}
        }
    }
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(problem(
        "ConfigurationConflict",
        format!(
            "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\n{}",
            conflicts.join("\n")
        ),
        &[],
    ))
}

fn told(object: &Value, refusal: &Refusal) -> Vec<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = text(&object["metadata"], "name");
    refusal.causes.iter().map(|cause| format!("{kind} {name} - {}", text(cause, "field"))).collect()
}

async fn put(cluster: &Running, object: &Value, policy: &str) -> Result<(), Issue> {
    let force = if policy == "OVERWRITE" { Force::Yes } else { Force::No };
    let mut object = object.clone();
    loop {
        match cluster.api.apply(&object, MANAGER, force).await {
            Ok(_) => return Ok(()),
            Err(refusal) if refusal.status == 409 && policy == "PRESERVE" && !refusal.causes.is_empty() => {
                let mut dropped = false;
                for cause in &refusal.causes {
                    dropped |= preserve::without(&mut object, &text(cause, "field"));
                }
                if !dropped {
                    return Err(refused(refusal));
                }
            }
            Err(refusal) => return Err(refused(refusal)),
        }
    }
}

fn refused(refusal: Refusal) -> Issue {
    let code = match refusal.status {
        409 => "ConfigurationConflict",
        400 | 403 | 422 => "AdmissionRequestDenied",
        0 => "ClusterUnreachable",
        _ => "InternalFailure",
    };
    problem(code, refusal.message, &[])
}

/// Removes an add-on's objects; what is preserved stays as it is, and is the customer's from then on.
pub(super) async fn delete(
    cluster: &Running,
    view: &Value,
    addon: &Value,
    preserve: bool,
) -> Result<(), Issue> {
    let name = text(addon, "addonName");
    locked(&cluster.unready).remove(&name);
    if preserve {
        return Ok(());
    }
    let setting = Setting::of(cluster, view, addon, &Value::Null);
    let mut objects = objects::of(&name, &setting);
    objects.extend(objects::optional(&name, &setting));
    for object in objects.iter().rev() {
        // Definitions stay: with them would go what the customer made of them.
        if object["kind"] != "CustomResourceDefinition" {
            cluster.api.delete(&path_of(object)).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// What a cluster has of itself without add-ons (`bootstrapSelfManagedAddons`): networking and DNS, as if somebody had
/// run kubectl.
pub(super) async fn bootstrap(cluster: &Running, view: &Value) -> Result<(), Issue> {
    let minor = text(view, "version");
    for (name, version) in
        [("vpc-cni", "v1.20.5-eksbuild.1"), ("kube-proxy", ""), ("coredns", "v1.13.2-eksbuild.4")]
    {
        let version =
            if version.is_empty() { format!("v{minor}.0-minimal-eksbuild.1") } else { version.to_owned() };
        let addon = json!({"addonName": name, "addonVersion": version});
        let setting = Setting::of(cluster, view, &addon, &Value::Null);
        for object in objects::of(name, &setting) {
            let path = format!(
                "{}?fieldManager=kubectl-client-side-apply",
                super::kubernetes::collection_of(&object)
            );
            match cluster.api.create(&path, &object).await {
                Ok(_) => {}
                Err(refusal) if refusal.status == 409 => {}
                Err(refusal) => return Err(refused(refusal)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_is_the_tenth_of_the_services() {
        assert_eq!(dns_address(&json!({"serviceIpv4Cidr": "172.20.0.0/16"})), "172.20.0.10");
        assert_eq!(dns_address(&json!({"ipFamily": "ipv6", "serviceIpv6Cidr": "fd30::/108"})), "fd30::a");
    }

    #[test]
    fn a_workload_runs_when_all_its_pods_do() {
        let daemon = |wanted: u64, there: u64| {
            json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "desiredNumberScheduled": wanted,
                "updatedNumberScheduled": there, "numberAvailable": there}})
        };
        assert!(runs("DaemonSet", &daemon(0, 0)));
        assert!(!runs("DaemonSet", &daemon(2, 1)));
        let deployment = |available: u64| {
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 2},
                "status": {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": available}})
        };
        assert!(runs("Deployment", &deployment(2)));
        assert!(!runs("Deployment", &deployment(1)));
        let stale = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}});
        assert!(!runs("DaemonSet", &stale));
    }
}
