//! Self-managed node groups.

use super::{File, identifier, requirements};
use crate::provision::export::hcl::Block;
use crate::provision::network::answer::{flag, items, number, some_text, text};
use serde_json::{Value, json};

/// Arguments of an Auto Scaling group that no API knows: an import leaves them empty, and the first plan would set their
/// defaults.
const OF_THE_PROVIDER: [&str; 5] = [
    "force_delete",
    "force_delete_warm_pool",
    "ignore_failed_scaling_activities",
    "metrics_granularity",
    "wait_for_capacity_timeout",
];

pub(super) fn write(group: &Value, file: &mut File) {
    let name = text(group, "AutoScalingGroupName");
    let subnets: Vec<&str> =
        text(group, "VPCZoneIdentifier").split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    let names = |list: &str, member: &str| -> Value {
        items(group, list).iter().map(|each| Value::from(text(each, member))).collect()
    };
    let policies = items(group, "TerminationPolicies").to_vec();
    let positive = |name: &str| number(group, name).filter(|number| *number > 0);
    let switched_on = |name: &str| if flag(group, name) { json!(true) } else { Value::Null };
    let configuration = some_text(group, "LaunchConfigurationName");
    if let Some(configuration) = configuration {
        file.notes.push(format!(
            "launch configuration {configuration} of Auto Scaling group {name} is referred to by its name: write it as an \
             aws_launch_configuration, or give the group a launch template"
        ));
    }
    let overrides = items(&group["MixedInstancesPolicy"]["LaunchTemplate"], "Overrides");
    let unsaid = overrides.iter().flat_map(|each| requirements::unsaid(&each["InstanceRequirements"]));
    let unsaid: Vec<&str> = unsaid.collect();
    if !unsaid.is_empty() {
        file.notes.push(format!("Auto Scaling group {name}: not in the file: {}", unsaid.join(", ")));
    }
    file.add("aws_autoscaling_group", &identifier(name), name, &[], |block| {
        block
            .plain("name", &json!(name))
            .plain("min_size", &json!(number(group, "MinSize")))
            .plain("max_size", &json!(number(group, "MaxSize")))
            .plain("desired_capacity", &json!(number(group, "DesiredCapacity")))
            .with("vpc_zone_identifier", &json!(subnets))
            .plain("capacity_rebalance", &switched_on("CapacityRebalance"))
            .plain("default_cooldown", &json!(number(group, "DefaultCooldown")))
            .plain("default_instance_warmup", &json!(positive("DefaultInstanceWarmup")))
            // The provider's default is not the API's.
            .plain("health_check_grace_period", &json!(number(group, "HealthCheckGracePeriod")))
            .plain("health_check_type", &json!(some_text(group, "HealthCheckType")))
            .plain("max_instance_lifetime", &json!(positive("MaxInstanceLifetime")))
            .plain("placement_group", &json!(some_text(group, "PlacementGroup")))
            .plain("protect_from_scale_in", &switched_on("NewInstancesProtectedFromScaleIn"))
            .plain("load_balancers", &Value::from(items(group, "LoadBalancerNames").to_vec()))
            .plain("target_group_arns", &Value::from(items(group, "TargetGroupARNs").to_vec()))
            .plain("suspended_processes", &names("SuspendedProcesses", "ProcessName"))
            .plain("enabled_metrics", &names("EnabledMetrics", "Metric"))
            .plain(
                "termination_policies",
                &if policies == [json!("Default")] { Value::Null } else { Value::from(policies) },
            )
            .plain("desired_capacity_type", &json!(some_text(group, "DesiredCapacityType")))
            .plain("launch_configuration", &json!(configuration))
            .block(specification("launch_template", &group["LaunchTemplate"], ["id", "version"]))
            .block(maintenance(&group["InstanceMaintenancePolicy"]))
            .block(mixed(&group["MixedInstancesPolicy"]))
            .blocks(items(group, "Tags").iter().filter(|tag| !text(tag, "Key").starts_with("aws:")).map(
                |tag| {
                    Block::new("tag", &[])
                        .plain("key", &json!(text(tag, "Key")))
                        .literal("value", text(tag, "Value"))
                        .plain("propagate_at_launch", &json!(flag(tag, "PropagateAtLaunch")))
                },
            ))
            .block(Block::new("lifecycle", &[]).addresses("ignore_changes", &OF_THE_PROVIDER))
    });
}

fn specification(kind: &str, found: &Value, [id, version]: [&str; 2]) -> Block {
    Block::new(kind, &[]).with(id, &found["LaunchTemplateId"]).plain(version, &found["Version"])
}

fn mixed(policy: &Value) -> Block {
    let (template, distribution) = (&policy["LaunchTemplate"], &policy["InstancesDistribution"]);
    let whole = |name: &str| json!(number(distribution, name));
    let overrides = items(template, "Overrides").iter().map(|each| {
        Block::new("override", &[])
            .plain("instance_type", &each["InstanceType"])
            .plain("weighted_capacity", &each["WeightedCapacity"])
            .block(requirements::block(&each["InstanceRequirements"]))
            .block(specification(
                "launch_template_specification",
                &each["LaunchTemplateSpecification"],
                ["launch_template_id", "version"],
            ))
    });
    Block::new("mixed_instances_policy", &[])
        .block(
            Block::new("instances_distribution", &[])
                .plain("on_demand_allocation_strategy", &distribution["OnDemandAllocationStrategy"])
                .plain("on_demand_base_capacity", &whole("OnDemandBaseCapacity"))
                .plain(
                    "on_demand_percentage_above_base_capacity",
                    &whole("OnDemandPercentageAboveBaseCapacity"),
                )
                .plain("spot_allocation_strategy", &distribution["SpotAllocationStrategy"])
                .plain("spot_instance_pools", &whole("SpotInstancePools"))
                .plain("spot_max_price", &distribution["SpotMaxPrice"]),
        )
        .block(
            Block::new("launch_template", &[])
                .block(specification(
                    "launch_template_specification",
                    &template["LaunchTemplateSpecification"],
                    ["launch_template_id", "version"],
                ))
                .blocks(overrides),
        )
}

/// How many nodes stay, or are there beside them, while others are replaced.
fn maintenance(policy: &Value) -> Block {
    Block::new("instance_maintenance_policy", &[])
        .plain("min_healthy_percentage", &json!(number(policy, "MinHealthyPercentage")))
        .plain("max_healthy_percentage", &json!(number(policy, "MaxHealthyPercentage")))
}
