//! UpdateClusterConfig: one kind of change in one call, and only what changes something.

use super::access;
use super::error::ApiError;
use super::faults::Outcome;
use super::network;
use super::service::{Asked, Service};
use super::state::{Cluster, copy, text, texts};
use super::updates::Target;
use super::{clusters, logging};
use crate::local::aws::world::Issue;
use serde_json::{Value, json};
use std::sync::Arc;

/// A change of the cluster's description that becomes visible when its update succeeds.
pub struct Plan {
    /// Type of the update.
    pub kind: &'static str,
    /// Parameters of the update.
    pub params: Vec<(&'static str, String)>,
    /// Members of the description, with their values afterwards.
    pub members: Vec<(&'static str, Value)>,
}

/// Kinds of changes, by the member of the input that asks for them. Auto Mode has three.
const KINDS: &[(&str, &str)] = &[
    ("logging", "LoggingUpdate"),
    ("accessConfig", "AccessConfigUpdate"),
    ("upgradePolicy", "UpgradePolicyUpdate"),
    ("zonalShiftConfig", "ZonalShiftConfigUpdate"),
    ("computeConfig", "AutoModeUpdate"),
    ("kubernetesNetworkConfig", "AutoModeUpdate"),
    ("storageConfig", "AutoModeUpdate"),
    ("remoteNetworkConfig", "RemoteNetworkConfigUpdate"),
    ("deletionProtection", "DeletionProtectionUpdate"),
    ("controlPlaneScalingConfig", "ControlPlaneScalingConfigUpdate"),
    ("kubeApiServerConfig", "ControlPlaneComponentConfigUpdate"),
    ("kubeSchedulerConfig", "ControlPlaneComponentConfigUpdate"),
    ("kubeControllerManagerConfig", "ControlPlaneComponentConfigUpdate"),
];

/// UpdateClusterConfig.
pub fn update(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("name");
    let kind = kind_of(&asked.input).map_err(|error| error.cluster(name))?;
    begin(service, asked, name, |cluster| plan(service, cluster, kind, &asked.input))
}

/// Which kind of change an input asks for.
fn kind_of(input: &Value) -> Result<&'static str, ApiError> {
    let mut kinds: Vec<&str> =
        KINDS.iter().filter(|(member, _)| !input[*member].is_null()).map(|(_, kind)| *kind).collect();
    let vpc = &input["resourcesVpcConfig"];
    let asks = |members: &[&str]| members.iter().any(|member| !vpc[*member].is_null());
    if asks(&["subnetIds", "securityGroupIds"]) {
        kinds.push("VpcConfigUpdate");
    }
    if asks(&["endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"]) {
        kinds.push("EndpointAccessUpdate");
    }
    if asks(&["controlPlaneEgressMode"]) {
        kinds.push("ControlPlaneEgressUpdate");
    }
    kinds.dedup();
    match kinds[..] {
        [] => Err(ApiError::parameter("The type for cluster update was not provided.")),
        [kind] => Ok(kind),
        _ => Err(ApiError::parameter("Only one type of update can be allowed.")),
    }
}

fn unchanged(what: &str) -> ApiError {
    ApiError::parameter(format!("Cluster is already at the desired configuration with {what}"))
}

fn plan(service: &Service, cluster: &Cluster, kind: &'static str, input: &Value) -> Result<Plan, ApiError> {
    let view = &cluster.view;
    let (params, members): Changes = match kind {
        "LoggingUpdate" => {
            let after = logging::after(&view["logging"], &input["logging"]);
            if after == view["logging"] {
                return Err(ApiError::parameter("No changes needed for the logging config provided"));
            }
            (vec![("ClusterLogging", input["logging"].to_string())], vec![("logging", after)])
        }
        "EndpointAccessUpdate" | "VpcConfigUpdate" | "ControlPlaneEgressUpdate" => {
            vpc_plan(view, kind, input)?
        }
        "AccessConfigUpdate" => {
            let before = text(&view["accessConfig"], "authenticationMode");
            let after = text(&input["accessConfig"], "authenticationMode");
            match (before, after) {
                ("CONFIG_MAP", "API_AND_CONFIG_MAP") | ("API_AND_CONFIG_MAP", "API") => {}
                (_, "") => return Err(ApiError::parameter("accessConfig has no authenticationMode")),
                (before, after) if before == after => {
                    return Err(unchanged(&format!("authenticationMode: {after}")));
                }
                _ => {
                    let message = format!("Unsupported authentication mode update from {before} to {after}");
                    return Err(ApiError::parameter(message));
                }
            }
            let config = json!({"authenticationMode": after});
            (vec![("AuthenticationMode", after.into())], vec![("accessConfig", config)])
        }
        "UpgradePolicyUpdate" => {
            let after = text(&input["upgradePolicy"], "supportType");
            let extended = service.options.version(cluster.version()).is_some_and(|version| version.extended);
            if after == "STANDARD" && extended {
                let message = "extended support cannot be disabled once the version is in extended support";
                return Err(ApiError::parameter(message));
            }
            same("UpgradePolicy", view, "upgradePolicy", &input["upgradePolicy"])?
        }
        "DeletionProtectionUpdate" => {
            same("DeletionProtection", view, "deletionProtection", &input["deletionProtection"])?
        }
        "ZonalShiftConfigUpdate" => {
            same("ZonalShiftConfig", view, "zonalShiftConfig", &input["zonalShiftConfig"])?
        }
        "RemoteNetworkConfigUpdate" => {
            same("RemoteNetworkConfig", view, "remoteNetworkConfig", &input["remoteNetworkConfig"])?
        }
        "ControlPlaneScalingConfigUpdate" => {
            let before = text(&view["controlPlaneScalingConfig"], "tier").to_owned();
            let (_, members) =
                same("UpdatedTier", view, "controlPlaneScalingConfig", &input["controlPlaneScalingConfig"])?;
            let tier = text(&input["controlPlaneScalingConfig"], "tier").to_owned();
            (vec![("UpdatedTier", tier), ("PreviousTier", before)], members)
        }
        "ControlPlaneComponentConfigUpdate" => several(
            view,
            input,
            &[
                ("KubeApiServerConfig", "kubeApiServerConfig"),
                ("KubeSchedulerConfig", "kubeSchedulerConfig"),
                ("KubeControllerManagerConfig", "kubeControllerManagerConfig"),
            ],
        )
        .ok_or_else(|| unchanged("these component configurations"))?,
        _ => {
            let (changes, on) = (auto_mode_plan(view, input)?, input["computeConfig"]["enabled"] == true);
            let refused = if on { service.world.check_auto_mode() } else { Ok(()) };
            refused.map_err(|issue| ApiError::parameter(issue.message))?;
            changes
        }
    };
    Ok(Plan { kind, params, members })
}

type Changes = (Vec<(&'static str, String)>, Vec<(&'static str, Value)>);

fn same(param: &'static str, view: &Value, member: &'static str, asked: &Value) -> Result<Changes, ApiError> {
    let off = asked.is_object() && asked["enabled"] == false && view[member].is_null();
    if *asked == view[member] || off {
        return Err(unchanged(&format!("{member}: {asked}")));
    }
    let value = asked.as_str().map_or_else(|| asked.to_string(), String::from);
    Ok((vec![(param, value)], vec![(member, asked.clone())]))
}

/// Those of the members that are asked for and differ; none when none does.
fn several(view: &Value, input: &Value, members: &[(&'static str, &'static str)]) -> Option<Changes> {
    let asked: Vec<_> = members.iter().filter(|(_, member)| !input[*member].is_null()).collect();
    let differs = asked.iter().any(|(_, member)| input[*member] != view[*member]);
    differs.then(|| {
        let params = asked.iter().map(|(param, member)| (*param, input[*member].to_string())).collect();
        (params, asked.iter().map(|(_, member)| (*member, input[*member].clone())).collect())
    })
}

fn vpc_plan(view: &Value, kind: &str, input: &Value) -> Result<Changes, ApiError> {
    let (before, asked) = (&view["resourcesVpcConfig"], &input["resourcesVpcConfig"]);
    let mut after = before.clone();
    let mut params = Vec::new();
    match kind {
        "EndpointAccessUpdate" => {
            let ipv6 = view["kubernetesNetworkConfig"]["ipFamily"] == "ipv6";
            after = network::endpoints(before, asked, ipv6)?;
            let param = |name: &str| after[name].to_string();
            if after == *before {
                let cidrs = texts(before, "publicAccessCidrs").join(", ");
                return Err(unchanged(&format!(
                    "endpointPrivateAccess: {} , endpointPublicAccess: {}, and Public Endpoint Restrictions: [{cidrs}]",
                    param("endpointPrivateAccess"),
                    param("endpointPublicAccess")
                )));
            }
            params.push(("EndpointPublicAccess", param("endpointPublicAccess")));
            params.push(("EndpointPrivateAccess", param("endpointPrivateAccess")));
            params.push(("PublicAccessCidrs", param("publicAccessCidrs")));
        }
        "VpcConfigUpdate" => {
            copy(asked, &["subnetIds", "securityGroupIds"], &mut after);
            clusters::subnets(&after)?;
            let sorted = |view: &Value, member: &str| {
                let mut ids = texts(view, member);
                ids.sort();
                ids
            };
            if ["subnetIds", "securityGroupIds"].iter().all(|ids| sorted(&after, ids) == sorted(before, ids))
            {
                return Err(unchanged("these subnets and security groups"));
            }
            params.push(("Subnets", after["subnetIds"].to_string()));
            params.push(("SecurityGroups", after["securityGroupIds"].to_string()));
        }
        _ => {
            let mode = text(asked, "controlPlaneEgressMode");
            if mode == text(before, "controlPlaneEgressMode") {
                return Err(unchanged(&format!("controlPlaneEgressMode: {mode}")));
            }
            if mode == "AWS_MANAGED" {
                return Err(ApiError::parameter("controlPlaneEgressMode cannot go back to AWS_MANAGED"));
            }
            after["controlPlaneEgressMode"] = mode.into();
            params.push(("ControlPlaneEgressMode", mode.into()));
        }
    }
    Ok((params, vec![("resourcesVpcConfig", after)]))
}

fn auto_mode_plan(view: &Value, input: &Value) -> Result<Changes, ApiError> {
    let network = &input["kubernetesNetworkConfig"];
    if !network["serviceIpv4Cidr"].is_null() || !network["ipFamily"].is_null() {
        return Err(ApiError::parameter("serviceIpv4Cidr and ipFamily cannot be changed"));
    }
    let enabled = |source: &Value| {
        [
            source["computeConfig"]["enabled"] == true,
            source["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"] == true,
            source["storageConfig"]["blockStorage"]["enabled"] == true,
        ]
    };
    let after = enabled(input);
    if after.iter().any(|on| *on) != after.iter().all(|on| *on) {
        return Err(ApiError::parameter(
            "For EKS Auto Mode, computeConfig, elasticLoadBalancing and blockStorage have to be all enabled or all disabled",
        ));
    }
    if after[0] {
        if view["accessConfig"]["authenticationMode"] == "CONFIG_MAP" {
            return Err(ApiError::request("EKS Auto Mode needs an authentication mode with access entries"));
        }
        super::clusters::node_pools(&input["computeConfig"])?;
        let role = |source: &Value| source["computeConfig"]["nodeRoleArn"].as_str().map(str::to_owned);
        if let (Some(before), Some(after)) = (role(view), role(input))
            && before != after
        {
            return Err(ApiError::parameter("nodeRoleArn cannot be changed while EKS Auto Mode is enabled"));
        }
    }
    let same_pools = input["computeConfig"]["nodePools"].is_null()
        || input["computeConfig"]["nodePools"] == view["computeConfig"]["nodePools"];
    if after == enabled(view) && same_pools {
        return Err(ApiError::request("No changes needed for EKS Auto Mode configuration provided"));
    }
    let mut kubernetes = view["kubernetesNetworkConfig"].clone();
    copy(network, &["elasticLoadBalancing"], &mut kubernetes);
    let mut members = vec![("kubernetesNetworkConfig", kubernetes)];
    let mut params = vec![("KubernetesNetworkConfig", network.to_string())];
    for (param, member) in [("ComputeConfig", "computeConfig"), ("StorageConfig", "storageConfig")] {
        if !input[member].is_null() {
            params.push((param, input[member].to_string()));
            members.push((member, input[member].clone()));
        }
    }
    Ok((params, members))
}

/// Begins an update of a cluster's description.
///
/// # Errors
/// Another update is in progress, the cluster is not ACTIVE, or what the plan says.
pub fn begin(
    service: &Arc<Service>,
    asked: &Asked,
    name: &str,
    plan: impl FnOnce(&Cluster) -> Result<Plan, ApiError>,
) -> Result<Value, ApiError> {
    let name = name.to_owned();
    let now = service.seconds();
    let (id, plan, answer, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster_mut(&name)?;
        let plan = plan(cluster).map_err(|error| error.cluster(&name));
        // That another update is under way is told before what is wrong with this one.
        cluster.require_idle(plan.as_ref().map_or("update", |plan| plan.kind))?;
        let plan = plan?;
        let answer = cluster.begin(id.clone(), Target::Cluster, plan.kind, &plan.params, now);
        (id, plan, answer, cluster.turn.clone())
    };
    let outcome = asked.outcome.clone();
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => applied(&service, &name, plan).await,
        };
        let now = service.seconds();
        if let Ok(cluster) = service.state().cluster_mut(&name) {
            cluster.end(&service.model, &id, &now, &result);
        }
    });
    Ok(json!({"update": answer}))
}

async fn applied(service: &Service, name: &str, plan: Plan) -> Result<(), Issue> {
    let (access_changes, view) = {
        let mut state = service.state();
        let Some(mut cluster) = state.clusters.remove(name) else { return Ok(()) };
        let mode = cluster.view["accessConfig"].clone();
        let compute = cluster.view["computeConfig"].clone();
        for (member, value) in plan.members {
            cluster.view[member] = value;
        }
        let of_auto_mode = cluster.view["computeConfig"] != compute;
        let changes = cluster.view["accessConfig"] != mode;
        if of_auto_mode || changes && mode["authenticationMode"] == "CONFIG_MAP" {
            access::add_those_of_the_service(service, &mut state, &mut cluster);
        }
        if let Some(role) = compute["nodeRoleArn"].as_str().filter(|_| of_auto_mode) {
            access::remove_unused(&mut cluster, role);
        }
        let view = cluster.view.clone();
        state.clusters.insert(name.into(), cluster);
        (changes || of_auto_mode, view)
    };
    if plan.kind == "LoggingUpdate" {
        logging::begun(service, &view).await?;
    }
    if access_changes { access::tell_the_world(service, name).await } else { Ok(()) }
}
