//! Self-managed node groups, and the launch templates and instance profiles of all.

use super::facts::Facts;
use super::{File, identifier};
use crate::provision::export::hcl::Block;
use crate::provision::network::answer::{flag, items, number, some_text, tags, text};
use crate::provision::nodes::{launch_template_data, profile_of};
use serde_json::{Map, Value, json};

/// Arguments of an Auto Scaling group that no API knows: an import leaves them empty, and the first plan would set their
/// defaults.
const OF_THE_PROVIDER: [&str; 5] = [
    "force_delete",
    "force_delete_warm_pool",
    "ignore_failed_scaling_activities",
    "metrics_granularity",
    "wait_for_capacity_timeout",
];
/// Members of a template's data that the file has words for.
const WRITTEN: [&str; 17] = [
    "BlockDeviceMappings",
    "CapacityReservationSpecification",
    "CreditSpecification",
    "EbsOptimized",
    "EnclaveOptions",
    "IamInstanceProfile",
    "ImageId",
    "InstanceMarketOptions",
    "InstanceType",
    "KeyName",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterfaces",
    "Placement",
    "SecurityGroupIds",
    "TagSpecifications",
    "UserData",
];

pub(super) fn write(facts: &Facts, file: &mut File) {
    for profile in &facts.profiles {
        self::profile(profile, file);
    }
    for (template, version) in &facts.templates {
        self::template(template, version, file);
    }
    for group in &facts.scaling_groups {
        scaling_group(group, file);
    }
}

fn own_tags(thing: &Value) -> Value {
    let tags = tags(thing).into_iter().filter(|(name, _)| !name.starts_with("aws:"));
    tags.map(|(name, value)| (name, Value::from(value))).collect()
}

/// What stands for an instance profile's name; no name of anything else is like it.
fn of_profile(name: &str) -> String {
    format!("\u{0}profile {name}")
}

fn profile(profile: &Value, file: &mut File) {
    let (name, arn) = (text(profile, "InstanceProfileName"), text(profile, "Arn"));
    let role = items(profile, "Roles").first().map(|role| text(role, "RoleName")).unwrap_or_default();
    let address = file.add("aws_iam_instance_profile", name, name, &[(arn, "arn")], |block| {
        let block = block
            .plain("name", &json!(name))
            .plain("path", &json!(some_text(profile, "Path").unwrap_or("/")));
        let role = if role.is_empty() { Value::Null } else { json!(super::iam::reference(role)) };
        block.with("role", &role).plain("tags", &own_tags(profile))
    });
    file.known.insert(of_profile(name), format!("{address}.name"));
}

fn template(template: &Value, version: &Value, file: &mut File) {
    let (id, name) = (text(template, "launchTemplateId"), text(template, "launchTemplateName"));
    let data = launch_template_data(&version["launchTemplateData"]);
    let unsaid: Vec<&str> = data
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .filter(|member| !WRITTEN.contains(member))
        .collect();
    if !unsaid.is_empty() {
        file.notes.push(format!("launch template {name}: not in the file: {}", unsaid.join(", ")));
    }
    file.add("aws_launch_template", name, id, &[(id, "id")], |block| {
        let block = block
            .plain("name", &json!(name))
            .plain("description", &json!(some_text(version, "versionDescription")))
            .plain("image_id", &data["ImageId"])
            .plain("instance_type", &data["InstanceType"])
            .plain("key_name", &data["KeyName"])
            .plain("ebs_optimized", &data["EbsOptimized"])
            .with("vpc_security_group_ids", &data["SecurityGroupIds"])
            .plain("user_data", &data["UserData"])
            .plain("tags", &own_tags(template));
        of_instances(block, &data)
            .blocks(items(&data, "BlockDeviceMappings").iter().map(device))
            .blocks(items(&data, "NetworkInterfaces").iter().map(interface))
            .blocks(items(&data, "TagSpecifications").iter().map(|each| {
                let tags = own_tags(each);
                Block::new("tag_specifications", &[])
                    .plain("resource_type", &each["ResourceType"])
                    .plain("tags", &tags)
            }))
    });
}

