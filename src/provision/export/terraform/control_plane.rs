//! The cluster itself.

use super::cluster::reference;
use super::{File, tags};
use crate::provision::export::hcl::Block;
use crate::provision::network::CLUSTER_SECURITY_GROUP;
use crate::provision::resource::Live;
use serde_json::{Value, json};

/// Arguments that only CreateCluster takes and no API tells again: what an import takes them for differs between versions of
/// the provider, and any other value would replace the cluster (hashicorp/terraform-provider-aws issues 38967 and 39058).
const ONLY_AT_CREATION: [&str; 2] =
    ["access_config[0].bootstrap_cluster_creator_admin_permissions", "bootstrap_self_managed_addons"];

/// A block with one boolean or word, where it is there.
fn single(kind: &str, name: &str, value: &Value) -> Block {
    Block::new(kind, &[]).plain(name, value)
}

pub(super) fn write(live: &Live, file: &mut File) {
    let actual = &live.actual;
    let network = &actual["resourcesVpcConfig"];
    let services = &actual["kubernetesNetworkConfig"];
    let access = &actual["accessConfig"];
    let address = file.add("aws_eks_cluster", &live.id, &live.id, &[], |block| {
        let vpc = Block::new("vpc_config", &[])
            .with("subnet_ids", &network["subnetIds"])
            .with("security_group_ids", &network["securityGroupIds"])
            .plain("endpoint_private_access", &network["endpointPrivateAccess"])
            .plain("endpoint_public_access", &network["endpointPublicAccess"])
            .plain("public_access_cidrs", &network["publicAccessCidrs"])
            .plain("control_plane_egress_mode", &network["controlPlaneEgressMode"]);
        let access =
            Block::new("access_config", &[]).plain("authentication_mode", &access["authenticationMode"]);
        let services = Block::new("kubernetes_network_config", &[])
            .plain("ip_family", &services["ipFamily"])
            .plain("service_ipv4_cidr", &services["serviceIpv4Cidr"])
            .block(single("elastic_load_balancing", "enabled", &services["elasticLoadBalancing"]["enabled"]));
        let encryption = actual["encryptionConfig"].as_array().into_iter().flatten().map(|config| {
            Block::new("encryption_config", &[]).plain("resources", &config["resources"]).block(single(
                "provider",
                "key_arn",
                &config["provider"]["keyArn"],
            ))
        });
        let compute = &actual["computeConfig"];
        let storage = single("block_storage", "enabled", &actual["storageConfig"]["blockStorage"]["enabled"]);
        let remote = &actual["remoteNetworkConfig"];
        let cidrs = |block: &str, list: &str| {
            let all = remote[list].as_array().into_iter().flatten();
            let all: Vec<&Value> = all.filter_map(|each| each["cidrs"].as_array()).flatten().collect();
            single(block, "cidrs", &json!(all))
        };
        let block = block
            .plain("name", &actual["name"])
            .plain("version", &actual["version"])
            .with("role_arn", &actual["roleArn"])
            .plain("enabled_cluster_log_types", &actual["logging"])
            .plain("deletion_protection", &actual["deletionProtection"])
            .plain("tags", &tags(live))
            .block(vpc)
            .block(access)
            .block(services)
            .blocks(encryption)
            .block(single("upgrade_policy", "support_type", &actual["upgradePolicy"]["supportType"]))
            .block(single("zonal_shift_config", "enabled", &actual["zonalShiftConfig"]["enabled"]))
            .block(single(
                "control_plane_scaling_config",
                "tier",
                &actual["controlPlaneScalingConfig"]["tier"],
            ))
            .block(
                Block::new("remote_network_config", &[])
                    .block(cidrs("remote_node_networks", "remoteNodeNetworks"))
                    .block(cidrs("remote_pod_networks", "remotePodNetworks")),
            )
            .blocks(components(actual));
        let block = block.block(Block::new("lifecycle", &[]).addresses("ignore_changes", &ONLY_AT_CREATION));
        // Said only of Auto Mode: a cluster that never had it answers nothing, or a plain no.
        if compute["enabled"] != json!(true) {
            return block;
        }
        block
            .block(
                Block::new("compute_config", &[])
                    .plain("enabled", &compute["enabled"])
                    .plain("node_pools", &compute["nodePools"])
                    .with("node_role_arn", &compute["nodeRoleArn"]),
            )
            .block(Block::new("storage_config", &[]).block(storage))
    });
    file.known.insert(reference(&live.id), format!("{address}.name"));
    if let Some(group) = live.outputs.get(CLUSTER_SECURITY_GROUP).and_then(Value::as_str) {
        file.known.insert(group.to_owned(), format!("{address}.vpc_config[0].cluster_security_group_id"));
    }
}

/// What is set of the control plane's programs.
fn components(actual: &Value) -> [Block; 3] {
    let (server, manager) = (&actual["kubeApiServerConfig"], &actual["kubeControllerManagerConfig"]);
    let (ports, strategy) = (
        &server["serviceNodePortRange"],
        &actual["kubeSchedulerConfig"]["nodeResourcesFit"]["scoringStrategy"],
    );
    let autoscaler = &manager["horizontalPodAutoscalerControllerConfig"];
    let weights = strategy["resources"].as_array().into_iter().flatten();
    let weights = weights.map(|each| {
        Block::new("resource", &[]).plain("name", &each["name"]).plain("weight", &each["weight"])
    });
    [
        Block::new("kube_api_server_config", &[]).plain("event_ttl", &server["eventTtl"]).block(
            Block::new("service_node_port_range", &[])
                .plain("min_port", &ports["minPort"])
                .plain("max_port", &ports["maxPort"]),
        ),
        Block::new("kube_controller_manager_config", &[])
            .block(single(
                "horizontal_pod_autoscaler_controller_config",
                "horizontal_pod_autoscaler_sync_period",
                &autoscaler["horizontalPodAutoscalerSyncPeriod"],
            ))
            .block(single(
                "pod_gc_controller_config",
                "terminated_pod_gc_threshold",
                &manager["podGcControllerConfig"]["terminatedPodGcThreshold"],
            )),
        Block::new("kube_scheduler_config", &[]).block(
            Block::new("node_resources_fit", &[])
                .block(Block::new("scoring_strategy", &[]).plain("type", &strategy["type"]).blocks(weights)),
        ),
    ]
}
