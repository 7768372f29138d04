//! Clusters: CreateCluster, DescribeCluster, ListClusters, DeleteCluster.

use super::access;
use super::error::ApiError;
use super::faults::Outcome;
use super::paging::{names, page};
use super::service::{Asked, Service};
use super::state::{Cluster, copy, texts};
use super::updates::{Target, health};
use super::{arn, encryption, logging, network, tags};
use crate::local::aws::world::{ClusterFacts, Issue};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most clusters of an account and region (service quotas).
const CLUSTERS: usize = 100;
/// Most security groups that may be given.
const SECURITY_GROUPS: usize = 5;
/// What an Outpost, which there is none of here, would be asked for with.
const OUTPOST: &str = "outpostConfig";

/// CreateCluster.
pub async fn create(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("name");
    let refused = |error: ApiError| error.cluster(name);
    {
        let state = service.state();
        if state.clusters.contains_key(name) {
            return Err(refused(ApiError::in_use(format!("Cluster already exists with name: {name}"))));
        }
        if state.clusters.len() >= CLUSTERS {
            return Err(refused(ApiError::limit(format!("there are {CLUSTERS} clusters already"))));
        }
    }
    let view = described(service, asked).map_err(refused)?;
    let has_auto_mode = asked.input["computeConfig"]["enabled"] == true;
    let auto_mode = if has_auto_mode { service.world.check_auto_mode() } else { Ok(()) };
    let checked = match auto_mode {
        Ok(()) => service.world.check_cluster(&asked.input).await,
        refused => refused,
    };
    if let Err(issue) = checked {
        return Err(refused(of_issue(service, &issue)));
    }
    let mut cluster = Cluster {
        view: view.clone(),
        creator: arn::lasting(&asked.caller),
        creator_is_admin: asked.input["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] != false,
        entries: Default::default(),
        nodegroups: Default::default(),
        fargate_profiles: Default::default(),
        addons: Default::default(),
        associations: Default::default(),
        providers: Default::default(),
        updates: Vec::new(),
        upgraded: None,
        insights: Vec::new(),
        refresh: None,
        turn: Default::default(),
    };
    let turn = cluster.turn.clone();
    {
        let mut state = service.state();
        access::add_those_of_the_service(service, &mut state, &mut cluster);
        state.clusters.insert(name.into(), cluster);
    }
    let (name, outcome) = (name.to_owned(), asked.outcome.clone());
    let mut for_the_world = view.clone();
    for_the_world["bootstrapSelfManagedAddons"] = (asked.input["bootstrapSelfManagedAddons"] != false).into();
    for_the_world["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] =
        (asked.input["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] != false).into();
    service.later(turn, service.options.delays.create, async move |service: Arc<Service>| {
        let result = match &outcome {
            Some(Outcome::Fail(issue)) => Err(issue.clone()),
            _ => made(&service, &name, &for_the_world).await,
        };
        let degraded = match outcome {
            Some(Outcome::Degrade(issue)) => Some(issue),
            _ => None,
        };
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&name) else { return };
        match result {
            Ok(facts) => activate(&service, cluster, &facts, degraded.as_ref()),
            Err(issue) => {
                cluster.view["status"] = "FAILED".into();
                cluster.view["health"] = health(&service.model, "ClusterIssueCode", &issue, "Other");
                cluster.entries.clear();
            }
        }
    });
    let mut answer = view;
    copy(
        &asked.input["accessConfig"],
        &["bootstrapClusterCreatorAdminPermissions"],
        &mut answer["accessConfig"],
    );
    if answer["accessConfig"]["bootstrapClusterCreatorAdminPermissions"].is_null() {
        answer["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] = true.into();
    }
    Ok(json!({"cluster": answer}))
}

async fn made(service: &Service, name: &str, view: &Value) -> Result<ClusterFacts, Issue> {
    let facts = service.world.create_cluster(view).await?;
    access::tell_the_world(service, name).await?;
    logging::begun(service, view).await?;
    Ok(facts)
}

fn activate(service: &Service, cluster: &mut Cluster, facts: &ClusterFacts, degraded: Option<&Issue>) {
    let view = &mut cluster.view;
    view["endpoint"] = facts.endpoint.as_str().into();
    view["certificateAuthority"] = json!({"data": facts.certificate_authority});
    view["identity"] = json!({"oidc": {"issuer": facts.issuer}});
    view["resourcesVpcConfig"]["clusterSecurityGroupId"] = facts.security_group.as_str().into();
    view["resourcesVpcConfig"]["vpcId"] = facts.vpc.as_str().into();
    view["status"] = "ACTIVE".into();
    view["health"] = match degraded {
        Some(issue) => health(&service.model, "ClusterIssueCode", issue, "Other"),
        None => json!({"issues": []}),
    };
}

/// A world's refusal: InvalidParameterException, or the exception that it names.
pub fn of_issue(service: &Service, issue: &Issue) -> ApiError {
    let code =
        if service.model.status(&issue.code).is_some() { &issue.code } else { "InvalidParameterException" };
    ApiError::new(code, issue.message.clone())
}

/// The cluster that is asked for, as it is described while it is CREATING.
fn described(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let input = &asked.input;
    let name = asked.text("name");
    if !input[OUTPOST].is_null() {
        return Err(ApiError::parameter("there is no Outpost here: outpostConfig cannot be used"));
    }
    let version = match input["version"].as_str() {
        Some(minor) => service.options.version(minor),
        None => service.options.versions.iter().find(|version| version.default),
    };
    let version = version.ok_or_else(|| ApiError::parameter("unsupported Kubernetes version"))?;
    arn::require_role(&service.options, asked.text("roleArn"), "roleArn")?;
    tags::check(&input["tags"], "InvalidParameterException")?;
    let kubernetes = network::kubernetes(&input["kubernetesNetworkConfig"])?;
    let ipv6 = kubernetes["ipFamily"] == "ipv6";
    let vpc = &input["resourcesVpcConfig"];
    subnets(vpc)?;
    let before = json!({
        "subnetIds": vpc["subnetIds"],
        "securityGroupIds": texts(vpc, "securityGroupIds"),
        "endpointPublicAccess": true,
        "endpointPrivateAccess": false,
        "publicAccessCidrs": network::everywhere(ipv6),
    });
    let mut endpoints = network::endpoints(&before, vpc, ipv6)?;
    endpoints["controlPlaneEgressMode"] =
        vpc["controlPlaneEgressMode"].as_str().unwrap_or("AWS_MANAGED").into();
    let mode = access_mode(&input["accessConfig"])?;
    auto_mode(input, mode)?;
    let mut view = json!({
        "name": name,
        "arn": service.arn(&format!("cluster/{name}")),
        "createdAt": service.seconds(),
        "version": version.minor,
        "roleArn": input["roleArn"],
        "resourcesVpcConfig": endpoints,
        "kubernetesNetworkConfig": kubernetes,
        "logging": logging::after(&logging::none(), &input["logging"]),
        "status": "CREATING",
        "certificateAuthority": {},
        "platformVersion": version.platform,
        "tags": tags::or_none(&input["tags"]),
        "accessConfig": {"authenticationMode": mode},
        "upgradePolicy": {"supportType": input["upgradePolicy"]["supportType"].as_str().unwrap_or("EXTENDED")},
        "deletionProtection": input["deletionProtection"] == true,
        "controlPlaneScalingConfig": {"tier": input["controlPlaneScalingConfig"]["tier"].as_str().unwrap_or("standard")},
    });
    if let Some(config) = encryption::of_input(&input["encryptionConfig"])? {
        view["encryptionConfig"] = config;
    }
    copy(
        input,
        &[
            "clientRequestToken",
            "zonalShiftConfig",
            "remoteNetworkConfig",
            "computeConfig",
            "storageConfig",
            "kubeApiServerConfig",
            "kubeSchedulerConfig",
            "kubeControllerManagerConfig",
        ],
        &mut view,
    );
    Ok(view)
}

/// Subnets and security groups that are given. Zones and VPC are the world's to check.
///
/// # Errors
/// `InvalidParameterException`.
pub fn subnets(vpc: &Value) -> Result<(), ApiError> {
    let mut subnets = texts(vpc, "subnetIds");
    subnets.sort();
    let given = subnets.len();
    subnets.dedup();
    if subnets.len() < given {
        return Err(ApiError::parameter("the same subnet is given twice"));
    }
    if subnets.len() < 2 {
        return Err(ApiError::parameter("Subnets specified must be in at least two different AZs"));
    }
    if texts(vpc, "securityGroupIds").len() > SECURITY_GROUPS {
        return Err(ApiError::parameter(format!("at most {SECURITY_GROUPS} security groups may be given")));
    }
    Ok(())
}

fn access_mode(config: &Value) -> Result<&str, ApiError> {
    let mode = config["authenticationMode"].as_str().unwrap_or("CONFIG_MAP");
    if mode == "CONFIG_MAP" && config["bootstrapClusterCreatorAdminPermissions"] == false {
        return Err(ApiError::parameter(
            "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP",
        ));
    }
    Ok(mode)
}

/// Auto Mode is wholly on or wholly off, needs access entries, and brings its own add-ons.
fn auto_mode(input: &Value, mode: &str) -> Result<(), ApiError> {
    let parts = [
        input["computeConfig"]["enabled"] == true,
        input["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"] == true,
        input["storageConfig"]["blockStorage"]["enabled"] == true,
    ];
    if parts.iter().all(|on| !on) {
        return Ok(());
    }
    if !parts.iter().all(|on| *on) {
        return Err(ApiError::parameter(
            "For EKS Auto Mode, computeConfig, elasticLoadBalancing and blockStorage have to be all enabled or all disabled",
        ));
    }
    if mode == "CONFIG_MAP" || input["bootstrapSelfManagedAddons"] != false {
        return Err(ApiError::parameter(
            "EKS Auto Mode needs an authentication mode with access entries, and bootstrapSelfManagedAddons false",
        ));
    }
    node_pools(&input["computeConfig"])
}

/// The built-in node pools, and the role that their nodes have.
pub fn node_pools(compute: &Value) -> Result<(), ApiError> {
    let pools = texts(compute, "nodePools");
    if pools.iter().any(|pool| pool != "general-purpose" && pool != "system") {
        return Err(ApiError::parameter("nodePools may hold general-purpose and system"));
    }
    match (pools.is_empty(), compute["nodeRoleArn"].is_null()) {
        (false, true) => Err(ApiError::parameter("nodePools need a nodeRoleArn")),
        (true, false) => Err(ApiError::parameter("a nodeRoleArn needs nodePools")),
        _ => Ok(()),
    }
}

/// DescribeCluster.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    Ok(json!({"cluster": service.state().cluster(asked.text("name"))?.view}))
}

/// ListClusters.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    if texts(&asked.input, "include").iter().any(|include| include != "all") {
        return Err(ApiError::parameter("include may hold `all` only"));
    }
    page("clusters", names(service.state().clusters.keys()), &asked.input).map(Value::Object)
}

/// DeleteCluster.
pub fn delete(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("name").to_owned();
    let (view, turn) = {
        let mut state = service.state();
        let cluster = state.cluster_mut(&name)?;
        deletable(cluster).map_err(|error| error.cluster(&name))?;
        cluster.view["status"] = "DELETING".into();
        (cluster.view.clone(), cluster.turn.clone())
    };
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    service.later(turn, service.options.delays.delete, async move |service: Arc<Service>| {
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => service.world.delete_cluster(&before).await,
        };
        let mut state = service.state();
        match result {
            Ok(()) => {
                state.clusters.remove(&name);
            }
            Err(issue) => {
                if let Ok(cluster) = state.cluster_mut(&name) {
                    cluster.view["status"] = "FAILED".into();
                    cluster.view["health"] = health(&service.model, "ClusterIssueCode", &issue, "Other");
                }
            }
        }
    });
    Ok(json!({"cluster": view}))
}

fn deletable(cluster: &Cluster) -> Result<(), ApiError> {
    let name = cluster.name();
    if matches!(cluster.status(), "CREATING" | "DELETING") {
        return Err(ApiError::in_use(format!(
            "Cannot delete because cluster {name} is {}",
            cluster.status()
        )));
    }
    if cluster.view["deletionProtection"] == true {
        return Err(ApiError::request(format!(
            "Cluster {name} cannot be deleted while deletion protection is enabled"
        )));
    }
    if cluster.running(&Target::Cluster).is_some() {
        return Err(ApiError::in_use(format!(
            "Cannot delete because cluster {name} currently has an update in progress"
        )));
    }
    if let Some(nodegroup) = cluster.nodegroups.keys().next() {
        let error = ApiError::in_use("Cluster has nodegroups attached");
        return Err(error.with("nodegroupName", nodegroup));
    }
    if !cluster.fargate_profiles.is_empty() {
        return Err(ApiError::in_use("Cluster has Fargate profiles attached"));
    }
    Ok(())
}