/// The blocks of which there is one at most.
fn of_instances(block: Block, data: &Value) -> Block {
    let one = |kind: &str, argument: &str, value: &Value| Block::new(kind, &[]).plain(argument, value);
    let profile = &data["IamInstanceProfile"];
    let by_name = profile_of(data).filter(|_| profile["Arn"].is_null()).map(of_profile);
    let metadata = &data["MetadataOptions"];
    let reservation = &data["CapacityReservationSpecification"];
    let target = &reservation["CapacityReservationTarget"];
    block
        .block(
            Block::new("iam_instance_profile", &[])
                .with("arn", &profile["Arn"])
                .with("name", &json!(by_name)),
        )
        .block(
            Block::new("metadata_options", &[])
                .plain("http_endpoint", &metadata["HttpEndpoint"])
                .plain("http_tokens", &metadata["HttpTokens"])
                .plain("http_put_response_hop_limit", &metadata["HttpPutResponseHopLimit"])
                .plain("http_protocol_ipv6", &metadata["HttpProtocolIpv6"])
                .plain("instance_metadata_tags", &metadata["InstanceMetadataTags"]),
        )
        .block(one("monitoring", "enabled", &data["Monitoring"]["Enabled"]))
        .block(one("credit_specification", "cpu_credits", &data["CreditSpecification"]["CpuCredits"]))
        .block(one("enclave_options", "enabled", &data["EnclaveOptions"]["Enabled"]))
        .block(
            Block::new("placement", &[])
                .plain("group_name", &data["Placement"]["GroupName"])
                .plain("availability_zone", &data["Placement"]["AvailabilityZone"])
                .plain("tenancy", &data["Placement"]["Tenancy"]),
        )
        .block(one("instance_market_options", "market_type", &data["InstanceMarketOptions"]["MarketType"]))
        .block(
            Block::new("capacity_reservation_specification", &[])
                .plain("capacity_reservation_preference", &reservation["CapacityReservationPreference"])
                .block(
                    Block::new("capacity_reservation_target", &[])
                        .plain("capacity_reservation_id", &target["CapacityReservationId"])
                        .plain(
                            "capacity_reservation_resource_group_arn",
                            &target["CapacityReservationResourceGroupArn"],
                        ),
                ),
        )
}

fn device(mapping: &Value) -> Block {
    let ebs = &mapping["Ebs"];
    Block::new("block_device_mappings", &[])
        .plain("device_name", &mapping["DeviceName"])
        .plain("no_device", &mapping["NoDevice"])
        .plain("virtual_name", &mapping["VirtualName"])
        .block(
            Block::new("ebs", &[])
                .plain("delete_on_termination", &ebs["DeleteOnTermination"])
                .plain("encrypted", &ebs["Encrypted"])
                .plain("iops", &ebs["Iops"])
                .plain("kms_key_id", &ebs["KmsKeyId"])
                .plain("snapshot_id", &ebs["SnapshotId"])
                .plain("throughput", &ebs["Throughput"])
                .plain("volume_size", &ebs["VolumeSize"])
                .plain("volume_type", &ebs["VolumeType"]),
        )
}

fn interface(interface: &Value) -> Block {
    Block::new("network_interfaces", &[])
        .plain("device_index", &interface["DeviceIndex"])
        .plain("network_card_index", &interface["NetworkCardIndex"])
        .plain("associate_public_ip_address", &interface["AssociatePublicIpAddress"])
        .plain("delete_on_termination", &interface["DeleteOnTermination"])
        .with("security_groups", &interface["Groups"])
        .with("subnet_id", &interface["SubnetId"])
}

fn scaling_group(group: &Value, file: &mut File) {
    let name = text(group, "AutoScalingGroupName");
    let subnets: Vec<&str> =
        text(group, "VPCZoneIdentifier").split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    let names = |list: &str, member: &str| -> Value {
        items(group, list).iter().map(|each| Value::from(text(each, member))).collect()
    };
    let policies = items(group, "TerminationPolicies").to_vec();
    let positive = |name: &str| number(group, name).filter(|number| *number > 0);
    let switched_on = |name: &str| if flag(group, name) { json!(true) } else { Value::Null };
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
            .block(specification("launch_template", &group["LaunchTemplate"], ["id", "version"]))
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
