//! Managed node groups.

use super::{File, tags};
use crate::provision::export::hcl::Block;
use crate::provision::resource::Live;
use serde_json::{Value, json};

pub(super) fn write(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let template = &actual["launchTemplate"];
    if let Some(id) = template["id"].as_str().filter(|id| !file.known.contains_key(*id)) {
        file.notes.push(format!("launch template {id} of node group {} is referred to by its id", live.id));
    }
    let taint = |taint: &Value| {
        Block::new("taint", &[])
            .plain("key", &taint["key"])
            .plain("value", &taint["value"])
            .plain("effect", &taint["effect"])
    };
    let (sizes, update) = (&actual["scalingConfig"], &actual["updateConfig"]);
    file.add("aws_eks_node_group", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("node_group_name", &actual["nodegroupName"])
            .with("node_role_arn", &actual["nodeRole"])
            .with("subnet_ids", &actual["subnets"])
            .plain("ami_type", &actual["amiType"])
            .plain("capacity_type", &actual["capacityType"])
            .plain("disk_size", &actual["diskSize"])
            .plain("instance_types", &actual["instanceTypes"])
            .plain("labels", &actual["labels"])
            .plain(
                "release_version",
                &if actual["amiType"] == "CUSTOM" { Value::Null } else { actual["releaseVersion"].clone() },
            )
            .plain("version", &actual["version"])
            .plain("tags", &tags(live))
            .block(
                Block::new("scaling_config", &[])
                    .plain("desired_size", &sizes["desiredSize"])
                    .plain("max_size", &sizes["maxSize"])
                    .plain("min_size", &sizes["minSize"]),
            )
            .block(
                Block::new("update_config", &[])
                    .plain("max_unavailable", &update["maxUnavailable"])
                    .plain("max_unavailable_percentage", &update["maxUnavailablePercentage"])
                    .plain("update_strategy", &update["updateStrategy"]),
            )
            .blocks(actual["taints"].as_array().into_iter().flatten().map(taint))
            .block(
                Block::new("launch_template", &[])
                    .with("id", &template["id"])
                    .plain("version", &template["version"]),
            )
            .block(
                Block::new("remote_access", &[])
                    .plain("ec2_ssh_key", &actual["remoteAccess"]["ec2SshKey"])
                    .with("source_security_group_ids", &actual["remoteAccess"]["sourceSecurityGroups"]),
            )
            .block(repaired(&actual["nodeRepairConfig"]))
            .block(warm_pool(&actual["warmPoolConfig"]))
    });
}

fn repaired(config: &Value) -> Block {
    let overrides = config["nodeRepairConfigOverrides"].as_array().into_iter().flatten();
    Block::new("node_repair_config", &[])
        .plain("enabled", &config["enabled"])
        .plain("max_parallel_nodes_repaired_count", &config["maxParallelNodesRepairedCount"])
        .plain("max_parallel_nodes_repaired_percentage", &config["maxParallelNodesRepairedPercentage"])
        .plain("max_unhealthy_node_threshold_count", &config["maxUnhealthyNodeThresholdCount"])
        .plain("max_unhealthy_node_threshold_percentage", &config["maxUnhealthyNodeThresholdPercentage"])
        .blocks(overrides.map(|each| {
            Block::new("node_repair_config_overrides", &[])
                .plain("min_repair_wait_time_mins", &each["minRepairWaitTimeMins"])
                .plain("node_monitoring_condition", &each["nodeMonitoringCondition"])
                .plain("node_unhealthy_reason", &each["nodeUnhealthyReason"])
                .plain("repair_action", &each["repairAction"])
        }))
}

/// The provider has no switch: a pool that is off is none.
fn warm_pool(config: &Value) -> Block {
    let block = Block::new("warm_pool_config", &[]);
    if config["enabled"] != json!(true) {
        return block;
    }
    block
        .plain("max_group_prepared_capacity", &config["maxGroupPreparedCapacity"])
        .plain("min_size", &config["minSize"])
        .plain("pool_state", &config["poolState"])
        .plain("reuse_on_scale_in", &config["reuseOnScaleIn"])
}
