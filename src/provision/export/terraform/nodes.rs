//! The launch templates and instance profiles of all groups, and the self-managed ones (`scaling`).

use super::facts::Facts;
use super::{File, requirements, scaling};
use crate::provision::export::hcl::Block;
use crate::provision::network::answer::{items, some_text, tags, text};
use crate::provision::nodes::{launch_template_data, profile_of};
use serde_json::{Map, Value, json};

/// Members of a template's data that the file has words for.
const WRITTEN: [&str; 18] = [
    "BlockDeviceMappings",
    "CapacityReservationSpecification",
    "CreditSpecification",
    "EbsOptimized",
    "EnclaveOptions",
    "IamInstanceProfile",
    "ImageId",
    "InstanceMarketOptions",
    "InstanceRequirements",
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
        scaling::write(group, file);
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
    let mut unsaid: Vec<&str> = data
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .filter(|member| !WRITTEN.contains(member))
        .collect();
    unsaid.extend(requirements::unsaid(&data["InstanceRequirements"]));
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
            .block(requirements::block(&data["InstanceRequirements"]))
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
