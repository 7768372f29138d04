//! The cluster itself.

use super::{json_of, or_unread, put};
use crate::model::cluster::EksRef;
use crate::model::cluster_config::{AuthenticationMode, AutoModeConfig, ClusterConfig, IpFamily, LogType};
use crate::provision::eks::api::{aside, merge};
use crate::provision::eks::cluster_changes::{LOG_RETENTION, LOGS, log_setups};
use crate::provision::iam;
use crate::provision::network;
use crate::provision::resource::{Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn cluster(
    config: &ClusterConfig,
    written: &ClusterConfig,
    settings: &EksRef,
    scope: &Scope,
    known: &Snapshot,
) -> Resource {
    let mut desired = json!({
        "name": scope.cluster,
        "roleArn": iam::cluster_role(config),
        "resourcesVpcConfig": access_to_api(config),
    });
    desired["resourcesVpcConfig"]["subnetIds"] =
        or_unread(network::control_plane_subnets(config, known)).into();
    let groups = network::of_control_plane(config);
    if !groups.is_empty() {
        desired["resourcesVpcConfig"]["securityGroupIds"] = groups.into();
    }
    put(&mut desired, "version", config.metadata.version.as_ref());
    put(&mut desired, "upgradePolicy", config.upgrade_policy);
    put(&mut desired, "zonalShiftConfig", config.zonal_shift_config);
    put(&mut desired, "controlPlaneScalingConfig", config.control_plane_scaling_config.as_ref());
    put(&mut desired, "kubeSchedulerConfig", config.kube_scheduler_config.as_ref());
    put(&mut desired, "kubeControllerManagerConfig", config.kube_controller_manager_config.as_ref());
    put(&mut desired, "deletionProtection", settings.deletion_protection);
    of_api_server(config, &mut desired);
    of_addresses(config, &mut desired);
    of_logging(config, &mut desired);
    of_logins(config, written, &mut desired);
    if let Some(encryption) = &config.secrets_encryption {
        desired["encryptionConfig"] =
            json!([{"resources": ["secrets"], "provider": {"keyArn": encryption.key_arn}}]);
    }
    if let Some(auto) = &config.auto_mode_config {
        merge(&mut desired, auto_mode(config, auto));
    }
    of_updates(config, &mut desired);
    network::resource(network::cluster(scope), desired, config.metadata.tags.clone(), "/metadata")
}

/// From where the API server is reached: from everywhere, as eksctl has it, or from the VPC only in a private cluster.
fn access_to_api(config: &ClusterConfig) -> Value {
    let vpc = config.vpc.as_ref();
    let endpoints = vpc.and_then(|vpc| vpc.cluster_endpoints).unwrap_or_default();
    let private = network::is_fully_private(config);
    let mut access = json!({
        "endpointPublicAccess": endpoints.public_access.unwrap_or(!private),
        "endpointPrivateAccess": endpoints.private_access.unwrap_or(private),
    });
    let addresses = vpc.map(|vpc| vpc.public_access_cidrs.as_slice()).unwrap_or_default();
    if !addresses.is_empty() && access["endpointPublicAccess"] == json!(true) {
        access["publicAccessCidrs"] = json!(addresses);
    }
    put(&mut access, "controlPlaneEgressMode", vpc.and_then(|vpc| vpc.control_plane_egress_mode));
    access
}

fn of_api_server(config: &ClusterConfig, desired: &mut Value) {
    let Some(declared) = &config.kube_api_server_config else { return };
    let mut server = json!({});
    put(&mut server, "eventTtl", declared.event_ttl.as_ref());
    put(&mut server, "serviceNodePortRange", declared.service_node_port_range);
    desired["kubeApiServerConfig"] = server;
}

fn of_addresses(config: &ClusterConfig, desired: &mut Value) {
    let Some(declared) = &config.kubernetes_network_config else { return };
    let mut network = json!({});
    if let Some(family) = declared.ip_family {
        network["ipFamily"] = json!(if family == IpFamily::IPv6 { "ipv6" } else { "ipv4" });
    }
    put(&mut network, "serviceIpv4Cidr", declared.service_ipv4_cidr.as_ref());
    desired["kubernetesNetworkConfig"] = network;
}

fn of_logging(config: &ClusterConfig, desired: &mut Value) {
    let declared = config.cloud_watch.as_ref().and_then(|watch| watch.cluster_logging.as_ref());
    let Some(declared) = declared else { return };
    let all = declared.enable_types.iter().any(|log| matches!(log, LogType::All | LogType::Star));
    let named: BTreeSet<String> =
        declared.enable_types.iter().filter_map(|log| json_of(log).as_str().map(str::to_owned)).collect();
    let (on, off): (Vec<&str>, Vec<&str>) = LOGS.into_iter().partition(|log| all || named.contains(*log));
    let on: Vec<String> = on.into_iter().map(str::to_owned).collect();
    desired["logging"] = log_setups(&on, &off);
    put(desired, LOG_RETENTION, declared.log_retention_in_days);
}

/// What counts at creation only stands aside; the mode is kept where the file names one.
fn of_logins(config: &ClusterConfig, written: &ClusterConfig, desired: &mut Value) {
    let declared = config.access_config.as_ref();
    let creator =
        declared.and_then(|access| access.bootstrap_cluster_creator_admin_permissions).unwrap_or(true);
    let mode = declared.and_then(|access| access.authentication_mode);
    desired[aside::CREATE] = json!({
        "accessConfig": {
            "authenticationMode": json_of(&mode.unwrap_or(AuthenticationMode::ApiAndConfigMap)),
            "bootstrapClusterCreatorAdminPermissions": creator,
        },
        // The network add-ons are EKS add-ons of the file; none are put in beside them.
        "bootstrapSelfManagedAddons": false,
    });
    // Nobody can take the mode back: where the file does not name one, one that was chosen elsewhere may stay.
    if let Some(mode) = written.access_config.as_ref().and_then(|access| access.authentication_mode) {
        desired["accessConfig"] = json!({"authenticationMode": json_of(&mode)});
    }
}

/// Auto Mode has three switches that go together (API reference of CreateCluster).
fn auto_mode(config: &ClusterConfig, auto: &AutoModeConfig) -> Value {
    let on = auto.enabled == Some(true);
    let mut compute = json!({"enabled": on});
    if on {
        let pools = auto.node_pools.clone().unwrap_or_default();
        if !pools.is_empty() {
            compute["nodeRoleArn"] = iam::auto_mode_role(config);
        }
        compute["nodePools"] = json!(pools);
    }
    json!({
        "computeConfig": compute,
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": on}},
        "storageConfig": {"blockStorage": {"enabled": on}},
    })
}

fn of_updates(config: &ClusterConfig, desired: &mut Value) {
    let mut update = json!({});
    put(&mut update, "force", config.metadata.force_update_version);
    put(&mut update, "rollbackConfig", config.metadata.rollback_config.as_ref().map(json_of));
    if update != json!({}) {
        desired[aside::UPDATE] = update;
    }
}
